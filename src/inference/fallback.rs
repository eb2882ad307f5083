//! A local model with a language model behind it, for texts that break the local one.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::domain::Analysis;

use super::llm::Llm;
use super::queue::Lane;
use super::{Classifier, InferenceError, ModelInfo, SharedClassifier};

/// Judges locally, and asks the language model about a text that alone makes the local model fail.
/// A local model that is merely busy is waited for.
pub struct WithFallback {
    local: SharedClassifier,
    llm: Llm,
}

impl WithFallback {
    /// `local`, and `llm` behind it.
    pub fn new(local: SharedClassifier, llm: Llm) -> Self {
        Self { local, llm }
    }

    async fn answer(&self, texts: Vec<String>, lane: Lane) -> Result<Vec<Analysis>, InferenceError> {
        let alone = if let [text] = texts.as_slice() { Some(text.clone()) } else { None };
        let local = match lane {
            Lane::Bulk => self.local.classify(texts),
            Lane::Interactive => self.local.classify_interactive(texts),
        };
        match (local.await, alone) {
            // Callers split a batch that fails, so each of its texts comes here alone.
            (Err(InferenceError::Failed(reason)), Some(text)) => {
                // It is this text that fails, so nobody waits for it while the language model is away.
                let second = self.llm.classify(vec![text]).await;
                second.map_err(|error| InferenceError::Failed(format!("{reason}; and then: {error}")))
            }
            (answer, _) => answer,
        }
    }
}

impl Classifier for WithFallback {
    fn classify(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.answer(texts, Lane::Bulk).boxed()
    }

    fn classify_interactive(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.answer(texts, Lane::Interactive).boxed()
    }

    fn info(&self) -> &ModelInfo {
        self.local.info()
    }
}
