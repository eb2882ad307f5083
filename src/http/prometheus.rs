//! Metrics in Prometheus' text format.

use actix_web::{HttpResponse, web};

use crate::telemetry::metrics::{Kind, describe};

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

/// What the metrics of the API mean.
pub fn describe_metrics() {
    describe(&[
        ("sentistream_http_requests_total", Kind::Counter, "Requests answered, by method, route and status."),
        (
            "sentistream_http_request_duration_seconds",
            Kind::Timing,
            "Time to the head of the answer, by method and route.",
        ),
        (
            "sentistream_http_rate_limited_total",
            Kind::Counter,
            "Requests refused because their client asked too often.",
        ),
        ("sentistream_live_clients", Kind::Gauge, "Live clients of this process."),
        ("sentistream_live_missed_total", Kind::Counter, "Events that live clients missed because they were too slow."),
    ]);
}
