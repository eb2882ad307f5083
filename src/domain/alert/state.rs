//! The state of each series of a rule, and its changes.

use serde::{Deserialize, Serialize};

use super::{InstanceState, Labels, Severity};
use crate::domain::Timestamp;

/// One series of a rule and its state. Series that are normal have no row.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    pub rule_id: i64,
    /// Whose posts: as the alert's `scope`, unique in its rule.
    pub scope: String,
    /// Of `labels`.
    pub fingerprint: String,
    pub state: InstanceState,
    /// Event time at which the state began.
    pub since: Timestamp,
    /// Event time at which the condition began to hold; none while the series does not alert. What came after it is not
    /// part of a baseline.
    pub began: Option<Timestamp>,
    /// Event time of the last evaluation.
    pub evaluated_at: Timestamp,
    /// The open alert.
    pub alert_id: Option<i64>,
    /// What was measured last; `None` without data.
    pub value: Option<f64>,
    pub threshold: f64,
    pub severity: Severity,
    /// `alertname`, `severity`, `kind`, `rule_id`, those of its group (such as `source`) and the rule's own.
    pub labels: Labels,
    /// The rule's, with their placeholders filled.
    pub annotations: Labels,
    /// Why it could not be judged.
    pub reason: Option<String>,
}

/// A change of an instance's state: a row of `alert_transitions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Transition {
    /// Grows from one to the next, over all rules.
    pub id: i64,
    pub rule_id: i64,
    /// The alert that it belongs to; none before the first time of firing.
    pub alert_id: Option<i64>,
    /// Whose posts: `all`, `source:NAME`, …
    pub scope: String,
    /// Of `labels`: 16 hexadecimal digits.
    pub fingerprint: String,
    pub from_state: InstanceState,
    pub to_state: InstanceState,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What was measured; none without data.
    pub value: Option<f64>,
    pub threshold: f64,
    pub severity: Severity,
    /// `alertname`, `severity`, `kind`, `rule_id`, those of its group (such as `source`) and the rule's own.
    pub labels: Labels,
    /// The rule's, with their placeholders filled.
    pub annotations: Labels,
    /// What happened besides the measurement: an error, a rule that is gone.
    pub reason: Option<String>,
}

impl Transition {
    /// Whether the alert begins to fire with it.
    pub fn fires(&self) -> bool {
        !self.from_state.is_alerting() && self.to_state.is_alerting()
    }

    /// Whether the alert is over with it.
    pub fn resolves(&self) -> bool {
        self.from_state.is_alerting() && !self.to_state.is_alerting()
    }
}
