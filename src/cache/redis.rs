//! A cache in Redis, for all processes.
//!
//! Within a process, concurrent equal requests share one computation, even if Redis is unavailable. Answers are stored
//! only in Redis, so clearing the cache affects every process.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fred::interfaces::KeysInterface;
use fred::types::Expiration;

use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::redis::Redis;

use super::{Cached, Ttl};

/// The longest time that a request waits for Redis before it computes the answer.
const WAIT: Duration = Duration::from_millis(100);
/// How long Redis is not used after it failed or did not answer within [`WAIT`].
const PAUSE: Duration = Duration::from_secs(1);
/// The time to live of the key `generation`, which identifies the answers that were stored since the cache was last
/// cleared. It is much longer than the time to live of any answer.
const GENERATION_MS: i64 = 600_000;
/// The maximum total size of the answers that are being computed, in bytes.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// A cache in Redis. Clones share it.
#[derive(Clone)]
pub struct RedisCache(Arc<Inner>);

struct Inner {
    redis: Redis,
    prefix: String,
    ttl: Ttl,
    clock: Clock,
    flights: moka::future::Cache<(u64, String), Cached>,
    /// Incremented when this process clears the cache. Later requests do not join computations that started earlier.
    cleared: AtomicU64,
    paused_until: Mutex<Option<Instant>>,
}

impl RedisCache {
    /// A cache at `redis` with keys `PREFIX:…`, whose answers expire after `ttl`.
    pub fn new(redis: Redis, prefix: &str, ttl: Duration, clock: Clock) -> Self {
        let weight =
            |key: &(u64, String), answer: &Cached| u32::try_from(key.1.len() + answer.json.len()).unwrap_or(u32::MAX);
        let ttl = Ttl::new(ttl);
        let flights =
            moka::future::Cache::builder().max_capacity(MAX_BYTES).weigher(weight).expire_after(ttl.clone()).build();
        let prefix = format!("{}:", prefix.trim_end_matches(':'));
        let (cleared, paused_until) = (AtomicU64::new(0), Mutex::new(None));
        Self(Arc::new(Inner { redis, prefix, ttl, clock, flights, cleared, paused_until }))
    }

    pub(super) fn ttl(&self) -> &Ttl {
        &self.0.ttl
    }

    pub(super) async fn get_or_compute<E, F>(&self, key: &str, compute: F) -> Result<Cached, E>
    where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<String, E>> + Send,
    {
        let computed = AtomicBool::new(false);
        let flight = (self.0.cleared.load(Ordering::Acquire), key.to_owned());
        let answer = self
            .0
            .flights
            .try_get_with(flight.clone(), async {
                let (generation, stored) = self.read(key).await;
                if let Some(stored) = stored {
                    return Ok(stored);
                }
                computed.store(true, Ordering::Relaxed);
                let json = compute.await?;
                let answer = Cached { json: json.into(), cached_at: self.0.clock.now(), hit: true };
                if let Some(generation) = generation {
                    self.write(key, &generation, &answer).await;
                }
                Ok(answer)
            })
            .await
            .map_err(|error: Arc<E>| (*error).clone())?;
        self.0.flights.invalidate(&flight).await;
        Ok(Cached { hit: !computed.load(Ordering::Relaxed), ..answer })
    }

    pub(super) async fn clear(&self) {
        self.0.cleared.fetch_add(1, Ordering::AcqRel);
        let key = self.key("generation");
        let new = uuid::Uuid::new_v4().to_string();
        let set = self.0.redis.run(|client| async move {
            client.set::<(), _, _>(key, new, Some(Expiration::PX(GENERATION_MS)), None, false).await
        });
        if let Err(error) = set.await {
            tracing::debug!(%error, "cache not cleared: stored answers stay until they expire");
        }
    }

    /// Reads the current generation (`None` when Redis is unavailable), and the answer if it belongs to that generation
    /// and has not expired.
    async fn read(&self, key: &str) -> (Option<String>, Option<Cached>) {
        let (generation, key) = (self.key("generation"), self.key(&format!("answer:{key}")));
        let read = self.within(self.0.redis.run(|client| async move {
            tokio::try_join!(client.get::<Option<String>, _>(generation), client.get::<Option<String>, _>(key))
        }));
        let Some((generation, stored)) = read.await else { return (None, None) };
        let generation = generation.unwrap_or_default();
        let answer = stored.and_then(|stored| self.parse(&stored, &generation));
        (Some(generation), answer)
    }

    fn parse(&self, stored: &str, generation: &str) -> Option<Cached> {
        let (cached_at, rest) = stored.split_once('\n')?;
        let (of, json) = rest.split_once('\n')?;
        let cached_at = Timestamp::from_micros(cached_at.parse().ok()?)?;
        let is_young = self.0.clock.now().since(cached_at) < self.0.ttl.get();
        (of == generation && is_young).then(|| Cached { json: json.into(), cached_at, hit: true })
    }

    async fn write(&self, key: &str, generation: &str, answer: &Cached) {
        let key = self.key(&format!("answer:{key}"));
        let value = format!("{}\n{generation}\n{}", answer.cached_at.as_micros(), answer.json);
        let ttl = Expiration::PX(i64::try_from(self.0.ttl.get().as_millis()).unwrap_or(i64::MAX).max(1));
        let set =
            self.0.redis.run(|client| async move { client.set::<(), _, _>(key, value, Some(ttl), None, false).await });
        self.within(set).await;
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.0.prefix)
    }

    /// The result of `work`; `None` if it fails, takes longer than [`WAIT`], or would begin during a [`PAUSE`].
    async fn within<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Option<T> {
        let paused = |until: &Option<Instant>| until.is_some_and(|until| Instant::now() < until);
        if paused(&self.0.paused_until.lock().unwrap_or_else(PoisonError::into_inner)) {
            return None;
        }
        let answer = tokio::time::timeout(WAIT, work).await.ok().and_then(Result::ok);
        if answer.is_none() {
            *self.0.paused_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + PAUSE);
        }
        answer
    }
}
