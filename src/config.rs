//! The configuration: typed sections, which are merged from several layers.
//!
//! `config/default.toml` is the reference of all keys. Later layers override earlier ones: the defaults, values that
//! the API stored in the database, a file, the environment (names of older versions such as `REDIS_URL`, then
//! `SENTISTREAM__…`), and flags. The error for an invalid value contains the key, the layer that set it, and what is
//! allowed. Secrets never appear in errors, in [`Settings::shown`] or in `Debug` output.

mod alerts;
mod changeable;
mod described;
mod environment;
mod error;
mod inference;
mod layers;
mod llm;
mod log;
mod notifications;
mod oidc;
mod origin;
mod paths;
mod reference;
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
pub use changeable::is_changeable;
pub use described::{read_source, source_kinds};
pub use environment::Environment;
pub use error::{ConfigError, Problem};
pub use inference::*;
pub use llm::{HttpUrl, LlmConfig, LlmProvider};
pub use log::*;
pub use notifications::{SmtpConfig, SmtpSecurity};
pub use oidc::OidcConfig;
pub use origin::Origin;
pub use reference::{KeyInfo, ValueKind, keys_described, section_help};
pub use sections::*;
pub use server::*;
pub use settings::{Settings, Shown};
pub use sources::*;
pub use template::DEFAULT_TOML;
pub use urls::{Backends, DatabaseUrl, StreamUrl, mask};
pub use values::{Address, InvalidSetting, parse_duration};

/// The effective configuration. The fields are the keys of `config/default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The parts of the program that this process runs; at least one.
    pub roles: Vec<Role>,
    /// Tracked topics that the configuration defines; others are created through the API.
    pub topics: Vec<TopicConfig>,
    /// The database of posts, analyses and alerts.
    pub database: DatabaseConfig,
    /// The stream of posts between sources and workers.
    pub stream: StreamConfig,
    /// The HTTP server: addresses, limits and authentication.
    pub server: ServerConfig,
    /// The cache of API answers.
    pub cache: CacheConfig,
    /// The ingester role: which sources it reads, and how fast.
    pub ingester: IngesterConfig,
    /// The settings of each source, by name.
    #[serde(skip)]
    pub sources: SourcesConfig,
    /// The worker role: batches, leases and retries.
    pub worker: WorkerConfig,
    /// The model that classifies posts, its device and its limits.
    pub inference: InferenceConfig,
    /// The language model behind an OpenAI-compatible API. It is used only if a provider is set.
    pub llm: LlmConfig,
    /// The alerts role: built-in rules, configured rules, and the delivery of notifications.
    pub alerts: AlertsConfig,
    /// Requests to configured URLs, such as receivers of notifications and feeds.
    pub outbound: OutboundConfig,
    /// How long posts, counts, alerts and the audit log are kept.
    pub retention: RetentionConfig,
    /// The shutdown of the process.
    pub shutdown: ShutdownConfig,
    /// The log on stderr.
    pub log: LogConfig,
    /// The export of traces to an OTLP collector.
    pub tracing: TracingConfig,
    /// The backends that `database.url` and `stream.url` select.
    #[serde(skip)]
    pub backends: Backends,
    /// The value of every key and where it came from.
    #[serde(skip)]
    pub settings: Settings,
}

/// The inputs whose settings override the defaults.
#[derive(Clone, Default)]
pub struct Inputs {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// The environment variables of the process.
    pub environment: Environment,
    /// Settings of the form `section.key=value`, in the order of the command line.
    pub sets: Vec<String>,
    /// The roles to run, separated by commas.
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
    /// The invalid settings, each with its key and the layer that set it. All unknown keys and wrong types are reported
    /// together. If there are none, only the first value that is not allowed is reported. If there is none, all
    /// settings that contradict each other are reported together.
    pub fn load(inputs: &Inputs) -> Result<(Self, Settings), ConfigError> {
        resolve::load(inputs)
    }
}

#[cfg(test)]
mod tests;
