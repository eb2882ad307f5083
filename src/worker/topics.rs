//! Matches posts that were stored before a topic's query, on one instance at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::context::Worker;
use crate::domain::Subject;
use crate::lifecycle::{BackendWait, Shutdown};
use crate::store::StoreError;
use crate::store::settle::TopicTest;
use crate::topics::{Scratch, Tracked};

/// Interval of the check for unmatched posts.
const EVERY: Duration = Duration::from_secs(2);
/// The lease of the instance that matches stored posts; another takes over when it expires.
const LEASE: &str = "topic-backfill";
const LEASE_TTL: Duration = Duration::from_secs(30);

/// Matches stored posts whenever a topic needs it, until a stop is requested.
pub async fn run(worker: Worker, shutdown: Shutdown) {
    let mut backoff = BackendWait::new("topics");
    while shutdown.sleep(EVERY).await {
        match backfill(&worker, &shutdown).await {
            Ok(()) => backoff.succeeded(),
            Err(error) => backoff.wait(&error, &shutdown).await,
        }
    }
}

async fn backfill(worker: &Worker, shutdown: &Shutdown) -> Result<(), StoreError> {
    let mut topics = worker.topics.refresh().await?;
    if topics.all().is_empty() {
        return Ok(());
    }
    let Some(lease) = worker.store.acquire_lease(LEASE, &worker.options.instance, LEASE_TTL).await? else {
        return Ok(());
    };
    let (mut posts, mut matches) = (0, 0);
    while !shutdown.is_stopping() {
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
        if worker.store.acquire_lease(LEASE, &worker.options.instance, LEASE_TTL).await?.is_none() {
            return Ok(());
        }
    }
    if posts > 0 {
        worker.cache.clear().await;
        tracing::info!(posts, matches, "stored posts matched with topics");
    }
    worker.store.release_lease(&lease).await
}

fn test(topics: Arc<Tracked>) -> TopicTest {
    let version = topics.version();
    let scratch = Mutex::new(Scratch::default());
    let matches = move |subject: &Subject<'_>| {
        topics.matches(subject, &mut scratch.lock().unwrap_or_else(PoisonError::into_inner))
    };
    TopicTest { version, matches: Arc::new(matches) }
}
