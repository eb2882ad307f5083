//! The composition root: it opens the shared modules (`services` on the crate page) from the configuration and starts
//! the roles. It is the only module that imports all others.

mod demo;
mod lock;
mod model;
pub mod oidc;
mod options;
pub mod routes;
mod serve;
mod settings;
pub mod sign_in;
mod sources;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use crate::cache::{Cache, LocalCache, RedisCache};
use crate::clock::Clock;
use crate::config::{Backends, Config};
use crate::inference::routes::Routes;
use crate::inference::{ActiveClassifier, Engine, InferenceError, InferenceOptions, SharedClassifier};
use crate::live::{Channels, LiveBus, LocalBus, RedisBus};
use crate::outbound::Outbound;
use crate::redis::{Redis, RedisOptions};
use crate::secrets::Vault;
use crate::sqlite::{Sqlite, SqliteOptions};
use crate::store::Store;
use crate::store::settings::StoredSetting;
use crate::stream::{LocalStream, RedisStream, Stream};
use crate::topics::Topics;
use crate::worker::Worker;

pub use lock::InUse;
pub use options::{alerts as alert_options, external_url, inference as inference_options, model as model_source};
pub use serve::{Parts, Running, serve, start};

/// Whether a process serves from the embedded database of `config`; `None` with Postgres, where this is unknown.
pub fn is_served(config: &Config) -> Option<bool> {
    match &config.backends {
        Backends::Embedded { path } => Some(lock::is_held(path)),
        Backends::Shared { .. } => None,
    }
}

/// The modules that roles and commands share: store, stream, cache and others. Clones share their state.
#[derive(Clone)]
pub struct Services {
    /// The database of posts, analyses and alerts.
    pub store: Store,
    /// The tracked topics.
    pub topics: Topics,
    /// The queue of posts between sources and workers.
    pub stream: Stream,
    /// Publishes analysed posts and other events to live clients.
    pub live: LiveBus,
    /// The cache of API answers.
    pub cache: Cache,
    /// Sends requests to configured URLs.
    pub outbound: Outbound,
    /// The clock of all modules; tests replace it.
    pub clock: Clock,
}

/// Opens the shared modules. The embedded database is migrated, because its queue needs the tables. Postgres and Redis
/// may be unavailable: connections are opened on first use.
///
/// # Errors
/// When the embedded database cannot be opened or migrated, the key file cannot be used, or a URL is malformed.
pub async fn open(config: &Config, clock: Clock) -> anyhow::Result<Services> {
    let stream = options::stream(config);
    let outbound = Outbound::new(options::outbound(config))?;
    match &config.backends {
        Backends::Embedded { .. } => {
            let sqlite = open_sqlite(config)?;
            let store = Store::sqlite(sqlite.clone(), options::retention(config), clock.clone())
                .keeping(options::keep(config))
                .sealing(vault(config)?);
            store.migrate().await?;
            Ok(Services {
                topics: Topics::new(store.clone()),
                store,
                stream: Stream::Local(LocalStream::open(sqlite, stream, clock.clone()).await?),
                live: LiveBus::Local(LocalBus::default()),
                cache: Cache::Local(LocalCache::new(config.cache.ttl, clock.clone())),
                outbound,
                clock,
            })
        }
        Backends::Shared { stream: url, .. } => {
            let redis = Redis::connect(&RedisOptions {
                url: url.clone(),
                ca_file: config.stream.ca_file.clone(),
                command_timeout: config.stream.command_timeout,
            })
            .context("stream.url")?;
            let channels = Channels {
                updates: config.stream.updates_channel.clone(),
                events: config.stream.events_channel.clone(),
            };
            let cache = RedisCache::new(redis.clone(), &config.cache.prefix, config.cache.ttl, clock.clone());
            let store = open_postgres(config, clock.clone()).context("database.url")?;
            Ok(Services {
                topics: Topics::new(store.clone()),
                store,
                stream: Stream::Redis(RedisStream::connect(redis.clone(), stream)?),
                live: LiveBus::Redis(RedisBus::new(redis, channels)),
                cache: Cache::Redis(cache),
                outbound,
                clock,
            })
        }
    }
}

/// Opens only the store, without migrating the database.
///
/// # Errors
/// When the embedded database cannot be opened, the key file cannot be used, or the URL is malformed.
pub fn open_store(config: &Config, clock: Clock) -> anyhow::Result<Store> {
    let retention = options::retention(config);
    match &config.backends {
        Backends::Embedded { .. } => Ok(Store::sqlite(open_sqlite(config)?, retention, clock)
            .keeping(options::keep(config))
            .sealing(vault(config)?)),
        Backends::Shared { .. } => open_postgres(config, clock).context("database.url"),
    }
}

/// Reads the settings that are stored in the database, without migrating the database.
///
/// # Errors
/// When the database cannot be opened or read.
pub async fn stored_settings(config: &Config, clock: Clock) -> anyhow::Result<Vec<StoredSetting>> {
    let retention = options::retention(config);
    let store = match options::postgres(config) {
        Some(postgres) => Store::postgres(&postgres, retention, clock)?,
        None => Store::sqlite(open_sqlite(config)?, retention, clock),
    };
    Ok(store.settings().await?)
}

/// The keys for encrypting secrets in the database. Without `database.key_file`, the embedded database has a key file
/// beside it.
///
/// # Errors
/// When the key file cannot be used.
fn vault(config: &Config) -> anyhow::Result<Option<Vault>> {
    match (&config.database.key_file, &config.backends) {
        (Some(path), _) => Ok(Some(Vault::open(path).context("database.key_file")?)),
        (None, Backends::Embedded { path }) => Ok(Some(Vault::open_or_create(&key_file(path))?)),
        (None, Backends::Shared { .. }) => Ok(None),
    }
}

/// The key file of the embedded database at `path`. If `path` is a symbolic link, a key file beside the link is used
/// only if it exists.
fn key_file(path: &Path) -> PathBuf {
    let beside = |path: PathBuf| {
        let mut name = path.into_os_string();
        name.push(".key");
        PathBuf::from(name)
    };
    let key = beside(path.to_owned());
    if path.is_symlink() && key.symlink_metadata().is_err() { beside(lock::resolved(path)) } else { key }
}

/// The path of the key file; `None` when secrets are not encrypted.
pub fn key_file_in_use(config: &Config) -> Option<PathBuf> {
    config.database.key_file.clone().or_else(|| match &config.backends {
        Backends::Embedded { path } => Some(key_file(path)),
        Backends::Shared { .. } => None,
    })
}

fn open_sqlite(config: &Config) -> anyhow::Result<Sqlite> {
    let Backends::Embedded { path } = &config.backends else {
        anyhow::bail!("this needs the embedded database: set database.url to sqlite://PATH")
    };
    Ok(Sqlite::open(&SqliteOptions {
        path: path.clone(),
        readers: config.database.max_connections,
        read_timeout: config.database.statement_timeout,
        busy_timeout: config.database.connect_timeout,
    })?)
}

fn open_postgres(config: &Config, clock: Clock) -> anyhow::Result<Store> {
    match options::postgres(config) {
        Some(postgres) => Ok(Store::postgres(&postgres, options::retention(config), clock)?
            .keeping(options::keep(config))
            .sealing(vault(config)?)),
        None => anyhow::bail!("this needs Postgres: set database.url to postgres://USER:PASSWORD@HOST/NAME"),
    }
}

/// Loads the model that `config` names, on a thread outside of the async runtime.
///
/// # Errors
/// When the model cannot be found, read or parsed.
pub async fn load_classifier(config: &Config) -> anyhow::Result<SharedClassifier> {
    Ok(load_engine(options::inference(config)?).await?)
}

/// Loads an engine on a thread outside of the async runtime.
async fn load_engine(options: InferenceOptions) -> Result<SharedClassifier, InferenceError> {
    let loaded = tokio::task::spawn_blocking(move || Engine::load(&options)).await;
    let engine = loaded.map_err(|panic| InferenceError::Unavailable(panic.to_string()))??;
    Ok(Arc::new(engine))
}

/// The classifier of a command: the local model, or the language model (`[llm]`) if the local model cannot be loaded. A
/// text in a language of a route (`[[inference.routes]]`) is classified by the model of that route.
///
/// # Errors
/// When there is no model, or a route cannot be used.
pub async fn load_command_classifier(config: &Config) -> anyhow::Result<SharedClassifier> {
    let clock = Clock::system();
    let routes = routes::build(config, routes::cores(config), clock.clone()).await?;
    let loader = model::Loader { config: config.clone(), llm: model::llm(&config.llm, &clock)?, cores: None };
    Ok(routes.over(loader.load().await?.into_classifier()))
}

/// Creates the worker from the configuration and the shared modules. The worker has no models for other languages
/// and gets no second opinions of the language model.
pub fn worker(config: &Config, services: &Services, classifier: ActiveClassifier) -> Worker {
    Worker {
        stream: services.stream.clone(),
        store: services.store.clone(),
        live: services.live.clone(),
        cache: services.cache.clone(),
        classifier,
        routes: Routes::default(),
        topics: services.topics.clone(),
        second_opinion: None,
        topic_doubts: None,
        clock: services.clock.clone(),
        options: options::worker(config),
    }
}
