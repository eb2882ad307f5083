//! A second opinion on posts for which the model has a low confidence.
//!
//! The second opinion does not delay the processing of posts. A post is stored immediately with the first analysis. If
//! the confidence of this analysis is low, the post is put into a bounded queue. A separate task sends the post to a
//! second model, and replaces the analysis and its rollup counts in one transaction. A post that was edited, deleted or
//! analysed again in the meantime does not change. A post that does not fit into the queue, or is in the queue when the
//! process exits, keeps its first analysis.

use std::sync::Arc;

use crate::domain::op::preview;
use crate::domain::{Analysis, Post, PostEvent, PostId};
use crate::inference::SharedClassifier;
use crate::store::settle::PostTimes;

use super::review_queue::ReviewQueue;

/// The maximum length of a text in the queue, in characters.
const MAX_CHARS: usize = 4_000;

/// The second model, and the queue of posts for it. Clones share the queue.
#[derive(Clone)]
pub struct SecondOpinion(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub classifier: SharedClassifier,
    below: f64,
    pub queue: ReviewQueue<QueuedPost>,
}

/// A post that was analysed with low confidence.
pub struct QueuedPost {
    pub post_id: PostId,
    pub text: String,
    pub event: PostEvent,
}

impl SecondOpinion {
    /// Sends posts whose confidence is less than `below` to `classifier`. At most `capacity` posts wait in the queue.
    pub fn new(classifier: SharedClassifier, below: f64, capacity: usize) -> Self {
        Self(Arc::new(Inner { classifier, below, queue: ReviewQueue::new(capacity) }))
    }

    /// Queues a stored post if the confidence of its analysis is low and the analysis is not from the second model.
    /// Never waits.
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

/// Counts posts by the result of their second opinion: `agreed`, `changed`, `outdated`, `failed` or `dropped`.
pub(super) fn count(result: &'static str, posts: usize) {
    metrics::counter!("sentistream_second_opinions_total", "result" => result).increment(posts as u64);
}
