//! The queue of the engine's threads: two lanes of texts, and the requests that collect the results.

mod lanes;
mod request;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lanes::{Limits, MIN_SHARE, State};

pub use lanes::{Job, Ready, Task};
pub use request::{Caller, Lane, Progress, Request, Seen, Slot, Way};

/// The queue that the threads share. The permits of the engine bound its length.
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    limits: Limits,
}

impl Queue {
    /// An empty queue of `threads` threads. `max_batch_tokens`: the maximum number of tokens of a batch.
    pub fn new(max_batch_tokens: usize, threads: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), limits: Limits { max_batch_tokens, threads } }
    }

    /// Queues texts; `false` when the queue is closed.
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

    /// Queues tokenised texts.
    pub fn push_ready(&self, ready: Vec<Ready>) {
        let mut state = lock(&self.state);
        let mut tokens = 0;
        for ready in ready {
            tokens += ready.encoded.cost();
            state.lane(ready.slot.request.way.lane).push_ready(ready);
        }
        // A small batch is left to the calling thread: waking another thread would take longer than the computation.
        if tokens > MIN_SHARE {
            self.wake(true);
        }
    }

    /// The next task, without waiting; `None` if there is none or the queue is closed.
    pub fn poll(&self) -> Option<Task> {
        let mut state = lock(&self.state);
        if state.closed { None } else { state.take(self.limits) }
    }

    /// Waits for the next task; `None` when the queue is closed.
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

    /// Whether texts wait.
    pub fn has_work(&self) -> bool {
        lock(&self.state).has_work()
    }

    /// Waits for texts without taking them; `false` when the queue is closed.
    pub fn wait(&self) -> bool {
        let mut state = lock(&self.state);
        while !state.closed && !state.has_work() {
            state.idle += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
        !state.closed
    }

    /// Ends the threads. Queued texts are dropped, which fails their requests.
    pub fn close(&self) {
        let mut state = lock(&self.state);
        *state = State { closed: true, idle: state.idle, ..State::default() };
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

/// Locks a mutex. A poisoned mutex is usable, because code under the lock leaves consistent data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
