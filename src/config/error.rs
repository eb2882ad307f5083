//! Errors of the configuration: the key, where it was set, and what is allowed.

use std::fmt;

use super::Origin;

/// One setting that is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, as `section.key`; empty if the problem concerns a whole file, or a flag without a key.
    pub key: String,
    /// The layer that set the invalid value.
    pub origin: Origin,
    /// What is wrong with the value and which values are allowed. Never contains a secret.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{} (from {})", self.message, self.origin)
    }
}

/// The invalid settings that one step of loading has found. Loading stops after this step, so there may be more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Problem>);

impl ConfigError {
    /// Creates an error with a single invalid setting.
    pub fn new(key: impl Into<String>, origin: Origin, message: impl Into<String>) -> Self {
        Self(vec![Problem { key: key.into(), origin, message: message.into() }])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
