//! The engine: threads that share one queue of texts.
//!
//! A caller's texts are queued one by one. A free thread takes, in this order: enough tokenised
//! texts for a full batch; texts to tokenise; what is tokenised. No text waits for a
//! batch to fill while a thread is free, batches fill under load, and tokenising overlaps with
//! computing. Batches are ragged (no padding), so texts need no sorting by length.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};

use crate::domain::Analysis;

use super::answers::Answers;
use super::meter::{Meter, Speed};
use super::panel::{Judge, Panel};
use super::queue::{Caller, Lane, Progress, Queue, Request, Seen, Way};
use super::shard::{self, Shared};
use super::{Classifier, Depth, InferenceError, InferenceOptions, ModelInfo};

/// The least batch for a graphics card; smaller ones leave it idle.
const CARD_BATCH_TOKENS: usize = 16_384;

/// Estimated tokens that may wait in the interactive lane, so that memory and waits are bounded.
const INTERACTIVE_TOKENS: usize = 131_072;

/// A local model with its own threads. Dropping it ends them after their current batch.
pub struct Engine {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    max_queued_texts: u32,
    /// Estimated tokens that may wait in the interactive lane.
    interactive_room: Arc<Semaphore>,
    max_wait: Duration,
    info: ModelInfo,
}

impl Engine {
    /// Loads the models and starts the threads. It blocks: keep it off the async runtime.
    ///
    /// # Errors
    /// [`InferenceError::Load`] when a model cannot be loaded.
    pub fn load(options: &InferenceOptions) -> Result<Self, InferenceError> {
        let start = Instant::now();
        let panel = Panel::load(options)?;
        let mut info = panel.info();
        info.load_ms = start.elapsed().as_millis() as u64;
        let least = if panel.on_graphics_card() { CARD_BATCH_TOKENS } else { 1 };
        let options = InferenceOptions { max_batch_tokens: options.max_batch_tokens.max(least), ..options.clone() };
        let judge: Arc<dyn Judge> = Arc::new(panel);
        Self::start(&judge, info, &options)
    }

    /// Starts the threads of a loaded judge.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(super) fn start(
        judge: &Arc<dyn Judge>,
        info: ModelInfo,
        options: &InferenceOptions,
    ) -> Result<Self, InferenceError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = options.threads.unwrap_or_else(cores).max(1);
        let max_queued_texts = u32::try_from(options.max_queued_texts.max(1)).unwrap_or(u32::MAX);
        let engine = Self {
            queue: Arc::new(Queue::new(options.max_batch_tokens.max(1), threads)),
            shared: Arc::new(Shared {
                judge: Arc::clone(judge),
                meter: Meter::new(threads),
                answers: Answers::new(options.answer_cache_bytes),
            }),
            room: Arc::new(Semaphore::new(max_queued_texts as usize)),
            max_queued_texts,
            interactive_room: Arc::new(Semaphore::new(INTERACTIVE_TOKENS)),
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
        let (room, places) = match way.lane {
            Lane::Bulk => (&self.room, texts.len().min(self.max_queued_texts as usize)),
            Lane::Interactive => {
                let tokens: usize = texts.iter().map(|text| estimated_tokens(text)).sum();
                (&self.interactive_room, tokens.min(INTERACTIVE_TOKENS))
            }
        };
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        let room = tokio::time::timeout(self.max_wait, Arc::clone(room).acquire_many_owned(places))
            .await
            .map_err(|_| InferenceError::Unavailable("the queue is full; send less or try later".to_owned()))?
            .map_err(|_| InferenceError::Unavailable("the engine has stopped".to_owned()))?;
        let (reply, mut answer) = oneshot::channel();
        let progress = Arc::new(Progress::default());
        let caller = Caller { reply, room, progress: Arc::clone(&progress) };
        let request = Request::new(texts.len(), way, caller);
        if !self.queue.push(texts, &request) {
            return Err(InferenceError::Unavailable("the engine has stopped".to_owned()));
        }
        // The jobs hold the request; dropping the last one ends the wait.
        drop(request);
        let mut seen = Seen::default();
        loop {
            if let Ok(answer) = tokio::time::timeout(self.max_wait, &mut answer).await {
                return answer.map_err(|_| InferenceError::Unavailable("the engine has stopped".to_owned()))?;
            }
            // The wait starts over while texts make progress: a large batch takes as long as it needs.
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
        self.answer(texts, Way { lane: Lane::Bulk, depth: Depth::Adaptive }).boxed()
    }

    fn classify_interactive(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.classify_with(texts, Depth::Adaptive)
    }

    fn classify_with(&self, texts: Vec<String>, depth: Depth) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.answer(texts, Way { lane: Lane::Interactive, depth }).boxed()
    }

    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn speed(&self) -> Option<Speed> {
        Some(self.shared.meter.speed())
    }
}

/// About how many tokens `text` has.
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
