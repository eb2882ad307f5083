//! Mute timings.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::notify::{MuteTiming, Stored};
use crate::http::answer;
use crate::http::auth::{Admin, Authorized, Read};
use crate::http::error::{ApiError, Problem};
use crate::http::params::no_params;
use crate::http::state::State;

use super::{all, remove, save, show};

/// All mute timings.
#[derive(Serialize, utoipa::ToSchema)]
pub struct MuteTimingList {
    mute_timings: Vec<Stored<MuteTiming>>,
}

/// Mute timings
///
/// Hours in which routes tell nobody.
#[utoipa::path(get, path = "/api/alerts/mute-timings", tag = "notifications", responses((status = 200, body = MuteTimingList)))]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    answer::json(&MuteTimingList { mute_timings: all(&state).await? })
}

/// One mute timing
#[utoipa::path(
    get, path = "/api/alerts/mute-timings/{id}", tag = "notifications", params(("id" = i64, Path)),
    responses((status = 200, body = Stored<MuteTiming>), (status = 404, body = Problem))
)]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    show::<MuteTiming>(&state, &request).await
}

/// Add a mute timing
#[utoipa::path(
    post, path = "/api/alerts/mute-timings", tag = "notifications", request_body = MuteTiming,
    responses((status = 201, body = Stored<MuteTiming>), (status = 422, body = Problem))
)]
pub async fn create(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    save::<MuteTiming>(&state, &request, payload).await
}

/// Change a mute timing
///
/// As a whole. `If-Match` names the version that the change was made from.
#[utoipa::path(
    put, path = "/api/alerts/mute-timings/{id}", tag = "notifications", request_body = MuteTiming,
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
    responses(
        (status = 200, body = Stored<MuteTiming>), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem), (status = 428, body = Problem),
    )
)]
pub async fn update(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    save::<MuteTiming>(&state, &request, payload).await
}

/// Remove a mute timing
#[utoipa::path(
    delete, path = "/api/alerts/mute-timings/{id}", tag = "notifications",
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
    responses(
        (status = 204), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem),
        (status = 428, body = Problem),
    )
)]
pub async fn delete(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    remove::<MuteTiming>(&state, &request).await
}
