//! The rows of alerting.

use diesel::{Queryable, Selectable};
use serde::de::DeserializeOwned;

use crate::store::schema::{alert_instances, alert_transitions, sentiment_alerts};
use crate::store::sql::{At, JsonText, Label};
use sentistream_core::domain::alert::{Acknowledgement, Instance, InstanceState, Severity, Transition};
use sentistream_core::domain::notify::inhibit::RecentAlert;
use sentistream_core::domain::{Alert, AlertState};

/// The row of an alert.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sentiment_alerts)]
pub struct AlertRow {
    /// The id of the alert.
    pub id: i64,
    /// The name of the rule while the alert was open. A new name of the rule applies to its open alerts.
    pub alert_type: String,
    scope: String,
    state: Label<AlertState>,
    threshold_value: f64,
    actual_value: f64,
    window_start: At,
    window_end: At,
    post_count: i32,
    triggered_at: At,
    resolved_at: Option<At>,
    details: JsonText,
    rule_id: Option<i64>,
    severity: Label<Severity>,
    phase: Label<InstanceState>,
    labels: JsonText,
    annotations: JsonText,
    acknowledged_at: Option<At>,
    acknowledged_by: Option<String>,
    acknowledged_note: Option<String>,
}

/// The columns of an alert that inhibition needs.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sentiment_alerts)]
pub struct RecentRow {
    id: i64,
    labels: JsonText,
    triggered_at: At,
    resolved_at: Option<At>,
}

impl From<RecentRow> for RecentAlert {
    fn from(row: RecentRow) -> Self {
        let (began, ended) = (row.triggered_at.0, row.resolved_at.map(|at| at.0));
        Self { id: row.id, labels: from_json(&row.labels), began, ended }
    }
}

impl From<AlertRow> for Alert {
    fn from(row: AlertRow) -> Self {
        let acknowledged = row.acknowledged_at.zip(row.acknowledged_by).map(|(at, by)| Acknowledgement {
            at: at.0,
            by,
            note: row.acknowledged_note.unwrap_or_default(),
        });
        Self {
            id: row.id,
            alert_type: row.alert_type,
            scope: row.scope,
            state: row.state.0,
            threshold_value: row.threshold_value,
            actual_value: row.actual_value,
            window_start: row.window_start.0,
            window_end: row.window_end.0,
            post_count: row.post_count,
            triggered_at: row.triggered_at.0,
            resolved_at: row.resolved_at.map(|at| at.0),
            details: from_json(&row.details),
            rule_id: row.rule_id,
            severity: row.severity.0,
            phase: row.phase.0,
            labels: from_json(&row.labels),
            annotations: from_json(&row.annotations),
            acknowledged,
        }
    }
}

/// The row of a series that is not normal.
#[derive(Queryable, Selectable)]
#[diesel(table_name = alert_instances)]
pub struct InstanceRow {
    rule_id: i64,
    scope: String,
    fingerprint: String,
    state: Label<InstanceState>,
    since: At,
    began_at: Option<At>,
    evaluated_at: At,
    alert_id: Option<i64>,
    value: Option<f64>,
    threshold: f64,
    severity: Label<Severity>,
    labels: JsonText,
    annotations: JsonText,
    reason: Option<String>,
}

impl From<InstanceRow> for Instance {
    fn from(row: InstanceRow) -> Self {
        Self {
            rule_id: row.rule_id,
            scope: row.scope,
            fingerprint: row.fingerprint,
            state: row.state.0,
            since: row.since.0,
            began: row.began_at.map(|at| at.0),
            evaluated_at: row.evaluated_at.0,
            alert_id: row.alert_id,
            value: row.value,
            threshold: row.threshold,
            severity: row.severity.0,
            labels: from_json(&row.labels),
            annotations: from_json(&row.annotations),
            reason: row.reason,
        }
    }
}

/// The row of a transition.
#[derive(Queryable, Selectable)]
#[diesel(table_name = alert_transitions)]
pub struct TransitionRow {
    id: i64,
    rule_id: i64,
    alert_id: Option<i64>,
    scope: String,
    fingerprint: String,
    from_state: Label<InstanceState>,
    to_state: Label<InstanceState>,
    at: At,
    value: Option<f64>,
    threshold: f64,
    severity: Label<Severity>,
    labels: JsonText,
    annotations: JsonText,
    reason: Option<String>,
}

impl From<TransitionRow> for Transition {
    fn from(row: TransitionRow) -> Self {
        Self {
            id: row.id,
            rule_id: row.rule_id,
            alert_id: row.alert_id,
            scope: row.scope,
            fingerprint: row.fingerprint,
            from_state: row.from_state.0,
            to_state: row.to_state.0,
            at: row.at.0,
            value: row.value,
            threshold: row.threshold,
            severity: row.severity.0,
            labels: from_json(&row.labels),
            annotations: from_json(&row.annotations),
            reason: row.reason,
        }
    }
}

/// The content of a JSON document, or the default value if another version of the program wrote it in a different
/// format.
pub fn from_json<T: DeserializeOwned + Default>(text: &JsonText) -> T {
    serde_json::from_str(&text.0).unwrap_or_default()
}

/// `value` as a JSON document.
pub fn to_json<T: serde::Serialize>(value: &T) -> JsonText {
    // The types of this crate can always be serialised to JSON.
    JsonText(serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()))
}
