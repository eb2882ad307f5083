//! The typed sections, as `config/default.toml` describes them. Units and limits stand there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::llm::{HttpUrl, LlmProvider};
use super::notifications::SmtpConfig;
use super::urls::{DatabaseUrl, StreamUrl};
use super::values::*;
use crate::domain::alert::RuleSpec;
use crate::domain::notify::{MuteTiming, Receiver, Route, Secrets};
use crate::domain::{Emotion, Sentiment, TopicName};

words! {
    /// A part of the program that a process can run.
    Role {
        /// Reads sources into the stream.
        Ingester = "ingester",
        /// Analyses posts and stores them.
        Worker = "worker",
        /// Watches for a change of mood.
        Alerts = "alerts",
        /// REST, WebSocket and the dashboard.
        Api = "api",
    }
}

/// A tracked topic of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicConfig {
    #[serde(deserialize_with = "topic_name")]
    pub name: TopicName,
    #[serde(deserialize_with = "name")]
    pub query: String,
    #[serde(default)]
    pub description: String,
}

fn topic_name<'de, D: Deserializer<'de>>(de: D) -> Result<TopicName, D::Error> {
    TopicName::parse(&String::deserialize(de)?).map_err(D::Error::custom)
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    pub url: DatabaseUrl,
    /// Postgres only.
    #[serde(deserialize_with = "optional")]
    pub read_url: Option<DatabaseUrl>,
    #[serde(deserialize_with = "count::<_, _, 1, 1000>")]
    pub max_connections: usize,
    #[serde(deserialize_with = "positive_duration")]
    pub connect_timeout: Duration,
    #[serde(deserialize_with = "positive_duration")]
    pub statement_timeout: Duration,
}

/// `[stream]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamConfig {
    pub url: StreamUrl,
    /// TLS to Redis only.
    #[serde(deserialize_with = "optional")]
    pub ca_file: Option<PathBuf>,
    #[serde(deserialize_with = "name")]
    pub name: String,
    #[serde(deserialize_with = "name")]
    pub group: String,
    #[serde(deserialize_with = "name")]
    pub dead_letter: String,
    #[serde(deserialize_with = "name")]
    pub processed: String,
    #[serde(deserialize_with = "count::<_, _, 1, { u64::MAX }>")]
    pub processed_max_len: u64,
    #[serde(deserialize_with = "name")]
    pub updates_channel: String,
    #[serde(deserialize_with = "name")]
    pub events_channel: String,
    #[serde(deserialize_with = "count::<_, _, 1, { u64::MAX }>")]
    pub max_backlog: u64,
    #[serde(deserialize_with = "positive_duration")]
    pub command_timeout: Duration,
}

/// `[cache]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheConfig {
    #[serde(deserialize_with = "name")]
    pub prefix: String,
    #[serde(deserialize_with = "up_to_an_hour")]
    pub ttl: Duration,
}

/// `[ingester]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngesterConfig {
    /// Names of tables below `[sources]`.
    pub sources: Vec<String>,
    #[serde(deserialize_with = "count::<_, _, 1, 10_000>")]
    pub batch_size: usize,
    /// Posts per second of all sources together; `None`: no limit.
    #[serde(deserialize_with = "optional_rate")]
    pub rate: Option<f64>,
}

/// `[worker]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    #[serde(deserialize_with = "count::<_, _, 1, 256>")]
    pub tasks: usize,
    #[serde(deserialize_with = "count::<_, _, 1, 1000>")]
    pub batch_size: usize,
    #[serde(deserialize_with = "seconds")]
    pub claim_idle: Duration,
    #[serde(deserialize_with = "count::<_, _, 1, 100>")]
    pub max_deliveries: u32,
    pub store_only_matching: bool,
}

/// Which model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelRef {
    /// The one in the binary.
    Builtin,
    /// A folder.
    Folder(PathBuf),
    /// A repository of the Hugging Face Hub.
    Hub {
        /// `owner/name`
        repository: String,
        /// A branch, tag or commit; `None`: `main`.
        revision: Option<String>,
    },
}

impl FromStr for ModelRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(place) = text.strip_prefix("hf:") else {
            return match text {
                "builtin" => Ok(Self::Builtin),
                "" => Err("must be \"builtin\", a folder, or hf:OWNER/NAME[@REVISION]".to_owned()),
                folder => Ok(Self::Folder(folder.into())),
            };
        };
        let (repository, revision) = match place.split_once('@') {
            Some((repository, revision)) => (repository, Some(revision.to_owned())),
            None => (place, None),
        };
        // Old repositories of the hub have a name without an owner.
        let parts: Vec<_> = repository.split('/').collect();
        let is_name = |part: &&str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let is_revision = |revision: &str| revision.split('/').all(|part| is_name(&part));
        if parts.len() > 2 || !parts.iter().all(is_name) || !revision.as_deref().is_none_or(is_revision) {
            return Err(format!("expected hf:OWNER/NAME[@REVISION], found {text:?}"));
        }
        Ok(Self::Hub { repository: repository.to_owned(), revision })
    }
}

/// Where a model computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRef {
    /// The first graphics card that can, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A graphics card, by its number.
    Cuda(usize),
}

impl FromStr for DeviceRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("cuda:").map(str::parse)) {
            ("auto", _) => Ok(Self::Auto),
            ("cpu", _) => Ok(Self::Cpu),
            (_, Some(Ok(number))) => Ok(Self::Cuda(number)),
            _ => Err(format!("must be \"auto\", \"cpu\" or \"cuda:N\", is {text:?}")),
        }
    }
}

words! {
    /// The number format that a model computes in.
    Precision {
        /// The fastest that keeps the quality of `f32`.
        Auto = "auto",
        /// 32 bits.
        F32 = "f32",
        /// 16 bits, IEEE 754.
        F16 = "f16",
        /// 16 bits with the range of `f32`.
        Bf16 = "bf16",
        /// 8 bits, scaled.
        Int8 = "int8",
    }
}

words! {
    /// What becomes of posts in languages that the model does not know.
    OtherLanguages {
        /// They are judged all the same.
        Analyze = "analyze",
        /// They are stored as neutral, unjudged.
        Neutral = "neutral",
        /// They are not stored.
        Skip = "skip",
    }
}

/// `[inference]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InferenceConfig {
    #[serde(deserialize_with = "parsed")]
    pub model: ModelRef,
    /// `None`: the emotions of `model`.
    #[serde(deserialize_with = "optional")]
    pub emotion_model: Option<ModelRef>,
    /// `None`: one per core.
    #[serde(deserialize_with = "optional_threads")]
    pub threads: Option<usize>,
    pub precision: Precision,
    #[serde(deserialize_with = "parsed")]
    pub device: DeviceRef,
    /// Of one thread.
    #[serde(deserialize_with = "count::<_, _, 16, 1_048_576>")]
    pub max_batch_tokens: usize,
    #[serde(deserialize_with = "count::<_, _, 1, 256>")]
    pub max_windows: usize,
    #[serde(deserialize_with = "count::<_, _, 1, 1_000_000>")]
    pub max_queued_texts: usize,
    #[serde(deserialize_with = "positive_duration")]
    pub max_wait: Duration,
    /// The model's names of classes, and ours.
    #[serde(deserialize_with = "labels")]
    pub labels: BTreeMap<String, String>,
    /// The same of the emotion model, where it differs.
    #[serde(deserialize_with = "labels")]
    pub emotion_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "share")]
    pub neutral_margin: f64,
    /// In lower case, without regions.
    #[serde(deserialize_with = "languages")]
    pub languages: Vec<String>,
    pub other_languages: OtherLanguages,
    pub detect_language: bool,
    #[serde(deserialize_with = "parsed")]
    pub calibration: CalibrationRef,
    pub hub: HubConfig,
}

fn languages<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let tags = Vec::<String>::deserialize(de)?;
    for tag in &tags {
        if !(2..=3).contains(&tag.len()) || !tag.chars().all(|c| c.is_ascii_lowercase()) {
            return Err(D::Error::custom(format!("must be languages such as \"en\", has {tag:?}")));
        }
    }
    Ok(tags)
}

/// Which calibration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CalibrationRef {
    /// The one beside the model, if there is one.
    Auto,
    /// None.
    Off,
    /// This one.
    File(PathBuf),
}

impl FromStr for CalibrationRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            "" => Err("must be \"auto\", \"off\" or a file".to_owned()),
            file => Ok(Self::File(file.into())),
        }
    }
}

/// `[inference.hub]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubConfig {
    /// `None`: the usual folder of the Hub's tools.
    #[serde(deserialize_with = "optional")]
    pub home: Option<PathBuf>,
    #[serde(deserialize_with = "web_address")]
    pub endpoint: String,
    #[serde(deserialize_with = "optional_secret")]
    pub token: Option<SecretString>,
    pub offline: bool,
    #[serde(deserialize_with = "seconds")]
    pub timeout: Duration,
}

impl HubConfig {
    /// Where the Hub's tools keep models.
    pub fn cache(&self) -> PathBuf {
        let usual = || std::env::home_dir().unwrap_or_default().join(".cache/huggingface");
        self.home.clone().unwrap_or_else(usual).join("hub")
    }
}

/// An http(s) URL without a slash at its end.
fn web_address<'de, D: Deserializer<'de>>(de: D) -> Result<String, D::Error> {
    let text = String::deserialize(de)?;
    match url::Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(D::Error::custom(format!("must be an http(s) URL, is {text:?}"))),
    }
}

fn labels<'de, D: Deserializer<'de>>(de: D) -> Result<BTreeMap<String, String>, D::Error> {
    let labels = BTreeMap::<String, String>::deserialize(de)?;
    for (name, label) in &labels {
        if label.parse::<Sentiment>().is_err() && label.parse::<Emotion>().is_err() {
            return Err(D::Error::custom(format!(
                "{name} must be a sentiment (positive, neutral, negative) or an emotion \
                 (anger, disgust, fear, joy, neutral, sadness, surprise), is {label:?}"
            )));
        }
    }
    Ok(labels)
}

/// `[llm]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlmConfig {
    /// A name or a URL; `None`: no language model is used.
    #[serde(deserialize_with = "optional")]
    pub provider: Option<LlmProvider>,
    #[serde(deserialize_with = "optional")]
    pub base_url: Option<HttpUrl>,
    #[serde(deserialize_with = "optional_text")]
    pub model: Option<String>,
    #[serde(deserialize_with = "optional_secret")]
    pub api_key: Option<SecretString>,
    #[serde(deserialize_with = "positive_duration")]
    pub timeout: Duration,
    #[serde(deserialize_with = "count::<_, _, 1, 100>")]
    pub posts_per_request: usize,
    #[serde(deserialize_with = "count::<_, _, 1, 64>")]
    pub max_in_flight: usize,
    #[serde(deserialize_with = "count::<_, _, 0, 10>")]
    pub retries: usize,
    #[serde(deserialize_with = "optional_count")]
    pub requests_per_minute: Option<u64>,
    #[serde(deserialize_with = "optional_count")]
    pub requests_per_day: Option<u64>,
    #[serde(deserialize_with = "share")]
    pub min_confidence: f64,
    #[serde(deserialize_with = "count::<_, _, 1, 100_000>")]
    pub max_doubts: usize,
}

/// `[alerts]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsConfig {
    #[serde(deserialize_with = "positive_duration")]
    pub interval: Duration,
    #[serde(deserialize_with = "minutes_to_day")]
    pub window: Duration,
    #[serde(deserialize_with = "count::<_, _, 1, 2_147_483_647>")]
    pub min_posts: u32,
    #[serde(deserialize_with = "share")]
    pub negative_share: f64,
    #[serde(deserialize_with = "ratio")]
    pub negative_ratio: f64,
    #[serde(deserialize_with = "any_duration")]
    pub max_lateness: Duration,
    /// `None`: this machine's own address.
    #[serde(deserialize_with = "optional_web_url")]
    pub external_url: Option<String>,
    #[serde(deserialize_with = "up_to_a_day")]
    pub give_up_after: Duration,
    pub allow_commands: bool,
    #[serde(deserialize_with = "super::notifications::receivers")]
    pub receivers: Vec<(Receiver, Secrets)>,
    #[serde(deserialize_with = "super::notifications::managed")]
    pub routes: Vec<Route>,
    #[serde(deserialize_with = "super::notifications::managed")]
    pub mute_timings: Vec<MuteTiming>,
    pub smtp: SmtpConfig,
    #[serde(deserialize_with = "rules")]
    pub rules: Vec<RuleSpec>,
}

/// The names of the two rules that the other values of `[alerts]` make.
pub const PROVISIONED: [&str; 2] = ["negative_share", "negative_ratio"];

/// Rules whose names differ, also from those that are there anyhow.
fn rules<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<RuleSpec>, D::Error> {
    let mut names: Vec<String> = PROVISIONED.map(str::to_owned).into();
    let mut rules = Vec::new();
    for (index, value) in Vec::<serde_json::Value>::deserialize(de)?.into_iter().enumerate() {
        let rule = RuleSpec::parse(value).map_err(|errors| {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            D::Error::custom(format!("rule number {} is wrong: {}", index + 1, errors.join("; ")))
        })?;
        if names.contains(&rule.name) {
            return Err(D::Error::custom(format!("the name {:?} is taken by another rule", rule.name)));
        }
        names.push(rule.name.clone());
        rules.push(rule);
    }
    Ok(rules)
}

/// `[outbound]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboundConfig {
    #[serde(deserialize_with = "networks")]
    pub allow: Vec<IpNet>,
    #[serde(deserialize_with = "positive_duration")]
    pub timeout: Duration,
}

/// `[retention]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    #[serde(deserialize_with = "days")]
    pub minute_rollups: Duration,
    /// `None`: for ever.
    #[serde(deserialize_with = "optional_duration::<_, 3_600_000>")]
    pub posts: Option<Duration>,
    /// `None`: for ever.
    #[serde(deserialize_with = "optional_duration::<_, 86_400_000>")]
    pub rollups: Option<Duration>,
}

/// `[shutdown]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownConfig {
    #[serde(deserialize_with = "any_duration")]
    pub grace: Duration,
}

words! {
    /// How log lines look.
    LogFormat {
        /// Human on a terminal, else JSON.
        Auto = "auto",
        /// For people.
        Human = "human",
        /// One JSON object per line.
        Json = "json",
    }
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    #[serde(deserialize_with = "parsed")]
    pub level: LogLevel,
    pub format: LogFormat,
}

/// `[tracing]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracingConfig {
    /// The base URL of an OTLP collector; `None`: no traces.
    #[serde(deserialize_with = "optional")]
    pub otlp_endpoint: Option<url::Url>,
    /// Of all appends, 0 to 1.
    #[serde(deserialize_with = "share")]
    pub sample_ratio: f64,
    #[serde(deserialize_with = "positive_duration")]
    pub timeout: Duration,
}

/// What is logged: a level, or directives by module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel(String);

impl LogLevel {
    /// Directives as `tracing-subscriber` reads them. A plain level is ours; libraries are told
    /// to speak only of trouble then.
    pub fn directives(&self) -> String {
        match self.0.as_str() {
            level @ ("error" | "warn") => level.to_owned(),
            level @ ("info" | "debug" | "trace") => format!("warn,sentistream={level}"),
            directives => directives.to_owned(),
        }
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_lowercase();
        let level = match lower.as_str() {
            "warning" => "warn",
            "critical" | "fatal" => "error",
            "" => return Err(log_level_help(text)),
            other => other,
        };
        tracing_subscriber::EnvFilter::builder().parse(level).map_err(|_| log_level_help(text))?;
        let plain = ["error", "warn", "info", "debug", "trace"].contains(&level);
        // A lone word that is no level would be taken for the name of a module.
        if plain || level.contains('=') { Ok(Self(level.to_owned())) } else { Err(log_level_help(text)) }
    }
}

fn log_level_help(text: &str) -> String {
    format!(
        "expected error, warn, info, debug or trace, or directives such as \"warn,sentistream=debug\", found {text:?}"
    )
}
