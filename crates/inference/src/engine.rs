//! The engine: a local model, and threads that process one queue of texts.
//!
//! Each text of a request is a separate entry in the queue. A free thread takes a full batch of tokenised texts if
//! there is one, otherwise texts to tokenise, otherwise a smaller batch of tokenised texts. Therefore a text never
//! waits for a full batch while a thread is free, batches are full under load, and some threads tokenise texts while
//! others compute. Batches have no padding, so texts need not be sorted by length.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};

use sentistream_core::domain::Analysis;

use super::answers::Answers;
use super::cores::Cores;
use super::meter::{Meter, Speed};
use super::panel::{BatchClassifier, Panel};
use super::queue::{Caller, Lane, Progress, Queue, Request, Seen, Way};
use super::shard::{self, Shared};
use super::{Classifier, InferenceError, InferenceOptions, LayerDepth, ModelInfo};

/// The minimum size of batches on a GPU, in tokens. Smaller batches do not use the GPU fully.
const CARD_BATCH_TOKENS: usize = 16_384;

/// The maximum number of estimated tokens of interactive requests in the queue. It limits memory and waiting times.
const INTERACTIVE_TOKENS: usize = 131_072;

/// A local model with its own threads. When the engine is dropped, the threads end after their current batch.
pub struct Engine {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    capacity: Arc<Semaphore>,
    max_queued_texts: u32,
    /// The free capacity of the queue for interactive requests, in estimated tokens.
    interactive_capacity: Arc<Semaphore>,
    max_wait: Duration,
    info: ModelInfo,
}

impl Engine {
    /// Loads the models and starts the threads. This blocks, so do not call it on the async runtime.
    ///
    /// # Errors
    /// [`InferenceError::Load`] when a model cannot be loaded, [`InferenceError::Setting`] when it cannot be used with
    /// these options, and [`InferenceError::Unavailable`] when a thread cannot be started.
    pub fn load(options: &InferenceOptions) -> Result<Self, InferenceError> {
        let start = Instant::now();
        let panel = Panel::load(options)?;
        let mut info = panel.info();
        info.load_ms = start.elapsed().as_millis() as u64;
        let least = if panel.on_graphics_card() { CARD_BATCH_TOKENS } else { 1 };
        let options = InferenceOptions { max_batch_tokens: options.max_batch_tokens.max(least), ..options.clone() };
        let classifier: Arc<dyn BatchClassifier> = Arc::new(panel);
        Self::start(&classifier, info, &options)
    }

    /// Starts the threads of a loaded model.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(super) fn start(
        classifier: &Arc<dyn BatchClassifier>,
        info: ModelInfo,
        options: &InferenceOptions,
    ) -> Result<Self, InferenceError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = options.threads.unwrap_or_else(cores).max(1);
        let max_queued_texts = u32::try_from(options.max_queued_texts.max(1)).unwrap_or(u32::MAX);
        let engine = Self {
            queue: Arc::new(Queue::new(options.max_batch_tokens.max(1), threads)),
            shared: Arc::new(Shared {
                classifier: Arc::clone(classifier),
                meter: Meter::new(threads),
                answers: Answers::new(options.answer_cache_bytes),
                cores: options.cores.as_ref().map(Cores::join),
            }),
            capacity: Arc::new(Semaphore::new(max_queued_texts as usize)),
            max_queued_texts,
            interactive_capacity: Arc::new(Semaphore::new(INTERACTIVE_TOKENS)),
            max_wait: options.max_wait,
            info,
        };
        for index in 0..threads {
            let (queue, shared) = (Arc::clone(&engine.queue), Arc::clone(&engine.shared));
            std::thread::Builder::new()
                .name(format!("inference-{index}"))
                .spawn(move || shard::run(&queue, &shared))
                .map_err(|e| InferenceError::Unavailable(format!("cannot start a thread: {e}")))?;
        }
        Ok(engine)
    }

    async fn answer(&self, texts: Vec<String>, way: Way) -> Result<Vec<Analysis>, InferenceError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (capacity, permits) = match way.lane {
            Lane::Bulk => (&self.capacity, texts.len().min(self.max_queued_texts as usize)),
            Lane::Interactive => {
                let tokens: usize = texts.iter().map(|text| estimated_tokens(text)).sum();
                (&self.interactive_capacity, tokens.min(INTERACTIVE_TOKENS))
            }
        };
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        let permit = tokio::time::timeout(self.max_wait, Arc::clone(capacity).acquire_many_owned(permits))
            .await
            .map_err(|_| {
                InferenceError::Unavailable(
                    "the queue of the model is full: send fewer texts, or retry later".to_owned(),
                )
            })?
            .map_err(|_| InferenceError::Unavailable("the engine has stopped".to_owned()))?;
        let (reply, mut answer) = oneshot::channel();
        let progress = Arc::new(Progress::default());
        let caller = Caller { reply, permit, progress: Arc::clone(&progress) };
        let request = Request::new(texts.len(), way, caller);
        if !self.queue.push(texts, &request) {
            return Err(InferenceError::Unavailable("the engine has stopped".to_owned()));
        }
        // Only the jobs hold the request from here on, so that the wait ends when the last job is dropped.
        drop(request);
        let mut seen = Seen::default();
        loop {
            if let Ok(answer) = tokio::time::timeout(self.max_wait, &mut answer).await {
                return answer.map_err(|_| InferenceError::Unavailable("the engine has stopped".to_owned()))?;
            }
            // The timeout restarts whenever a text is computed, so that large requests do not time out.
            let now = progress.seen();
            if now == seen && now.is_computing() {
                return Err(InferenceError::TooSlow(self.max_wait));
            }
            if now == seen {
                let message = format!("no text was computed within {:?} (inference.max_wait)", self.max_wait);
                return Err(InferenceError::Unavailable(message));
            }
            seen = now;
        }
    }
}

impl Classifier for Engine {
    fn classify(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.answer(texts, Way { lane: Lane::Bulk, depth: LayerDepth::Adaptive }).boxed()
    }

    fn classify_interactive(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.classify_with(texts, LayerDepth::Adaptive)
    }

    fn classify_with(
        &self,
        texts: Vec<String>,
        depth: LayerDepth,
    ) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.answer(texts, Way { lane: Lane::Interactive, depth }).boxed()
    }

    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn speed(&self) -> Option<Speed> {
        Some(self.shared.meter.speed())
    }
}

/// The estimated number of tokens of `text`.
fn estimated_tokens(text: &str) -> usize {
    text.len() / 4 + 2
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.queue.close();
    }
}

#[cfg(test)]
mod tests;
