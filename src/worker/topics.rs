//! Matches posts that were stored before a topic's query was created. Only one instance at a time does this.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::context::Worker;
use super::towards::{PostTargets, divides};
use crate::domain::{Analysis, PostLabels, Subject};
use crate::inference::InferenceError;
use crate::lease::{Coordinated, LeaseManager, RoundError, coordinate};
use crate::lifecycle::{Backoff, Shutdown};
use crate::store::StoreError;
use crate::store::settle::{PendingPost, TopicJudgement, TopicTest};
use crate::topics::{Scratch, TopicMatch, Tracked};

/// The time between two checks for topics that need a backfill.
const EVERY: Duration = Duration::from_secs(2);
/// The lease of the instance that runs the backfill.
const LEASE: &str = "topic-backfill";
const LEASE_TTL: Duration = Duration::from_secs(30);
/// The maximum number of matches whose sentiment is determined in one transaction.
const JUDGED_AT_ONCE: i64 = 100;

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
            self.judge().await?;
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

impl Backfill {
    /// Determines the sentiment towards topics for stored matches that have none.
    async fn judge(&self) -> Result<(), StoreError> {
        let worker = &self.worker;
        let mut posts = 0;
        while !self.shutdown.is_stopping() {
            let pending = worker.store.pending_topics(JUDGED_AT_ONCE).await?;
            if pending.is_empty() || self.leases.acquire(LEASE).await?.is_none() {
                break;
            }
            let Some(judged) = self.judged(&pending).await else { break };
            posts += judged.len();
            worker.store.judge_topics(judged).await?;
        }
        if posts > 0 {
            worker.cache.clear().await;
            tracing::info!(posts, "sentiments towards topics determined for stored posts");
        }
        Ok(())
    }

    /// How the posts speak about their topics; `None` if the model does not answer. A later round tries again.
    async fn judged(&self, pending: &[PendingPost]) -> Option<Vec<TopicJudgement>> {
        let classifier = self.worker.classifier.current();
        let tracked = self.worker.topics.current();
        let divides = divides(classifier.info());
        let languages = self.worker.options.languages.judged(&classifier.info().languages);
        // A post whose language needs another model keeps the label of the post.
        let is_divided = |post: &PendingPost| {
            let lang = post.lang.as_deref();
            divides && post.scores.is_some() && !languages.is_other(lang) && self.worker.routes.of(lang).is_none()
        };
        let mut targets: Vec<PostTargets> = pending
            .iter()
            .map(|post| match is_divided(post) {
                true => PostTargets::of(&post.content, post.topics.iter().copied(), &tracked),
                false => PostTargets::default(),
            })
            .collect();
        let texts: Vec<String> =
            pending.iter().zip(&targets).flat_map(|(post, targets)| targets.texts(&post.content)).collect();
        let analyses = self.shutdown.unless_stopping(classifier.classify(texts)).await?;
        let mut analyses = match analyses {
            Ok(analyses) => analyses.into_iter(),
            // The parts cannot be classified, and a repetition would fail too. The label of the post holds.
            Err(InferenceError::Failed(_) | InferenceError::TooSlow(_)) => {
                targets.iter_mut().for_each(|targets| *targets = PostTargets::default());
                Vec::new().into_iter()
            }
            Err(error) => {
                tracing::warn!(%error, "sentiments towards topics of stored posts not determined, will be retried");
                return None;
            }
        };
        let judged = pending.iter().zip(&targets).map(|(post, targets)| {
            let parts: Vec<Analysis> = analyses.by_ref().take(targets.count()).collect();
            let whole = post.scores.unwrap_or_default();
            TopicJudgement {
                post_id: post.post_id.clone(),
                analyzed_at: post.analyzed_at,
                topics: targets.judge(&post.content, &whole, &parts, &post.topics),
            }
        });
        Some(judged.collect())
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
