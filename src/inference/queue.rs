//! The queue of the engine's threads: two lanes of texts, and the requests that collect the results.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::domain::Analysis;

use super::panel::Encoded;
use super::{Depth, InferenceError};

/// The maximum number of texts, and the approximate maximum of bytes, that a thread tokenises before it takes the next
/// task.
const MAX_CHUNK: usize = 32;
const MAX_CHUNK_BYTES: usize = 64 * 1024;
/// The number of bytes whose tokenising takes about as long as computing one token.
const BYTES_PER_TOKEN_COST: usize = 256;
/// While bulk work waits, this many of its tokens are computed per token of interactive work.
const BULK_SHARE: usize = 3;

/// The priority of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Interactive requests, which are taken first unless bulk work has received less than its share.
    Interactive,
    /// Batches of the worker.
    Bulk,
}

/// The lane and the depth of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The priority.
    pub lane: Lane,
    /// The layers to compute.
    pub depth: Depth,
}

/// The minimum number of tokens of a part when a batch is split between free threads.
const MIN_SHARE: usize = 96;

/// A text of a request.
pub struct Job {
    /// The text to classify.
    pub text: String,
    /// The place of the analysis.
    pub slot: Slot,
}

/// A text that is tokenised.
pub struct Ready {
    /// The tokens of the text.
    pub encoded: Encoded,
    /// The place of the analysis.
    pub slot: Slot,
}

/// The slot of a text's analysis in its request.
#[derive(Clone)]
pub struct Slot {
    /// The request that the text belongs to.
    pub request: Arc<Request>,
    index: usize,
}

impl Slot {
    /// Stores an analysis that needed no computation, as [`Self::fill`] does.
    pub fn fill_cached(&self, analysis: Analysis) {
        self.request.progress.begun.fetch_add(1, Ordering::Relaxed);
        self.fill(analysis);
    }

    /// Stores the analysis. The last analysis of a request completes it.
    pub fn fill(&self, analysis: Analysis) {
        self.request.fill(self.index, analysis);
    }
}

/// The texts of one call. Its permits are released when its last job is dropped.
pub struct Request {
    answer: Mutex<Answer>,
    progress: Arc<Progress>,
    way: Way,
    _permit: OwnedSemaphorePermit,
}

/// The caller's side of a request.
pub struct Caller {
    /// Receives the analyses.
    pub reply: oneshot::Sender<Result<Vec<Analysis>, InferenceError>>,
    /// The permits of its texts in the queue.
    pub permit: OwnedSemaphorePermit,
    /// The progress that the caller observes.
    pub progress: Arc<Progress>,
}

/// The progress of a request.
#[derive(Debug, Default)]
pub struct Progress {
    /// The number of computations that were started. A text that is computed again counts again.
    begun: AtomicUsize,
    finished: AtomicUsize,
}

/// A [`Progress`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    begun: usize,
    finished: usize,
}

impl Progress {
    /// The current state.
    pub fn seen(&self) -> Seen {
        Seen { begun: self.begun.load(Ordering::Relaxed), finished: self.finished.load(Ordering::Relaxed) }
    }
}

impl Seen {
    /// Whether a text is being computed now.
    pub fn is_computing(self) -> bool {
        self.begun > self.finished
    }
}

struct Answer {
    analyses: Vec<Option<Analysis>>,
    missing: usize,
    reply: Option<oneshot::Sender<Result<Vec<Analysis>, InferenceError>>>,
}

impl Request {
    /// A request of `texts` texts, whose analyses are sent to `caller`.
    pub fn new(texts: usize, way: Way, caller: Caller) -> Arc<Self> {
        let Caller { reply, permit, progress } = caller;
        let answer = Answer { analyses: vec![None; texts], missing: texts, reply: Some(reply) };
        Arc::new(Self { answer: Mutex::new(answer), progress, way, _permit: permit })
    }

    /// The layers to compute for its texts.
    pub fn depth(&self) -> Depth {
        self.way.depth
    }

    /// Whether it is completed, failed, or dropped by the caller.
    pub fn is_over(&self) -> bool {
        lock(&self.answer).reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Completes the request with an error. Its waiting texts are dropped later.
    pub fn fail(&self, error: InferenceError) {
        if let Some(reply) = lock(&self.answer).reply.take() {
            // The caller may have dropped the future.
            let _ = reply.send(Err(error));
        }
    }

    fn fill(&self, index: usize, analysis: Analysis) {
        let mut answer = lock(&self.answer);
        if answer.analyses[index].replace(analysis).is_none() {
            answer.missing -= 1;
            self.progress.finished.fetch_add(1, Ordering::Relaxed);
        }
        if answer.missing == 0
            && let Some(reply) = answer.reply.take()
        {
            let analyses = answer.analyses.drain(..).flatten().collect();
            // The caller may have dropped the future.
            let _ = reply.send(Ok(analyses));
        }
    }
}

/// The next thing for a thread to do.
pub enum Task {
    /// Tokenise these texts.
    Tokenise(Vec<Job>),
    /// Classify these texts as one batch.
    Judge(Vec<Ready>),
}

/// The queue that the threads share. The permits of the engine bound its length.
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    max_batch_tokens: usize,
    threads: usize,
}

#[derive(Default)]
struct State {
    interactive: Waiting,
    bulk: Waiting,
    /// The number of bulk tokens to compute before interactive work is taken first again.
    owed_to_bulk: usize,
    idle: usize,
    closed: bool,
}

/// The texts that wait in a lane.
#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    ready: VecDeque<Ready>,
    ready_tokens: usize,
}

impl Queue {
    /// An empty queue of `threads` threads. `max_batch_tokens`: the maximum number of tokens of a batch.
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
            let lane = state.lane(ready.slot.request.way.lane);
            lane.ready_tokens += ready.encoded.cost();
            tokens += ready.encoded.cost();
            lane.ready.push_back(ready);
        }
        // A small batch is left to the calling thread: waking another thread would take longer than the computation.
        if tokens > MIN_SHARE {
            self.wake(true);
        }
    }

    /// The next task, without waiting; `None` if there is none or the queue is closed.
    pub fn poll(&self) -> Option<Task> {
        let mut state = lock(&self.state);
        if state.closed { None } else { state.take(self.max_batch_tokens, self.threads) }
    }

    /// Waits for the next task; `None` when the queue is closed.
    pub fn next(&self) -> Option<Task> {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return None;
            }
            if let Some(task) = state.take(self.max_batch_tokens, self.threads) {
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

impl State {
    fn has_work(&self) -> bool {
        !self.interactive.is_empty() || !self.bulk.is_empty()
    }

    fn lane(&mut self, lane: Lane) -> &mut Waiting {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Bulk => &mut self.bulk,
        }
    }

    /// The next task. Interactive work is taken first unless bulk work waits and has received less than its share.
    fn take(&mut self, max_batch_tokens: usize, threads: usize) -> Option<Task> {
        self.interactive.forget_cancelled();
        self.bulk.forget_cancelled();
        if self.bulk.is_empty() {
            self.owed_to_bulk = 0;
        }
        let lane = match (self.interactive.is_empty(), self.owed_to_bulk > 0) {
            (false, false) => Lane::Interactive,
            _ => Lane::Bulk,
        };
        let (idle, limits) = (self.idle, Limits { max_batch_tokens, threads });
        let taken = self.lane(lane).take(limits, idle)?;
        match lane {
            Lane::Interactive if !self.bulk.is_empty() => self.owed_to_bulk += taken.cost * BULK_SHARE,
            Lane::Interactive => {}
            Lane::Bulk => self.owed_to_bulk = self.owed_to_bulk.saturating_sub(taken.cost),
        }
        Some(taken.task)
    }
}

#[derive(Clone, Copy)]
struct Limits {
    max_batch_tokens: usize,
    threads: usize,
}

/// A task and its approximate cost in tokens.
struct Taken {
    task: Task,
    cost: usize,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.ready.is_empty()
    }

    /// Drops texts at the front whose caller no longer waits.
    fn forget_cancelled(&mut self) {
        while self.jobs.front().is_some_and(|job| job.slot.request.is_over()) {
            self.jobs.pop_front();
        }
        while let Some(ready) = self.ready.pop_front_if(|ready| ready.slot.request.is_over()) {
            self.ready_tokens -= ready.encoded.cost();
        }
    }

    fn take(&mut self, limits: Limits, idle: usize) -> Option<Taken> {
        let Limits { max_batch_tokens, threads } = limits;
        if self.ready_tokens >= max_batch_tokens || (self.jobs.is_empty() && !self.ready.is_empty()) {
            let before = self.ready_tokens;
            let batch = self.take_batch(max_batch_tokens, idle);
            for ready in &batch {
                ready.slot.request.progress.begun.fetch_add(1, Ordering::Relaxed);
            }
            return Some(Taken { task: Task::Judge(batch), cost: before - self.ready_tokens });
        }
        let chunk = self.jobs.len().div_ceil(threads).min(MAX_CHUNK);
        let mut bytes = 0;
        let fit = self.jobs.iter().take(chunk).take_while(|job| {
            let first = bytes == 0;
            bytes += job.text.len().max(1);
            first || bytes <= MAX_CHUNK_BYTES
        });
        let jobs: Vec<Job> = self.jobs.drain(..fit.count()).collect();
        let bytes: usize = jobs.iter().map(|job| job.text.len()).sum();
        (!jobs.is_empty()).then_some(Taken { task: Task::Tokenise(jobs), cost: bytes / BYTES_PER_TOKEN_COST })
    }

    /// The oldest texts, up to `limit` tokens, or an equal share of all when other threads idle.
    fn take_batch(&mut self, limit: usize, idle: usize) -> Vec<Ready> {
        let share = self.ready_tokens.div_ceil(idle + 1).max(MIN_SHARE);
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

/// Locks a mutex. A poisoned mutex is usable, because code under the lock leaves consistent data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
