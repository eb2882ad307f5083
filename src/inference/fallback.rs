//! A local model with a language model behind it, for texts that break the local one.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::domain::Analysis;

use super::llm::Llm;
use super::queue::{Lane, Way};
use super::{Classifier, Depth, InferenceError, ModelInfo, SharedClassifier, Speed};

/// Classifies locally, and asks the language model about a text that makes the local model fail in a request of its own.
/// A busy local model is retried by the caller.
pub struct WithFallback {
    local: SharedClassifier,
    llm: Llm,
}

impl WithFallback {
    /// `local`, and `llm` behind it.
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
            // Callers split a batch that fails, so each of its texts comes here alone.
            (Err(InferenceError::Failed(reason)), Some(text)) => {
                // The text itself fails, so it is not retried while the language model is unavailable.
                let second = self.llm.classify(vec![text]).await;
                second.map_err(|error| InferenceError::Failed(format!("{reason}; and then: {error}")))
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
