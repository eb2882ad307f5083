//! A second opinion on posts for which the model has a low confidence.
//!
//! The second opinion does not delay the processing of posts. A post is stored immediately with the first analysis. If
//! its confidence is low, the post is put into a bounded queue. A separate task sends it to the other model, and
//! replaces the analysis and its rollup counts in one transaction, unless the post was edited or deleted in the
//! meantime. A post that does not fit into the queue, or is in the queue when the process exits, keeps its first
//! analysis.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::op::preview;
use crate::domain::{Analysis, LiveEvent, Post, PostEvent, PostId};
use crate::inference::{InferenceError, SharedClassifier};
use crate::lifecycle::{BackendWait, Shutdown};
use crate::store::StoreError;
use crate::store::settle::{PostTimes, Reanalysed, Reanalyses, Reanalysis, Replaced};

use super::context::Worker;
use super::reviews::{Review, ReviewQueue};
use super::topics::test;

/// The maximum length of a text in the queue, in characters.
const MAX_CHARS: usize = 4_000;

/// The second model, and the queue of posts for it. Clones share the queue.
#[derive(Clone)]
pub struct SecondOpinion(Arc<Inner>);

struct Inner {
    classifier: SharedClassifier,
    below: f64,
    queue: ReviewQueue<QueuedPost>,
}

/// A post that was analysed with low confidence.
pub struct QueuedPost {
    post_id: PostId,
    text: String,
    event: PostEvent,
}

impl SecondOpinion {
    /// Sends posts with a confidence `below` this to `classifier`; at most `capacity` posts wait in the queue.
    pub fn new(classifier: SharedClassifier, below: f64, capacity: usize) -> Self {
        Self(Arc::new(Inner { classifier, below, queue: ReviewQueue::new(capacity) }))
    }

    /// Queues a stored post if the confidence of its analysis is low. Never waits.
    pub fn consider(&self, post: &Post, analysis: &Analysis, stored: PostTimes) {
        let is_classified = analysis.tokens > 0 && *analysis.model_name != *self.0.classifier.info().name;
        if !is_classified || analysis.confidence >= self.0.below {
            return;
        }
        let item = || QueuedPost {
            post_id: post.post_id.clone(),
            text: preview(&post.content, MAX_CHARS).to_owned(),
            event: PostEvent::new(post, Some(analysis), stored.ingested_at, stored.analyzed_at),
        };
        if !self.0.queue.offer(item) {
            count("dropped", 1);
        }
    }
}

impl Review for SecondOpinion {
    type Item = QueuedPost;

    fn queue(&self) -> &ReviewQueue<QueuedPost> {
        &self.0.queue
    }

    fn select(batch: Vec<QueuedPost>) -> Vec<QueuedPost> {
        // An edited post is queued twice. Only the last version is analysed.
        let batch: BTreeMap<PostId, QueuedPost> =
            batch.into_iter().map(|queued| (queued.post_id.clone(), queued)).collect();
        batch.into_values().collect()
    }

    fn ask(&self, batch: &[QueuedPost]) -> impl Future<Output = Result<Vec<Analysis>, InferenceError>> + Send {
        self.0.classifier.classify(batch.iter().map(|queued| queued.text.clone()).collect())
    }

    fn replace(
        worker: &Worker,
        batch: Vec<QueuedPost>,
        answers: Vec<Analysis>,
        shutdown: &Shutdown,
    ) -> impl Future<Output = ()> + Send {
        replace(worker, batch, answers, shutdown)
    }

    fn count(result: &'static str, posts: usize) {
        count(result, posts);
    }
}

async fn replace(worker: &Worker, batch: Vec<QueuedPost>, analyses: Vec<Analysis>, shutdown: &Shutdown) {
    let reanalyses: Vec<Reanalysis> = batch
        .iter()
        .zip(&analyses)
        .map(|(queued, analysis)| Reanalysis {
            post_id: queued.post_id.clone(),
            analysis: analysis.clone(),
            replaces: Replaced::Analysis(queued.event.timestamp),
        })
        .collect();
    let mut backoff = BackendWait::new("database");
    let done = loop {
        match reanalyse(worker, &reanalyses).await {
            Ok(done) => break done,
            Err(error) if error.is_transient() && !shutdown.is_stopping() => backoff.wait(&error, shutdown).await,
            Err(error) => {
                tracing::warn!(%error, posts = batch.len(), "second opinions not stored");
                return count("failed", batch.len());
            }
        }
    };
    let mut events = Vec::new();
    for ((queued, analysis), stored) in batch.into_iter().zip(&analyses).zip(done) {
        let Some(stored) = stored else {
            count("outdated", 1);
            continue;
        };
        let agrees = queued.event.sentiment_label == Some(analysis.sentiment);
        count(if agrees { "agreed" } else { "changed" }, 1);
        events.push(LiveEvent::Post(PostEvent {
            sentiment_label: Some(analysis.sentiment),
            confidence_score: Some(analysis.confidence),
            emotion: Some(analysis.emotion),
            timestamp: stored.times.analyzed_at,
            topics: worker.topics.current().names(&stored.topics),
            ..queued.event
        }));
    }
    if !events.is_empty() && worker.live.publish(events).await.is_err() {
        metrics::counter!("sentistream_live_publish_failures_total").increment(1);
    }
}

/// Stores the analyses. If topics depend on labels, the posts are matched against the current topics again.
pub async fn reanalyse(worker: &Worker, list: &[Reanalysis]) -> Result<Vec<Option<Reanalysed>>, StoreError> {
    loop {
        let topics = worker.topics.refresh().await?;
        let topics = topics.depend_on_labels().then(|| test(topics));
        if let Some(done) = worker.store.reanalyse(Reanalyses { list: list.to_vec(), topics }).await? {
            return Ok(done);
        }
    }
}

fn count(result: &'static str, posts: usize) {
    metrics::counter!("sentistream_second_opinions_total", "result" => result).increment(posts as u64);
}
