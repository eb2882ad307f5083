//! The loop that sends uncertain results to another model.

mod second_opinion;
mod topic_doubts;

use std::collections::VecDeque;

use super::context::Worker;
use super::review_queue::ReviewQueue;
use crate::domain::Analysis;
use crate::inference::InferenceError;
use crate::lifecycle::{BackendWait, Shutdown};

pub use second_opinion::reanalyse;

/// How the items of a queue are analysed again.
pub trait Review: Sync {
    /// An uncertain result.
    type Item: Send;

    /// The queue of this review.
    fn queue(&self) -> &ReviewQueue<Self::Item>;

    /// Selects the items of a batch that are sent.
    fn select(batch: Vec<Self::Item>) -> Vec<Self::Item> {
        batch
    }

    /// Sends `batch` to the other model. The answers are in the same order.
    fn ask(&self, batch: &[Self::Item]) -> impl Future<Output = Result<Vec<Analysis>, InferenceError>> + Send;

    /// Stores the answers, and sends the changed posts to live clients.
    fn replace(
        worker: &Worker,
        batch: Vec<Self::Item>,
        answers: Vec<Analysis>,
        shutdown: &Shutdown,
    ) -> impl Future<Output = ()> + Send;

    /// Counts items by the result of their review, such as `failed`.
    fn count(result: &'static str, items: usize);
}

/// Sends the items of a queue to the other model until a shutdown. If the other model fails on a batch, its items are
/// sent again one by one. If the other model is not available, the batch is sent again later.
pub async fn run<R: Review>(worker: Worker, review: R, shutdown: Shutdown) {
    let mut waiting: VecDeque<Vec<R::Item>> = VecDeque::new();
    let mut backoff = BackendWait::new("language model");
    loop {
        let batch = match waiting.pop_front() {
            Some(batch) => batch,
            None => match shutdown.unless_stopping(review.queue().next()).await {
                Some(batch) => R::select(batch),
                None => return,
            },
        };
        match shutdown.unless_stopping(review.ask(&batch)).await {
            None => return,
            Some(Ok(answers)) => {
                backoff.succeeded();
                R::replace(&worker, batch, answers, &shutdown).await;
            }
            Some(Err(InferenceError::Failed(_) | InferenceError::TooSlow(_))) if batch.len() > 1 => {
                waiting.extend(batch.into_iter().map(|item| vec![item]));
            }
            Some(Err(InferenceError::Failed(_) | InferenceError::TooSlow(_))) => R::count("failed", 1),
            Some(Err(error)) => {
                waiting.push_front(batch);
                backoff.wait(&error, &shutdown).await;
                if shutdown.is_stopping() {
                    return;
                }
            }
        }
    }
}
