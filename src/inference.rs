//! Classifies texts.
//!
//! A process has one engine with its own threads; callers send texts and await analyses. Local
//! and remote models implement [`Classifier`].

mod active;
mod answers;
mod calibration;
pub mod checks;
mod engine;
mod error;
pub mod eval;
pub mod exits;
mod explain;
mod fallback;
mod fidelity;
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
mod source;
mod spec;
mod tokens;
mod vocabulary;
mod weights;
mod windows;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::domain::Analysis;

use error::LoadError;

pub use active::ActiveClassifier;
pub use engine::Engine;
pub use error::InferenceError;
pub use explain::{Explanation, WordContribution, explain, variants};
pub use fallback::WithFallback;
pub use hub::{HubModel, HubOptions};
pub use llm::{Llm, LlmOptions, LlmState};
pub use meter::Speed;
pub use options::{
    CalibrationSource, DeviceChoice, ExitPolicy, InferenceOptions, Instructions, ModelSource, OptionError, Precision,
};

/// A loaded model.
#[derive(Clone, Debug, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct ModelInfo {
    /// The name stored with each analysis.
    pub name: String,
    /// The architecture, as in the model's `config.json` (`distilbert`).
    pub architecture: String,
    /// The number format of the weights in use (`f32`, `bf16`, `int8`).
    pub precision: String,
    /// The maximum number of tokens of one input; longer texts are split into overlapping windows.
    pub max_tokens: usize,
    /// The number of trained weights.
    pub parameters: u64,
    /// The number of layers; 0 for a remote model.
    pub layers: u32,
    /// The layers that have an early exit; empty without exits.
    pub exits: Vec<u32>,
    /// The share of sample texts that get the same labels with int8 as with f32, in [0, 1]. `null` if this was not
    /// compared: the comparison runs only with `precision = "auto"`, and not for the builtin model.
    pub int8_agreement: Option<f64>,
    /// The languages that the sentiment model declares, as codes such as `en`; empty: all.
    pub languages: Vec<String>,
    /// The time that loading took, in milliseconds.
    pub load_ms: u64,
}

/// The number of layers that a model with exits computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Depth {
    /// Each text stops at the first exit that accepts it.
    #[default]
    Adaptive,
    /// All layers; cached results are not used.
    Full,
}

/// Classifies texts. Implementations batch and use their own threads.
pub trait Classifier: Send + Sync {
    /// One analysis per text, in order. After an error no text has an analysis.
    fn classify(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>>;

    /// As [`Self::classify`], for interactive requests. They take precedence over the worker's batches, which keep a
    /// guaranteed share of the computing time. Dropping the future cancels the work that has not started.
    fn classify_interactive(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.classify(texts)
    }

    /// As [`Self::classify_interactive`], with a choice of depth for models that have exits.
    fn classify_with(&self, texts: Vec<String>, depth: Depth) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        let _ = depth;
        self.classify_interactive(texts)
    }

    /// The loaded model.
    fn info(&self) -> &ModelInfo;

    /// Its recent speed, if that is measured.
    fn speed(&self) -> Option<Speed> {
        None
    }
}

/// A shared classifier.
pub type SharedClassifier = Arc<dyn Classifier>;
