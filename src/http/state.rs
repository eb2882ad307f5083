//! The state that handlers share, and their calls to the store, the stream and the model.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::cache::Cached;
use crate::domain::{Timestamp, TopicId, TopicName};

use super::admission::Admission;
use super::answer::to_json;
use super::body::BodyBudget;
use super::client::Proxies;
use super::error::ApiError;
use super::hook_cache::Hooks;
use super::inflow::Inflow;
use super::progress::Progress;
use super::turns::Turns;
use super::ws::hub::Hub;
use super::{Api, HttpOptions};

/// The minimum limit of concurrent reads per client, which applies if the server has fewer threads.
const LEAST_TURNS: usize = 2;

/// The state of the API. All threads that serve requests share it.
pub struct State {
    /// The store, the stream, the model and the other parts that the API uses.
    pub api: Api,
    /// The options of the server.
    pub options: HttpOptions,
    /// When this process started to serve.
    pub started: Timestamp,
    /// The live clients.
    pub hub: Arc<Hub>,
    /// Hits and misses of the cache.
    pub cache_use: CacheUse,
    /// The rate at which entries are appended.
    pub inflow: Inflow,
    /// Whether entries are processed and writes succeed.
    pub progress: Progress,
    /// CPU, memory and file descriptors of this process.
    pub process: metrics_process::Collector,
    /// The memory that request bodies may use.
    pub bodies: BodyBudget,
    /// The proxies in front of this server.
    pub proxies: Proxies,
    /// The budget of model tokens of each client.
    pub admission: Admission,
    /// Limits the concurrent reads of each client.
    pub turns: Turns,
    /// The webhooks that this process has parsed.
    pub hooks: Hooks,
    /// The main runtime. Store and stream are called on it, because their connections belong to the runtime that opened
    /// them.
    runtime: Handle,
}

/// Hits and misses of the cache.
#[derive(Debug, Default)]
pub struct CacheUse {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl CacheUse {
    /// The number of hits and of misses.
    pub fn counts(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    fn record(&self, hit: bool) {
        let counter = if hit { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("sentistream_cache_requests_total", "result" => if hit { "hit" } else { "miss" })
            .increment(1);
    }
}

impl State {
    /// State that uses the caller's runtime as the main runtime.
    pub fn new(api: Api, options: HttpOptions) -> Self {
        let proxies = Proxies::new(options.trusted_proxies.clone());
        let admission = Admission::new(options.analyze_budget);
        let turns = Turns::new(options.workers.max(LEAST_TURNS));
        Self {
            started: api.clock.now(),
            api,
            options,
            hub: Arc::default(),
            cache_use: CacheUse::default(),
            inflow: Inflow::default(),
            progress: Progress::default(),
            process: metrics_process::Collector::default(),
            bodies: BodyBudget::default(),
            proxies,
            admission,
            turns,
            hooks: Hooks::default(),
            runtime: Handle::current(),
        }
    }

    /// The id of the topic with this name; `None` if no name is given.
    ///
    /// # Errors
    /// 422 when there is no such topic.
    pub fn topic_id(&self, name: Option<&TopicName>) -> Result<Option<TopicId>, ApiError> {
        let Some(name) = name else { return Ok(None) };
        match self.api.topics.current().named(name) {
            Some(topic) => Ok(Some(topic.id)),
            None => Err(ApiError::invalid_field("topic", format!("there is no topic {name}"))),
        }
    }

    /// Runs `work` on the main runtime and waits for at most the request timeout. When the client disconnects or the
    /// timeout expires, `work` continues, because a transaction must not be cancelled halfway.
    ///
    /// # Errors
    /// The errors of `work`; 503 when `work` takes too long; 500 when it panics.
    pub fn run<T, E, F>(&self, work: F) -> impl Future<Output = Result<T, ApiError>> + use<T, E, F>
    where
        T: Send + 'static,
        E: Into<ApiError> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        answered(self.start(work), self.options.request_timeout)
    }

    /// As [`Self::run`], for `work` that only reads. When the client disconnects or the timeout expires, `work` is
    /// cancelled, and with it the query in the database.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn read<T, E, F>(&self, work: F) -> impl Future<Output = Result<T, ApiError>> + use<T, E, F>
    where
        T: Send + 'static,
        E: Into<ApiError> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        answered(AbortOnDropHandle::new(self.start(work)), self.options.request_timeout)
    }

    /// Starts `work` on the main runtime. `work` is boxed, so that the code of Tokio for a task is compiled once for
    /// each type of result, and not for each handler.
    fn start<R: Send + 'static>(&self, work: impl Future<Output = R> + Send + 'static) -> JoinHandle<R> {
        let work: BoxFuture<'static, R> = Box::pin(work.in_current_span());
        self.runtime.spawn(work)
    }

    /// Waits for `work` for at most the request timeout. When the client disconnects or the timeout expires, `work` is
    /// cancelled, so it must not hold a transaction.
    ///
    /// # Errors
    /// The errors of `work`; 503 when `work` takes too long.
    pub async fn cancellable<T, E: Into<ApiError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ApiError> {
        let limit = self.options.request_timeout;
        match tokio::time::timeout(limit, work).await {
            Ok(result) => result.map_err(Into::into),
            Err(_) => Err(ApiError::unavailable(format!("no answer within {} s; try again", limit.as_secs()))),
        }
    }

    /// The cached response with this key, computed if there is none or it has expired.
    ///
    /// # Errors
    /// The errors of `compute`, and the errors of [`Self::run`].
    pub fn cached<T, F>(
        &self,
        key: String,
        compute: F,
    ) -> impl Future<Output = Result<Cached, ApiError>> + use<'_, T, F>
    where
        T: Serialize,
        F: Future<Output = Result<T, ApiError>> + Send + 'static,
    {
        self.cached_json(key, Box::pin(async move { to_json(&compute.await?) }))
    }

    /// As [`Self::cached`], for one type of future, so that the code of the cache is compiled once.
    async fn cached_json(
        &self,
        key: String,
        compute: BoxFuture<'static, Result<String, ApiError>>,
    ) -> Result<Cached, ApiError> {
        let (cache, clock) = (self.api.cache.clone(), self.api.clock.clone());
        let answer = self.read(async move {
            match cache {
                Some(cache) => cache.get_or_compute(&key, compute).await,
                None => {
                    let json = compute.await?.into();
                    Ok(Cached { json, cached_at: clock.now(), hit: false })
                }
            }
        });
        let cached = answer.await?;
        self.cache_use.record(cached.hit);
        Ok(cached)
    }
}

/// The value that was cached as JSON.
///
/// # Errors
/// 503 when another version of the program wrote the value. The value expires within the TTL of the cache.
pub fn from_cached<T: DeserializeOwned>(cached: &Cached) -> Result<T, ApiError> {
    serde_json::from_str(&cached.json)
        .map_err(|_| ApiError::unavailable("a cached answer was written by another version of SentiStream; try again"))
}

/// The result of `task`, if it comes within `limit`.
async fn answered<T, E: Into<ApiError>>(
    task: impl Future<Output = Result<Result<T, E>, JoinError>>,
    limit: Duration,
) -> Result<T, ApiError> {
    match tokio::time::timeout(limit, task).await {
        Ok(Ok(result)) => result.map_err(Into::into),
        Ok(Err(panic)) => Err(ApiError::internal(panic)),
        Err(_) => Err(ApiError::unavailable(format!("no answer within {} s; try again", limit.as_secs()))),
    }
}
