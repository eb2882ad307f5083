//! Routes.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::notify::{Route, Stored};
use crate::http::answer;
use crate::http::auth::{Admin, Authorized, Read};
use crate::http::error::{ApiError, Problem};
use crate::http::params::no_params;
use crate::http::state::State;

use super::{all, remove, save, show};

/// All routes.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RouteList {
    routes: Vec<Stored<Route>>,
}

/// Routes
///
/// In no order; `position` says which is tried first.
#[utoipa::path(get, path = "/api/alerts/routes", tag = "notifications", responses((status = 200, body = RouteList)))]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    answer::json(&RouteList { routes: all(&state).await? })
}

/// One route
#[utoipa::path(
    get, path = "/api/alerts/routes/{id}", tag = "notifications", params(("id" = i64, Path)),
    responses((status = 200, body = Stored<Route>), (status = 404, body = Problem))
)]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    show::<Route>(&state, &request).await
}

/// Add a route
#[utoipa::path(
    post, path = "/api/alerts/routes", tag = "notifications", request_body = Route,
    responses((status = 201, body = Stored<Route>), (status = 422, body = Problem))
)]
pub async fn create(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    save::<Route>(&state, &request, payload).await
}

/// Change a route
///
/// As a whole. `If-Match` names the version that the change was made from.
#[utoipa::path(
    put, path = "/api/alerts/routes/{id}", tag = "notifications", request_body = Route,
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
    responses(
        (status = 200, body = Stored<Route>), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem), (status = 428, body = Problem),
    )
)]
pub async fn update(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    save::<Route>(&state, &request, payload).await
}

/// Remove a route
#[utoipa::path(
    delete, path = "/api/alerts/routes/{id}", tag = "notifications",
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
    remove::<Route>(&state, &request).await
}
