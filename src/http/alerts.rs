//! Alerts: listing and acknowledging them.

pub mod audit;
pub mod backtest;
pub mod rules;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::alert::{Acknowledgement, Severity, Transition};
use crate::domain::{Alert, AlertState, LiveEvent, Timestamp};
use crate::store::alerts::{AlertFilter, AlertPage};

use super::answer;
use super::auth::{Actor, Authorized, Read, Respond};
use super::body;
use super::error::{ApiError, Problem};
use super::params::{Params, last_segment, no_params, segment_before_last};
use super::state::State;

/// The maximum number of state changes in the timeline of an alert. If there are more, the newest are shown.
const MAX_TRANSITIONS: i64 = 500;
/// The maximum length of an acknowledgement's note, in characters.
const MAX_NOTE_CHARS: usize = 2_000;

/// The maximum length of an alert type, in bytes.
const MAX_TYPE_BYTES: usize = 128;

/// The filter and the page of a list of alerts.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AlertParams {
    /// The maximum number of alerts on the page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: i64,
    /// `next_cursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: Option<i64>,
    /// Only firing alerts, or only resolved ones.
    state: Option<AlertState>,
    /// Only alerts of this rule, by its name.
    #[param(example = "negative_share")]
    alert_type: Option<String>,
    /// Only alerts of this severity.
    severity: Option<Severity>,
    /// Only alerts of this rule, by its id.
    rule: Option<i64>,
    /// Only alerts that were triggered at or after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    start_date: Option<Timestamp>,
    /// Only alerts that were triggered before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    end_date: Option<Timestamp>,
}

impl AlertParams {
    fn parse(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut params = Params::of(request)?;
        let limit = params.number("limit", 1..=500, 50);
        let cursor = params.cursor();
        let state = params.text("state");
        let alert_type = params.optional("alert_type", |text| match text.len() {
            1..=MAX_TYPE_BYTES if !text.contains('\0') => Ok(text.to_owned()),
            _ => Err(format!("must be 1 to {MAX_TYPE_BYTES} bytes without U+0000")),
        });
        let severity = params.text("severity");
        let rule = params.text("rule");
        let (start_date, end_date) = params.period();
        params.finish()?;
        Ok(Self { limit, cursor, state, alert_type, severity, rule, start_date, end_date })
    }
}

/// A page of alerts.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AlertList {
    alerts: Vec<Alert>,
    /// The number of matching alerts on all pages.
    total: i64,
    limit: i64,
    /// The cursor of the next page; `null` on the last page.
    next_cursor: Option<String>,
}

/// Alerts
///
/// Returns the alerts of all rules, newest first.
#[utoipa::path(
    get, path = "/api/alerts", tag = "alerts", params(AlertParams),
    responses((status = 200, body = AlertList), (status = 422, body = Problem))
)]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let params = AlertParams::parse(&request)?;
    let (limit, cursor) = (params.limit, params.cursor);
    let filter = AlertFilter {
        state: params.state,
        alert_type: params.alert_type,
        start: params.start_date,
        end: params.end_date,
        severity: params.severity,
        rule_id: params.rule,
    };
    let store = state.api.store.clone();
    let AlertPage { page, total } = state.run(async move { store.alerts(&filter, cursor, limit).await }).await?;
    answer::json(&AlertList { alerts: page.items, total, limit, next_cursor: page.next.map(|id| id.to_string()) })
}

/// An alert with its state changes.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AlertDetail {
    #[serde(flatten)]
    alert: Alert,
    /// The newest 500 state changes of the alert, oldest first.
    timeline: Vec<Transition>,
}

/// One alert
///
/// `details` contains the evidence of the alert, `timeline` its state changes.
#[utoipa::path(
    get, path = "/api/alerts/{id}", tag = "alerts", params(("id" = i64, Path, description = "The alert's id")),
    responses((status = 200, body = AlertDetail), (status = 404, body = Problem))
)]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let id = number(&last_segment(&request)?)?;
    let store = state.api.store.clone();
    let found = state.run(async move {
        let Some(alert) = store.alert(id).await? else { return Ok(None) };
        let timeline = store.transitions_of_alert(id, MAX_TRANSITIONS).await?;
        Ok::<_, ApiError>(Some(AlertDetail { alert, timeline }))
    });
    match found.await? {
        Some(detail) => answer::json(&detail),
        None => Err(ApiError::not_found(format!("there is no alert {id}"))),
    }
}

/// An acknowledgement.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeRequest {
    /// A note for others; at most 2,000 characters.
    #[serde(default)]
    note: String,
}

/// Acknowledge an alert
///
/// Records who works on the alert. The alert keeps firing, and its notification is not repeated, except to receivers of
/// the kind `alertmanager`, because an Alertmanager resolves alerts that are not repeated. A later acknowledgement
/// replaces an earlier one. Returns 409 if the alert is resolved.
#[utoipa::path(
    post, path = "/api/alerts/{id}/acknowledge", tag = "alerts", request_body = AcknowledgeRequest,
    params(("id" = i64, Path, description = "The id of a firing alert")),
    responses(
        (status = 200, body = Alert), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)
    )
)]
pub async fn acknowledge(
    _: Authorized<Respond>,
    actor: Actor,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let id = number(&segment_before_last(&request)?)?;
    let AcknowledgeRequest { note } = body::json(&request, payload, &state.options).await?;
    if note.chars().count() > MAX_NOTE_CHARS || note.contains('\0') {
        return Err(ApiError::invalid_field(
            "note",
            format!("must be at most {MAX_NOTE_CHARS} characters without U+0000"),
        ));
    }
    let api = state.api.clone();
    let alert = state.run(async move {
        let mark = Acknowledgement { at: api.clock.now(), by: actor.0, note };
        match api.store.acknowledge_alert(id, &mark).await? {
            Some(alert) => {
                if let Err(error) = api.live.publish(vec![LiveEvent::Alert(alert.clone())]).await {
                    tracing::warn!(%error, "acknowledgement not published to live clients; the API still returns it");
                }
                Ok(alert)
            }
            None if api.store.alert(id).await?.is_some() => {
                Err(ApiError::conflict(format!("the alert {id} is already resolved")))
            }
            None => Err(ApiError::not_found(format!("there is no alert {id}"))),
        }
    });
    answer::json(&alert.await?)
}

/// The id in the path; 404 when it is not a number.
fn number(segment: &str) -> Result<i64, ApiError> {
    segment.parse().map_err(|_| ApiError::not_found("no object has this id"))
}
