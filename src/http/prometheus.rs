//! Metrics in Prometheus' text format.

use actix_web::{HttpResponse, web};

use super::auth::{May, Read};
use super::error::ApiError;
use super::state::State;

/// The metrics of this process, where the API is served.
///
/// # Errors
/// 404 in a process that records none.
pub async fn metrics(_may: May<Read>, state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    render(state).await
}

/// The metrics of this process, on a port for operators alone.
///
/// # Errors
/// As [`metrics`].
pub async fn render(state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    let handle = state.api.metrics.as_ref().ok_or_else(|| ApiError::not_found("this process records no metrics"))?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(handle.render()))
}
