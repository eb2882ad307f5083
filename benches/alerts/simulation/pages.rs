//! Counts the notifications that the alerts of an incident cause under the default inhibition rules.

use std::time::Duration;

use sentistream::config::{Config, Inputs};
use sentistream::domain::Timestamp;
use sentistream::domain::alert::Labels;
use sentistream::domain::notify::InhibitRule;
use sentistream::domain::notify::inhibit::{AFTERMATH, Inhibition, RecentAlert};
use sentistream::rules::backtest::Firing;

/// The default time that the first notification of a group waits for more alerts.
const GROUP_WAIT: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

/// An alert of the rule with this name.
pub struct Fired {
    pub rule: &'static str,
    pub firing: Firing,
}

/// The number of alerts that cause a notification when they fire.
pub fn count(mut fired: Vec<Fired>) -> usize {
    let (defaults, _) = Config::load(&Inputs::default()).expect("the default settings are not valid");
    fired.sort_by_key(|fired| fired.firing.fired_at);
    let alerts: Vec<RecentAlert> = (1..).zip(&fired).map(|(id, fired)| fired.alert(id)).collect();
    let rules = defaults.alerts.inhibit_rules;
    alerts.iter().filter(|alert| notifies(alert, &alerts, &rules)).count()
}

/// Whether there is a time at which the alert fires and is not inhibited.
fn notifies(alert: &RecentAlert, alerts: &[RecentAlert], rules: &[InhibitRule]) -> bool {
    let mut at = alert.began + GROUP_WAIT;
    while alert.ended.is_none_or(|ended| at < ended) {
        if !Inhibition::new(rules.to_vec(), recent(alerts, at)).covers(&alert.labels) {
            return true;
        }
        if at.since(alert.began) > AFTERMATH * 2 {
            return false;
        }
        at = at + MINUTE;
    }
    false
}

/// The alerts that fire at the time `at`, or ended shortly before it.
fn recent(alerts: &[RecentAlert], at: Timestamp) -> Vec<RecentAlert> {
    let is_recent = |alert: &&RecentAlert| {
        alert.began <= at && alert.ended.is_none_or(|ended| ended > at || at.since(ended) < AFTERMATH)
    };
    let as_it_was =
        |alert: &RecentAlert| RecentAlert { ended: alert.ended.filter(|ended| *ended <= at), ..alert.clone() };
    alerts.iter().filter(is_recent).map(as_it_was).collect()
}

impl Fired {
    fn alert(&self, id: i64) -> RecentAlert {
        let mut labels = Labels::from([
            ("alertname".to_owned(), self.rule.to_owned()),
            ("rule_id".to_owned(), self.rule.to_owned()),
            ("incident".to_owned(), "negative_mood".to_owned()),
        ]);
        let source = self.firing.scope.strip_prefix("source:");
        labels.extend(source.map(|source| ("source".to_owned(), source.to_owned())));
        RecentAlert { id, labels, began: self.firing.fired_at, ended: self.firing.resolved_at }
    }
}
