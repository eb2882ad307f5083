//! Periodic trimming of the stream and pruning of tables.

use std::time::Duration;

use super::context::Worker;
use crate::lifecycle::{BackendWait, Shutdown};

const EVERY: Duration = Duration::from_secs(10);
/// A consumer that holds nothing and has been idle for this long is removed.
const CONSUMER_GONE: Duration = Duration::from_secs(600);

/// Trims the stream and prunes tables until a stop is requested. Several instances may do so.
pub async fn run(worker: Worker, shutdown: Shutdown) {
    let mut backoff = BackendWait::new("maintenance");
    while shutdown.sleep(EVERY.mul_f64(rand::random_range(0.8..=1.2))).await {
        match tidy(&worker).await {
            Ok(()) => backoff.succeeded(),
            Err(error) => backoff.wait(&error, &shutdown).await,
        }
    }
}

async fn tidy(worker: &Worker) -> anyhow::Result<()> {
    let needed = worker.stream.trim().await?;
    worker.store.prune(needed).await?;
    worker.stream.forget_consumers(CONSUMER_GONE).await?;
    Ok(())
}
