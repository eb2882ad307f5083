//! Scans: queries whose cost depends on the number of posts instead of buckets, such as searches and distant pages.
//!
//! Only a few scans run at once, so that connections (and with the embedded database also cores) remain available for
//! writes and for cheap queries. Further scans wait for a permit until the deadline of their request.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PostgresOptions;
use super::posts::{CountedFrom, PostFilter, Start};

/// The largest page size, and the largest offset of a page, for which no permit is needed.
const SHORT: i64 = 1_000;

/// Permits for scans. Clones share them.
#[derive(Clone)]
pub struct Scans(Arc<Semaphore>);

impl Scans {
    /// Permits for the embedded database: half of the cores, and at least two, because its queries run in this process.
    pub fn on_cores() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::of((cores / 2).max(2))
    }

    /// Permits for Postgres. A quarter of the connections remains available for other queries.
    pub fn on_connections(options: &PostgresOptions) -> Self {
        Self::of((options.max_connections * 3 / 4).max(1))
    }

    fn of(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))))
    }

    /// Waits for a permit, which is released when it is dropped. A caller that holds a permit must not wait for a
    /// second one, because this could deadlock.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        self.0.clone().acquire_owned().await.ok()
    }
}

/// Whether a page of posts can be read without a scan.
pub fn is_short(filter: &PostFilter, start: Start, limit: i64) -> bool {
    let offset = match start {
        Start::Offset(offset) => offset,
        Start::After(_) => 0,
    };
    filter.counted_from() == CountedFrom::Rollups && offset <= SHORT && limit <= SHORT
}
