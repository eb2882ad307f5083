//! Cached answers with a time to live and single flight: concurrent requests for the same key run one query.

pub mod local;
pub mod redis;

use std::future::Future;
use std::sync::Arc;

use crate::domain::Timestamp;

pub use local::LocalCache;
pub use redis::RedisCache;

/// A cached answer.
#[derive(Clone, Debug)]
pub struct Cached {
    /// The answer's JSON.
    pub json: Arc<str>,
    /// When it was computed.
    pub cached_at: Timestamp,
    /// Whether it came from the cache.
    pub hit: bool,
}

/// The cache, on either backend. Clones share it.
#[derive(Clone)]
pub enum Cache {
    /// In this process.
    Local(LocalCache),
    /// In Redis, for all processes.
    Redis(RedisCache),
}

impl Cache {
    /// Returns the answer for `key`, or computes it with `compute` if it is missing or expired. Concurrent requests for
    /// the same key wait for a single computation. An unavailable cache is treated as empty.
    ///
    /// # Errors
    /// Those of `compute`; an error is not cached.
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

    /// Removes every answer.
    pub async fn clear(&self) {
        match self {
            Self::Local(cache) => cache.clear(),
            Self::Redis(cache) => cache.clear().await,
        }
    }
}
