//! The configuration: typed sections, which are merged from several layers.
//!
//! `config/default.toml` is the reference of all keys. Later layers override earlier ones: the defaults, a file, the
//! environment (first the older names, then `SENTISTREAM__…`), and flags. The error for an invalid value contains the
//! key, the layer that set it, and what is allowed. Secrets never appear in errors, in [`Settings`] or in `Debug`
//! output.

mod alerts;
mod described;
mod environment;
mod error;
mod inference;
mod layers;
mod llm;
mod log;
mod notifications;
mod resolve;
mod sections;
mod server;
mod settings;
mod sources;
mod template;
mod urls;
mod values;

use std::path::PathBuf;

use serde::Deserialize;

pub use alerts::*;
pub use described::{read_source, source_kinds};
pub use environment::Environment;
pub use error::{ConfigError, Problem};
pub use inference::*;
pub use layers::Origin;
pub use llm::{HttpUrl, LlmConfig, LlmProvider};
pub use log::*;
pub use notifications::{SmtpConfig, SmtpSecurity};
pub use sections::*;
pub use server::*;
pub use settings::{Settings, Shown};
pub use sources::*;
pub use template::DEFAULT_TOML;
pub use urls::{Backends, DatabaseUrl, StreamUrl, mask};
pub use values::{Address, parse_duration};

/// The effective configuration. The fields are the keys of `config/default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub roles: Vec<Role>,
    pub topics: Vec<TopicConfig>,
    pub database: DatabaseConfig,
    pub stream: StreamConfig,
    pub server: ServerConfig,
    pub cache: CacheConfig,
    pub ingester: IngesterConfig,
    /// The settings of each source, by name.
    #[serde(skip)]
    pub sources: SourcesConfig,
    pub worker: WorkerConfig,
    pub inference: InferenceConfig,
    pub llm: LlmConfig,
    pub alerts: AlertsConfig,
    pub outbound: OutboundConfig,
    pub retention: RetentionConfig,
    pub shutdown: ShutdownConfig,
    pub log: LogConfig,
    pub tracing: TracingConfig,
    /// The backends that `database.url` and `stream.url` select.
    #[serde(skip)]
    pub backends: Backends,
}

/// The sources of settings that override the defaults.
#[derive(Clone, Default)]
pub struct Inputs {
    /// The configuration file.
    pub file: Option<PathBuf>,
    pub environment: Environment,
    /// Settings of the form `section.key=value`, in the order of the command line.
    pub sets: Vec<String>,
    /// The roles, separated by commas.
    pub roles: Option<String>,
}

impl Config {
    /// Whether this process runs `role`.
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Reads and merges all layers.
    ///
    /// # Errors
    /// All invalid settings, each with its key and the layer that set it.
    pub fn load(inputs: &Inputs) -> Result<(Self, Settings), ConfigError> {
        resolve::load(inputs)
    }
}

#[cfg(test)]
mod tests;
