//! Metrics in Prometheus' text format.

use actix_web::{HttpResponse, web};

use crate::stream::Depth;
use crate::telemetry::metrics::{Kind, describe};

use super::auth::{Authorized, Read};
use super::check::within;
use super::error::ApiError;
use super::state::State;
use super::stats::Lag;

/// The metrics of this process, on the address of the API.
///
/// # Errors
/// 404 in a process that records no metrics.
pub async fn metrics(_: Authorized<Read>, state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    render(state).await
}

/// The metrics of this process, on the port for operators.
///
/// # Errors
/// As [`metrics`].
pub async fn render(state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    let handle = state.api.metrics.as_ref().ok_or_else(|| ApiError::not_found("this process records no metrics"))?;
    sample(&state).await;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(handle.render()))
}

/// Updates the gauges that are read on each scrape. If a service does not respond in time, its gauges are `NaN`.
async fn sample(state: &State) {
    for pool in state.api.store.connections() {
        for (kind, count) in [("used", pool.used), ("idle", pool.idle), ("waiting", pool.waiting)] {
            metrics::gauge!("sentistream_database_connections", "database" => pool.target.as_str(), "state" => kind)
                .set(count as f64);
        }
    }
    let (stream, limit) = (state.api.stream.clone(), state.options.check_timeout);
    let read =
        state.run(async move { Ok::<_, ApiError>(within(limit, async move { stream.depth().await }).await.ok()) });
    let depth = read.await.ok().flatten();
    let now = state.api.clock.now();
    let value = |of: fn(&Depth) -> f64| depth.as_ref().map_or(f64::NAN, of);
    metrics::gauge!("sentistream_stream_lag_entries").set(value(|depth| depth.lag as f64));
    metrics::gauge!("sentistream_stream_claimed_entries").set(value(|depth| depth.claimed as f64));
    metrics::gauge!("sentistream_dead_letter_entries").set(value(|depth| depth.dead_letters as f64));
    let oldest = depth.as_ref().map_or(f64::NAN, |depth| Lag::new(depth, now).oldest_seconds());
    metrics::gauge!("sentistream_stream_oldest_entry_age_seconds").set(oldest);
    state.process.collect();
}

/// Registers the descriptions of the API's metrics.
pub fn describe_metrics() {
    describe(&[
        ("sentistream_http_requests_total", Kind::Counter, "Requests answered, by method, route and status."),
        ("sentistream_http_request_duration_seconds", Kind::Timing, "Time to the response head, by method and route."),
        ("sentistream_http_rate_limited_total", Kind::Counter, "Requests refused by the rate limit."),
        (
            "sentistream_http_analyze_limited_total",
            Kind::Counter,
            "Requests to classify texts that were refused because the client's budget of tokens was used up.",
        ),
        (
            "sentistream_http_bodies_refused_total",
            Kind::Counter,
            "Requests refused because the bodies in progress are too many or too large.",
        ),
        ("sentistream_http_denied_total", Kind::Counter, "Requests answered with status 401 or 403."),
        (
            "sentistream_security_events_dropped_total",
            Kind::Counter,
            "Events of the audit log that could not be stored.",
        ),
        (
            "sentistream_http_malformed_total",
            Kind::Counter,
            "Requests refused by the HTTP parser: not valid HTTP, or a head that is too large or arrives too slowly.",
        ),
        (
            "sentistream_http_connections_refused_total",
            Kind::Counter,
            "Connections refused because too many are open, in total or from one client.",
        ),
        ("sentistream_cache_requests_total", Kind::Counter, "Lookups in the cache of answers, by result: hit or miss."),
        (
            "sentistream_database_connections",
            Kind::Gauge,
            "Connections to the database: used and idle ones, and callers that wait for a connection (waiting).",
        ),
        ("sentistream_stream_lag_entries", Kind::Gauge, "Entries of the stream that no worker has claimed yet."),
        ("sentistream_stream_claimed_entries", Kind::Gauge, "Entries claimed by workers."),
        (
            "sentistream_stream_oldest_entry_age_seconds",
            Kind::Gauge,
            "Age of the oldest entry that is not yet processed.",
        ),
        ("sentistream_dead_letter_entries", Kind::Gauge, "Number of dead letters."),
        ("sentistream_live_clients", Kind::Gauge, "WebSocket clients of this process."),
        (
            "sentistream_live_missed_total",
            Kind::Counter,
            "Events that WebSocket clients missed. An interruption of the event bus counts as one event.",
        ),
    ]);
}
