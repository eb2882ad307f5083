//! Alert rows: at most one open per type and scope.

use crate::domain::{Alert, AlertState, Timestamp};

/// Which alerts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertFilter {
    pub state: Option<AlertState>,
    pub alert_type: Option<String>,
    /// `triggered_at` at or after.
    pub start: Option<Timestamp>,
    /// `triggered_at` before.
    pub end: Option<Timestamp>,
}

/// An alert that begins. Its id and state are given by the store.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAlert {
    pub alert_type: String,
    pub scope: String,
    pub threshold_value: f64,
    pub actual_value: f64,
    pub window_start: Timestamp,
    pub window_end: Timestamp,
    pub post_count: i32,
    pub triggered_at: Timestamp,
    pub details: serde_json::Value,
}

/// A change of the alert table.
#[derive(Clone, Debug, PartialEq)]
pub enum AlertChange {
    /// Opens an alert; nothing happens if one of its type and scope is open.
    Open(NewAlert),
    /// Resolves the open alert with this id; nothing happens if it is resolved.
    Resolve { id: i64, at: Timestamp },
}

/// A page of alerts, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertPage {
    pub alerts: Vec<Alert>,
    pub total: i64,
    /// The id after which the next page starts; `None` on the last.
    pub next: Option<i64>,
}
