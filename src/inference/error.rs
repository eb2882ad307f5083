//! Errors of inference.

use std::fmt::Display;
use std::time::Duration;

/// Why texts could not be classified.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InferenceError {
    /// The engine is full, starting or stopped; a retry may succeed.
    #[error("the model is not available: {0}")]
    Unavailable(String),
    /// At least one of these texts makes the analysis fail; retry each alone.
    #[error("the analysis failed: {0}")]
    Failed(String),
    /// The model computed one of these texts for longer than `inference.max_wait`; retry each alone, and not forever.
    #[error("the model did not finish a text within {0:?} (inference.max_wait)")]
    TooSlow(Duration),
    /// The model cannot be loaded; a retry may succeed.
    #[error("cannot load the model {model}: {reason}")]
    Load { model: String, reason: String },
    /// The model cannot be used with these settings.
    #[error("cannot use the model {model}: {reason}")]
    Setting { model: String, reason: String },
}

/// Why a model cannot be loaded, without its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A setting must change.
    #[error("{0}")]
    Setting(String),
    /// Any other cause.
    #[error("{0}")]
    Other(String),
}

impl From<String> for LoadError {
    fn from(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl LoadError {
    /// The error with the name of the model.
    pub fn of_model(self, model: &impl Display) -> InferenceError {
        let model = model.to_string();
        match self {
            Self::Setting(reason) => InferenceError::Setting { model, reason },
            Self::Other(reason) => InferenceError::Load { model, reason },
        }
    }
}
