//! A bounded queue of uncertain results, and the loop that sends these results to another model.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::context::Worker;
use crate::domain::Analysis;
use crate::inference::InferenceError;
use crate::lifecycle::{BackendWait, Shutdown};

/// The maximum number of items in one request and in one transaction.
const BATCH: usize = 64;

/// Items that wait for the other model.
pub struct ReviewQueue<T> {
    capacity: usize,
    items: Mutex<VecDeque<T>>,
    arrived: Notify,
}

impl<T> ReviewQueue<T> {
    /// An empty queue of at most `capacity` items.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, items: Mutex::default(), arrived: Notify::new() }
    }

    /// Adds an item. Returns `false` if the queue is full; in this case `item` is not called. Never waits.
    pub fn offer(&self, item: impl FnOnce() -> T) -> bool {
        let mut items = self.items();
        if items.len() >= self.capacity {
            return false;
        }
        items.push_back(item());
        drop(items);
        self.arrived.notify_one();
        true
    }

    async fn next(&self) -> Vec<T> {
        loop {
            let batch = self.take();
            if !batch.is_empty() {
                return batch;
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self) -> Vec<T> {
        let mut items = self.items();
        let most = items.len().min(BATCH);
        items.drain(..most).collect()
    }

    fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
        // Every change under the lock is complete, so a panic cannot leave the queue in an inconsistent state.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

    /// Counts results.
    fn count(result: &'static str, items: usize);
}

/// Sends the items of a queue to the other model until a shutdown. If a batch fails, its items are sent again one by
/// one.
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
