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
    /// All stored values that cannot be used. A key may not exist, may not change while the server runs, or may be set
    /// in the configuration. A value may be invalid, alone or in combination with others.
    pub fn with_stored<'v>(&self, stored: impl IntoIterator<Item = (&'v str, &'v Json)>) -> Result<Self, ConfigError> {
        let template = Template::new();
        let (mut settings, mut problems) = (self.settings.clone(), Vec::new());
        for (key, value) in stored {
            match self.read_stored(&template, key, value) {
                Ok(value) => settings.replace(key, value, Origin::Database),
                Err(message) => problems.push(Problem { key: key.to_owned(), origin: Origin::Database, message }),
            }
        }
        if problems.is_empty() { resolve::with_settings(self, settings) } else { Err(ConfigError(problems)) }
    }

    fn read_stored(&self, template: &Template, key: &str, value: &Json) -> Result<Value, String> {
        let default = match (template.find(key), self.settings.find(key)) {
            (Found::Leaf(default), _) => default,
            (_, Some(_)) => return Err(NOT_CHANGEABLE.to_owned()),
            _ => return Err(template.unknown(key)),
        };
        if !is_changeable(key) {
            return Err(NOT_CHANGEABLE.to_owned());
        }
        let origin = self.settings.origin(key);
        if origin != Origin::Default {
            return Err(format!(
                "is set by the configuration ({origin}), which takes precedence: change it there and restart"
            ));
        }
        let expected = || format!("expected {}, found {value}", kind(default));
        let value = listed(default, Value::try_from(value).map_err(|_| expected())?);
        if fits(default, &value) {
            Ok(value)
        } else {
            Err(format!("expected {}, found {}", kind(default), kind(&value)))
        }
    }
}

const NOT_CHANGEABLE: &str =
    "cannot be changed while the server runs: set it in the configuration file, the environment or a flag and restart";
