//! Supervision, cancellation and draining.

pub mod patience;

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The two signals of a shutdown, shared by every task of the process.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    stop: CancellationToken,
    abandon: CancellationToken,
}

impl Shutdown {
    /// Asks every role to stop taking work and to finish what it has.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Asks every role to hand back what it has not finished. Implies [`Self::stop`].
    pub fn abandon(&self) {
        self.stop.cancel();
        self.abandon.cancel();
    }

    /// Whether no new work may be taken.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Ends when no new work may be taken.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Ends when unfinished work must be handed back.
    pub async fn abandoned(&self) {
        self.abandon.cancelled().await;
    }

    /// `work`'s result, or `None` when a stop comes first. `work` is dropped then:
    /// use it for waits, never around a transaction.
    pub async fn unless_stopping<F: Future>(&self, work: F) -> Option<F::Output> {
        self.stop.run_until_cancelled(work).await
    }

    /// Waits for `time` or for a stop; `false` when it was a stop.
    pub async fn sleep(&self, time: Duration) -> bool {
        self.unless_stopping(tokio::time::sleep(time)).await.is_some()
    }
}
