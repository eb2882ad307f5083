//! Alerts about failures of alerting: receivers whose deliveries fail, and rules that cannot be evaluated.
//!
//! These alerts have no rule in the store. Their series have the rule id [`META`]. Otherwise they open, notify and
//! resolve like all other alerts.

use std::collections::BTreeMap;

use serde_json::json;

use crate::domain::Timestamp;
use crate::domain::alert::{Instance, InstanceState, Labels, Rule, Severity, fingerprint};
use crate::store::alerts::{NewAlert, Step};
use crate::store::notify::FailingReceiver;

/// The reason of a series that cannot be evaluated yet, because it has too little history. This is not a failure.
pub(super) const NO_BASELINE: &str = "there is too little history for a baseline";

/// The rule id of the series in this module.
pub const META: i64 = 0;

/// The state that the alerts of this module are computed from.
pub struct Inputs<'a> {
    /// Receivers whose last delivery failed.
    pub receivers: &'a [FailingReceiver],
    /// The stored series of each rule, by rule id. A series whose state is `Normal` is not stored.
    pub series: &'a BTreeMap<i64, Vec<Instance>>,
    /// The rules whose failed evaluation raises an alert.
    pub rules: &'a [Rule],
}

/// An alert that should be open.
struct Condition {
    alert_type: &'static str,
    scope: String,
    severity: Severity,
    labels: Labels,
    summary: String,
    description: String,
}

/// The steps that open and resolve the alerts of this module at `now`. `known` are the series whose alerts are open.
pub fn steps(inputs: &Inputs<'_>, known: &[Instance], now: Timestamp) -> Vec<Step> {
    let mut conditions = inputs.receivers.iter().map(of_receiver).collect::<Vec<_>>();
    conditions.extend(inputs.rules.iter().filter_map(|rule| of_rule(rule, inputs.series)));
    let is_open = |condition: &Condition| known.iter().any(|series| series.scope == condition.scope);
    let mut steps: Vec<Step> =
        conditions.iter().filter(|found| !is_open(found)).map(|found| open(found, now)).collect();
    let is_over = |series: &&Instance| !conditions.iter().any(|condition| condition.scope == series.scope);
    steps.extend(known.iter().filter(is_over).map(|series| resolve(series, now)));
    steps
}

fn of_receiver(receiver: &FailingReceiver) -> Condition {
    let name = receiver.name.clone();
    Condition {
        alert_type: "ReceiverFailing",
        scope: format!("receiver:{name}"),
        severity: Severity::Critical,
        labels: [("receiver".to_owned(), name.clone())].into(),
        summary: format!("Notifications to the receiver {name} fail"),
        description: receiver.error.clone().unwrap_or_default(),
    }
}

fn of_rule(rule: &Rule, series: &BTreeMap<i64, Vec<Instance>>) -> Option<Condition> {
    let failing = series.get(&rule.id)?.iter().find(|series| is_failing(series))?;
    Some(Condition {
        alert_type: "RuleFailing",
        scope: format!("rule:{}", rule.spec.name),
        severity: Severity::Warning,
        labels: [("rule".to_owned(), rule.spec.name.clone())].into(),
        summary: format!("The rule {} cannot be evaluated", rule.spec.name),
        description: failing.reason.clone().unwrap_or_default(),
    })
}

/// Whether the rule of a series fails. A firing alert keeps its state while its rule fails, so its reason is checked
/// too.
fn is_failing(series: &Instance) -> bool {
    let fails = || series.reason.as_deref().is_some_and(|reason| reason != NO_BASELINE);
    series.state == InstanceState::Error || (series.state.is_alerting() && fails())
}

fn open(condition: &Condition, now: Timestamp) -> Step {
    let mut labels = condition.labels.clone();
    labels.insert("alertname".to_owned(), condition.alert_type.to_owned());
    labels.insert("severity".to_owned(), condition.severity.to_string());
    let annotations = [("summary", &condition.summary), ("description", &condition.description)];
    let filled = annotations.into_iter().filter(|(_, text)| !text.is_empty());
    let instance = Instance {
        rule_id: META,
        scope: condition.scope.clone(),
        fingerprint: fingerprint(&labels),
        state: InstanceState::Firing,
        since: now,
        began: Some(now),
        evaluated_at: now,
        alert_id: None,
        value: Some(1.0),
        threshold: 0.0,
        severity: condition.severity,
        labels,
        annotations: filled.map(|(name, text)| (name.to_owned(), text.clone())).collect(),
        reason: None,
    };
    let new = NewAlert {
        alert_type: condition.alert_type.to_owned(),
        actual_value: 1.0,
        window_start: now,
        window_end: now,
        post_count: 0,
        details: json!({}),
    };
    Step { from: InstanceState::Normal, instance, at: now, opens: Some(new) }
}

fn resolve(series: &Instance, now: Timestamp) -> Step {
    let instance =
        Instance { state: InstanceState::Normal, since: now, began: None, evaluated_at: now, ..series.clone() };
    Step { from: series.state, instance, at: now, opens: None }
}
