//! The queue of the engine's threads: two lanes of texts, and where the results go.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::domain::Analysis;

use super::panel::Encoded;
use super::{Depth, InferenceError};

/// Most texts, and about the most bytes, that a thread tokenises before it looks for other work.
const MAX_CHUNK: usize = 32;
const MAX_CHUNK_BYTES: usize = 64 * 1024;
/// Bytes of text that take about as long to tokenise as one token takes to compute.
const BYTES_PER_TOKEN_COST: usize = 256;
/// While bulk work waits, it gets this many tokens for each token of interactive work.
const BULK_SHARE: usize = 3;

/// Which requests go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Texts that a person waits for. They go first, until bulk work is behind its share.
    Interactive,
    /// Batches of the worker.
    Bulk,
}

/// How a request is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub lane: Lane,
    pub depth: Depth,
}

/// A batch is not split between free threads below this many tokens.
const MIN_SHARE: usize = 96;

/// A text of a request.
pub struct Job {
    pub text: String,
    pub slot: Slot,
}

/// A text that is tokenised.
pub struct Ready {
    pub encoded: Encoded,
    pub slot: Slot,
}

/// The slot of a text's analysis in its request.
#[derive(Clone)]
pub struct Slot {
    pub request: Arc<Request>,
    index: usize,
}

impl Slot {
    /// As [`Self::fill`], for an analysis that needs no computation.
    pub fn fill_cached(&self, analysis: Analysis) {
        self.request.progress.begun.fetch_add(1, Ordering::Relaxed);
        self.fill(analysis);
    }

    /// Stores the analysis; the last one answers the caller.
    pub fn fill(&self, analysis: Analysis) {
        self.request.fill(self.index, analysis);
    }
}

/// A caller's texts. Its permits are released when its last job is dropped.
pub struct Request {
    answer: Mutex<Answer>,
    progress: Arc<Progress>,
    way: Way,
    _room: OwnedSemaphorePermit,
}

/// Who waits for a request.
pub struct Caller {
    /// Takes the analyses.
    pub reply: oneshot::Sender<Result<Vec<Analysis>, InferenceError>>,
    /// The caller's room in the queue.
    pub room: OwnedSemaphorePermit,
    /// What the caller sees of the work.
    pub progress: Arc<Progress>,
}

/// How far a request is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Texts that a thread began to compute; a text whose computation is repeated counts again.
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
    /// The present state.
    pub fn seen(&self) -> Seen {
        Seen { begun: self.begun.load(Ordering::Relaxed), finished: self.finished.load(Ordering::Relaxed) }
    }
}

impl Seen {
    /// Whether a text is computed now, instead of waiting for other requests.
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
    pub fn new(texts: usize, way: Way, caller: Caller) -> Arc<Self> {
        let Caller { reply, room, progress } = caller;
        let answer = Answer { analyses: vec![None; texts], missing: texts, reply: Some(reply) };
        Arc::new(Self { answer: Mutex::new(answer), progress, way, _room: room })
    }

    /// The layers to compute for its texts.
    pub fn depth(&self) -> Depth {
        self.way.depth
    }

    /// Whether it needs no answer any more: answered, failed, or dropped by the caller.
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
            self.progress.finished.fetch_add(1, Ordering::Relaxed);
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
    interactive: Waiting,
    bulk: Waiting,
    /// Tokens that bulk work gets before interactive work goes first again.
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

    /// Queues texts that are tokenised.
    pub fn push_ready(&self, ready: Vec<Ready>) {
        let mut state = lock(&self.state);
        let mut tokens = 0;
        for ready in ready {
            let lane = state.lane(ready.slot.request.way.lane);
            lane.ready_tokens += ready.encoded.cost();
            tokens += ready.encoded.cost();
            lane.ready.push_back(ready);
        }
        // The calling thread takes a small batch itself: a hand-over takes longer than its share of the work.
        if tokens > MIN_SHARE {
            self.wake(true);
        }
    }

    /// Something to do, if there is any now; `None` when the queue is closed, too.
    pub fn poll(&self) -> Option<Task> {
        let mut state = lock(&self.state);
        if state.closed { None } else { state.take(self.max_batch_tokens, self.threads) }
    }

    /// Waits for something to do; `None` when the queue is closed.
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
    fn lane(&mut self, lane: Lane) -> &mut Waiting {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Bulk => &mut self.bulk,
        }
    }

    /// The next task. Interactive work goes first unless bulk work waits and is behind its share.
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

/// A task and about how many tokens its work equals.
struct Taken {
    task: Task,
    cost: usize,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.ready.is_empty()
    }

    /// Drops texts at the front whose caller does not wait any more.
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

/// Every change under the lock is complete, so a poisoned mutex is consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
