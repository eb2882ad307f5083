//! Settings that may change while the server runs.
//!
//! A stored value replaces only the default. A value from the file, the environment or a flag takes precedence over a
//! stored value. A deployment that sets a value in its files therefore keeps that value.

use serde_json::Value as Json;
use toml::Value;

use super::error::Problem;
use super::layers::listed;
use super::template::{Found, Template, fits, kind};
use super::{Config, ConfigError, Origin, resolve};

/// The keys whose changed values the running roles apply. All other keys are read once, at start.
const CHANGEABLE: [&str; 18] = [
    "server.rate_limit",
    "server.rate_burst",
    "server.analyze_rate",
    "server.analyze_burst",
    "cache.ttl",
    "inference.other_languages",
    "alerts.window",
    "alerts.min_posts",
    "alerts.min_authors",
    "alerts.significance",
    "alerts.keep_firing_for",
    "alerts.negative_share",
    "alerts.negative_spike",
    "alerts.negative_ratio",
    "retention.posts",
    "retention.rollups",
    "retention.alerts",
    "retention.audit",
];

/// Whether the value of `key` may change while the server runs.
pub fn is_changeable(key: &str) -> bool {
    CHANGEABLE.contains(&key)
}

impl Config {
    /// This configuration with stored values in place of defaults. The values are checked as in a configuration file.
    ///
    /// # Errors
    /// All stored values that cannot be used: the key is unknown, cannot change while the server runs or is set in the
    /// configuration, or the value is invalid by itself or in combination with other values.
    pub fn with_stored<'v>(&self, stored: impl IntoIterator<Item = (&'v str, &'v Json)>) -> Result<Self, ConfigError> {
        let template = Template::new();
        let (mut settings, mut problems) = (self.settings.clone(), Vec::new());
        for (key, value) in stored {
            match self.read_stored(&template, key, value) {
                Ok(value) => settings.replace(key, value, Origin::Database),
                Err(error) => {
                    let message = error.to_string();
                    problems.push(Problem { key: key.to_owned(), origin: Origin::Database, message });
                }
            }
        }
        if problems.is_empty() { resolve::with_settings(self, settings) } else { Err(ConfigError(problems)) }
    }

    fn read_stored(&self, template: &Template, key: &str, value: &Json) -> Result<Value, InvalidChange> {
        let default = match (template.find(key), self.settings.find(key)) {
            (Found::Leaf(default), _) => default,
            (_, Some(_)) => return Err(InvalidChange::NotChangeable),
            _ => return Err(InvalidChange::Unknown(template.unknown(key))),
        };
        if !is_changeable(key) {
            return Err(InvalidChange::NotChangeable);
        }
        let origin = self.settings.origin(key);
        if origin != Origin::Default {
            return Err(InvalidChange::Configured(origin));
        }
        let wrong = |found: String| InvalidChange::Type { expected: kind(default), found };
        let value = listed(default, Value::try_from(value).map_err(|_| wrong(value.to_string()))?);
        if fits(default, &value) { Ok(value) } else { Err(wrong(kind(&value).to_owned())) }
    }
}

/// Why a stored value cannot be used.
#[derive(Debug, thiserror::Error)]
enum InvalidChange {
    #[error(
        "cannot be changed while the server runs: set it in the configuration file, the environment or a flag and \
         restart"
    )]
    NotChangeable,
    /// The message suggests a known key.
    #[error("{0}")]
    Unknown(String),
    #[error("is set by the configuration ({0}), which takes precedence: change it there and restart")]
    Configured(Origin),
    #[error("expected {expected}, found {found}")]
    Type { expected: &'static str, found: String },
}
