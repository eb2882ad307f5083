//! The loop of one source: waits for the lease, opens the source at its cursor, reads it, and reopens it after an
//! error.

use std::time::Duration;

use tokio::time::Instant;

use super::cursors::Cursors;
use super::inlet::Inlet;
use super::leases::{Admission, SourceLease};
use super::passed::PassedPosts;
use super::report::Report;
use super::{IngesterOptions, IngesterServices, Limiter};
use crate::lifecycle::{Backoff, Shutdown};
use crate::sources::guard::guarded;
use crate::sources::states::SourceActivity;
use crate::sources::{Batch, Opening, Source, SourceError, SourceSpec};
use crate::store::Lease;

/// The longest delay while a server refuses requests.
const MAX_REFUSAL_WAIT: Duration = Duration::from_secs(6 * 3_600);

/// Appends the posts of one source to the stream.
pub struct Feed {
    spec: SourceSpec,
    source_lease: SourceLease,
    shutdown: Shutdown,
    batch_size: usize,
    report: Report,
    cursors: Cursors,
    /// The posts that passed the filters of a selective source.
    passed: Option<PassedPosts>,
    inlet: Inlet,
    /// Delays between attempts after temporary errors.
    backoff: Backoff,
    /// Delays between attempts while the server refuses requests.
    refusals: Backoff,
    failures: u64,
}

/// The services, options and limits that all feeds of the role share.
pub struct Common {
    /// The parts of the application that feeds use.
    pub services: IngesterServices,
    /// The limits of the ingester, with the batch size that the rate limit allows.
    pub options: IngesterOptions,
    /// The rate limit of all sources together. `None`: no limit.
    pub limiter: Option<Limiter>,
    /// The shutdown that ends all feeds.
    pub shutdown: Shutdown,
}

/// Why a feed stopped reading.
enum Ended {
    /// A shutdown was requested, or the source has ended.
    Finally,
    /// The source was paused, or its lease expired or moved to another instance.
    Revoked,
    /// The source failed.
    Failed(SourceError),
}

impl Feed {
    /// A feed of the source `spec`. It reads only while `source_lease` is granted.
    pub fn new(spec: SourceSpec, source_lease: SourceLease, common: Common) -> Self {
        let Common { services, options, limiter, shutdown } = common;
        Self {
            report: Report::new(&spec, services.states.clone(), services.clock.clone()),
            cursors: Cursors::new(spec.name(), services.clone(), options.max_backoff),
            passed: spec.is_selective().then(|| PassedPosts::new(services.clone())),
            inlet: Inlet::new(spec.name(), services.stream, limiter, (shutdown.clone(), options.max_backoff)),
            backoff: Backoff::new(Duration::from_millis(500), options.max_backoff),
            refusals: Backoff::new(options.max_backoff, MAX_REFUSAL_WAIT),
            failures: 0,
            batch_size: options.batch_size,
            spec,
            source_lease,
            shutdown,
        }
    }

    /// Runs until the source ends or a shutdown begins.
    ///
    /// # Errors
    /// When the stream or the store fails permanently.
    pub async fn run(mut self) -> anyhow::Result<()> {
        loop {
            let report = &self.report;
            let waiting = |admission: &Admission| match admission {
                Admission::Paused => report.activity(SourceActivity::Paused),
                Admission::Standby => report.activity(SourceActivity::Standby),
                Admission::Unknown | Admission::Run(_) => {}
            };
            let granted = self.source_lease.granted(waiting);
            let Some(grant) = self.shutdown.unless_stopping(granted).await else { return Ok(()) };
            let ended = self.feed(grant.lease()).await?;
            self.cursors.write_last().await;
            self.report.sum_up();
            if matches!(ended, Ended::Finally) {
                return Ok(());
            }
            tracing::info!(
                source = self.spec.name(),
                "source released: it was paused, or the lease of this instance ended"
            );
        }
    }

    /// Opens the source, and reopens it after each error, while its lease is valid.
    async fn feed(&mut self, lease: Option<&Lease>) -> anyhow::Result<Ended> {
        if !self.cursors.load(lease, &self.shutdown).await? {
            return Ok(Ended::Finally);
        }
        if let Some(passed) = &mut self.passed {
            passed.restart();
        }
        let resumes = self.cursors.position().is_some();
        tracing::info!(source = self.spec.name(), resumes, "source started");
        self.report.activity(SourceActivity::Starting);
        loop {
            let opening = Opening { cursor: self.cursors.position().map(str::to_owned), failures: self.failures };
            let mut source = self.spec.open(opening);
            let error = match self.drain(source.as_mut(), lease).await? {
                Ended::Failed(error) => error,
                ended => return Ok(ended),
            };
            drop(source);
            self.failures += 1;
            let wait = self.trouble(&error);
            if let Some(ended) = self.wait(wait, lease).await? {
                return Ok(ended);
            }
        }
    }

    /// Reads batches until the source ends or fails, or its lease is lost.
    async fn drain(&mut self, source: &mut dyn Source, lease: Option<&Lease>) -> anyhow::Result<Ended> {
        loop {
            let next = guarded(source.next(self.batch_size));
            tokio::pin!(next);
            let silent = self.spec.longest_silence().map(|limit| (limit, Instant::now() + limit));
            let batch = loop {
                self.cursors.write_if_due().await?;
                tokio::select! {
                    biased;
                    () = self.shutdown.stopping() => return Ok(Ended::Finally),
                    () = self.source_lease.revoked(lease) => return Ok(Ended::Revoked),
                    batch = &mut next => break batch,
                    () = sleep_until(silent.map(|(_, until)| until)) => {
                        let limit = silent.map_or(0, |(limit, _)| limit.as_secs());
                        break Err(SourceError::Transient(format!("the source sent no data for {limit} s")));
                    }
                    () = sleep_until(self.cursors.due()) => {}
                }
            };
            match batch {
                Ok(batch) => {
                    if let Some(ended) = self.take(batch, lease).await? {
                        return Ok(ended);
                    }
                }
                Err(error) => return Ok(Ended::Failed(error)),
            }
        }
    }

    /// Appends a batch and records its cursor. Returns `Some` with the reason if reading must end.
    async fn take(&mut self, mut batch: Batch, lease: Option<&Lease>) -> anyhow::Result<Option<Ended>> {
        let was_refused = self.refusals.recovered().is_some();
        if self.backoff.recovered().is_some() || was_refused {
            tracing::info!(source = self.spec.name(), "source recovered");
        }
        self.report.activity(SourceActivity::Connected);
        self.report.rejected(&batch.rejected);
        self.report.place_errors(&batch.troubles);
        if let Some(passed) = &mut self.passed {
            batch.ops = passed.without_foreign_deletions(std::mem::take(&mut batch.ops)).await;
        }
        let source_lease = &self.source_lease;
        let appended = self.inlet.append(&batch.ops, &self.report, || source_lease.holds(lease)).await?;
        if !appended {
            let ended = if self.shutdown.is_stopping() { Ended::Finally } else { Ended::Revoked };
            return Ok(Some(ended));
        }
        self.report.appended(&batch);
        self.cursors.note(batch.cursor);
        if batch.must_store
            && let Some(ended) = self.store_cursor(lease).await?
        {
            return Ok(Some(ended));
        }
        if batch.finished {
            self.report.activity(SourceActivity::Finished);
            tracing::info!(source = self.spec.name(), "source finished");
            return Ok(Some(Ended::Finally));
        }
        if batch.wait.is_zero() { Ok(None) } else { self.wait(Some(batch.wait), lease).await }
    }

    /// Stores the cursor, and retries until it is stored. Returns `Some` with the reason if reading must end.
    async fn store_cursor(&mut self, lease: Option<&Lease>) -> anyhow::Result<Option<Ended>> {
        loop {
            self.cursors.write_if_due().await?;
            let Some(due) = self.cursors.due() else { return Ok(None) };
            tokio::select! {
                biased;
                () = self.shutdown.stopping() => return Ok(Some(Ended::Finally)),
                () = self.source_lease.revoked(lease) => return Ok(Some(Ended::Revoked)),
                () = tokio::time::sleep_until(due) => {}
            }
        }
    }

    /// Reports an error and returns the time until the next attempt. `None`: there is no further attempt under this
    /// lease. A user can pause and resume the source to end the lease.
    fn trouble(&mut self, error: &SourceError) -> Option<Duration> {
        let name = self.spec.name();
        let after = match error {
            SourceError::Permanent(_) => {
                self.report.trouble(SourceActivity::Failed, error);
                tracing::error!(source = name, %error, "source failed and was stopped");
                return None;
            }
            SourceError::Transient(_) => Duration::ZERO,
            SourceError::Busy { after, .. } => *after,
            SourceError::Refused(_) => self.refusals.next_wait(),
        };
        self.report.trouble(SourceActivity::BackingOff, error);
        let wait = self.backoff.next_wait().max(after);
        if self.backoff.enter("source") {
            let retry_in_ms = wait.as_millis() as u64;
            tracing::warn!(source = name, %error, retry_in_ms, "source failed, retrying");
        }
        Some(wait)
    }

    /// Waits for `time`, or without a limit for `None`. Returns `Some` with the reason if reading must end.
    async fn wait(&mut self, time: Option<Duration>, lease: Option<&Lease>) -> anyhow::Result<Option<Ended>> {
        let until = time.map(|time| Instant::now() + time);
        loop {
            self.cursors.write_if_due().await?;
            tokio::select! {
                biased;
                () = self.shutdown.stopping() => return Ok(Some(Ended::Finally)),
                () = self.source_lease.revoked(lease) => return Ok(Some(Ended::Revoked)),
                () = sleep_until(until) => return Ok(None),
                () = sleep_until(self.cursors.due()) => {}
            }
        }
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
