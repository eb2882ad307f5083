//! Classifies texts.
//!
//! A process has one engine with its own threads. Callers send texts and await analyses. Local and remote models
//! implement [`Classifier`].

mod active;
mod answers;
mod calibration;
pub mod catalogue;
pub mod checks;
mod cores;
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
mod routed;
pub mod routes;
mod shard;
mod source;
mod spec;
mod tokens;
pub mod towards;
mod vocabulary;
mod weights;
mod windows;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::domain::Analysis;

use error::LoadError;

pub use active::ActiveClassifier;
pub use cores::Cores;
pub use engine::Engine;
pub use error::InferenceError;
pub use explain::{Explanation, WordContribution, explain, variants};
pub use fallback::WithFallback;
pub use hub::{HubModel, HubOptions};
pub use llm::{Llm, LlmOptions, LlmState};
pub use meter::Speed;
pub use options::{
    CalibrationSource, DeviceChoice, ExitPolicy, InferenceOptions, Instructions, MissingEmotions, ModelSource,
    OptionError, Precision,
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
    /// The maximum number of tokens that the model reads at once. Longer texts are read in overlapping windows.
    pub max_tokens: usize,
    /// The number of trained weights.
    pub parameters: u64,
    /// The number of layers; 0 for a remote model.
    pub layers: u32,
    /// The layers after which the computation for a text may stop; empty if the model has no exits.
    pub exits: Vec<u32>,
    /// The share of sample texts for which int8 has the same labels as f32, in [0, 1]. `null` if it was not measured:
    /// it is measured only for models other than the builtin one with `precision = "auto"`.
    pub int8_agreement: Option<f64>,
    /// The languages that the sentiment model declares, as codes such as `en`. Empty: all languages.
    pub languages: Vec<String>,
    /// Properties of the model that make its sentiments misleading for some texts; usually empty.
    pub warnings: Vec<String>,
    /// The time that loading took, in milliseconds.
    pub load_ms: u64,
}

/// The number of layers that a model with exits computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Depth {
    /// The computation for each text stops at the first exit that accepts it.
    #[default]
    Adaptive,
    /// All layers are computed, and no cached result is used.
    Full,
}

/// Classifies texts. Implementations form batches and use their own threads.
pub trait Classifier: Send + Sync {
    /// One analysis per text, in order. An error means that there are no results.
    fn classify(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>>;

    /// The same as [`Self::classify`], for interactive requests. They do not wait for the worker's batches, and the
    /// worker keeps a guaranteed share. Dropping the future cancels work that has not started.
    fn classify_interactive(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.classify(texts)
    }

    /// The same as [`Self::classify_interactive`], with a selectable depth for models with exits.
    fn classify_with(&self, texts: Vec<String>, depth: Depth) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        let _ = depth;
        self.classify_interactive(texts)
    }

    /// The classifier for this text, if another one than this is responsible for it.
    fn of_text<'c>(&'c self, text: &'c str) -> BoxFuture<'c, Result<Option<SharedClassifier>, InferenceError>> {
        let _ = text;
        Box::pin(std::future::ready(Ok(None)))
    }

    /// The loaded model.
    fn info(&self) -> &ModelInfo;

    /// The recent speed, if it is measured.
    fn speed(&self) -> Option<Speed> {
        None
    }
}

/// A shared classifier.
pub type SharedClassifier = Arc<dyn Classifier>;
