//! A cache in this process.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;

use super::{Cached, Ttl};

/// The maximum total size of the stored answers, in bytes.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// A cache in this process, of at most 32 MiB. Clones share it.
#[derive(Clone)]
pub struct LocalCache {
    answers: moka::future::Cache<(u64, String), Cached>,
    /// Incremented when the cache is cleared, so that the result of a computation that started earlier is not returned
    /// to later requests.
    generation: Arc<AtomicU64>,
    ttl: Ttl,
    clock: Clock,
}

impl LocalCache {
    /// An empty cache whose answers expire after `ttl`.
    pub fn new(ttl: Duration, clock: Clock) -> Self {
        let weight =
            |key: &(u64, String), answer: &Cached| u32::try_from(key.1.len() + answer.json.len()).unwrap_or(u32::MAX);
        let ttl = Ttl::new(ttl);
        let answers =
            moka::future::Cache::builder().max_capacity(MAX_BYTES).weigher(weight).expire_after(ttl.clone()).build();
        Self { answers, generation: Arc::default(), ttl, clock }
    }

    pub(super) fn ttl(&self) -> &Ttl {
        &self.ttl
    }

    pub(super) async fn get_or_compute<E, F>(&self, key: &str, compute: F) -> Result<Cached, E>
    where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<String, E>> + Send,
    {
        let computed = AtomicBool::new(false);
        let key = (self.generation.load(Ordering::Acquire), key.to_owned());
        let answer = self
            .answers
            .try_get_with(key, async {
                computed.store(true, Ordering::Relaxed);
                let json = compute.await?;
                Ok(Cached { json: json.into(), cached_at: self.clock.now(), hit: true })
            })
            .await
            .map_err(|error: Arc<E>| (*error).clone())?;
        Ok(Cached { hit: !computed.load(Ordering::Relaxed), ..answer })
    }

    pub(super) fn clear(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.answers.invalidate_all();
    }
}
