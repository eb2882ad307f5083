//! The queue of the engine's threads. Texts wait in two lanes, and requests collect the analyses of their texts.

mod lanes;
mod request;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lanes::{Limits, MIN_SHARE, State};

pub use lanes::{Job, Ready, Task};
pub use request::{Caller, Lane, Progress, Request, Seen, Slot, Way};

/// The queue that the threads share. Its length is limited by the permits that the engine gives to requests.
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    limits: Limits,
}

impl Queue {
    /// Creates an empty queue for `threads` threads. `max_batch_tokens` is the maximum number of tokens of a batch.
    pub fn new(max_batch_tokens: usize, threads: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), limits: Limits { max_batch_tokens, threads } }
    }

    /// Adds texts to the queue. Returns `false` if the queue is closed.
    pub fn push(&self, texts: Vec<String>, request: &Arc<Request>) -> bool {
        let mut state = lock(&self.state);
        if state.closed {
            return false;
        }
        let wake_all = texts.len() > 1;
        state.lane(request.way.lane).jobs.extend(texts.into_iter().enumerate().map(|(index, text)| {
            let slot = Slot { request: Arc::clone(request), index };
            Job { text, slot }
        }));
        self.wake(wake_all);
        true
    }

    /// Adds tokenised texts to the queue.
    pub fn push_ready(&self, ready: Vec<Ready>) {
        let mut state = lock(&self.state);
        let mut tokens = 0;
        for ready in ready {
            tokens += ready.encoded.cost();
            state.lane(ready.slot.request.way.lane).push_ready(ready);
        }
        // The calling thread takes a small batch itself, because waking another thread would take longer than
        // computing.
        if tokens > MIN_SHARE {
            self.wake(true);
        }
    }

    /// Takes the next task without waiting; `None` if there is no task or the queue is closed.
    pub fn poll(&self) -> Option<Task> {
        let mut state = lock(&self.state);
        if state.closed { None } else { state.take(self.limits) }
    }

    /// Waits for the next task and takes it; `None` if the queue is closed.
    pub fn next(&self) -> Option<Task> {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return None;
            }
            if let Some(task) = state.take(self.limits) {
                return Some(task);
            }
            state.idle += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Whether texts are waiting.
    pub fn has_work(&self) -> bool {
        lock(&self.state).has_work()
    }

    /// Waits for texts without taking them. Returns `false` if the queue is closed.
    pub fn wait(&self) -> bool {
        let mut state = lock(&self.state);
        while !state.closed && !state.has_work() {
            state.idle += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
        !state.closed
    }

    /// Closes the queue, which ends the threads. Queued texts are dropped, so their requests fail.
    pub fn close(&self) {
        lock(&self.state).close();
        self.wake(true);
    }

    fn wake(&self, all: bool) {
        if all {
            self.changed.notify_all();
        } else {
            self.changed.notify_one();
        }
    }
}

/// Locks a mutex. A panic while the lock is held leaves consistent data, so a poisoned mutex can be used.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
