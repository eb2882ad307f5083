//! Errors of inference.

use std::fmt::Display;
use std::time::Duration;

/// Why texts could not be classified.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InferenceError {
    /// The model cannot classify texts now, for example because its queue is full, it is not loaded, or the server of a
    /// remote model does not respond. A retry may succeed.
    #[error("the model is not available: {0}")]
    Unavailable(String),
    /// The analysis fails for at least one of these texts. Retry each text alone.
    #[error("the model failed on a text: {0}")]
    Failed(String),
    /// The model computed one of these texts for longer than `inference.max_wait`. Retry each text alone, a limited
    /// number of times.
    #[error("the model did not finish a text within {0:?} (inference.max_wait)")]
    TooSlow(Duration),
    /// The model cannot be loaded; a retry may succeed.
    #[error("cannot load the model {model}: {reason}")]
    Load {
        /// The model: `builtin`, a folder, `hf:OWNER/NAME[@REVISION]`, or `PROVIDER:MODEL` for a language model.
        model: String,
        /// Why the model cannot be loaded.
        reason: String,
    },
    /// The model cannot be used with these settings.
    #[error("cannot use the model {model}: {reason}")]
    Setting {
        /// The model: `builtin`, a folder, or `hf:OWNER/NAME[@REVISION]`.
        model: String,
        /// Which setting is wrong, or why the model is not supported.
        reason: String,
    },
}

/// Why a model cannot be loaded. [`Self::of_model`] adds the name of the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A setting must change, or the model is not supported.
    #[error("{0}")]
    Setting(String),
    /// A file is missing, unreadable or damaged; a retry may succeed.
    #[error("{0}")]
    Files(String),
    /// The network of the model failed on the texts of the int8 check.
    #[error("the int8 check failed: {0}")]
    Check(#[from] ClassifyError),
    /// A thread that packs weights panicked.
    #[error("a thread panicked while it prepared the weights of the model")]
    Panicked,
}

impl From<String> for LoadError {
    fn from(reason: String) -> Self {
        Self::Files(reason)
    }
}

impl LoadError {
    /// Converts the error to [`Self::Setting`], because its cause is a wrong name in a setting.
    pub fn into_setting(self) -> Self {
        Self::Setting(self.to_string())
    }

    /// Prefixes the error with the name of the file.
    pub fn of_file(self, file: &str) -> Self {
        match self {
            Self::Setting(reason) => Self::Setting(format!("{file}: {reason}")),
            Self::Files(reason) => Self::Files(format!("{file}: {reason}")),
            other => other,
        }
    }

    /// Converts the error to an [`InferenceError`] with the name of the model.
    pub fn of_model(self, model: &impl Display) -> InferenceError {
        let model = model.to_string();
        match self {
            Self::Setting(reason) => InferenceError::Setting { model, reason },
            other => InferenceError::Load { model, reason: other.to_string() },
        }
    }
}

/// Why a loaded model cannot classify texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassifyError {
    /// The tokenizer cannot read a text.
    #[error("the tokenizer cannot read the text: {0}")]
    Tokenise(String),
    /// The outputs of the model are not finite.
    #[error("the outputs of the model are not finite numbers")]
    NotFinite,
    /// Early exits were requested, but the model has none or they are disabled.
    #[error("the model has no early exits, or inference.exits is off")]
    NoExits,
    /// Candle rejected an operation.
    #[error("the computation failed: {0}")]
    Computation(String),
    /// The model panicked, which is a defect.
    #[error("the model panicked: {0}")]
    Panicked(String),
}

impl From<ClassifyError> for InferenceError {
    fn from(error: ClassifyError) -> Self {
        Self::Failed(error.to_string())
    }
}
