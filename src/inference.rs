//! Texts in, analyses out.
//!
//! A process has one engine with its own threads; callers send texts and wait. What a model is
//! (ours, another, a remote one) stays behind [`Classifier`].

mod calibration;
mod engine;
pub mod eval;
mod explain;
mod fallback;
mod files;
mod fused;
mod hub;
mod labels;
mod layout;
pub mod llm;
mod meter;
mod model;
pub mod models;
mod network;
mod options;
mod panel;
mod queue;
mod reference;
mod shard;
mod spec;
mod tokens;
mod vocabulary;
mod weights;
mod windows;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::domain::Analysis;

use model::LoadError;

pub use engine::Engine;
pub use explain::{Explanation, WordContribution, explain, variants};
pub use fallback::WithFallback;
pub use hub::{HubModel, HubOptions};
pub use llm::{Llm, LlmOptions, LlmState};
pub use meter::Speed;
pub use options::{CalibrationSource, InferenceOptions, ModelSource, OptionError, Place, Precision};

/// Why texts could not be classified.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InferenceError {
    /// The engine is full, starting or gone; try again.
    #[error("the model is not available: {0}")]
    Unavailable(String),
    /// These texts made the analysis fail; trying again alone tells which.
    #[error("the analysis failed: {0}")]
    Failed(String),
    /// The model cannot be loaded; later it may work.
    #[error("cannot load the model {model}: {reason}")]
    Load { model: String, reason: String },
    /// The model cannot be used as it is set; another setting is needed.
    #[error("cannot use the model {model}: {reason}")]
    Setting { model: String, reason: String },
}

/// What is known of a loaded model.
#[derive(Clone, Debug, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct ModelInfo {
    /// The name stored with each analysis.
    pub name: String,
    /// The architecture, as in the model's `config.json` (`distilbert`).
    pub architecture: String,
    /// The number format of the weights in use (`f32`, `bf16`, `int8`).
    pub precision: String,
    /// Most tokens that the model reads at once; longer texts are read in overlapping windows.
    pub max_tokens: usize,
    /// Trained weights.
    pub parameters: u64,
    /// The time from start to loaded, in milliseconds.
    pub load_ms: u64,
}

/// A model that judges texts. Implementations batch and keep to their own threads.
pub trait Classifier: Send + Sync {
    /// One analysis per text, in order. An error means that none is usable.
    fn classify(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>>;

    /// As [`Self::classify`], for callers that a person waits for. They must not wait behind the worker's batches, and
    /// the worker keeps a guaranteed share. Dropping the future cancels the work that has not started.
    fn classify_interactive(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.classify(texts)
    }

    /// What is loaded.
    fn info(&self) -> &ModelInfo;

    /// How fast it judged lately, if that is measured.
    fn speed(&self) -> Option<Speed> {
        None
    }
}

/// A shared classifier.
pub type SharedClassifier = Arc<dyn Classifier>;
