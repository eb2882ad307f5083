//! Requests, whose texts are queued separately. A request collects the analyses of its texts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{InferenceError, LayerDepth};
use sentistream_core::domain::Analysis;

use super::lock;

/// The priority of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Interactive requests. They come first, unless bulk work has received less than its share.
    Interactive,
    /// Batches of the worker.
    Bulk,
}

/// How a request is processed: its lane and its depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The priority.
    pub lane: Lane,
    /// Which layers to compute.
    pub depth: LayerDepth,
}

/// The position in a request at which the analysis of a text is stored.
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

    /// Stores a cached analysis, which needed no computation. The last analysis of a request completes it.
    pub fn fill_cached(&self, analysis: Analysis) {
        self.begin();
        self.fill(analysis);
    }

    /// Stores the analysis. The last analysis of a request completes it.
    pub fn fill(&self, analysis: Analysis) {
        self.request.fill(self.index, analysis);
    }
}

/// A request: the texts of one call. Its permits are released when its last job is dropped.
pub struct Request {
    answer: Mutex<Answer>,
    progress: Arc<Progress>,
    pub(super) way: Way,
    _permit: OwnedSemaphorePermit,
}

/// The caller's side of a request.
pub struct Caller {
    /// The channel to which the analyses are sent.
    pub reply: oneshot::Sender<Result<Vec<Analysis>, InferenceError>>,
    /// The permits for the request's texts in the queue.
    pub permit: OwnedSemaphorePermit,
    /// The progress that the caller observes.
    pub progress: Arc<Progress>,
}

/// The progress of a request.
#[derive(Debug, Default)]
pub struct Progress {
    /// The number of computations that were started. A text that is computed twice counts twice.
    begun: AtomicUsize,
    finished: AtomicUsize,
}

/// The state of a [`Progress`] at one time.
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

    /// The current progress.
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
    /// Creates a request of `texts` texts. The analyses are sent to `caller`.
    pub fn new(texts: usize, way: Way, caller: Caller) -> Arc<Self> {
        let Caller { reply, permit, progress } = caller;
        let answer = Answer { analyses: vec![None; texts], missing: texts, reply: Some(reply) };
        Arc::new(Self { answer: Mutex::new(answer), progress, way, _permit: permit })
    }

    /// Which layers to compute for the texts.
    pub fn depth(&self) -> LayerDepth {
        self.way.depth
    }

    /// Whether the request is complete, has failed, or was cancelled by the caller.
    pub fn is_over(&self) -> bool {
        lock(&self.answer).reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Ends the request with an error. Its waiting texts are dropped later.
    pub fn fail(&self, error: InferenceError) {
        if let Some(reply) = lock(&self.answer).reply.take() {
            // Sending fails if the caller has cancelled the request, which needs no handling.
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
            // Sending fails if the caller has cancelled the request, which needs no handling.
            let _ = reply.send(Ok(analyses));
        }
    }
}
