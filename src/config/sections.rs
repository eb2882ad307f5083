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
    /// Serves the REST API, the WebSocket and the dashboard.
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
    /// The unique name of the topic.
    #[serde(deserialize_with = "topic_name")]
    pub name: TopicName,
    /// The query that posts must match, in the query language of topics.
    #[serde(deserialize_with = "name")]
    pub query: String,
    /// A description for readers of the dashboard and the API; empty when it is not set.
    #[serde(default)]
    pub description: String,
}

fn topic_name<'de, D: Deserializer<'de>>(de: D) -> Result<TopicName, D::Error> {
    TopicName::parse(&String::deserialize(de)?).map_err(D::Error::custom)
}

/// `[database]`: the database of posts, analyses and alerts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// The database that stores posts, analyses and alerts.
    pub url: DatabaseUrl,
    /// A Postgres replica for the reads of the API. `None`: these reads go to `url`.
    #[serde(deserialize_with = "optional")]
    pub read_url: Option<DatabaseUrl>,
    /// The largest number of connections of this process to each database, 1 to 1000 (with SQLite: read connections).
    #[serde(deserialize_with = "count::<_, _, 1, 1000>")]
    pub max_connections: usize,
    /// The longest wait for a new or free connection, or for a SQLite lock.
    #[serde(deserialize_with = "positive_duration")]
    pub connect_timeout: Duration,
    /// The longest time of a statement (Postgres) or of a read (SQLite).
    #[serde(deserialize_with = "positive_duration")]
    pub statement_timeout: Duration,
    /// The file with the keys that encrypt stored secrets. `None`: a file beside the embedded database; with Postgres,
    /// secrets are not encrypted.
    #[serde(deserialize_with = "optional")]
    pub key_file: Option<PathBuf>,
    /// The folder of backups of the embedded database. `None`: the folder `backups` beside the database.
    #[serde(deserialize_with = "optional")]
    pub backup_folder: Option<PathBuf>,
    /// The number of backups that are kept, 1 to 1000.
    #[serde(deserialize_with = "count::<_, _, 1, 1000>")]
    pub backup_keep: usize,
}

/// `[stream]`: the stream of posts between sources and workers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamConfig {
    /// The backend of the stream.
    pub url: StreamUrl,
    /// A PEM file of certificates to trust for TLS connections to Redis, in addition to those of the system.
    #[serde(deserialize_with = "optional")]
    pub ca_file: Option<PathBuf>,
    /// The name of the stream that posts are appended to.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// The name of the consumer group of the workers.
    #[serde(deserialize_with = "name")]
    pub group: String,
    /// The name of the stream of entries that could not be processed.
    #[serde(deserialize_with = "name")]
    pub dead_letter: String,
    /// The name of the stream of analysed posts for other consumers (Redis only).
    #[serde(deserialize_with = "name")]
    pub processed: String,
    /// The approximate number of entries that the stream of analysed posts keeps; at least 1.
    #[serde(deserialize_with = "count::<_, _, 1, { u64::MAX }>")]
    pub processed_max_len: u64,
    /// The approximate memory of the stream of analysed posts in Redis, in bytes; 1 MiB to 1024 GiB.
    #[serde(deserialize_with = "memory_size")]
    pub processed_max_bytes: u64,
    /// The approximate memory of the dead letter, in bytes; 1 MiB to 1024 GiB. Above it the oldest entries are dropped.
    #[serde(deserialize_with = "memory_size")]
    pub dead_letter_max_bytes: u64,
    /// The Pub/Sub channel of newly analysed posts (Redis only).
    #[serde(deserialize_with = "name")]
    pub updates_channel: String,
    /// The Pub/Sub channel of alerts, deletions and other events (Redis only).
    #[serde(deserialize_with = "name")]
    pub events_channel: String,
    /// While this many entries wait to be processed, appends are refused and sources wait; at least 1.
    #[serde(deserialize_with = "count::<_, _, 1, { u64::MAX }>")]
    pub max_backlog: u64,
    /// The timeout of a Redis command.
    #[serde(deserialize_with = "positive_duration")]
    pub command_timeout: Duration,
}

/// `[cache]`: the cache of API answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheConfig {
    /// The prefix of the keys of cached answers (Redis only).
    #[serde(deserialize_with = "name")]
    pub prefix: String,
    /// How long an answer is reused; zero to one hour.
    #[serde(deserialize_with = "up_to_an_hour")]
    pub ttl: Duration,
}

/// `[ingester]`: which sources are read, and how fast.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngesterConfig {
    /// The names of the tables below `[sources]` whose sources are read.
    pub sources: Vec<String>,
    /// The largest number of posts and deletions that a source is asked for at once, 1 to 10000.
    #[serde(deserialize_with = "count::<_, _, 1, 10_000>")]
    pub batch_size: usize,
    /// The largest number of posts and deletions per second from all sources of this process together, 0.1 to 50000.
    /// `None`: no limit.
    #[serde(deserialize_with = "optional_rate")]
    pub rate: Option<f64>,
    /// Whether an empty database is filled with demonstration posts. After the configuration is loaded, this is never
    /// [`Demo::Auto`].
    #[serde(deserialize_with = "word")]
    pub demo: Demo,
    /// The approximate number of posts of the demonstration, 1000 to 1000000.
    #[serde(deserialize_with = "count::<_, _, 1_000, 1_000_000>")]
    pub demo_posts: u32,
}

/// Whether an empty database is filled with demonstration posts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumString, strum::IntoStaticStr, strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum Demo {
    /// [`Demo::On`] if the database is embedded and no layer sets the roles, the topics, `ingester.sources`,
    /// `sources.synthetic`, `worker.store_only_matching`, `retention.posts`, or the rules, receivers or routes of
    /// `alerts`; otherwise [`Demo::Off`].
    Auto,
    /// The demonstration is created in a database that has no posts, no topics, no receivers and no rules except those
    /// of the configuration, and never had a demonstration.
    On,
    /// The demonstration is never created.
    Off,
}

/// `[worker]`: batches, claims and retries of the worker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// The number of batches that are processed concurrently, 1 to 256.
    #[serde(deserialize_with = "count::<_, _, 1, 256>")]
    pub tasks: usize,
    /// The largest number of posts in a batch, 1 to 1000.
    #[serde(deserialize_with = "count::<_, _, 1, 1000>")]
    pub batch_size: usize,
    /// Another worker takes over a batch whose claim was not renewed for this long; at least one second.
    #[serde(deserialize_with = "seconds")]
    pub claim_idle: Duration,
    /// The number of attempts to analyse and store a failing post before it is moved to the dead letter, 1 to 100.
    #[serde(deserialize_with = "count::<_, _, 1, 100>")]
    pub max_deliveries: u32,
    /// An entry that was delivered more often than this without an outcome, and more often than `max_deliveries`, is
    /// moved to the dead letter; 1 to 100.
    #[serde(deserialize_with = "count::<_, _, 1, 100>")]
    pub max_crashes: u32,
    /// Whether posts that no tracked topic matches are not stored, except edits of stored posts. Posts that no topic
    /// can match are not analysed either.
    pub store_only_matching: bool,
}

/// `[outbound]`: requests to configured URLs, such as receivers, sources and the provider of OpenID Connect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboundConfig {
    /// The networks that requests may reach although their addresses are not public.
    #[serde(deserialize_with = "networks")]
    pub allow: Vec<IpNet>,
    /// The longest time of a request, including redirects and the whole answer.
    #[serde(deserialize_with = "positive_duration")]
    pub timeout: Duration,
}

/// `[retention]`: how long data is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    /// How long counts per minute are kept, one day to 366 days, and at least an hour longer than `alerts.window` and
    /// `alerts.max_lateness` together. Older counts are kept per 15 minutes.
    #[serde(deserialize_with = "days")]
    pub minute_rollups: Duration,
    /// How long posts are kept, from the time at which they were written; 1 hour to 366 days. `None`: no limit.
    #[serde(deserialize_with = "optional_duration::<_, 3_600_000>")]
    pub posts: Option<Duration>,
    /// How long counts per 15 minutes and per day are kept, 1 to 366 days, and not shorter than `posts`, which must
    /// then be set. `None`: no limit.
    #[serde(deserialize_with = "optional_duration::<_, 86_400_000>")]
    pub rollups: Option<Duration>,
    /// How long events of the audit log are kept, 1 to 366 days.
    #[serde(deserialize_with = "days")]
    pub audit: Duration,
    /// How long resolved alerts and the history of their series are kept, 1 to 366 days. `None`: no limit.
    #[serde(deserialize_with = "optional_duration::<_, 86_400_000>")]
    pub alerts: Option<Duration>,
}

/// `[shutdown]`: the shutdown of the process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownConfig {
    /// The time that running work has to finish after SIGTERM or SIGINT.
    #[serde(deserialize_with = "any_duration")]
    pub grace: Duration,
}
