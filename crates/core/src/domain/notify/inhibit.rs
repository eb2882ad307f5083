//! Inhibition: alerts that suppress the notifications of other alerts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checks, Kind, Managed, Matcher, matcher};
use crate::domain::alert::Labels;
use crate::domain::alert::labels::fingerprint;
use crate::domain::{FieldError, Timestamp};

const MAX_EQUAL: usize = 10;

/// How long the later alerts of an incident stay suppressed after the first alert has ended. In the mode `first`, an
/// incident is an alert together with the later alerts that it suppresses. Without this time, later alerts that are
/// about to end too would send notifications.
pub const AFTERMATH: Duration = Duration::from_secs(30 * 60);

/// In the mode `source`: while an alert that matches `source_matchers` fires, alerts that match `target_matchers` send
/// no notifications, if both have the same values of the labels in `equal`. As in Alertmanager, a missing label is
/// equal to an empty one, and an alert that matches both sides is not inhibited by another alert that matches both
/// sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InhibitRule {
    /// The name: 1 to 100 characters. It must be unique, and cannot be changed.
    #[schema(example = "critical-over-warning")]
    pub name: String,
    /// Which of two alerts inhibits the other. Default: `source`.
    #[serde(default, skip_serializing_if = "InhibitMode::is_source")]
    #[schema(required = false)]
    pub mode: InhibitMode,
    /// Matchers of the inhibiting alert: all must match. At least one is required.
    #[schema(min_items = 1, value_type = Vec<matcher::MatcherSpec>)]
    pub source_matchers: Vec<Matcher>,
    /// Matchers of the inhibited alert: all must match. At least one is required.
    #[schema(min_items = 1, value_type = Vec<matcher::MatcherSpec>)]
    pub target_matchers: Vec<Matcher>,
    /// At most 10 labels that must have the same values in both alerts.
    #[serde(default)]
    pub equal: Vec<String>,
}

/// Which of two alerts inhibits the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InhibitMode {
    /// The alert that matches `source_matchers` inhibits the other alert, as in Alertmanager.
    #[default]
    Source,
    /// The alert that began first inhibits the other alert. One of the two must match `source_matchers`, the other
    /// `target_matchers`. A missing label equals every value. The later alert stays suppressed for up to 30 minutes
    /// after the first alert has ended.
    First,
}

impl InhibitMode {
    fn is_source(&self) -> bool {
        *self == Self::Source
    }
}

impl InhibitRule {
    /// Whether a firing alert with the labels `source` inhibits an alert with the labels `target`.
    pub fn inhibits(&self, source: &Labels, target: &Labels) -> bool {
        let value = |labels: &Labels, name: &String| labels.get(name).cloned().unwrap_or_default();
        self.mode == InhibitMode::Source
            && self.pairs(source, target)
            && !(self.is_source(target) && self.is_target(source))
            && self.equal.iter().all(|name| value(source, name) == value(target, name))
    }

    /// Whether an alert with the labels `first` inhibits a later alert with the labels `second`.
    fn inhibits_later(&self, first: &Labels, second: &Labels) -> bool {
        let value = |labels: &Labels, name: &String| labels.get(name).filter(|value| !value.is_empty()).cloned();
        let equal = |name: &String| match (value(first, name), value(second, name)) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        self.mode == InhibitMode::First
            && (self.pairs(first, second) || self.pairs(second, first))
            && self.equal.iter().all(equal)
    }

    fn pairs(&self, source: &Labels, target: &Labels) -> bool {
        self.is_source(source) && self.is_target(target)
    }

    fn is_source(&self, labels: &Labels) -> bool {
        matcher::all_match(&self.source_matchers, labels)
    }

    fn is_target(&self, labels: &Labels) -> bool {
        matcher::all_match(&self.target_matchers, labels)
    }
}

/// An alert that fires or ended recently.
#[derive(Clone, Debug)]
pub struct RecentAlert {
    /// The id of the row in `sentiment_alerts`. Ids increase in the order in which alerts open.
    pub id: i64,
    /// The labels that the alert opened with.
    pub labels: Labels,
    /// When the alert opened.
    pub began: Timestamp,
    /// When the alert ended; `None` while it fires.
    pub ended: Option<Timestamp>,
}

impl RecentAlert {
    /// The fingerprint of the alert's labels.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.labels)
    }
}

/// The inhibition rules together with the alerts that can inhibit others.
#[derive(Clone, Debug, Default)]
pub struct Inhibition {
    rules: Vec<InhibitRule>,
    /// The alerts that fire or ended recently, sorted by id.
    recent: Vec<RecentAlert>,
    /// The first alert of each incident. The later alerts of an incident are not included.
    firsts: Vec<First>,
}

/// The first alert of an incident.
#[derive(Clone, Debug)]
struct First {
    alert: RecentAlert,
    /// When the last alert of the incident ended; `None` while any of its alerts fires.
    incident_ended: Option<Timestamp>,
}

impl Inhibition {
    /// Groups `alerts` into incidents. The alerts must be sorted by id, and each alert must fire or have ended less
    /// than [`AFTERMATH`] ago.
    pub fn new(rules: Vec<InhibitRule>, alerts: Vec<RecentAlert>) -> Self {
        let mut firsts: Vec<First> = Vec::new();
        for alert in &alerts {
            let inhibits =
                |first: &&mut First| rules.iter().any(|rule| rule.inhibits_later(&first.alert.labels, &alert.labels));
            let belongs = |first: &&mut First| first.incident_ended.is_none_or(|ended| ended > alert.began);
            match firsts.iter_mut().filter(belongs).find(inhibits) {
                Some(first) => {
                    first.incident_ended = first.incident_ended.zip(alert.ended).map(|(one, other)| one.max(other));
                }
                None => firsts.push(First { alert: alert.clone(), incident_ended: alert.ended }),
            }
        }
        Self { rules, recent: alerts, firsts }
    }

    /// The alerts that inhibit an alert with these labels.
    pub fn inhibitors(&self, labels: &Labels) -> Vec<&RecentAlert> {
        let inhibits = |alert: &&RecentAlert| self.rules.iter().any(|rule| rule.inhibits(&alert.labels, labels));
        let of_source = self.recent.iter().filter(|alert| alert.ended.is_none()).filter(inhibits);
        // The notification about the end of an alert is sent after the alert has ended, so ended alerts are looked up
        // too. If no alert has these labels, the result is the same as for an alert that begins now.
        let own = self.recent.iter().rfind(|alert| alert.labels == *labels);
        let earlier = move |first: &&First| {
            own.is_none_or(|own| first.alert.id < own.id && first.incident_ended.is_none_or(|ended| ended > own.began))
        };
        let later = |first: &&First| self.rules.iter().any(|rule| rule.inhibits_later(&first.alert.labels, labels));
        let is_first = own.is_some_and(|own| self.firsts.iter().any(|first| first.alert.id == own.id));
        let firsts = self.firsts.iter().filter(move |_| !is_first).filter(earlier).filter(later);
        of_source.chain(firsts.map(|first| &first.alert)).collect()
    }

    /// Whether an alert with these labels is inhibited.
    pub fn covers(&self, labels: &Labels) -> bool {
        !self.inhibitors(labels).is_empty()
    }
}

impl Managed for InhibitRule {
    const KIND: Kind = Kind::InhibitRule;

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn check(&self) -> Vec<FieldError> {
        let mut checks = Checks::default();
        checks.name(&self.name);
        let sides = [("source_matchers", &self.source_matchers), ("target_matchers", &self.target_matchers)];
        for (field, matchers) in sides {
            checks.require(!matchers.is_empty(), field, "must have at least one matcher");
            checks.matchers(field, matchers);
        }
        checks.require(self.equal.len() <= MAX_EQUAL, "equal", format!("must have at most {MAX_EQUAL} labels"));
        let labels = self.equal.iter().all(|label| (1..=100).contains(&label.len()));
        checks.require(labels, "equal", "must be label names of 1 to 100 bytes");
        checks.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn rule(source: &str, target: &str, equal: &[&str]) -> InhibitRule {
        InhibitRule {
            name: "rule".to_owned(),
            mode: InhibitMode::Source,
            source_matchers: vec![Matcher::parse(source).unwrap()],
            target_matchers: vec![Matcher::parse(target).unwrap()],
            equal: equal.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn inhibition_needs_equal_labels() {
        let rule = rule("source=\"\"", "source=~\".+\"", &["rule_id", "topic"]);
        let total = labels(&[("rule_id", "1")]);
        assert!(rule.inhibits(&total, &labels(&[("rule_id", "1"), ("source", "web")])));
        assert!(!rule.inhibits(&total, &labels(&[("rule_id", "2"), ("source", "web")])));
        assert!(!rule.inhibits(&total, &labels(&[("rule_id", "1"), ("source", "web"), ("topic", "acme")])));
        assert!(!rule.inhibits(&total, &total));
    }

    #[test]
    fn alert_that_matches_both_sides_does_not_inhibit_itself() {
        let rule = rule("severity=\"critical\"", "severity=~\"critical|warning\"", &[]);
        let critical = labels(&[("severity", "critical")]);
        assert!(!rule.inhibits(&critical, &critical));
        assert!(rule.inhibits(&critical, &labels(&[("severity", "warning")])));
    }

    /// An alert that begins at minute `id` and ends after `minutes`; without `minutes` it still fires.
    fn alert(id: i64, source: Option<&str>, minutes: Option<i64>) -> RecentAlert {
        let at = |minute: i64| Timestamp::from_millis(minute * 60_000).unwrap();
        let mut of = labels(&[("alertname", &format!("rule-{id}"))]);
        of.extend(source.map(|source| ("source".to_owned(), source.to_owned())));
        RecentAlert { id, labels: of, began: at(id), ended: minutes.map(|minutes| at(id + minutes)) }
    }

    fn inhibition(alerts: &[RecentAlert]) -> Inhibition {
        let any = "alertname=~\"rule-.*\"";
        let first = InhibitRule { mode: InhibitMode::First, ..rule(any, any, &["source"]) };
        Inhibition::new(vec![first], alerts.to_vec())
    }

    /// The ids of the firing alerts that are not inhibited.
    fn notifying(alerts: &[RecentAlert]) -> Vec<i64> {
        let inhibition = inhibition(alerts);
        let firing = alerts.iter().filter(|alert| alert.ended.is_none());
        firing.filter(|alert| !inhibition.covers(&alert.labels)).map(|alert| alert.id).collect()
    }

    #[test]
    fn first_alert_of_an_incident_inhibits_later_ones() {
        let (web, forum) = (Some("web"), Some("forum"));
        assert_eq!(notifying(&[alert(1, web, None), alert(2, web, None), alert(3, None, None)]), [1]);
        assert_eq!(notifying(&[alert(1, None, None), alert(2, web, None), alert(3, forum, None)]), [1]);
        // Alert 2, about all sources, joins the incident of `web` and does not inhibit alert 3, about `forum`.
        assert_eq!(notifying(&[alert(1, web, None), alert(2, None, None), alert(3, forum, None)]), [1, 3]);
    }

    #[test]
    fn later_alerts_stay_inhibited_after_the_first_one_ended() {
        let web = Some("web");
        assert_eq!(notifying(&[alert(1, web, Some(5)), alert(2, web, None)]), [0; 0]);
        assert_eq!(notifying(&[alert(1, web, Some(5)), alert(2, web, Some(9)), alert(8, web, None)]), [0; 0]);
        assert_eq!(notifying(&[alert(1, web, Some(5)), alert(8, web, None)]), [8], "alert 8 starts a new incident");
    }

    #[test]
    fn later_alerts_of_an_incident_do_not_notify_when_they_end() {
        let alerts = [alert(1, Some("web"), Some(5)), alert(2, Some("web"), Some(6)), alert(3, Some("web"), None)];
        let inhibition = inhibition(&alerts);
        assert_eq!(alerts.each_ref().map(|alert| inhibition.covers(&alert.labels)), [false, true, true]);
    }
}
