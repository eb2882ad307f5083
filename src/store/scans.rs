//! Scans: reads that cost by posts instead of by buckets, such as searches and far pages.
//!
//! Only a few run at once, so that they leave connections, and with the embedded database cores, to writes and to the
//! cheap reads behind default answers. Others wait for their turn until their request's deadline.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PostgresOptions;
use super::posts::{CountedFrom, PostFilter, Start};

/// The most posts of a page, and the farthest offset, that are read without waiting for a turn.
const SHORT: i64 = 1_000;

/// Turns of scans. Clones share them.
#[derive(Clone)]
pub struct Scans(Arc<Semaphore>);

impl Scans {
    /// For the embedded database, which scans on the cores of this process.
    pub fn on_cores() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::of((cores / 2).max(2))
    }

    /// For Postgres: a quarter of the connections is left to other reads.
    pub fn on_connections(options: &PostgresOptions) -> Self {
        Self::of((options.max_connections * 3 / 4).max(1))
    }

    fn of(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))))
    }

    /// Waits for a turn, which lasts until the permit is dropped. A holder must not wait for another one.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        self.0.clone().acquire_owned().await.ok()
    }
}

/// Whether a page of posts is found without a scan.
pub fn is_short(filter: &PostFilter, start: Start, limit: i64) -> bool {
    let offset = match start {
        Start::Offset(offset) => offset,
        Start::After(_) => 0,
    };
    filter.counted_from() == CountedFrom::Rollups && offset <= SHORT && limit <= SHORT
}
