//! Computes the times of retries.

use std::time::Duration;

use crate::domain::Timestamp;

/// The waits between the attempts of a delivery, and the time limit of all attempts.
#[derive(Clone, Debug)]
pub struct RetryOptions {
    /// The wait after the first attempt. It doubles after each further attempt.
    pub first: Duration,
    /// The maximum wait. A receiver can request a longer wait.
    pub longest: Duration,
    /// The time after its creation for which a delivery is retried. Then the delivery fails.
    pub give_up_after: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            longest: Duration::from_secs(5 * 60),
            give_up_after: Duration::from_secs(3600),
        }
    }
}

impl RetryOptions {
    /// The time of the next attempt; `None` if there are no further attempts. `jitter`, in [0, 1), spreads retries
    /// after simultaneous failures over the last fifth of the wait.
    pub fn next(&self, failed: &Failed, jitter: f64) -> Option<Timestamp> {
        let doublings = failed.attempts.saturating_sub(1).min(16);
        let wait = self.first.saturating_mul(1 << doublings).min(self.longest).mul_f64(0.8 + 0.2 * jitter);
        let at = failed.now + wait.max(failed.asked.unwrap_or_default());
        (at <= failed.created_at + self.give_up_after).then_some(at)
    }
}

/// A failed attempt of a delivery.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// The number of attempts so far.
    pub attempts: u32,
    /// When the delivery was created.
    pub created_at: Timestamp,
    /// When the failed attempt ended.
    pub now: Timestamp,
    /// The wait that the receiver requested.
    pub asked: Option<Duration>,
}
