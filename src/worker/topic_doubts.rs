//! Second opinions of a language model on uncertain sentiments towards topics.
//!
//! A post is stored immediately with the sentiments towards its topics that the local model determined. A sentiment
//! with a low confidence is put into a bounded queue. A separate task sends the text and the words that mention the
//! topic to the language model, and replaces the sentiment and its counts in one transaction, unless the post was
//! edited, deleted or analysed again in the meantime. A sentiment that does not fit into the queue, or is in the queue
//! when the process exits, stays unchanged.

use std::sync::Arc;

use super::context::Worker;
use super::reviews::{Review, ReviewQueue};
use crate::domain::op::preview;
use crate::domain::{Analysis, LiveEvent, Post, PostEvent, PostTopic, TopicId, TopicName, TopicSentiment, Towards};
use crate::inference::llm::Question;
use crate::inference::{InferenceError, Llm};
use crate::lifecycle::{BackendWait, Shutdown};
use crate::store::settle::TopicReanalysis;
use crate::topics::{Tracked, Words};

/// The maximum length of a text in the queue, in characters. The language model does not read more.
const MAX_CHARS: usize = 2_000;

/// The language model, and the queue of uncertain sentiments for it. Clones share the queue.
#[derive(Clone)]
pub struct TopicDoubts(Arc<Inner>);

struct Inner {
    llm: Llm,
    below: f64,
    queue: ReviewQueue<Doubt>,
}

/// A topic of a post for which the sentiment of the local model has a low confidence.
pub struct Doubt {
    event: PostEvent,
    topic: TopicId,
    name: TopicName,
    text: String,
    /// The words of the text that mention the topic.
    target: String,
    stored: TopicSentiment,
}

impl TopicDoubts {
    /// Sends topics with a confidence `below` this to `llm`; at most `capacity` of them wait in the queue.
    pub fn new(llm: Llm, below: f64, capacity: usize) -> Self {
        Self(Arc::new(Inner { llm, below, queue: ReviewQueue::new(capacity) }))
    }

    /// Queues the topics of a stored post towards which its sentiment is uncertain. Never waits.
    pub fn consider(&self, post: &Post, topics: &[PostTopic], tracked: &Tracked, event: &PostEvent) {
        let text = preview(&post.content, MAX_CHARS);
        let mut words = None;
        for topic in topics {
            let Towards::Own(own) = &topic.towards else { continue };
            if own.confidence >= self.0.below {
                continue;
            }
            let words = words.get_or_insert_with(|| Words::of(text));
            let mention = tracked.mentions(topic.topic, words).into_iter().next();
            // The topic is skipped if a long text mentions it only after the part that the language model reads.
            let Some((target, topic_of)) = mention.and_then(|at| text.get(at)).zip(tracked.get(topic.topic)) else {
                continue;
            };
            let doubt = || Doubt {
                event: event.clone(),
                topic: topic.topic,
                name: topic_of.name.clone(),
                text: text.to_owned(),
                target: target.to_owned(),
                stored: own.clone(),
            };
            if !self.0.queue.offer(doubt) {
                count("dropped", 1);
            }
        }
    }
}

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
                tracing::warn!(%error, posts = batch.len(), "second reanalyses of topics not stored");
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

fn count(result: &'static str, topics: usize) {
    metrics::counter!("sentistream_topic_opinions_total", "result" => result).increment(topics as u64);
}
