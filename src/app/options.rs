//! Converts the configuration to the options of each module and role.

mod alerts;
mod http;
mod inference;
mod notify;

use std::path::Path;

use anyhow::Context as _;

use crate::backups::BackupOptions;
use crate::config::{self, Backends, Config};
use crate::domain::TopicOrigin;
use crate::ingester::IngesterOptions;
use crate::language::LanguagePolicy;
use crate::outbound::OutboundOptions;
use crate::store::topics::{ExistingPosts, NewTopic};
use crate::store::{Keep, PostgresOptions, Retention};
use crate::stream::StreamOptions;
use crate::telemetry::trace::TraceOptions;
use crate::topics::Query;
use crate::worker::{StoragePolicy, WorkerOptions};

pub use self::http::{adjustable, http};
pub use alerts::{alert_rules, alerts};
pub use inference::{inference, model, route};
pub use notify::notify;

/// The options of tracing; `None` if tracing is off.
pub fn tracing(config: &Config) -> Option<TraceOptions> {
    let endpoint = config.tracing.otlp_endpoint.as_ref()?.to_string();
    Some(TraceOptions { endpoint, sample_ratio: config.tracing.sample_ratio, timeout: config.tracing.timeout })
}

/// How long counts per minute are kept.
pub fn retention(config: &Config) -> Retention {
    Retention { minute_rollups: config.retention.minute_rollups }
}

/// How long posts, rollups and alerts are kept.
pub fn keep(config: &Config) -> Keep {
    Keep { posts: config.retention.posts, rollups: config.retention.rollups, alerts: config.retention.alerts }
}

/// The topics of the configuration.
///
/// # Errors
/// When a query is not valid.
pub fn topics(config: &Config) -> anyhow::Result<Vec<NewTopic>> {
    let topic = |topic: &config::TopicConfig| {
        Query::parse(&topic.query).with_context(|| format!("topics: the query of {} is not valid", topic.name))?;
        Ok(NewTopic {
            name: topic.name.clone(),
            query: topic.query.clone(),
            description: topic.description.clone(),
            origin: TopicOrigin::Config,
            existing_posts: ExistingPosts::Match,
        })
    };
    config.topics.iter().map(topic).collect()
}

/// The connections to Postgres; `None` with the embedded database.
pub fn postgres(config: &Config) -> Option<PostgresOptions> {
    let Backends::Shared { database, read, .. } = &config.backends else { return None };
    Some(PostgresOptions {
        url: database.clone(),
        read_url: read.clone(),
        max_connections: config.database.max_connections,
        connect_timeout: config.database.connect_timeout,
        statement_timeout: config.database.statement_timeout,
    })
}

/// The backups of the embedded database; `None` with Postgres.
pub fn backups(config: &Config) -> Option<BackupOptions> {
    let Backends::Embedded { path } = &config.backends else { return None };
    let beside = || path.parent().unwrap_or(Path::new("")).join("backups");
    Some(BackupOptions {
        database: path.clone(),
        folder: config.database.backup_folder.clone().unwrap_or_else(beside),
        keep: config.database.backup_keep,
    })
}

/// The limits of requests to configured URLs.
pub fn outbound(config: &Config) -> OutboundOptions {
    OutboundOptions {
        allow: config.outbound.allow.clone(),
        timeout: config.outbound.timeout,
        ..OutboundOptions::default()
    }
}

/// The names and limits of the stream.
pub fn stream(config: &Config) -> StreamOptions {
    StreamOptions {
        name: config.stream.name.clone(),
        group: config.stream.group.clone(),
        dead_letter: config.stream.dead_letter.clone(),
        processed: config.stream.processed.clone(),
        processed_max_len: config.stream.processed_max_len,
        processed_max_bytes: config.stream.processed_max_bytes,
        dead_letter_max_bytes: config.stream.dead_letter_max_bytes,
        claim_idle: config.worker.claim_idle,
        max_backlog: config.stream.max_backlog,
        command_timeout: config.stream.command_timeout,
    }
}

/// The settings of the worker pool, with a new instance name.
pub fn worker(config: &Config) -> WorkerOptions {
    WorkerOptions {
        instance: instance(),
        tasks: config.worker.tasks,
        batch_size: config.worker.batch_size,
        claim_idle: config.worker.claim_idle,
        max_deliveries: config.worker.max_deliveries,
        max_crashes: config.worker.max_crashes,
        storage: if config.worker.store_only_matching { StoragePolicy::Matching } else { StoragePolicy::All },
        languages: languages(config),
    }
}

fn languages(config: &Config) -> LanguagePolicy {
    let inference = &config.inference;
    LanguagePolicy {
        known: inference.languages.clone(),
        others: inference.other_languages.into(),
        detect: inference.detect_language,
    }
}

/// A name for this process that is unique among all processes that share its backends.
pub fn instance() -> String {
    // 48 random bits: short enough to show on the dashboard, and practically unique among a few thousand processes.
    let random = uuid::Uuid::new_v4().simple().to_string();
    random.chars().take(12).collect()
}

/// The limits of the ingester, with a new instance name.
pub fn ingester(config: &Config) -> IngesterOptions {
    IngesterOptions {
        batch_size: config.ingester.batch_size,
        rate: config.ingester.rate,
        holder: instance(),
        ..IngesterOptions::default()
    }
}

/// The URL of the dashboard in messages to users and receivers.
pub fn external_url(config: &Config) -> String {
    let own = || {
        let port = config.server.listen.first().map_or(8000, |address| address.port);
        format!("http://localhost:{port}")
    };
    config.alerts.external_url.clone().unwrap_or_else(own)
}
