//! A local model with a language model as its fallback for texts that the local model cannot classify.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::domain::Analysis;

use super::llm::Llm;
use super::queue::{Lane, Way};
use super::{Classifier, Depth, InferenceError, ModelInfo, SharedClassifier, Speed};

/// Classifies with the local model. A text that fails alone is classified by the language model. If the local model is
/// busy, the caller retries.
pub struct WithFallback {
    local: SharedClassifier,
    llm: Llm,
}

impl WithFallback {
    /// A classifier that uses `local`, and `llm` as its fallback.
    pub fn new(local: SharedClassifier, llm: Llm) -> Self {
        Self { local, llm }
    }

    async fn answer(&self, texts: Vec<String>, way: Way) -> Result<Vec<Analysis>, InferenceError> {
        let alone = if let [text] = texts.as_slice() { Some(text.clone()) } else { None };
        let local = match way.lane {
            Lane::Bulk => self.local.classify(texts),
            Lane::Interactive => self.local.classify_with(texts, way.depth),
        };
        match (local.await, alone) {
            // Callers split a failed batch, so that each of its texts arrives here alone.
            (Err(InferenceError::Failed(reason)), Some(text)) => {
                // The error is permanent even if the language model is unavailable, because a retry would fail locally
                // again.
                let second = self.llm.classify(vec![text]).await;
                second.map_err(|error| InferenceError::Failed(format!("{reason}; the fallback failed too: {error}")))
            }
            (answer, _) => answer,
        }
    }
}

impl Classifier for WithFallback {
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
        self.local.info()
    }

    fn speed(&self) -> Option<Speed> {
        self.local.speed()
    }
}
