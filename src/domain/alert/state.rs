//! The state of each series of a rule, and its changes.

use serde::{Deserialize, Serialize};

use super::{InstanceState, Labels, Severity};
use crate::domain::Timestamp;

/// A series of a rule with its state. Normal series have no row.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    pub rule_id: i64,
    /// The posts of the series, as in the alert's `scope`. It is unique within the rule.
    pub scope: String,
    /// The fingerprint of `labels`.
    pub fingerprint: String,
    pub state: InstanceState,
    /// Event time at which the state began.
    pub since: Timestamp,
    /// Event time at which the condition began to hold; none while the series does not alert. Later counts are not part
    /// of a baseline.
    pub began: Option<Timestamp>,
    /// Event time of the last evaluation.
    pub evaluated_at: Timestamp,
    /// The id of the open alert.
    pub alert_id: Option<i64>,
    /// The last measured value; `None` without data.
    pub value: Option<f64>,
    pub threshold: f64,
    pub severity: Severity,
    /// `alertname`, `severity`, `kind`, `rule_id`, the labels of its group (such as `source`), and the rule's own
    /// labels.
    pub labels: Labels,
    /// The rule's annotations with filled placeholders.
    pub annotations: Labels,
    /// Why the series could not be evaluated.
    pub reason: Option<String>,
}

/// A change of an instance's state: a row of `alert_transitions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Transition {
    /// Increases from one transition to the next, over all rules.
    pub id: i64,
    pub rule_id: i64,
    /// The alert that it belongs to; none before the series fires for the first time.
    pub alert_id: Option<i64>,
    /// The posts of the series: `all`, `source:NAME`, …
    pub scope: String,
    /// The fingerprint of `labels`: 16 hexadecimal digits.
    pub fingerprint: String,
    pub from_state: InstanceState,
    pub to_state: InstanceState,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The measured value; none without data.
    pub value: Option<f64>,
    pub threshold: f64,
    pub severity: Severity,
    /// `alertname`, `severity`, `kind`, `rule_id`, the labels of its group (such as `source`), and the rule's own
    /// labels.
    pub labels: Labels,
    /// The rule's annotations with filled placeholders.
    pub annotations: Labels,
    /// Another cause of the change than the measured value, such as an error or a deleted rule.
    pub reason: Option<String>,
}

impl Transition {
    /// Whether the alert starts to fire.
    pub fn fires(&self) -> bool {
        !self.from_state.is_alerting() && self.to_state.is_alerting()
    }

    /// Whether the alert is resolved.
    pub fn resolves(&self) -> bool {
        self.from_state.is_alerting() && !self.to_state.is_alerting()
    }
}
