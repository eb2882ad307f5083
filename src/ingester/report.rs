//! What a feed tells of itself: state, metrics, log.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::sources::SourceStates;
use crate::sources::states::SourceActivity;

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
    window: Instant,
    told: u64,
    untold: u64,
}

impl Report {
    pub fn new(name: &str, states: SourceStates, clock: Clock) -> Self {
        let label = name.to_owned();
        metrics::describe_counter!(
            "sentistream_ingested_total",
            "Posts and deletions that the ingester put into the stream, by its source"
        );
        metrics::describe_counter!(
            "sentistream_ingest_rejected_total",
            "Items of a source that were no valid posts and were left out"
        );
        states.update(name, |_| ());
        Self {
            name: name.into(),
            states,
            clock,
            appended: metrics::counter!("sentistream_ingested_total", "source" => label.clone()),
            rejected: metrics::counter!("sentistream_ingest_rejected_total", "source" => label),
            window: Instant::now(),
            told: 0,
            untold: 0,
        }
    }

    /// It does this now.
    pub fn activity(&self, activity: SourceActivity) {
        self.states.update(&self.name, |state| state.state = activity);
    }

    /// It waits or has failed because of `error`.
    pub fn trouble(&self, activity: SourceActivity, error: &str) {
        self.states.update(&self.name, |state| {
            state.state = activity;
            state.last_error = Some(error.to_owned());
        });
    }

    /// So many went into the stream.
    pub fn appended(&self, count: usize) {
        self.appended.increment(count as u64);
        let now = self.clock.now();
        self.states.update(&self.name, |state| {
            state.posts += count as u64;
            state.last_post = Some(now);
        });
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
