//! The requests whose texts are queued, and the collection of their analyses.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::domain::Analysis;
use crate::inference::{Depth, InferenceError};

use super::lock;

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

/// The slot of a text's analysis in its request.
#[derive(Clone)]
pub struct Slot {
    /// The request that the text belongs to.
    pub request: Arc<Request>,
    pub(super) index: usize,
}

impl Slot {
    /// Records that the computation of the text begins.
    pub(super) fn begin(&self) {
        self.request.progress.begin();
    }

    /// Stores an analysis that needed no computation, as [`Self::fill`] does.
    pub fn fill_cached(&self, analysis: Analysis) {
        self.begin();
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
    pub(super) way: Way,
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
    /// Records that the computation of a text begins.
    fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

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
