//! What waits for the engine's threads, and whom the results go to.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::domain::Analysis;

use super::InferenceError;
use super::panel::Encoded;

/// Most texts that a thread tokenises before it looks again.
const MAX_CHUNK: usize = 32;
/// A batch is not split between free threads below this many tokens.
const MIN_SHARE: usize = 96;

/// A text of a request.
pub struct Job {
    pub text: String,
    pub place: Place,
}

/// A text that is tokenised.
pub struct Ready {
    pub encoded: Encoded,
    pub place: Place,
}

/// Where the analysis of a text goes.
#[derive(Clone)]
pub struct Place {
    pub request: Arc<Request>,
    index: usize,
}

impl Place {
    /// Files the analysis; the last one answers the caller.
    pub fn fill(&self, analysis: Analysis) {
        self.request.fill(self.index, analysis);
    }
}

/// A caller's texts. It gives its room in the queue back when its last job is gone.
pub struct Request {
    answer: Mutex<Answer>,
    _room: OwnedSemaphorePermit,
}

struct Answer {
    analyses: Vec<Option<Analysis>>,
    missing: usize,
    reply: Option<oneshot::Sender<Result<Vec<Analysis>, InferenceError>>>,
}

impl Request {
    pub fn new(
        texts: usize,
        reply: oneshot::Sender<Result<Vec<Analysis>, InferenceError>>,
        room: OwnedSemaphorePermit,
    ) -> Arc<Self> {
        let answer = Answer { analyses: vec![None; texts], missing: texts, reply: Some(reply) };
        Arc::new(Self { answer: Mutex::new(answer), _room: room })
    }

    /// Whether nobody waits for it any more: answered, failed, or the caller has gone.
    pub fn is_over(&self) -> bool {
        lock(&self.answer).reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Answers with an error. Texts of it that still wait are dropped when their turn comes.
    pub fn fail(&self, error: InferenceError) {
        if let Some(reply) = lock(&self.answer).reply.take() {
            // The caller may have gone.
            let _ = reply.send(Err(error));
        }
    }

    fn fill(&self, index: usize, analysis: Analysis) {
        let mut answer = lock(&self.answer);
        if answer.analyses[index].replace(analysis).is_none() {
            answer.missing -= 1;
        }
        if answer.missing == 0
            && let Some(reply) = answer.reply.take()
        {
            let analyses = answer.analyses.drain(..).flatten().collect();
            // The caller may have gone.
            let _ = reply.send(Ok(analyses));
        }
    }
}

/// The next thing for a thread to do.
pub enum Task {
    Tokenise(Vec<Job>),
    Judge(Vec<Ready>),
}

/// The queue that the threads share. Its length is bounded by the engine's room.
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    max_batch_tokens: usize,
    threads: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    ready: VecDeque<Ready>,
    ready_tokens: usize,
    idle: usize,
    closed: bool,
}

impl Queue {
    pub fn new(max_batch_tokens: usize, threads: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), max_batch_tokens, threads }
    }

    /// Queues texts; `false` when the queue is closed.
    pub fn push(&self, texts: Vec<String>, request: &Arc<Request>) -> bool {
        let mut state = lock(&self.state);
        if state.closed {
            return false;
        }
        let wake_all = texts.len() > 1;
        state.jobs.extend(texts.into_iter().enumerate().map(|(index, text)| {
            let place = Place { request: Arc::clone(request), index };
            Job { text, place }
        }));
        self.wake(wake_all);
        true
    }

    /// Queues texts that are tokenised.
    pub fn push_ready(&self, ready: Vec<Ready>) {
        let mut state = lock(&self.state);
        state.ready_tokens += ready.iter().map(|ready| ready.encoded.cost()).sum::<usize>();
        state.ready.extend(ready);
        self.wake(state.ready_tokens > MIN_SHARE);
    }

    /// Waits for something to do; `None` when the queue is closed.
    pub fn next(&self) -> Option<Task> {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return None;
            }
            if state.ready_tokens >= self.max_batch_tokens || (state.jobs.is_empty() && !state.ready.is_empty()) {
                return Some(Task::Judge(state.take_batch(self.max_batch_tokens)));
            }
            if !state.jobs.is_empty() {
                let chunk = state.jobs.len().div_ceil(self.threads).min(MAX_CHUNK);
                return Some(Task::Tokenise(state.jobs.drain(..chunk).collect()));
            }
            state.idle += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Ends the threads; what still waits is dropped, which tells its callers.
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

impl State {
    /// The oldest texts, up to `limit` tokens, or an equal share of all when other threads idle.
    fn take_batch(&mut self, limit: usize) -> Vec<Ready> {
        let share = self.ready_tokens.div_ceil(self.idle + 1).max(MIN_SHARE);
        let limit = limit.min(share);
        let mut batch = Vec::new();
        let mut tokens = 0;
        while let Some(ready) = self.ready.front() {
            let cost = ready.encoded.cost();
            if tokens + cost > limit && !batch.is_empty() {
                break;
            }
            tokens += cost;
            batch.extend(self.ready.pop_front());
        }
        self.ready_tokens -= tokens;
        batch
    }
}

/// A panic elsewhere leaves these states whole: every change under the lock is complete.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
