//! Converts the configuration to the options of each module and role.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::accounts::SessionOptions;
use crate::alerts::AlertsOptions;
use crate::backups::BackupOptions;
use crate::config::{
    self, Address, AuthConfig, Backends, CalibrationRef, Config, DeviceRef, ModelRef, Role, RouteConfig,
};
use crate::domain::alert::{Class, Condition, Direction, Distinct, GroupBy, Labels, NoData, RuleSpec, Scope, Severity};
use crate::domain::notify::{Receiver, Secrets};
use crate::domain::{Sentiment, TopicOrigin};
use crate::http::auth::jwt::{JwtKey, JwtOptions};
use crate::http::auth::tokens::StaticToken;
use crate::http::auth::{AuthOptions, Scope as TokenScope};
use crate::http::{Adjustable, AnalyzeBudget, HttpOptions, LiveOptions, RateLimit};
use crate::inference::{
    CalibrationSource, DeviceChoice, HubModel, HubOptions, InferenceOptions, MissingEmotions, ModelSource,
};
use crate::ingester::IngesterOptions;
use crate::language::LanguagePolicy;
use crate::notify::NotifyOptions;
use crate::notify::receivers::{SmtpCredentials, SmtpOptions, SmtpSecurity};
use crate::notify::retry::RetryOptions;
use crate::notify::setup::ReceiverWithSecrets;
use crate::outbound::OutboundOptions;
use crate::store::topics::{ExistingPosts, NewTopic};
use crate::store::{Keep, PostgresOptions, Retention};
use crate::stream::StreamOptions;
use crate::telemetry::trace::TraceOptions;
use crate::topics::Query;
use crate::worker::{StoragePolicy, WorkerOptions};

/// `None`: tracing is off.
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

/// The options of the engine.
///
/// # Errors
/// When the engine does not support a configured value.
pub fn inference(config: &Config) -> anyhow::Result<InferenceOptions> {
    let inference = &config.inference;
    Ok(InferenceOptions {
        model: model(&inference.model),
        emotion_model: inference.emotion_model.as_ref().map(model),
        missing_emotions: MissingEmotions::Builtin,
        threads: inference.threads,
        cores: None,
        precision: inference.precision,
        device: match inference.device {
            DeviceRef::Auto => DeviceChoice::Auto,
            DeviceRef::Cpu => DeviceChoice::Cpu,
            DeviceRef::Cuda(number) => DeviceChoice::Cuda(number),
        },
        instructions: inference.instructions,
        exits: inference.exits,
        exit_thresholds: inference.exit_thresholds.clone(),
        answer_cache_bytes: inference.answer_cache_bytes,
        max_batch_tokens: inference.max_batch_tokens,
        max_windows: inference.max_windows,
        max_queued_texts: inference.max_queued_texts,
        max_wait: inference.max_wait,
        labels: inference.labels.clone(),
        emotion_labels: inference.emotion_labels.clone(),
        neutral_margin: inference.neutral_margin as f32,
        emotion_threshold: inference.emotion_threshold as f32,
        calibration: match &inference.calibration {
            CalibrationRef::Auto => CalibrationSource::Stored,
            CalibrationRef::Off => CalibrationSource::Off,
            CalibrationRef::File(path) => CalibrationSource::File(path.clone()),
        },
        hub: HubOptions {
            cache: inference.hub.cache(),
            endpoint: inference.hub.endpoint.clone(),
            token: inference.hub.token(),
            offline: inference.hub.offline,
            silence_limit: inference.hub.timeout,
        },
    })
}

/// The options of the engine of a route. Settings that belong to `inference.model` do not apply to it.
///
/// # Errors
/// When the engine does not support a configured value.
pub fn route(config: &Config, route: &RouteConfig) -> anyhow::Result<InferenceOptions> {
    let calibration = match &config.inference.calibration {
        CalibrationRef::Off => CalibrationSource::Off,
        CalibrationRef::Auto | CalibrationRef::File(_) => CalibrationSource::Stored,
    };
    Ok(InferenceOptions {
        model: model(&route.model),
        emotion_model: route.emotion_model.as_ref().map(model),
        missing_emotions: MissingEmotions::Neutral,
        exit_thresholds: BTreeMap::new(),
        labels: route.labels.clone(),
        emotion_labels: BTreeMap::new(),
        calibration,
        ..inference(config)?
    })
}

/// The model source of the engine.
pub fn model(reference: &ModelRef) -> ModelSource {
    match reference {
        ModelRef::Builtin => ModelSource::Builtin,
        ModelRef::Folder(path) => ModelSource::Directory(path.clone()),
        ModelRef::Hub { repository, revision } => {
            ModelSource::Hub(HubModel { repository: repository.clone(), revision: revision.clone() })
        }
    }
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

/// The alert lease expires after this many intervals.
const LEASE_INTERVALS: u32 = 3;

/// The maximum interval between two evaluations of a rule.
const LONGEST_INTERVAL: Duration = Duration::from_secs(86_400);

/// The settings of the alerts role: the built-in rules, then the rules of the configuration.
pub fn alerts(config: &Config) -> AlertsOptions {
    let alerts = &config.alerts;
    AlertsOptions {
        interval: alerts.interval,
        max_lateness: alerts.max_lateness,
        rules: alert_rules(config).into(),
        holder: instance(),
        lease_ttl: alerts.interval * LEASE_INTERVALS,
    }
}

/// The built-in rules, then the rules of the configuration.
pub fn alert_rules(config: &Config) -> Vec<RuleSpec> {
    let mut rules = default_rules(&config.alerts);
    rules.extend(config.alerts.rules.iter().cloned());
    rules
}

/// Interval of the check for due notifications.
const NOTIFY_INTERVAL: Duration = Duration::from_secs(1);
/// Time to live of the notification lease.
const NOTIFY_LEASE: Duration = Duration::from_secs(30);

/// # Errors
/// When the mail server's certificate cannot be read.
pub fn notify(config: &Config) -> anyhow::Result<NotifyOptions> {
    let alerts = &config.alerts;
    Ok(NotifyOptions {
        interval: NOTIFY_INTERVAL,
        holder: instance(),
        lease_ttl: NOTIFY_LEASE,
        external_url: external_url(config),
        receivers: receivers(&alerts.receivers),
        routes: alerts.routes.clone(),
        mute_timings: alerts.mute_timings.clone(),
        inhibit_rules: alerts.inhibit_rules.clone(),
        smtp: smtp(&alerts.smtp)?,
        allow_commands: alerts.allow_commands,
        retry: RetryOptions { give_up_after: alerts.give_up_after, ..RetryOptions::default() },
    })
}

fn receivers(given: &[(Receiver, Secrets)]) -> Vec<ReceiverWithSecrets> {
    let receiver = |(receiver, secrets): &(Receiver, Secrets)| ReceiverWithSecrets {
        receiver: receiver.clone(),
        secrets: secrets.clone(),
    };
    given.iter().map(receiver).collect()
}

fn smtp(smtp: &config::SmtpConfig) -> anyhow::Result<Option<SmtpOptions>> {
    let (Some(host), Some(from)) = (&smtp.host, &smtp.from) else { return Ok(None) };
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).with_context(|| format!("alerts.smtp.ca_file: cannot read {}", path.display()))
    };
    Ok(Some(SmtpOptions {
        host: host.clone(),
        port: smtp.port,
        security: match smtp.security {
            config::SmtpSecurity::StartTls => SmtpSecurity::StartTls,
            config::SmtpSecurity::Tls => SmtpSecurity::Tls,
            config::SmtpSecurity::None => SmtpSecurity::Plain,
        },
        credentials: smtp
            .username
            .clone()
            .map(|username| SmtpCredentials { username, password: smtp.password.clone().unwrap_or_default() }),
        from: from.clone(),
        authority: smtp.ca_file.as_ref().map(read).transpose()?,
    }))
}

/// The URL of the dashboard in messages to users and receivers.
pub fn external_url(config: &Config) -> String {
    let own = || {
        let port = config.server.listen.first().map_or(8000, |address| address.port);
        format!("http://localhost:{port}")
    };
    config.alerts.external_url.clone().unwrap_or_else(own)
}

/// The alert rules that the values of `[alerts]` define.
fn default_rules(alerts: &config::AlertsConfig) -> Vec<RuleSpec> {
    let [share, ratio, spike] = config::PROVISIONED;
    let negative = Class::Sentiment(Sentiment::Negative);
    let significance = Some(alerts.significance);
    let rule = |name: &str, condition: Condition, summary: &str| RuleSpec {
        name: name.to_owned(),
        enabled: true,
        condition,
        scope: Scope::All,
        group_by: GroupBy::SourceAndTotal,
        window: alerts.window,
        interval: alerts.interval.min(LONGEST_INTERVAL),
        min_posts: i64::from(alerts.min_posts),
        min_authors: i64::from(alerts.min_authors),
        distinct: Distinct::Texts,
        no_data: NoData::Resolve,
        delay: None,
        pending_for: Duration::ZERO,
        keep_firing_for: alerts.keep_firing_for,
        recovery_threshold: Some(condition.threshold() * RECOVERY),
        severity: Severity::Warning,
        // The first of the alerts with the same incident notifies (alerts.inhibit_rules).
        labels: Labels::from([("incident".to_owned(), "negative_mood".to_owned())]),
        annotations: Labels::from([("summary".to_owned(), summary.to_owned())]),
    };
    let (threshold, direction) = (alerts.negative_share, Direction::Above);
    let share_above = Condition::Share { of: negative, direction, threshold, significance };
    let ratio_above = Condition::Ratio { threshold: alerts.negative_ratio, significance };
    vec![
        rule(share, share_above, "{{source}}: {{value}} of {{posts}} posts are negative"),
        // The usual ratio differs between sources, so this rule counts the posts of all sources together.
        RuleSpec {
            group_by: GroupBy::None,
            ..rule(ratio, ratio_above, "{{source}}: {{value}} negative posts per positive one, of {{posts}} posts")
        },
        rule(
            spike,
            Condition::Spike { of: negative, threshold: alerts.negative_spike },
            "{{source}}: far more negative posts than usual ({{baseline}}), among {{posts}} posts",
        ),
    ]
}

/// The default rules recover below this fraction of their threshold.
const RECOVERY: f64 = 0.8;

/// # Errors
/// When an address to listen on cannot be resolved.
pub async fn http(config: &Config) -> anyhow::Result<HttpOptions> {
    let server = &config.server;
    let listen: Vec<&Address> =
        if config.has_role(Role::Api) { server.listen.iter().collect() } else { server.ops_listen.iter().collect() };
    let Adjustable { rate_limit, analyze_budget, audit_retention } = adjustable(config);
    Ok(HttpOptions {
        listen: resolve(&listen).await?,
        workers: server.workers.unwrap_or_else(default_http_workers),
        cors_origins: server.cors_origins.clone(),
        auth: server.auth.is_configured().then(|| auth(&server.auth)),
        sessions: SessionOptions { idle: server.auth.sessions.idle, absolute: server.auth.sessions.absolute },
        rate_limit,
        trusted_proxies: server.trusted_proxies.clone(),
        analyze_budget,
        audit_retention,
        oidc: super::oidc::provider(config)?,
        external_url: external_url(config),
        max_body: server.body_limit,
        request_timeout: server.request_timeout,
        drain: config.shutdown.grace / 2,
        live: LiveOptions {
            metrics_interval: server.websocket.metrics_interval,
            ping_interval: server.websocket.ping_interval,
            silence_limit: server.websocket.timeout,
            buffer: server.websocket.buffer,
            slow_limit: server.websocket.slow_limit,
            max_clients: server.websocket.max_clients,
            max_per_client: server.websocket.max_per_client,
        },
        ..HttpOptions::default()
    })
}

/// The options of the server that may change while it runs.
pub fn adjustable(config: &Config) -> Adjustable {
    let server = &config.server;
    Adjustable {
        rate_limit: server.rate_limit.map(|per_second| RateLimit { per_second, burst: server.rate_burst }),
        analyze_budget: server.analyze_rate.map(|per_second| AnalyzeBudget { per_second, burst: server.analyze_burst }),
        audit_retention: config.retention.audit,
    }
}

async fn resolve(addresses: &[&Address]) -> anyhow::Result<Vec<SocketAddr>> {
    let mut resolved = Vec::new();
    for address in addresses {
        let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
        let first = found.ok().and_then(|mut found| found.next());
        resolved.push(first.with_context(|| format!("the address {address} of server.listen cannot be resolved"))?);
    }
    Ok(resolved)
}

fn default_http_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(4)
}

fn auth(auth: &AuthConfig) -> AuthOptions {
    let scope = |scope: &config::Scope| match scope {
        config::Scope::Read => TokenScope::Read,
        config::Scope::Write => TokenScope::Write,
        config::Scope::Respond => TokenScope::Respond,
        config::Scope::Edit => TokenScope::Edit,
        config::Scope::Admin => TokenScope::Admin,
    };
    let token = |token: &config::TokenConfig| StaticToken {
        name: token.name.clone(),
        sha256: token.sha256,
        scopes: token.scopes.iter().map(scope).collect(),
    };
    AuthOptions { tokens: auth.tokens.iter().map(token).collect(), jwt: auth.jwt.as_ref().map(jwt) }
}

fn jwt(jwt: &config::JwtConfig) -> JwtOptions {
    let key = match &jwt.key {
        config::JwtKey::Hs256(secret) => JwtKey::Hs256(secret.clone()),
        config::JwtKey::Rs256(pem) => JwtKey::Rs256(pem.clone()),
        config::JwtKey::EdDsa(pem) => JwtKey::EdDsa(pem.clone()),
    };
    JwtOptions { key, issuer: jwt.issuer.clone(), audience: jwt.audience.clone(), leeway_s: jwt.leeway.as_secs() }
}
