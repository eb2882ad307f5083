//! An alert: a condition that held over a window.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Whether the condition still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    Firing,
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

/// A row of `sentiment_alerts`, and the `data` of the WebSocket's `alert`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Alert {
    pub id: i64,
    /// The rule's kind: `negative_share` or `negative_ratio`.
    pub alert_type: String,
    /// What it watches: `all`, or `source:NAME`.
    pub scope: String,
    pub state: AlertState,
    /// The value that must be exceeded.
    pub threshold_value: f64,
    /// The value that was measured.
    pub actual_value: f64,
    #[schema(value_type = String, format = DateTime)]
    pub window_start: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub window_end: Timestamp,
    /// Posts in the window.
    pub post_count: i32,
    #[schema(value_type = String, format = DateTime)]
    pub triggered_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// The window's counts and what else explains the alert.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
}
