//! The request budget of a source.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Limits the number of requests per time, and applies the pauses that the server requests. The budget is kept when the
/// source is opened again.
pub struct Budget {
    limiter: DefaultDirectRateLimiter,
    /// No request starts before this time.
    held_until: Mutex<Option<Instant>>,
}

impl Budget {
    /// Allows `requests` within `time` on average, and a tenth of them in a burst.
    pub fn new(requests: NonZeroU32, time: Duration) -> Self {
        let burst = NonZeroU32::new(requests.get() / 10).unwrap_or(NonZeroU32::MIN);
        // A period must not be zero. The division returns zero only for more than one request per nanosecond.
        let period = (time / requests.get()).max(Duration::from_nanos(1));
        let quota = Quota::with_period(period).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
        Self { limiter: RateLimiter::direct(quota), held_until: Mutex::new(None) }
    }

    /// Waits until one request may start.
    pub async fn turn(&self) {
        loop {
            let held = *self.held_until.lock().await;
            match held.filter(|until| *until > Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => break,
            }
        }
        self.limiter.until_ready().await;
    }

    /// Pauses all requests for `time`.
    pub async fn hold(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut held = self.held_until.lock().await;
        *held = Some(held.map_or(until, |before| before.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_wait_for_the_budget_and_for_pauses() {
        let budget = Budget::new(NonZeroU32::new(100).unwrap_or(NonZeroU32::MIN), Duration::from_secs(1));
        let start = Instant::now();
        for _ in 0..30 {
            budget.turn().await;
        }
        // Ten requests start immediately. After them, one request starts every ten milliseconds.
        assert!(start.elapsed() >= Duration::from_millis(190), "{:?}", start.elapsed());
        let start = Instant::now();
        budget.hold(Duration::from_millis(150)).await;
        budget.turn().await;
        assert!(start.elapsed() >= Duration::from_millis(149), "{:?}", start.elapsed());
    }
}
