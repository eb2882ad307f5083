//! The counts that live clients receive on connection and at intervals. They are computed once for all clients.

use std::time::Duration;

use actix_web::web::Data;
use serde::Serialize;

use crate::domain::Counts;
use crate::lifecycle::Shutdown;

use super::super::error::ApiError;
use super::super::sentiment::last;
use super::super::shape::{self, BySentiment, TopEmotion};
use super::super::state::State;
use super::frame::Frame;

#[derive(Serialize)]
struct Update {
    #[serde(rename = "type")]
    kind: &'static str,
    data: Windows,
    timestamp: crate::domain::Timestamp,
}

#[derive(Serialize)]
struct Windows {
    last_minute: Window,
    last_hour: Window,
    last_24_hours: Window,
}

#[derive(Serialize)]
struct Window {
    positive: i64,
    negative: i64,
    neutral: i64,
    total: i64,
    unscored_count: i64,
    percentages: BySentiment<f64>,
    top_emotions: Vec<TopEmotion>,
}

impl From<Counts> for Window {
    fn from(counts: Counts) -> Self {
        let BySentiment { positive, neutral, negative } = shape::sentiments(&counts);
        Self {
            positive,
            negative,
            neutral,
            total: counts.total(),
            unscored_count: counts.unscored(),
            percentages: shape::percentages(&counts),
            top_emotions: shape::top_emotions(&counts),
        }
    }
}

/// The frame `metrics_update`; clients that connect at the same time share one computation.
///
/// # Errors
/// When the store is unavailable.
pub async fn metrics_update(state: &State) -> Result<Frame, ApiError> {
    let (store, now) = (state.api.store.clone(), state.api.clock.now());
    let compute = async move {
        let window = |seconds| store.window(last(Duration::from_secs(seconds), now), None);
        let (minute, hour, day) = tokio::try_join!(window(60), window(3_600), window(86_400))?;
        let data = Windows { last_minute: minute.into(), last_hour: hour.into(), last_24_hours: day.into() };
        Ok(Update { kind: "metrics_update", data, timestamp: now })
    };
    Ok(super::frame::shared(state.cached("live".to_owned(), compute).await?.json))
}

/// Sends the counts to all clients every `metrics_interval`.
pub async fn broadcast(state: Data<State>, shutdown: Shutdown) {
    while shutdown.sleep(state.options.live.metrics_interval).await {
        if state.hub.clients() == 0 {
            continue;
        }
        match metrics_update(&state).await {
            Ok(frame) => state.hub.broadcast(&frame),
            // The error is logged at debug level, because its cause is logged where it occurs, and the counts are
            // computed again at the next interval.
            Err(error) => tracing::debug!(%error, "cannot compute counts for live clients"),
        }
    }
}
