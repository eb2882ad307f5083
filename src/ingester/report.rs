//! Reports the state of a source: its activity, metrics and log messages.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::domain::{Op, Timestamp};
use crate::sources::states::SourceActivity;
use crate::sources::{Batch, SourceError, SourceSpec, SourceStates};
use crate::stream::StreamError;

/// The number of rejected items that are logged individually, per source and [`WINDOW`].
const MAX_LOGGED: u64 = 20;
const WINDOW: Duration = Duration::from_secs(60);

/// Reports the state of one source.
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
    logged: u64,
    /// The number of rejected items that were not logged.
    suppressed: u64,
}

impl Report {
    /// The report of the source `spec`, which updates its state in `states`.
    pub fn new(spec: &SourceSpec, states: SourceStates, clock: Clock) -> Self {
        metrics::describe_counter!(
            "sentistream_ingested_total",
            "Posts and deletions appended to the stream, by source"
        );
        metrics::describe_counter!(
            "sentistream_ingest_rejected_total",
            "Items of a source that were rejected because they are not valid posts"
        );
        metrics::describe_counter!(
            "sentistream_ingest_filtered_total",
            "Items that the filters of a source left out, or that have no text"
        );
        metrics::describe_counter!(
            "sentistream_source_errors_total",
            "Errors of a source, including errors of its individual feeds and hosts"
        );
        metrics::describe_counter!(
            "sentistream_source_foreign_deletions_total",
            "Deletions that were not appended, because the filters of the source had left out the post"
        );
        metrics::describe_gauge!(
            "sentistream_source_lag_seconds",
            "Delay of a source when its last batch was appended: the age of the time up to which the source was read, \
             or of the newest post if the source does not report this time"
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
            logged: 0,
            suppressed: 0,
        }
    }

    /// Sets the activity of the source.
    pub fn activity(&self, activity: SourceActivity) {
        self.states.update(&self.name, |state| state.state = activity);
    }

    /// Sets the state after an error of the source.
    pub fn trouble(&self, activity: SourceActivity, error: &SourceError) {
        self.errors.increment(1);
        self.states.update(&self.name, |state| {
            state.state = activity;
            state.errors += 1;
            state.last_error = Some(error.to_string());
        });
    }

    /// Reports errors of individual feeds or hosts of a source.
    pub fn place_errors(&self, troubles: &[String]) {
        let Some(last) = troubles.last() else { return };
        self.errors.increment(troubles.len() as u64);
        self.states.update(&self.name, |state| {
            state.errors += troubles.len() as u64;
            state.last_error = Some(last.clone());
        });
    }

    /// Sets the state after an error of the stream.
    pub fn wait(&self, activity: SourceActivity, error: &StreamError) {
        self.states.update(&self.name, |state| {
            state.state = activity;
            state.last_error = Some(error.to_string());
        });
    }

    /// Reports a batch that was appended to the stream.
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
        // The count is updated last, so that the lag is already set when a reader sees the new count.
        if count > 0 {
            self.states.appended(&self.name, count, now);
        }
    }

    /// Reports rejected items: [`MAX_LOGGED`] individually per [`WINDOW`], then as a count.
    pub fn rejected(&mut self, items: &[String]) {
        if self.window.elapsed() >= WINDOW {
            self.sum_up();
            (self.window, self.logged) = (Instant::now(), 0);
        }
        if items.is_empty() {
            return;
        }
        let count = items.len() as u64;
        self.rejected.increment(count);
        self.states.update(&self.name, |state| state.rejected += count);
        for item in items {
            if self.logged < MAX_LOGGED {
                self.logged += 1;
                tracing::warn!(source = %self.name, item, "item rejected");
            } else {
                self.suppressed += 1;
            }
        }
    }

    /// Logs the number of rejected items that were not logged individually.
    pub fn sum_up(&mut self) {
        let suppressed = std::mem::take(&mut self.suppressed);
        if suppressed > 0 {
            tracing::warn!(
                source = %self.name,
                items = suppressed,
                "more items rejected, which were not logged individually"
            );
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
