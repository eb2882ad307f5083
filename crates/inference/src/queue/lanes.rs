//! The two lanes of waiting texts, and the selection of the next task.

use std::collections::VecDeque;

use crate::panel::Encoded;

use super::request::{Lane, Slot};

/// The maximum number of texts that a thread tokenises in one task, and the approximate maximum number of their bytes.
const MAX_CHUNK: usize = 32;
const MAX_CHUNK_BYTES: usize = 64 * 1024;
/// The number of bytes that are tokenised in about the time in which one token is computed.
const BYTES_PER_TOKEN_COST: usize = 256;
/// The number of bulk tokens that are computed per token of interactive work while bulk work is waiting.
const BULK_SHARE: usize = 3;
/// The minimum number of tokens of each part if a batch is split between free threads.
pub(super) const MIN_SHARE: usize = 96;

/// A text of a request.
pub struct Job {
    /// The text to classify.
    pub text: String,
    /// Where the analysis is stored.
    pub slot: Slot,
}

/// A tokenised text.
pub struct Ready {
    /// The tokens of the text.
    pub encoded: Encoded,
    /// Where the analysis is stored.
    pub slot: Slot,
}

/// A task for a thread.
pub enum Task {
    /// Tokenise these texts.
    Tokenise(Vec<Job>),
    /// Classify these texts as one batch.
    Classify(Vec<Ready>),
}

#[derive(Default)]
pub(super) struct State {
    interactive: Waiting,
    bulk: Waiting,
    /// The number of bulk tokens to compute before interactive work is taken first again.
    owed_to_bulk: usize,
    /// The number of threads that wait for a task.
    pub(super) idle: usize,
    pub(super) closed: bool,
}

/// The texts that are waiting in one lane.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) jobs: VecDeque<Job>,
    ready: VecDeque<Ready>,
    ready_tokens: usize,
}

impl State {
    /// Drops all texts.
    pub(super) fn close(&mut self) {
        *self = Self { closed: true, idle: self.idle, ..Self::default() };
    }

    pub(super) fn has_work(&self) -> bool {
        !self.interactive.is_empty() || !self.bulk.is_empty()
    }

    pub(super) fn lane(&mut self, lane: Lane) -> &mut Waiting {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Bulk => &mut self.bulk,
        }
    }

    /// Takes the next task. Interactive work comes first, except while waiting bulk work has received less than its
    /// share ([`BULK_SHARE`]).
    pub(super) fn take(&mut self, limits: Limits) -> Option<Task> {
        self.interactive.forget_cancelled();
        self.bulk.forget_cancelled();
        if self.bulk.is_empty() {
            self.owed_to_bulk = 0;
        }
        let lane = match (self.interactive.is_empty(), self.owed_to_bulk > 0) {
            (false, false) => Lane::Interactive,
            _ => Lane::Bulk,
        };
        let idle = self.idle;
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
pub(super) struct Limits {
    pub(super) max_batch_tokens: usize,
    pub(super) threads: usize,
}

/// A task and its approximate cost in tokens.
struct Taken {
    task: Task,
    cost: usize,
}

impl Waiting {
    /// Adds a tokenised text.
    pub(super) fn push_ready(&mut self, ready: Ready) {
        self.ready_tokens += ready.encoded.cost();
        self.ready.push_back(ready);
    }

    fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.ready.is_empty()
    }

    /// Drops texts at the front whose request is complete, failed or cancelled.
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
                ready.slot.begin();
            }
            return Some(Taken { task: Task::Classify(batch), cost: before - self.ready_tokens });
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

    /// Takes the oldest texts, up to `limit` tokens. If other threads are idle, takes only an equal share of all
    /// tokens.
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
