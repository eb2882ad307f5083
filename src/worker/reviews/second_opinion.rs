//! Sends queued posts to the second model, and stores its analyses.

use std::collections::BTreeMap;

use super::super::context::Worker;
use super::super::review_queue::ReviewQueue;
use super::super::second_opinion::{QueuedPost, SecondOpinion, count};
use super::super::topics::test;
use super::Review;
use crate::domain::{Analysis, LiveEvent, PostEvent, PostId};
use crate::inference::InferenceError;
use crate::lifecycle::{BackendWait, Shutdown};
use crate::store::StoreError;
use crate::store::settle::{Reanalysed, Reanalyses, Reanalysis, Replaced};

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

/// Stores the analyses. If topics depend on labels, the posts are matched against the current topics again. The result
/// of a post is `None` if the post was edited, deleted or analysed again in the meantime.
pub async fn reanalyse(worker: &Worker, list: &[Reanalysis]) -> Result<Vec<Option<Reanalysed>>, StoreError> {
    loop {
        let topics = worker.topics.refresh().await?;
        let topics = topics.depend_on_labels().then(|| test(topics));
        if let Some(done) = worker.store.reanalyse(Reanalyses { list: list.to_vec(), topics }).await? {
            return Ok(done);
        }
    }
}
