//! Matches posts that were stored before a topic's query was created. Only one instance at a time does this.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::context::Worker;
use crate::domain::{PostLabels, Subject};
use crate::lease::{Coordinated, LeaseManager, RoundError, coordinate};
use crate::lifecycle::{Backoff, Shutdown};
use crate::store::StoreError;
use crate::store::settle::TopicTest;
use crate::topics::{Scratch, TopicMatch, Tracked};

/// The time between two checks for topics that need a backfill.
const EVERY: Duration = Duration::from_secs(2);
/// The lease of the instance that runs the backfill.
const LEASE: &str = "topic-backfill";
const LEASE_TTL: Duration = Duration::from_secs(30);

/// Matches stored posts whenever a topic requires it, until a shutdown.
pub async fn run(worker: Worker, shutdown: Shutdown) {
    let leases = LeaseManager::new(worker.store.clone(), worker.options.instance.clone(), LEASE_TTL);
    let backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
    let mut backfill = Backfill { worker, leases, shutdown };
    let stop = backfill.shutdown.stop_token().clone();
    if let Err(error) = coordinate(&mut backfill, backoff, &stop).await {
        tracing::error!(%error, "topic backfill stopped");
    }
}

struct Backfill {
    worker: Worker,
    leases: LeaseManager,
    shutdown: Shutdown,
}

/// Every failure is retried: the posts remain stored, and a later step can match them.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct BackfillError(#[from] StoreError);

impl RoundError for BackfillError {
    fn is_transient(&self) -> bool {
        true
    }

    fn is_lease_lost(&self) -> bool {
        matches!(self.0, StoreError::LeaseLost(_))
    }
}

impl Coordinated for Backfill {
    type Error = BackfillError;
    const TASK: &'static str = "topic backfill";

    async fn round(&mut self) -> Result<Duration, BackfillError> {
        let topics = self.worker.topics.refresh().await?;
        if !topics.all().is_empty()
            && let Some(handle) = self.leases.acquire(LEASE).await?
        {
            self.fill(topics).await?;
            self.leases.release([handle.lease]).await;
        }
        Ok(EVERY)
    }

    fn lease_lost(&mut self) -> Duration {
        EVERY
    }
}

impl Backfill {
    async fn fill(&self, mut topics: Arc<Tracked>) -> Result<(), StoreError> {
        let worker = &self.worker;
        let (mut posts, mut matches) = (0, 0);
        while !self.shutdown.is_stopping() {
            let step = worker.store.backfill_topics(test(topics.clone())).await?;
            if step.stale {
                topics = worker.topics.refresh().await?;
                continue;
            }
            if step.posts == 0 {
                break;
            }
            posts += step.posts;
            matches += step.added;
            metrics::counter!("sentistream_topic_backfill_posts_total").increment(step.posts as u64);
            if self.leases.acquire(LEASE).await?.is_none() {
                return Ok(());
            }
        }
        if posts > 0 {
            worker.cache.clear().await;
            tracing::info!(posts, matches, "topic backfill finished");
        }
        Ok(())
    }
}

/// Matches posts with the topics at their version.
pub fn test(topics: Arc<Tracked>) -> TopicTest {
    let version = topics.version();
    let scratch = Mutex::new(Scratch::default());
    let matches = move |subject: &Subject<'_>, labels: Option<PostLabels>| {
        let found = topics.matches(subject, &mut scratch.lock().unwrap_or_else(PoisonError::into_inner));
        TopicMatch::decided(&found, labels)
    };
    TopicTest { version, matches: Arc::new(matches) }
}
