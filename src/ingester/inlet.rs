//! Appends to the stream within the shared rate limit. Waits while the stream is full or unavailable.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::Limiter;
use super::report::Report;
use crate::domain::Op;
use crate::lifecycle::{Backoff, Shutdown};
use crate::sources::states::SourceActivity;
use crate::stream::{Stream, StreamError};

/// The longest delay while the stream is full. It is short, because workers free space continuously.
const FULL_WAIT: Duration = Duration::from_secs(1);

/// Appends the posts of one source.
pub struct Inlet {
    name: Arc<str>,
    stream: Stream,
    limiter: Option<Limiter>,
    shutdown: Shutdown,
    /// Delays between attempts while the stream is unavailable.
    away: Backoff,
    /// Delays between attempts while the stream is full.
    full: Backoff,
}

impl Inlet {
    /// The inlet of the source `name`. `backoff`: the shutdown that ends waits, and the longest delay between two
    /// attempts while the stream is unavailable.
    pub fn new(name: &str, stream: Stream, limiter: Option<Limiter>, backoff: (Shutdown, Duration)) -> Self {
        let (shutdown, longest) = backoff;
        Self {
            name: name.into(),
            stream,
            limiter,
            shutdown,
            away: Backoff::new(Duration::from_millis(200), longest),
            full: Backoff::new(Duration::from_millis(20), FULL_WAIT),
        }
    }

    /// Appends `ops`. Returns `false` if the operations were not appended, because a shutdown began or `may` returned
    /// `false` before an attempt succeeded. If a shutdown begins during an attempt, the attempt is completed, or
    /// abandoned at the end of the grace period.
    ///
    /// # Errors
    /// When the stream fails permanently.
    pub async fn append(&mut self, ops: &[Op], report: &Report, may: impl Fn() -> bool) -> Result<bool, StreamError> {
        let Some(count) = u32::try_from(ops.len()).ok().and_then(NonZeroU32::new) else { return Ok(true) };
        if let Some(limiter) = &self.limiter
            // A source may return more operations than it was asked for. A batch that is larger than the burst of the
            // rate limit is appended without a delay.
            && self.shutdown.unless_stopping(limiter.until_n_ready(count)).await.is_none()
        {
            return Ok(false);
        }
        while may() {
            let fields = ops.iter().map(Op::to_fields).collect();
            let attempt = tokio::select! {
                biased;
                attempt = self.stream.append(fields) => attempt,
                () = self.shutdown.abandoned() => return Ok(false),
            };
            let wait = match attempt {
                Ok(_) => {
                    self.recovered(report);
                    return Ok(true);
                }
                Err(error) if error.is_transient() => self.trouble(report, &error),
                Err(error) => {
                    report.wait(SourceActivity::Failed, &error);
                    return Err(error);
                }
            };
            if !self.shutdown.sleep(wait).await {
                return Ok(false);
            }
        }
        Ok(false)
    }

    fn recovered(&mut self, report: &Report) {
        let (was_away, was_full) = (self.away.recovered().is_some(), self.full.recovered().is_some());
        if was_away || was_full {
            report.activity(SourceActivity::Connected);
            tracing::info!(source = %self.name, "stream accepts posts again");
        }
    }

    /// Reports that the stream is full or unavailable. Returns the delay before the next attempt.
    fn trouble(&mut self, report: &Report, error: &StreamError) -> Duration {
        report.wait(SourceActivity::Waiting, error);
        let (backoff, other) = match error {
            StreamError::Full { .. } | StreamError::MemoryFull { .. } => (&mut self.full, &mut self.away),
            _ => (&mut self.away, &mut self.full),
        };
        other.recovered();
        if backoff.enter("stream") {
            tracing::warn!(source = %self.name, %error, "source waits for the stream");
        }
        backoff.next_wait()
    }
}
