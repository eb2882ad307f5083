//! A local model with a large language model (LLM) as the fallback for texts that the local model cannot classify.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use sentistream_core::domain::Analysis;

use super::llm::Llm;
use super::queue::{Lane, Way};
use super::{Classifier, InferenceError, LayerDepth, ModelInfo, SharedClassifier, Speed};

/// Classifies texts with the local model. If the local model fails on a request with a single text, the LLM classifies
/// this text. Errors of a busy local model are returned, so that the caller retries.
pub struct WithFallback {
    local: SharedClassifier,
    llm: Llm,
}

impl WithFallback {
    /// Creates a classifier that uses `local`, with `llm` as the fallback.
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
            // Callers retry the texts of a failed batch one by one, so a text that fails alone is the cause.
            (Err(InferenceError::Failed(reason)), Some(text)) => {
                // The error is permanent even if the LLM is unavailable, because the local model would fail again.
                let second = self.llm.classify(vec![text]).await;
                second.map_err(|error| InferenceError::Failed(format!("{reason}; the fallback failed too: {error}")))
            }
            (answer, _) => answer,
        }
    }
}

impl Classifier for WithFallback {
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
        self.local.info()
    }

    fn speed(&self) -> Option<Speed> {
        self.local.speed()
    }
}
