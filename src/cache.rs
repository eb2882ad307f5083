//! Cached answers with a time to live and single flight: many equal questions cost one query.

use std::future::Future;
use std::sync::Arc;

use crate::domain::Timestamp;

/// A cached answer.
#[derive(Clone, Debug)]
pub struct Cached {
    /// The answer's JSON.
    pub json: Arc<str>,
    /// When it was computed.
    pub cached_at: Timestamp,
    /// Whether it was there already.
    pub hit: bool,
}

/// The cache. Clones share it.
#[derive(Clone)]
pub struct Cache {}

#[expect(clippy::todo, clippy::unused_async, reason = "signatures first")]
impl Cache {
    /// The answer under `key`, computed by `compute` if there is none younger than the time to live.
    /// Equal questions asked meanwhile wait for the same computation. A cache that is away is as good as empty.
    ///
    /// # Errors
    /// Those of `compute`; an error is not cached.
    pub async fn get_or_compute<E, F>(&self, _key: &str, _compute: F) -> Result<Cached, E>
    where
        E: Clone + Send + Sync + 'static,
        F: Future<Output = Result<String, E>> + Send,
    {
        todo!()
    }

    /// Drops every answer.
    pub async fn clear(&self) {
        todo!()
    }
}
