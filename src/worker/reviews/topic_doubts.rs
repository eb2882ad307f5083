//! Sends queued sentiments to the language model, and stores its answers.

use super::super::context::Worker;
use super::super::review_queue::ReviewQueue;
use super::super::topic_doubts::{Doubt, TopicDoubts, count};
use super::Review;
use crate::domain::{Analysis, LiveEvent, PostTopic, TopicSentiment, Towards};
use crate::inference::InferenceError;
use crate::inference::llm::Question;
use crate::lifecycle::{BackendWait, Shutdown};
use crate::store::settle::TopicReanalysis;

impl Review for TopicDoubts {
    type Item = Doubt;

    fn queue(&self) -> &ReviewQueue<Doubt> {
        &self.0.queue
    }

    fn ask(&self, batch: &[Doubt]) -> impl Future<Output = Result<Vec<Analysis>, InferenceError>> + Send {
        let question = |doubt: &Doubt| Question { text: doubt.text.clone(), target: Some(doubt.target.clone()) };
        self.0.llm.classify_targets(batch.iter().map(question).collect())
    }

    fn replace(
        worker: &Worker,
        batch: Vec<Doubt>,
        answers: Vec<Analysis>,
        shutdown: &Shutdown,
    ) -> impl Future<Output = ()> + Send {
        replace(worker, batch, answers, shutdown)
    }

    fn count(result: &'static str, topics: usize) {
        count(result, topics);
    }
}

/// Stores the answers, and sends the changed posts to live clients.
async fn replace(worker: &Worker, batch: Vec<Doubt>, analyses: Vec<Analysis>, shutdown: &Shutdown) {
    let reanalysis = |(doubt, analysis): (&Doubt, &Analysis)| TopicReanalysis {
        post_id: doubt.event.post_id.clone(),
        analyzed_at: Some(doubt.event.timestamp),
        replaces: Towards::Own(doubt.stored.clone()),
        topics: vec![PostTopic {
            topic: doubt.topic,
            towards: Towards::Own(TopicSentiment {
                sentiment: analysis.sentiment,
                confidence: analysis.confidence,
                clause: doubt.stored.clause,
            }),
        }],
    };
    let reanalyses: Vec<TopicReanalysis> = batch.iter().zip(&analyses).map(reanalysis).collect();
    let mut backoff = BackendWait::new("database");
    let changed = loop {
        match worker.store.reanalyse_topics(reanalyses.clone()).await {
            Ok(changed) => break changed,
            Err(error) if error.is_transient() && !shutdown.is_stopping() => backoff.wait(&error, shutdown).await,
            Err(error) => {
                tracing::warn!(%error, posts = batch.len(), "second opinions on sentiments towards topics not stored");
                return count("failed", batch.len());
            }
        }
    };
    let mut events = Vec::new();
    for ((doubt, analysis), changed) in batch.into_iter().zip(&analyses).zip(changed) {
        if !changed {
            count("outdated", 1);
            continue;
        }
        let agrees = doubt.stored.sentiment == analysis.sentiment;
        count(if agrees { "agreed" } else { "changed" }, 1);
        if !agrees {
            let mut event = doubt.event;
            event.topic_sentiments.insert(doubt.name.to_string(), analysis.sentiment);
            events.push(LiveEvent::Post(event));
        }
    }
    if events.is_empty() {
        return;
    }
    worker.cache.clear().await;
    if worker.live.publish(events).await.is_err() {
        metrics::counter!("sentistream_live_publish_failures_total").increment(1);
    }
}
