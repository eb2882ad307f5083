//! Matches posts that were stored before a topic was created or its query was changed. Only one instance at a time runs
//! this backfill.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::context::Worker;
use super::counters::count_parts;
use super::towards::{PostTargets, divides};
use crate::domain::{Analysis, PostLabels, Subject, TopicId, Towards};
use crate::inference::InferenceError;
use crate::lease::{Coordinated, LeaseManager, RoundError, coordinate};
use crate::lifecycle::{Backoff, Shutdown};
use crate::store::StoreError;
use crate::store::settle::{PendingPost, TopicReanalysis, TopicTest};
use crate::topics::{Scratch, TopicMatch, Tracked};

/// The time between two checks for topics that need a backfill.
const EVERY: Duration = Duration::from_secs(2);
/// The lease of the instance that runs the backfill.
const LEASE: &str = "topic-backfill";
const LEASE_TTL: Duration = Duration::from_secs(30);
/// The maximum number of matches whose sentiment is determined in one transaction.
const CLASSIFIED_AT_ONCE: i64 = 100;

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
            self.classify().await?;
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
            tracing::info!(posts, matches, "stored posts matched against topics");
        }
        Ok(())
    }
}

impl Backfill {
    /// Determines the sentiment towards topics for stored matches that have none.
    async fn classify(&self) -> Result<(), StoreError> {
        let worker = &self.worker;
        let mut posts = 0;
        while !self.shutdown.is_stopping() {
            let pending = worker.store.pending_topics(CLASSIFIED_AT_ONCE).await?;
            if pending.is_empty() || self.leases.acquire(LEASE).await?.is_none() {
                break;
            }
            let Some(found) = self.reanalyses(&pending).await else { break };
            let changed =
                worker.store.reanalyse_topics(found).await?.into_iter().filter(|is_changed| *is_changed).count();
            // The loop ends if nothing has changed. Otherwise, it would select and classify the same posts forever. The
            // next run of the backfill retries them.
            if changed == 0 {
                break;
            }
            posts += changed;
        }
        if posts > 0 {
            worker.cache.clear().await;
            tracing::info!(posts, "sentiments towards topics determined for stored posts");
        }
        Ok(())
    }

    /// The new sentiments of the posts towards their topics. `None` if the model does not answer; the next run of the
    /// backfill retries these posts.
    async fn reanalyses(&self, pending: &[PendingPost]) -> Option<Vec<TopicReanalysis>> {
        let tracked = self.worker.topics.current();
        let mut groups: BTreeMap<Option<usize>, Vec<&PendingPost>> = BTreeMap::new();
        for post in pending {
            groups.entry(self.worker.routes.number_of(post.lang.as_deref())).or_default().push(post);
        }
        let mut found = Vec::with_capacity(pending.len());
        for (route, posts) in groups {
            found.extend(self.reanalyses_with(route, posts, &tracked).await?);
        }
        Some(found)
    }

    /// The result of [`Self::reanalyses`] for the posts of one model. If the model fails on a post, the label of the
    /// whole post applies to its topics, and the other posts are classified one by one. If the model of a route (a
    /// model for certain languages) is not available, the labels of the whole posts apply.
    async fn reanalyses_with(
        &self,
        route: Option<usize>,
        posts: Vec<&PendingPost>,
        tracked: &Arc<Tracked>,
    ) -> Option<Vec<TopicReanalysis>> {
        let divided: Vec<(String, Vec<TopicId>)> = posts.iter().map(|post| self.text_with_topics(post)).collect();
        let targets = PostTargets::of_each(divided, tracked.clone()).await;
        let texts = posts.iter().zip(&targets).flat_map(|(post, targets)| targets.texts(&post.content)).collect();
        match self.shutdown.unless_stopping(self.classified(route, texts)).await? {
            Ok(parts) => Some(reanalyses(posts.into_iter().zip(targets), parts)),
            Err(InferenceError::Failed(_) | InferenceError::TooSlow(_)) if posts.len() > 1 => {
                let mut found = Vec::with_capacity(posts.len());
                for post in posts {
                    found.extend(Box::pin(self.reanalyses_with(route, vec![post], tracked)).await?);
                }
                Some(found)
            }
            // The parts cannot be classified, or the model of the route is not available. The labels of the whole posts
            // apply.
            Err(error)
                if route.is_some() || matches!(error, InferenceError::Failed(_) | InferenceError::TooSlow(_)) =>
            {
                tracing::debug!(%error, posts = posts.len(), "sentiments towards topics unknown, post labels apply");
                Some(reanalyses(posts.into_iter().map(|post| (post, PostTargets::default())), Vec::new()))
            }
            Err(error) => {
                tracing::warn!(%error, "sentiments towards topics of stored posts not determined, will be retried");
                None
            }
        }
    }

    /// The text of the post, which is divided into parts, and its topics. Both are empty if the post is not divided:
    /// the post is unscored, its language is not supported, or the main model is remote.
    fn text_with_topics(&self, post: &PendingPost) -> (String, Vec<TopicId>) {
        let classifier = self.worker.classifier.current();
        let lang = post.lang.as_deref();
        let languages = self.worker.options.languages.supported(&classifier.info().languages);
        let is_supported = self.worker.routes.of(lang).is_some() || !languages.is_other(lang);
        if post.scores.is_some() && is_supported && divides(classifier.info()) {
            (post.content.clone(), post.topics.clone())
        } else {
            (String::new(), Vec::new())
        }
    }

    /// Classifies texts with the model of a route, or with the main model.
    async fn classified(&self, route: Option<usize>, texts: Vec<String>) -> Result<Vec<Analysis>, InferenceError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        count_parts(texts.len());
        match route.and_then(|number| self.worker.routes.all().get(number)) {
            Some(route) => route.classify_late(texts).await,
            None => self.worker.classifier.current().classify(texts).await,
        }
    }
}

/// The new sentiments of posts towards their topics. `parts` yields the analyses of their parts, in order.
fn reanalyses<'p>(
    posts: impl Iterator<Item = (&'p PendingPost, PostTargets)>,
    parts: Vec<Analysis>,
) -> Vec<TopicReanalysis> {
    let mut parts = parts.into_iter();
    let reanalysis = |(post, targets): (&PendingPost, PostTargets)| {
        let parts: Vec<Analysis> = parts.by_ref().take(targets.count()).collect();
        let whole = post.scores.unwrap_or_default();
        TopicReanalysis {
            post_id: post.post_id.clone(),
            analyzed_at: post.analyzed_at,
            replaces: Towards::Pending,
            topics: targets.sentiments(&post.content, &whole, &parts, &post.topics),
        }
    };
    posts.map(reanalysis).collect()
}

/// The function that matches posts against `topics`, together with the version of the topics.
pub fn test(topics: Arc<Tracked>) -> TopicTest {
    let version = topics.version();
    let scratch = Mutex::new(Scratch::default());
    let matches = move |subject: &Subject<'_>, labels: Option<PostLabels>| {
        let found = topics.matches(subject, &mut scratch.lock().unwrap_or_else(PoisonError::into_inner));
        TopicMatch::decided(&found, labels)
    };
    TopicTest { version, matches: Arc::new(matches) }
}
