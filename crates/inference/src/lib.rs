//! Inference: models that classify texts.
//!
//! Local and remote models implement [`Classifier`]. A local model runs in an [`Engine`] with its own threads. Callers
//! send texts and await analyses.

mod active;
mod answers;
mod calibration;
pub mod catalogue;
pub mod checks;
mod cores;
mod durable;
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

use sentistream_core::domain::Analysis;

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

/// A loaded model. If sentiment and emotion have separate models, their names are joined with `+`. Architectures and
/// precisions that differ are also joined with `+`. `parameters` is then the sum of both models, `max_tokens` the
/// smaller number, and `layers` the larger number.
#[derive(Clone, Debug, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct ModelInfo {
    /// The name stored with each analysis.
    pub name: String,
    /// The architecture, as in the model's `config.json` (`distilbert`); `llm` for a remote model.
    pub architecture: String,
    /// The number format of the weights in use (`f32`, `bf16`, `f16`, `int8`); `remote` for a remote model.
    pub precision: String,
    /// The maximum number of tokens that the model reads at once. Longer texts are read in overlapping windows, up to
    /// `inference.max_windows`. 0 for a remote model.
    pub max_tokens: usize,
    /// The number of trained weights; 0 for a remote model.
    pub parameters: u64,
    /// The number of layers; 0 for a remote model.
    pub layers: u32,
    /// The layers after which the computation for a text may stop early; empty if the model has no early exits, or they
    /// are not used.
    pub exits: Vec<u32>,
    /// The share of sample texts that get the same labels with int8 as with f32, in [0, 1]. It is measured only when
    /// `precision = "auto"` selects int8, and not for the builtin model; otherwise it is `null`.
    pub int8_agreement: Option<f64>,
    /// The languages that the sentiment model declares, as codes such as `en`. Empty: all languages.
    pub languages: Vec<String>,
    /// Properties of the model that make its sentiments misleading for some texts; usually empty.
    pub warnings: Vec<String>,
    /// How long loading took, in milliseconds.
    pub load_ms: u64,
}

/// How many layers a model with early exits computes for a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LayerDepth {
    /// The computation for each text stops at the first exit that accepts it.
    #[default]
    Adaptive,
    /// All layers are computed, and no cached result is used.
    Full,
}

/// A model that classifies texts. Implementations form batches and use their own threads.
pub trait Classifier: Send + Sync {
    /// Classifies texts. Returns one analysis per text, in the same order, or an error and no analyses.
    fn classify(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>>;

    /// The same as [`Self::classify`] for interactive requests, which are classified before the worker's batches. The
    /// worker's batches still get a fixed share of the computing time. Dropping the future cancels work that has not
    /// started.
    fn classify_interactive(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.classify(texts)
    }

    /// The same as [`Self::classify_interactive`], with a selectable depth for models with exits.
    fn classify_with(
        &self,
        texts: Vec<String>,
        depth: LayerDepth,
    ) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        let _ = depth;
        self.classify_interactive(texts)
    }

    /// The other classifier to which this classifier forwards the text, for example the model for its language. `None`:
    /// this classifier analyses the text itself.
    fn of_text<'c>(&'c self, text: &'c str) -> BoxFuture<'c, Result<Option<SharedClassifier>, InferenceError>> {
        let _ = text;
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Information about the loaded model.
    fn info(&self) -> &ModelInfo;

    /// The recent speed of the classifier; `None` if it is not measured.
    fn speed(&self) -> Option<Speed> {
        None
    }
}

/// A shared classifier.
pub type SharedClassifier = Arc<dyn Classifier>;
