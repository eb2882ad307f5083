//! One source's way into the stream.

use std::num::NonZeroU32;
use std::time::Duration;

use super::cursors::Cursors;
use super::report::Report;
use super::{IngesterOptions, IngesterRooms, Limiter};
use crate::domain::Op;
use crate::lifecycle::Shutdown;
use crate::lifecycle::patience::Patience;
use crate::sources::states::SourceActivity;
use crate::sources::{Batch, Source, SourceError, SourceSpec};
use crate::stream::StreamError;

/// The longest wait while the stream is full: workers make room all the time.
const FULL_WAIT: Duration = Duration::from_secs(1);

/// Feeds one source into the stream.
pub struct Feed {
    rooms: IngesterRooms,
    options: IngesterOptions,
    shutdown: Shutdown,
    report: Report,
    cursors: Cursors,
    /// While the source is away.
    source_patience: Patience,
    /// While the stream is away, and while it is full.
    stream_patience: Patience,
    full_patience: Patience,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    End,
}

impl Feed {
    pub fn new(name: &str, rooms: IngesterRooms, options: IngesterOptions, shutdown: Shutdown) -> Self {
        let patience = |shortest, longest| Patience::new(Duration::from_millis(shortest), longest);
        Self {
            report: Report::new(name, rooms.states.clone(), rooms.clock.clone()),
            cursors: Cursors::new(name, rooms.clone(), options.max_backoff),
            source_patience: patience(500, options.max_backoff),
            stream_patience: patience(200, options.max_backoff),
            full_patience: patience(20, FULL_WAIT),
            rooms,
            options,
            shutdown,
        }
    }

    /// Until the source ends or a shutdown.
    ///
    /// # Errors
    /// When the stream or the store fails for good.
    pub async fn run(mut self, spec: &SourceSpec, limiter: Option<Limiter>) -> anyhow::Result<()> {
        let Some(cursor) = self.cursors.load(&self.shutdown).await? else { return Ok(()) };
        tracing::info!(source = spec.name(), resumes = cursor.is_some(), "the source starts");
        let mut source = spec.open(cursor);
        while self.step(source.as_mut(), limiter.as_ref()).await? == Flow::On {}
        self.cursors.write_last().await;
        self.report.sum_up();
        Ok(())
    }

    async fn step(&mut self, source: &mut dyn Source, limiter: Option<&Limiter>) -> anyhow::Result<Flow> {
        self.cursors.write_if_due().await?;
        let next = tokio::select! {
            biased;
            () = self.shutdown.stopping() => return Ok(Flow::End),
            () = sleep_until(self.cursors.due()) => return Ok(Flow::On),
            next = source.next(self.options.batch_size) => next,
        };
        match next {
            Ok(batch) => self.take(source.name(), batch, limiter).await,
            Err(SourceError::Transient(error)) => {
                self.report.trouble(SourceActivity::Waiting, &error);
                if self.source_patience.is_news("source") {
                    tracing::warn!(source = source.name(), error, "the source yields nothing for now; trying again");
                }
                let wait = self.source_patience.next_wait();
                Ok(if self.shutdown.sleep(wait).await { Flow::On } else { Flow::End })
            }
            Err(SourceError::Permanent(error)) => {
                self.report.trouble(SourceActivity::Failed, &error);
                tracing::error!(source = source.name(), error, "the source has failed and stops; others go on");
                Ok(Flow::End)
            }
        }
    }

    async fn take(&mut self, name: &str, batch: Batch, limiter: Option<&Limiter>) -> anyhow::Result<Flow> {
        if self.source_patience.recovered().is_some() {
            tracing::info!(source = name, "the source yields posts again");
        }
        self.report.activity(SourceActivity::Connected);
        self.report.rejected(&batch.rejected);
        if self.append(name, &batch.ops, limiter).await? == Flow::End {
            return Ok(Flow::End);
        }
        self.cursors.note(batch.cursor);
        if batch.finished {
            self.report.activity(SourceActivity::Finished);
            tracing::info!(source = name, "the source has come to its end");
            return Ok(Flow::End);
        }
        Ok(Flow::On)
    }

    /// Appends `ops`, however long the stream is full or away. [`Flow::End`]: they are not in the stream, a shutdown
    /// came first. An attempt that has begun is finished, unless unfinished work is to be abandoned.
    async fn append(&mut self, name: &str, ops: &[Op], limiter: Option<&Limiter>) -> Result<Flow, StreamError> {
        let Some(count) = u32::try_from(ops.len()).ok().and_then(NonZeroU32::new) else { return Ok(Flow::On) };
        if let Some(limiter) = limiter
            // A batch larger than the burst (of a source that ignores its limit) passes at once.
            && self.shutdown.unless_stopping(limiter.until_n_ready(count)).await.is_none()
        {
            return Ok(Flow::End);
        }
        loop {
            let fields = ops.iter().map(Op::to_fields).collect();
            let attempt = tokio::select! {
                biased;
                attempt = self.rooms.stream.append(fields) => attempt,
                () = self.shutdown.abandoned() => return Ok(Flow::End),
            };
            let wait = match attempt {
                Ok(_) => {
                    self.appended(name, ops.len());
                    return Ok(Flow::On);
                }
                Err(error) if error.is_transient() => self.trouble(name, &error),
                Err(error) => {
                    self.report.trouble(SourceActivity::Failed, &error.to_string());
                    return Err(error);
                }
            };
            if !self.shutdown.sleep(wait).await {
                return Ok(Flow::End);
            }
        }
    }

    fn appended(&mut self, name: &str, count: usize) {
        self.report.appended(count);
        let was_away = self.stream_patience.recovered().is_some();
        let was_full = self.full_patience.recovered().is_some();
        if was_away || was_full {
            self.report.activity(SourceActivity::Connected);
            tracing::info!(source = name, "the stream takes posts again");
        }
    }

    /// Tells of a stream that is full or away; how long to wait.
    fn trouble(&mut self, name: &str, error: &StreamError) -> Duration {
        self.report.trouble(SourceActivity::Waiting, &error.to_string());
        let (patience, other) = match error {
            StreamError::Full { .. } => (&mut self.full_patience, &mut self.stream_patience),
            _ => (&mut self.stream_patience, &mut self.full_patience),
        };
        other.recovered();
        if patience.is_news("stream") {
            tracing::warn!(source = name, %error, "the source waits for the stream");
        }
        patience.next_wait()
    }
}

async fn sleep_until(instant: Option<tokio::time::Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
