//! The state of each series of a rule, and its changes. A series is one of the groups into which `group_by` splits the
//! posts that the rule watches.

use serde::{Deserialize, Serialize};

use super::{InstanceState, Labels, Severity};
use crate::domain::Timestamp;

/// A series of a rule with its state. A series in the state `normal` has no row in the database.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The id of the rule; 0 for the alerts about rules and receivers that fail.
    pub rule_id: i64,
    /// The scope of the series, such as `source:web`, as in its alert. The scope is unique within the rule.
    pub scope: String,
    /// The fingerprint of `labels`: 16 hexadecimal digits.
    pub fingerprint: String,
    /// The state after the last evaluation.
    pub state: InstanceState,
    /// The event time at which the state began.
    pub since: Timestamp,
    /// The event time at which the condition began to hold, in the states pending, firing and recovering; otherwise
    /// `None`. Baselines exclude the counts of the window that ended at this time and all later counts, for at most a
    /// day.
    pub began: Option<Timestamp>,
    /// The event time of the last evaluation.
    pub evaluated_at: Timestamp,
    /// The id of the open alert; `None` if no alert is open.
    pub alert_id: Option<i64>,
    /// The last measured value; `None` without data.
    pub value: Option<f64>,
    /// The threshold at the last evaluation.
    pub threshold: f64,
    /// The severity of the rule. An open alert keeps the severity that it opened with.
    pub severity: Severity,
    /// `alertname`, `severity`, `kind`, `rule_id`, the labels of the series (such as `source`), and the rule's own
    /// labels.
    pub labels: Labels,
    /// The rule's annotations with filled placeholders.
    pub annotations: Labels,
    /// Why the series could not be evaluated; `None` if it was evaluated.
    pub reason: Option<String>,
}

/// A change of the state of a series: a row of `alert_transitions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Transition {
    /// The id of the transition. Later transitions have higher ids, also across rules.
    pub id: i64,
    /// The id of the rule; 0 for the alerts about rules and receivers that fail.
    pub rule_id: i64,
    /// The id of the alert that the change belongs to; null for changes without an alert, such as to `pending`.
    pub alert_id: Option<i64>,
    /// The posts of the series: `all`, `source:NAME`, …; `rule:NAME` or `receiver:NAME` for the alerts about rules and
    /// receivers that fail.
    pub scope: String,
    /// The fingerprint of `labels`: 16 hexadecimal digits.
    pub fingerprint: String,
    /// The state before the change.
    pub from_state: InstanceState,
    /// The state after the change.
    pub to_state: InstanceState,
    /// The time of the evaluation that changed the state.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The measured value; null without data, and if the posts could not be counted.
    pub value: Option<f64>,
    /// The threshold that the value was compared with.
    pub threshold: f64,
    /// The severity of the rule. An open alert keeps the severity that it opened with.
    pub severity: Severity,
    /// `alertname`, `severity`, `kind`, `rule_id`, the labels of the series (such as `source`), and the rule's own
    /// labels.
    pub labels: Labels,
    /// The rule's annotations with filled placeholders.
    pub annotations: Labels,
    /// The cause of the change, such as an error or a deleted rule; null if the measured value is the cause.
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
