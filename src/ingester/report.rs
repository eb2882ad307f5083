//! What a feed tells of itself: state, metrics, log.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::domain::{Op, Timestamp};
use crate::sources::states::SourceActivity;
use crate::sources::{Batch, SourceError, SourceSpec, SourceStates};
use crate::stream::StreamError;

/// Invalid items told one by one, of each source and in each [`WINDOW`].
const TOLD: u64 = 20;
const WINDOW: Duration = Duration::from_secs(60);

/// The voice of one source's feed.
pub struct Report {
    name: Arc<str>,
    states: SourceStates,
    clock: Clock,
    appended: metrics::Counter,
    rejected: metrics::Counter,
    filtered: metrics::Counter,
    errors: metrics::Counter,
    lag: metrics::Gauge,
    window: Instant,
    told: u64,
    untold: u64,
}

impl Report {
    pub fn new(spec: &SourceSpec, states: SourceStates, clock: Clock) -> Self {
        metrics::describe_counter!(
            "sentistream_ingested_total",
            "Posts and deletions that the ingester put into the stream, by its source"
        );
        metrics::describe_counter!(
            "sentistream_ingest_rejected_total",
            "Items of a source that were no valid posts and were left out"
        );
        metrics::describe_counter!(
            "sentistream_ingest_filtered_total",
            "Items that the filters of their source left out"
        );
        metrics::describe_counter!(
            "sentistream_source_foreign_deletions_total",
            "Deletions left out because a filter had left out their posts"
        );
        metrics::describe_counter!("sentistream_source_errors_total", "How often a source failed or fell silent");
        metrics::describe_gauge!(
            "sentistream_source_lag_seconds",
            "How old the newest of a source's last posts was when it went into the stream"
        );
        let label = || spec.name().to_owned();
        states.update(spec.name(), |state| state.kind = spec.kind().to_owned());
        Self {
            name: spec.name().into(),
            states,
            clock,
            appended: metrics::counter!("sentistream_ingested_total", "source" => label()),
            rejected: metrics::counter!("sentistream_ingest_rejected_total", "source" => label()),
            filtered: metrics::counter!("sentistream_ingest_filtered_total", "source" => label()),
            errors: metrics::counter!("sentistream_source_errors_total", "source" => label()),
            lag: metrics::gauge!("sentistream_source_lag_seconds", "source" => label()),
            window: Instant::now(),
            told: 0,
            untold: 0,
        }
    }

    /// It does this now.
    pub fn activity(&self, activity: SourceActivity) {
        self.states.update(&self.name, |state| state.state = activity);
    }

    /// The source is in this state because of `error`.
    pub fn trouble(&self, activity: SourceActivity, error: &SourceError) {
        self.errors.increment(1);
        self.states.update(&self.name, |state| {
            state.state = activity;
            state.errors += 1;
            state.last_error = Some(error.to_string());
        });
    }

    /// This failed of a source whose other parts go on.
    pub fn partly(&self, troubles: &[String]) {
        let Some(last) = troubles.last() else { return };
        self.errors.increment(troubles.len() as u64);
        self.states.update(&self.name, |state| {
            state.errors += troubles.len() as u64;
            state.last_error = Some(last.clone());
        });
    }

    /// The source is in this state because of the stream.
    pub fn wait(&self, activity: SourceActivity, error: &StreamError) {
        self.states.update(&self.name, |state| {
            state.state = activity;
            state.last_error = Some(error.to_string());
        });
    }

    /// The batch is in the stream.
    pub fn appended(&self, batch: &Batch) {
        let count = batch.ops.len() as u64;
        self.appended.increment(count);
        self.filtered.increment(batch.filtered);
        self.states.update(&self.name, |state| state.filtered += batch.filtered);
        let now = self.clock.now();
        if let Some(reached) = batch.reached.or_else(|| newest(&batch.ops)) {
            let lag = (now.since(reached).as_secs_f64() * 1e3).round() / 1e3;
            self.lag.set(lag);
            self.states.update(&self.name, |state| state.lag_seconds = Some(lag));
        }
        // Last, so that who sees the posts sees their lag.
        if count > 0 {
            self.states.appended(&self.name, count, now);
        }
    }

    /// These were no posts. Told one by one up to a limit, then as a number.
    pub fn rejected(&mut self, items: &[String]) {
        if self.window.elapsed() >= WINDOW {
            self.sum_up();
            (self.window, self.told) = (Instant::now(), 0);
        }
        if items.is_empty() {
            return;
        }
        let count = items.len() as u64;
        self.rejected.increment(count);
        self.states.update(&self.name, |state| state.rejected += count);
        for item in items {
            if self.told < TOLD {
                self.told += 1;
                tracing::warn!(source = %self.name, item, "left out: no valid post");
            } else {
                self.untold += 1;
            }
        }
    }

    /// Tells how many invalid items were not told one by one.
    pub fn sum_up(&mut self) {
        let untold = std::mem::take(&mut self.untold);
        if untold > 0 {
            tracing::warn!(source = %self.name, items = untold, "more items were left out: no valid posts");
        }
    }
}

fn newest(ops: &[Op]) -> Option<Timestamp> {
    let time = |op: &Op| match op {
        Op::Post(post) | Op::Replace { post, .. } => Some(post.created_at),
        Op::Delete { .. } | Op::DeleteAuthor { .. } => None,
    };
    ops.iter().filter_map(time).max()
}
