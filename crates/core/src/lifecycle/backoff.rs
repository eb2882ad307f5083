//! Waits for backends with capped exponential backoff, and logs each change of state once.

use std::fmt::Display;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::Shutdown;

/// Capped exponential backoff with jitter. A success resets it.
pub struct Backoff {
    builder: ExponentialBuilder,
    longest: Duration,
    waits: Option<ExponentialBackoff>,
    /// The reason for waiting, as a fixed text; `None` if the caller does not wait.
    state: Option<&'static str>,
}

impl Backoff {
    /// A backoff whose waits grow from `shortest` to `longest`. Jitter makes each wait up to twice as long.
    pub fn new(shortest: Duration, longest: Duration) -> Self {
        let builder = ExponentialBuilder::default()
            .with_min_delay(shortest.min(longest))
            .with_max_delay(longest)
            .with_factor(2.0)
            .without_max_times()
            .with_jitter();
        Self { builder, longest, waits: None, state: None }
    }

    /// Returns the wait before the next attempt.
    pub fn next_wait(&mut self) -> Duration {
        let waits = self.waits.get_or_insert_with(|| self.builder.build());
        waits.next().unwrap_or(self.longest)
    }

    /// Records the reason for waiting. Returns whether the reason is new and should be logged.
    pub fn enter(&mut self, state: &'static str) -> bool {
        self.state.replace(state) != Some(state)
    }

    /// Resets the backoff. Returns the reason for waiting, if there was one.
    pub fn recovered(&mut self) -> Option<&'static str> {
        self.waits = None;
        self.state.take()
    }
}

/// Waits for one backend that is unavailable. Logs once when the wait begins and once when it ends.
pub struct BackendWait {
    backend: &'static str,
    backoff: Backoff,
}

impl BackendWait {
    /// Creates a wait for a backend, which log lines call `backend`.
    pub fn new(backend: &'static str) -> Self {
        Self { backend, backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(5)) }
    }

    /// Waits for the time of the backoff, or until a stop is requested.
    pub async fn wait(&mut self, error: &impl Display, shutdown: &Shutdown) {
        if self.backoff.enter("unavailable") {
            tracing::warn!(backend = self.backend, %error, "backend unavailable, retrying");
        }
        shutdown.sleep(self.backoff.next_wait()).await;
    }

    /// Records that the backend responded.
    pub fn succeeded(&mut self) {
        if self.backoff.recovered().is_some() {
            tracing::info!(backend = self.backend, "backend available");
        }
    }
}

/// Why [`retry`] gave up.
#[derive(Debug)]
pub enum GaveUp<E> {
    /// A stop was requested while the backend was unavailable.
    Stopping,
    /// The attempt failed with an error that a retry cannot solve.
    Failed(E),
}

/// Repeats `attempt` with backoff while its error is transient (`is_transient`), until a stop is requested.
///
/// # Errors
/// [`GaveUp`] says why no further attempt is made.
pub async fn retry<T, E: Display, F: Future<Output = Result<T, E>>>(
    mut wait: BackendWait,
    shutdown: &Shutdown,
    is_transient: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> F,
) -> Result<T, GaveUp<E>> {
    loop {
        match attempt().await {
            Ok(value) => {
                wait.succeeded();
                return Ok(value);
            }
            Err(error) if !is_transient(&error) => return Err(GaveUp::Failed(error)),
            Err(_) if shutdown.is_stopping() => return Err(GaveUp::Stopping),
            Err(error) => wait.wait(&error, shutdown).await,
        }
    }
}
