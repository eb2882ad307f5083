//! How long to wait for something that is away, and when to speak of it.

use std::fmt::Display;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::Shutdown;

/// Capped exponential back-off with jitter that begins anew after each success.
pub struct Patience {
    builder: ExponentialBuilder,
    longest: Duration,
    waits: Option<ExponentialBackoff>,
    /// What is being waited for.
    trouble: Option<&'static str>,
}

impl Patience {
    /// Waits from `shortest` to about `longest`.
    pub fn new(shortest: Duration, longest: Duration) -> Self {
        let builder = ExponentialBuilder::default()
            .with_min_delay(shortest.min(longest))
            .with_max_delay(longest)
            .with_factor(2.0)
            .without_max_times()
            .with_jitter();
        Self { builder, longest, waits: None, trouble: None }
    }

    /// How long to wait before the next attempt.
    pub fn next_wait(&mut self) -> Duration {
        let waits = self.waits.get_or_insert_with(|| self.builder.build());
        waits.next().unwrap_or(self.longest)
    }

    /// Takes note of a `trouble`; whether it is another than before, and so worth a line.
    pub fn is_news(&mut self, trouble: &'static str) -> bool {
        self.trouble.replace(trouble) != Some(trouble)
    }

    /// Begins anew; the trouble that is over, if there was one.
    pub fn recovered(&mut self) -> Option<&'static str> {
        self.waits = None;
        self.trouble.take()
    }
}

/// Waits for one backend that is away: says so once, and once more when it is back.
pub struct BackendWait {
    backend: &'static str,
    patience: Patience,
}

impl BackendWait {
    /// For a backend with this name in logs.
    pub fn new(backend: &'static str) -> Self {
        Self { backend, patience: Patience::new(Duration::from_millis(50), Duration::from_secs(5)) }
    }

    /// Waits before the next try, or until a stop is asked for.
    pub async fn wait(&mut self, error: &impl Display, shutdown: &Shutdown) {
        if self.patience.is_news("away") {
            tracing::warn!(backend = self.backend, %error, "waiting for a backend");
        }
        shutdown.sleep(self.patience.next_wait()).await;
    }

    /// Notes that the backend answered.
    pub fn succeeded(&mut self) {
        if self.patience.recovered().is_some() {
            tracing::info!(backend = self.backend, "the backend is back");
        }
    }
}
