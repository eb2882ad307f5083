//! A bounded queue of uncertain results.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The maximum number of items in one request and in one transaction.
const BATCH: usize = 64;

/// Uncertain results that wait to be analysed again by another model.
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

    /// The next items. Waits until there are any.
    pub async fn next(&self) -> Vec<T> {
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
