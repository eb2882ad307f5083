//! Settings in the words of each room and role.

use std::net::SocketAddr;

use anyhow::Context as _;

use crate::alerts::AlertsOptions;
use crate::alerts::rules::{Measure, Rule};
use crate::config::{self, Address, AuthConfig, Backends, CalibrationRef, Config, ModelRef, Role};
use crate::http::auth::AuthOptions;
use crate::http::auth::jwt::{JwtKey, JwtOptions};
use crate::http::auth::tokens::StaticToken;
use crate::http::{HttpOptions, LiveOptions, RateLimit};
use crate::inference::{CalibrationSource, HubModel, HubOptions, InferenceOptions, ModelSource};
use crate::ingester::IngesterOptions;
use crate::language::{LanguagePolicy, OtherLanguages};
use crate::outbound::OutboundOptions;
use crate::store::{PostgresOptions, Retention};
use crate::stream::StreamOptions;
use crate::worker::WorkerOptions;

pub fn retention(config: &Config) -> Retention {
    Retention { minute_rollups: config.retention.minute_rollups }
}

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

pub fn outbound(config: &Config) -> OutboundOptions {
    OutboundOptions {
        allow: config.outbound.allow.clone(),
        timeout: config.outbound.timeout,
        ..OutboundOptions::default()
    }
}

pub fn stream(config: &Config) -> StreamOptions {
    StreamOptions {
        name: config.stream.name.clone(),
        group: config.stream.group.clone(),
        dead_letter: config.stream.dead_letter.clone(),
        processed: config.stream.processed.clone(),
        processed_max_len: config.stream.processed_max_len,
        claim_idle: config.worker.claim_idle,
        max_backlog: config.stream.max_backlog,
        command_timeout: config.stream.command_timeout,
    }
}

pub fn worker(config: &Config) -> WorkerOptions {
    WorkerOptions {
        instance: instance(),
        tasks: config.worker.tasks,
        batch_size: config.worker.batch_size,
        claim_idle: config.worker.claim_idle,
        max_deliveries: config.worker.max_deliveries,
        languages: languages(config),
    }
}

fn languages(config: &Config) -> LanguagePolicy {
    let inference = &config.inference;
    LanguagePolicy {
        known: inference.languages.clone(),
        others: match inference.other_languages {
            config::OtherLanguages::Analyze => OtherLanguages::Analyze,
            config::OtherLanguages::Neutral => OtherLanguages::Neutral,
            config::OtherLanguages::Skip => OtherLanguages::Skip,
        },
        detect: inference.detect_language,
    }
}

/// A name for this process among all that share its backends.
pub fn instance() -> String {
    // 48 random bits: short enough to read on the dashboard, and never the same among a few thousand processes.
    let random = uuid::Uuid::new_v4().simple().to_string();
    random.chars().take(12).collect()
}

/// # Errors
/// When a word of the config is unknown to the engine.
pub fn inference(config: &Config) -> anyhow::Result<InferenceOptions> {
    let inference = &config.inference;
    Ok(InferenceOptions {
        model: model(&inference.model),
        emotion_model: inference.emotion_model.as_ref().map(model),
        threads: inference.threads,
        precision: inference.precision.as_str().parse()?,
        max_batch_tokens: inference.max_batch_tokens,
        max_windows: inference.max_windows,
        max_queued_texts: inference.max_queued_texts,
        max_wait: inference.max_wait,
        labels: inference.labels.clone(),
        emotion_labels: inference.emotion_labels.clone(),
        neutral_margin: inference.neutral_margin as f32,
        calibration: match &inference.calibration {
            CalibrationRef::Auto => CalibrationSource::Stored,
            CalibrationRef::Off => CalibrationSource::Off,
            CalibrationRef::File(path) => CalibrationSource::File(path.clone()),
        },
        hub: HubOptions {
            cache: inference.hub.cache(),
            endpoint: inference.hub.endpoint.clone(),
            token: inference.hub.token.clone(),
            offline: inference.hub.offline,
            silence_limit: inference.hub.timeout,
        },
    })
}

/// A model in the words of the engine.
pub fn model(reference: &ModelRef) -> ModelSource {
    match reference {
        ModelRef::Builtin => ModelSource::Builtin,
        ModelRef::Folder(path) => ModelSource::Directory(path.clone()),
        ModelRef::Hub { repository, revision } => {
            ModelSource::Hub(HubModel { repository: repository.clone(), revision: revision.clone() })
        }
    }
}

pub fn ingester(config: &Config) -> IngesterOptions {
    IngesterOptions {
        batch_size: config.ingester.batch_size,
        rate: config.ingester.rate,
        holder: instance(),
        ..IngesterOptions::default()
    }
}

/// An instance that has been silent for this many intervals is succeeded by another.
const LEASE_INTERVALS: u32 = 3;

pub fn alerts(config: &Config) -> AlertsOptions {
    let alerts = &config.alerts;
    let rule = |measure, threshold| Rule { measure, threshold, min_posts: i64::from(alerts.min_posts) };
    AlertsOptions {
        interval: alerts.interval,
        window: alerts.window,
        max_lateness: alerts.max_lateness,
        rules: vec![
            rule(Measure::NegativeShare, alerts.negative_share),
            rule(Measure::NegativeRatio, alerts.negative_ratio),
        ],
        holder: instance(),
        lease_ttl: alerts.interval * LEASE_INTERVALS,
    }
}

/// # Errors
/// When an address to listen on cannot be resolved.
pub async fn http(config: &Config) -> anyhow::Result<HttpOptions> {
    let server = &config.server;
    let listen: Vec<&Address> =
        if config.has_role(Role::Api) { server.listen.iter().collect() } else { server.ops_listen.iter().collect() };
    Ok(HttpOptions {
        listen: resolve(&listen).await?,
        workers: server.workers.unwrap_or_else(default_http_workers),
        cors_origins: server.cors_origins.clone(),
        auth: server.auth.is_configured().then(|| auth(&server.auth)),
        rate_limit: server.rate_limit.map(|per_second| RateLimit { per_second, burst: server.rate_burst }),
        trusted_proxies: server.trusted_proxies.clone(),
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
        },
        ..HttpOptions::default()
    })
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
    let scopes = |scopes: &[config::Scope]| scopes.iter().filter_map(|scope| scope.as_str().parse().ok()).collect();
    let token = |token: &config::TokenConfig| StaticToken {
        name: token.name.clone(),
        sha256: token.sha256,
        scopes: scopes(&token.scopes),
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
