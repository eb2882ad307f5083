//! Trims the stream and prunes tables.

use std::time::Duration;

use tokio::sync::watch;

use super::context::Worker;
use crate::domain::EntryKey;
use crate::lifecycle::{BackendWait, Shutdown};

const EVERY: Duration = Duration::from_secs(10);
/// A consumer without claims that sent no request for this time is removed.
const CONSUMER_GONE: Duration = Duration::from_secs(600);

/// Trims the stream and prunes tables until a shutdown. Several instances may do so. Both run concurrently, because
/// pruning may take long after a change of the retention.
pub async fn run(worker: Worker, shutdown: Shutdown) {
    let (needed, trimmed) = watch::channel(None);
    tokio::join!(trim(&worker, needed, &shutdown), prune(&worker, trimmed, &shutdown));
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
        let tidied = async {
            let indexed = worker.store.index_missing(shutdown.stop_token()).await?;
            if indexed > 0 {
                tracing::info!(posts = indexed, "stored posts added to the text index");
            }
            worker.store.prune(needed, shutdown.stop_token()).await
        };
        match tidied.await {
            Ok(()) => backend.succeeded(),
            Err(error) => backend.wait(&error, shutdown).await,
        }
    }
}

async fn pause(shutdown: &Shutdown) -> bool {
    shutdown.sleep(EVERY.mul_f64(rand::random_range(0.8..=1.2))).await
}
