//! Trims the stream, prunes tables, and adds stored posts to the text index.

use std::time::Duration;

use tokio::sync::watch;

use super::context::Worker;
use crate::domain::EntryKey;
use crate::lifecycle::{BackendWait, Shutdown};

const EVERY: Duration = Duration::from_secs(10);
/// The time without a request after which a consumer without claims is removed.
const CONSUMER_GONE: Duration = Duration::from_secs(600);

/// Maintains the stream and the tables until a shutdown. Several instances may run this concurrently. The tasks are
/// independent, because pruning may take long after a change of the retention, and indexing may take long after an
/// upgrade.
pub async fn run(worker: Worker, shutdown: Shutdown) {
    let (needed, trimmed) = watch::channel(None);
    tokio::join!(trim(&worker, needed, &shutdown), prune(&worker, trimmed, &shutdown), index(&worker, &shutdown));
}

/// After each trim, publishes the first entry that is still `needed`.
async fn trim(worker: &Worker, needed: watch::Sender<Option<EntryKey>>, shutdown: &Shutdown) {
    let mut backend = BackendWait::new("stream maintenance");
    while pause(shutdown).await {
        let trimmed = async {
            needed.send_replace(worker.stream.trim().await?);
            worker.stream.forget_consumers(CONSUMER_GONE).await
        };
        match trimmed.await {
            Ok(_) => backend.succeeded(),
            Err(error) => backend.wait(&error, shutdown).await,
        }
    }
}

async fn prune(worker: &Worker, trimmed: watch::Receiver<Option<EntryKey>>, shutdown: &Shutdown) {
    let mut backend = BackendWait::new("store maintenance");
    while pause(shutdown).await {
        let needed = trimmed.borrow().clone();
        match worker.store.prune(needed, shutdown.stop_token()).await {
            Ok(()) => backend.succeeded(),
            Err(error) => backend.wait(&error, shutdown).await,
        }
    }
}

async fn index(worker: &Worker, shutdown: &Shutdown) {
    let mut backend = BackendWait::new("text index");
    while pause(shutdown).await {
        match worker.store.index_missing(shutdown.stop_token()).await {
            Ok(0) => backend.succeeded(),
            Ok(posts) => {
                backend.succeeded();
                tracing::info!(posts, "stored posts added to the text index");
            }
            Err(error) => backend.wait(&error, shutdown).await,
        }
    }
}

async fn pause(shutdown: &Shutdown) -> bool {
    shutdown.sleep(EVERY.mul_f64(rand::random_range(0.8..=1.2))).await
}
