//! What keeps the stream and the small tables small.

use std::time::Duration;

use super::Worker;
use crate::lifecycle::{BackendWait, Shutdown};

const EVERY: Duration = Duration::from_secs(10);
/// A consumer that holds nothing and was silent for this long is gone.
const CONSUMER_GONE: Duration = Duration::from_secs(600);

/// Trims the stream and prunes tables until a stop is asked for. Several instances may do so.
pub async fn run(worker: Worker, shutdown: Shutdown) {
    let mut patience = BackendWait::new("maintenance");
    while shutdown.sleep(EVERY.mul_f64(rand::random_range(0.8..=1.2))).await {
        match tidy(&worker).await {
            Ok(()) => patience.succeeded(),
            Err(error) => patience.wait(&error, &shutdown).await,
        }
    }
}

async fn tidy(worker: &Worker) -> anyhow::Result<()> {
    let needed = worker.stream.trim().await?;
    worker.store.prune(needed).await?;
    worker.stream.forget_consumers(CONSUMER_GONE).await?;
    Ok(())
}
