//! When a delivery is tried again.

use std::time::Duration;

use crate::domain::Timestamp;

/// How often and how long a delivery is tried.
#[derive(Clone, Debug)]
pub struct RetryOptions {
    /// The wait after the first attempt; it doubles with each.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// A delivery that is older is given up.
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
    /// When to try again after `attempts` that failed, the last of them at `now`; `None` to give up. `asked` is how long
    /// the receiver asked to wait. `jitter`, in [0, 1), spreads deliveries that failed together over the last fifth of the wait.
    pub fn again(&self, failed: &Failed, jitter: f64) -> Option<Timestamp> {
        let doublings = failed.attempts.saturating_sub(1).min(16);
        let wait = self.first.saturating_mul(1 << doublings).min(self.longest).mul_f64(0.8 + 0.2 * jitter);
        let at = failed.now + wait.max(failed.asked.unwrap_or_default());
        (at <= failed.created_at + self.give_up_after).then_some(at)
    }
}

/// A delivery whose attempt failed.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// Attempts so far.
    pub attempts: u32,
    pub created_at: Timestamp,
    pub now: Timestamp,
    /// How long the receiver asked to wait.
    pub asked: Option<Duration>,
}
