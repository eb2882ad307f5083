//! Cached answers with a time to live and single flight: concurrent requests for the same key run one query.

pub mod local;
pub mod redis;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::domain::Timestamp;

pub use local::LocalCache;
pub use redis::RedisCache;

/// A cached answer.
#[derive(Clone, Debug)]
pub struct Cached {
    /// The answer's JSON.
    pub json: Arc<str>,
    /// When the answer was computed.
    pub cached_at: Timestamp,
    /// Whether the answer came from the cache.
    pub hit: bool,
}

/// The cache, in memory or in Redis. Clones share it.
#[derive(Clone)]
pub enum Cache {
    /// A cache in this process.
    Local(LocalCache),
    /// A cache in Redis, for all processes.
    Redis(RedisCache),
}

impl Cache {
    /// Returns the answer for `key`, or computes it with `compute` if it is missing or expired. Concurrent requests for
    /// the same key wait for a single computation. An unavailable cache is treated as empty.
    ///
    /// # Errors
    /// The error of `compute`, which is not cached.
    pub async fn get_or_compute<E, F>(&self, key: &str, compute: F) -> Result<Cached, E>
    where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<String, E>> + Send,
    {
        match self {
            Self::Local(cache) => cache.get_or_compute(key, compute).await,
            Self::Redis(cache) => cache.get_or_compute(key, compute).await,
        }
    }

    /// Changes how long this process reuses answers. If the time differs from the current one, removes every answer.
    /// Other processes keep their time to live.
    pub async fn set_ttl(&self, ttl: Duration) {
        let current = match self {
            Self::Local(cache) => cache.ttl(),
            Self::Redis(cache) => cache.ttl(),
        };
        if current.get() != ttl {
            current.set(ttl);
            // Stored answers expire after the old time to live, so they are removed.
            self.clear().await;
        }
    }

    /// Removes every answer.
    pub async fn clear(&self) {
        match self {
            Self::Local(cache) => cache.clear(),
            Self::Redis(cache) => cache.clear().await,
        }
    }
}

/// How long answers are reused. Clones share the value, which may change.
#[derive(Clone, Debug)]
struct Ttl(Arc<AtomicU64>);

impl Ttl {
    fn new(ttl: Duration) -> Self {
        let shared = Self(Arc::default());
        shared.set(ttl);
        shared
    }

    fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, ttl: Duration) {
        self.0.store(u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl<K, V> moka::Expiry<K, V> for Ttl {
    fn expire_after_create(&self, _: &K, _: &V, _: Instant) -> Option<Duration> {
        Some(self.get())
    }
}
