//! Listing the audit log.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::http::answer;
use crate::http::auth::{Admin, Authorized};
use crate::http::error::{ApiError, Problem};
use crate::http::params::Params;
use crate::http::state::State;
use crate::store::security::{SecurityEvent, SecurityFilter};

/// The maximum length of an actor's name, in bytes.
const MAX_ACTOR_BYTES: usize = 1_000;

/// Filter, start and length of a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SecurityParams {
    /// The maximum number of events on the page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: i64,
    /// `next_cursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: Option<i64>,
    /// Only events of this actor.
    actor: Option<String>,
    /// Only changes and sign-ins (`allowed`), only requests without valid credentials or permission (`denied`), or only
    /// changes that ended without a response or with a server error (`unknown`).
    outcome: Option<String>,
}

impl SecurityParams {
    fn parse(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut params = Params::of(request)?;
        let limit = params.number("limit", 1..=500, 50);
        let cursor = params.cursor();
        let actor = params.optional("actor", |text| match text.len() {
            1..=MAX_ACTOR_BYTES if !text.contains('\0') => Ok(text.to_owned()),
            _ => Err("must be the name of an actor"),
        });
        let outcome = params.optional("outcome", |text| match text {
            "allowed" | "denied" | "unknown" => Ok(text.to_owned()),
            _ => Err("must be one of allowed, denied, unknown"),
        });
        params.finish()?;
        Ok(Self { limit, cursor, actor, outcome })
    }
}

/// A page of the audit log.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SecurityEventList {
    events: Vec<SecurityEvent>,
    limit: i64,
    /// The cursor of the next page; `null` on the last page.
    next_cursor: Option<String>,
}

/// Audit log
///
/// Returns denied requests, sign-ins, and changes except appended posts, newest first, each with its actor, address,
/// action and request id. The number of recorded denials is limited: on average 60 per minute of each known actor, and
/// without a known actor 30 per minute from one address and 120 per minute from all addresses. Events are kept for
/// `retention.audit`.
#[utoipa::path(
    get, path = "/api/audit", tag = "security", params(SecurityParams),
    responses((status = 200, body = SecurityEventList), (status = 403, body = Problem), (status = 422, body = Problem))
)]
pub async fn events(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let SecurityParams { limit, cursor, actor, outcome } = SecurityParams::parse(&request)?;
    let store = state.api.store.clone();
    let filter = SecurityFilter { actor, outcome, before: cursor };
    let page = state.run(async move { store.security_events(&filter, limit).await }).await?;
    answer::json(&SecurityEventList { events: page.items, limit, next_cursor: page.next.map(|id| id.to_string()) })
}
