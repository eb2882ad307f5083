//! Alerts.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::{Alert, AlertState, Timestamp};
use crate::store::alerts::AlertFilter;

use super::answer;
use super::auth::{May, Read};
use super::error::{ApiError, Problem};
use super::params::Params;
use super::state::State;

/// Longest name of a kind of alert.
const MAX_TYPE_BYTES: usize = 128;

/// Which alerts.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AlertParams {
    /// Most alerts on the page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: i64,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<i64>,
    /// Only those that fire, or only those that are resolved.
    state: Option<AlertState>,
    /// Only alerts of this kind.
    #[param(example = "negative_share")]
    alert_type: Option<String>,
    /// Triggered at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    start_date: Option<Timestamp>,
    /// Triggered before.
    #[param(value_type = Option<String>, format = DateTime)]
    end_date: Option<Timestamp>,
}

impl AlertParams {
    fn parse(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut params = Params::of(request)?;
        let limit = params.number("limit", 1..=500, 50);
        let cursor = params.optional("cursor", |text| {
            text.parse().ok().filter(|id: &i64| *id > 0).ok_or("must be next_cursor of an earlier page")
        });
        let state = params.text("state");
        let alert_type = params.optional("alert_type", |text| match text.len() {
            1..=MAX_TYPE_BYTES if !text.contains('\0') => Ok(text.to_owned()),
            _ => Err(format!("must be 1 to {MAX_TYPE_BYTES} bytes without U+0000")),
        });
        let (start_date, end_date) = params.period();
        params.finish()?;
        Ok(Self { limit, cursor, state, alert_type, start_date, end_date })
    }
}

/// A page of alerts.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AlertList {
    alerts: Vec<Alert>,
    /// How many match in all.
    total: i64,
    limit: i64,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
}

/// Alerts
///
/// Newest first.
#[utoipa::path(
    get, path = "/api/alerts", tag = "alerts", params(AlertParams),
    responses((status = 200, body = AlertList), (status = 422, body = Problem))
)]
pub async fn list(_may: May<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = AlertParams::parse(&request)?;
    let (limit, cursor) = (params.limit, params.cursor);
    let filter = AlertFilter {
        state: params.state,
        alert_type: params.alert_type,
        start: params.start_date,
        end: params.end_date,
        ..AlertFilter::default()
    };
    let store = state.api.store.clone();
    let page = state.run(async move { store.alerts(&filter, cursor, limit).await }).await?;
    answer::json(&AlertList {
        alerts: page.alerts,
        total: page.total,
        limit,
        next_cursor: page.next.map(|id| id.to_string()),
    })
}
