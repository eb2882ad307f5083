//! Waiting for a backend that is away.

use std::fmt::Display;
use std::time::Duration;

use crate::lifecycle::Shutdown;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// Capped exponential back-off with jitter that logs each change of state once.
pub struct Patience {
    what: &'static str,
    failures: u32,
}

impl Patience {
    /// For a backend named `what` in logs.
    pub fn new(what: &'static str) -> Self {
        Self { what, failures: 0 }
    }

    /// Waits before the next try, or until a stop is asked for.
    pub async fn wait(&mut self, error: &impl Display, shutdown: &Shutdown) {
        if self.failures == 0 {
            tracing::warn!(backend = self.what, %error, "waiting for a backend");
        }
        let longest = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        shutdown.sleep(longest.mul_f64(rand::random_range(0.5..=1.0))).await;
    }

    /// Notes that the backend answered.
    pub fn succeeded(&mut self) {
        if self.failures > 0 {
            tracing::info!(backend = self.what, failures = self.failures, "the backend is back");
            self.failures = 0;
        }
    }
}
