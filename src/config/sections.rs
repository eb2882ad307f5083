//! The typed sections. `config/default.toml` describes each key with its unit and limits.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::urls::{DatabaseUrl, StreamUrl};
use super::values::*;
use crate::domain::TopicName;

/// A part of the program that a process can run.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Reads sources into the stream.
    Ingester,
    /// Analyses posts and stores them.
    Worker,
    /// Evaluates alert rules and sends notifications.
    Alerts,
    /// REST, WebSocket and the dashboard.
    Api,
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        word(de)
    }
}

/// A tracked topic that the configuration defines.
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
    /// A Postgres replica for reads.
    #[serde(deserialize_with = "optional")]
    pub read_url: Option<DatabaseUrl>,
    #[serde(deserialize_with = "count::<_, _, 1, 1000>")]
    pub max_connections: usize,
    #[serde(deserialize_with = "positive_duration")]
    pub connect_timeout: Duration,
    #[serde(deserialize_with = "positive_duration")]
    pub statement_timeout: Duration,
    /// `None`: a file beside the embedded database; with Postgres, secrets are not encrypted.
    #[serde(deserialize_with = "optional")]
    pub key_file: Option<PathBuf>,
}

/// `[stream]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamConfig {
    pub url: StreamUrl,
    /// The certificate authority of TLS connections to Redis.
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
    /// Bytes.
    #[serde(deserialize_with = "memory_size")]
    pub processed_max_bytes: u64,
    /// Bytes.
    #[serde(deserialize_with = "memory_size")]
    pub dead_letter_max_bytes: u64,
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
    /// After loading it is never [`Demo::Auto`].
    #[serde(deserialize_with = "word")]
    pub demo: Demo,
    /// The approximate number of posts of the demonstration.
    #[serde(deserialize_with = "count::<_, _, 1_000, 1_000_000>")]
    pub demo_posts: u32,
}

/// Whether an empty database begins with a demonstration.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumString, strum::IntoStaticStr, strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum Demo {
    /// With the embedded database, when nothing else is configured.
    Auto,
    On,
    Off,
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
    #[serde(deserialize_with = "count::<_, _, 1, 100>")]
    pub max_crashes: u32,
    pub store_only_matching: bool,
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
    /// `None`: no limit.
    #[serde(deserialize_with = "optional_duration::<_, 3_600_000>")]
    pub posts: Option<Duration>,
    /// `None`: no limit.
    #[serde(deserialize_with = "optional_duration::<_, 86_400_000>")]
    pub rollups: Option<Duration>,
    #[serde(deserialize_with = "days")]
    pub audit: Duration,
    /// `None`: no limit.
    #[serde(deserialize_with = "optional_duration::<_, 86_400_000>")]
    pub alerts: Option<Duration>,
}

/// `[shutdown]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownConfig {
    #[serde(deserialize_with = "any_duration")]
    pub grace: Duration,
}
