//! Second opinions of a language model on uncertain sentiments towards topics.
//!
//! A post is stored immediately with the sentiments towards its topics that the local model determined. A sentiment
//! with a low confidence is put into a bounded queue. A separate task sends the text and the words that mention the
//! topic to the language model, and replaces the sentiment and its counts in one transaction. A post that was edited,
//! deleted or analysed again in the meantime does not change. A sentiment that does not fit into the queue, or is in
//! the queue when the process exits, stays unchanged.

use std::sync::Arc;

use super::review_queue::ReviewQueue;
use crate::domain::op::preview;
use crate::domain::{Post, PostEvent, PostTopic, TopicId, TopicName, TopicSentiment, Towards};
use crate::inference::Llm;
use crate::topics::{Tracked, Words};

/// The maximum length of a text in the queue, in characters. The language model does not read more.
const MAX_CHARS: usize = 2_000;

/// The language model, and the queue of uncertain sentiments for it. Clones share the queue.
#[derive(Clone)]
pub struct TopicDoubts(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub llm: Llm,
    below: f64,
    pub queue: ReviewQueue<Doubt>,
}

/// A topic of a post for which the sentiment of the local model has a low confidence.
pub struct Doubt {
    pub event: PostEvent,
    pub topic: TopicId,
    pub name: TopicName,
    pub text: String,
    /// The words of the text that mention the topic.
    pub target: String,
    pub stored: TopicSentiment,
}

impl TopicDoubts {
    /// Sends sentiments whose confidence is less than `below` to `llm`. At most `capacity` of them wait in the queue.
    pub fn new(llm: Llm, below: f64, capacity: usize) -> Self {
        Self(Arc::new(Inner { llm, below, queue: ReviewQueue::new(capacity) }))
    }

    /// Queues those topics of a stored post for which the sentiment is uncertain. Never waits.
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

/// Counts sentiments by the result of their second opinion: `agreed`, `changed`, `outdated`, `failed` or `dropped`.
pub(super) fn count(result: &'static str, topics: usize) {
    metrics::counter!("sentistream_topic_opinions_total", "result" => result).increment(topics as u64);
}
