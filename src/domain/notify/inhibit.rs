//! Inhibition: alerts that suppress the notifications of other alerts.

use serde::{Deserialize, Serialize};

use super::{Checks, Kind, Managed, Matcher, matcher};
use crate::domain::FieldError;
use crate::domain::alert::{Instance, Labels};

const MAX_EQUAL: usize = 10;

/// While an alert that matches `source_matchers` fires, alerts that match `target_matchers` send no notifications, if
/// both have the same values of the labels in `equal`. As in Alertmanager, a missing label is equal to an empty one,
/// and an alert that matches both sides is not inhibited by another alert that matches both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InhibitRule {
    /// The name, which must be unique and cannot be changed.
    #[schema(example = "total-over-sources")]
    pub name: String,
    /// Matchers of the inhibiting alert: all must match. At least one is required.
    #[schema(min_items = 1, value_type = Vec<matcher::MatcherSpec>)]
    pub source_matchers: Vec<Matcher>,
    /// Matchers of the inhibited alert: all must match. At least one is required.
    #[schema(min_items = 1, value_type = Vec<matcher::MatcherSpec>)]
    pub target_matchers: Vec<Matcher>,
    /// Labels that must have the same values in both alerts.
    #[serde(default)]
    pub equal: Vec<String>,
}

impl InhibitRule {
    /// Whether an alert with the labels `source` inhibits one with the labels `target`.
    pub fn inhibits(&self, source: &Labels, target: &Labels) -> bool {
        let is_source = |labels| matcher::all_match(&self.source_matchers, labels);
        let is_target = |labels| matcher::all_match(&self.target_matchers, labels);
        let value = |labels: &Labels, name: &String| labels.get(name).cloned().unwrap_or_default();
        is_target(target)
            && is_source(source)
            && !(is_source(target) && is_target(source))
            && self.equal.iter().all(|name| value(source, name) == value(target, name))
    }
}

/// The inhibition rules, with the alerts that fire.
#[derive(Clone, Debug, Default)]
pub struct Inhibition {
    rules: Vec<InhibitRule>,
    firing: Vec<FiringAlert>,
}

/// An alert that fires.
#[derive(Clone, Debug)]
pub struct FiringAlert {
    /// The id of the row of `sentiment_alerts`.
    pub alert_id: Option<i64>,
    pub fingerprint: String,
    pub labels: Labels,
}

impl From<&Instance> for FiringAlert {
    fn from(instance: &Instance) -> Self {
        Self { alert_id: instance.alert_id, fingerprint: instance.fingerprint.clone(), labels: instance.labels.clone() }
    }
}

impl Inhibition {
    /// Keeps only alerts that match the source side of a rule.
    pub fn new(rules: Vec<InhibitRule>, firing: impl IntoIterator<Item = FiringAlert>) -> Self {
        let is_source =
            |alert: &FiringAlert| rules.iter().any(|rule| matcher::all_match(&rule.source_matchers, &alert.labels));
        let firing = firing.into_iter().filter(is_source).collect();
        Self { rules, firing }
    }

    /// The alerts that inhibit an alert with these labels.
    pub fn inhibitors(&self, labels: &Labels) -> Vec<&FiringAlert> {
        let inhibits = |alert: &&FiringAlert| self.rules.iter().any(|rule| rule.inhibits(&alert.labels, labels));
        self.firing.iter().filter(inhibits).collect()
    }

    /// Whether an alert with these labels is inhibited.
    pub fn covers(&self, labels: &Labels) -> bool {
        self.firing.iter().any(|alert| self.rules.iter().any(|rule| rule.inhibits(&alert.labels, labels)))
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
        checks.require(self.equal.len() <= MAX_EQUAL, "equal", format!("must be at most {MAX_EQUAL} labels"));
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
}
