//! Alerting: rules, the states of their series, and the alerts that they open.

pub mod class;
pub mod labels;
pub mod rule;
pub mod scope;
pub mod state;
mod words;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Timestamp;

pub use class::Class;
pub use labels::{Labels, fingerprint};
pub use rule::{Condition, Rule, RuleDraft, RuleSpec};
pub use scope::Scope;
pub use state::{Instance, Transition};
pub use words::{Direction, Distinct, GroupBy, InstanceState, NoData, RuleKind, Severity};

/// Whether an alert is open or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// The alert is open, because its condition holds, its value has not crossed the recovery threshold, its condition
    /// stopped holding less than `keep_firing_for` ago, or its window cannot be evaluated (an error, downtime, or no
    /// posts with `no_data` set to `keep`).
    Firing,
    /// The alert has ended. If the condition holds again, a new alert opens.
    Resolved,
}

impl AlertState {
    /// The name used in the table and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

impl fmt::Display for AlertState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for AlertState {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "firing" => Ok(Self::Firing),
            "resolved" => Ok(Self::Resolved),
            _ => Err("must be one of firing, resolved"),
        }
    }
}

/// An alert: a row of `sentiment_alerts`, and the `data` of the WebSocket message `alert`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Alert {
    /// The id of the alert. Later alerts have higher ids.
    pub id: i64,
    /// The name of the rule. If the rule is renamed, its open alerts get the new name, and its resolved alerts keep the
    /// old name. An alert about a rule or receiver that fails has the name `RuleFailing` or `ReceiverFailing`.
    pub alert_type: String,
    /// The posts of the alert's series: `all`, `source:NAME`, `topic:NAME,source:NAME`, …; `rule:NAME` or
    /// `receiver:NAME` for an alert about a rule or receiver that fails.
    pub scope: String,
    /// `firing` while the alert is open, then `resolved`.
    pub state: AlertState,
    /// The rule's threshold at the last evaluation while the alert was firing.
    pub threshold_value: f64,
    /// The measured value at the last evaluation while the alert was firing.
    pub actual_value: f64,
    /// The start of the window in which `actual_value` was measured, inclusive.
    #[schema(value_type = String, format = DateTime)]
    pub window_start: Timestamp,
    /// The end of the window in which `actual_value` was measured, exclusive.
    #[schema(value_type = String, format = DateTime)]
    pub window_end: Timestamp,
    /// The number of posts in the window that the rule counts: without copies that `distinct` leaves out, and without
    /// unscored posts if the rule counts a sentiment or an emotion.
    pub post_count: i32,
    /// The time of the evaluation that opened the alert.
    #[schema(value_type = String, format = DateTime)]
    pub triggered_at: Timestamp,
    /// The time of the evaluation that resolved the alert; null while it is open.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// The counts of the window and other data that explains the alert.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
    /// The id of the rule that opened the alert; 0 for alerts about failing rules and receivers; null for alerts from
    /// versions of SentiStream that had no rules.
    #[serde(default)]
    pub rule_id: Option<i64>,
    /// The severity that the rule had when the alert opened; `warning` for alerts from versions of SentiStream that had
    /// no rules.
    #[serde(default = "Alert::usual_severity")]
    pub severity: Severity,
    /// The state of the alert's series: `firing` or `recovering` while the alert is open; afterwards the state in which
    /// the series was when the alert ended (`normal` or `no_data`).
    #[serde(default = "Alert::usual_phase")]
    pub phase: InstanceState,
    /// The labels that identify the alert in notifications, as they were when it opened: `alertname`, `severity`, …
    #[serde(default)]
    pub labels: Labels,
    /// The rule's texts about the alert, with the values of the last evaluation while the alert was firing.
    #[serde(default)]
    pub annotations: Labels,
    /// Who acknowledged the alert, and when; null if the alert is not acknowledged.
    #[serde(default)]
    pub acknowledged: Option<Acknowledgement>,
}

impl Alert {
    fn usual_severity() -> Severity {
        Severity::Warning
    }

    fn usual_phase() -> InstanceState {
        InstanceState::Normal
    }
}

/// Records that someone is working on an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Acknowledgement {
    /// When the alert was acknowledged.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The name of the user or the token that acknowledged the alert.
    pub by: String,
    /// A note for other users, at most 2,000 characters; empty if none was given.
    pub note: String,
}
