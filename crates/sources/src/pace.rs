//! Yields posts at an exact rate: in any period, the number of posts is rate × time, unless a delay is longer than
//! five seconds.

use std::time::Duration;

use tokio::time::Instant;

/// After a delay of at most this time, all late posts are yielded. After a longer delay, only as many posts are yielded
/// as are due within this time.
const CATCH_UP: Duration = Duration::from_secs(5);
/// Posts that are due within this time are yielded together, so that a high rate does not require one append per post.
const GATHER: Duration = Duration::from_millis(5);

/// Computes when the next posts are due. Post `n` is due `n / rate` seconds after the start, so that delays do not
/// accumulate.
#[derive(Debug)]
pub struct Pace {
    rate: f64,
    start: Instant,
    taken: u64,
    last: Option<Instant>,
}

/// The result of [`Pace::due`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Due {
    /// This many posts are due.
    Now(usize),
    /// No post is due before this time.
    At(Instant),
}

impl Pace {
    /// Creates a pace of `rate` posts per second. `rate` must be above 0. The first post is due at `start`.
    pub fn new(rate: f64, start: Instant) -> Self {
        Self { rate: rate.max(1e-6), start, taken: 0, last: None }
    }

    /// The number of posts that are due at `now`, at most `max`. They are recorded as yielded.
    pub fn due(&mut self, now: Instant, max: usize) -> Due {
        let mut owed = self.owed(now);
        let most = (self.rate * CATCH_UP.as_secs_f64()).max(1.0) as u64;
        if owed > most {
            self.start += Duration::from_secs_f64((owed - most) as f64 / self.rate);
            owed = self.owed(now);
        }
        if owed == 0 {
            // The additional microsecond ensures that rounding cannot produce a time at which no post is due yet.
            let due = self.start + Duration::from_secs_f64(self.taken as f64 / self.rate) + Duration::from_micros(1);
            return Due::At(self.last.map_or(due, |last| due.max(last + GATHER)));
        }
        if let Some(gathered) = self.last.map(|last| last + GATHER)
            && gathered > now
            && owed < max as u64
        {
            return Due::At(gathered);
        }
        let count = owed.min(max as u64);
        self.taken += count;
        self.last = Some(now);
        Due::Now(count as usize)
    }

    /// Waits until posts are due and returns their number, at most `max`. If the future is dropped, no posts are
    /// recorded.
    pub async fn wait(&mut self, max: usize) -> usize {
        loop {
            match self.due(Instant::now(), max) {
                Due::Now(count) => return count,
                Due::At(instant) => tokio::time::sleep_until(instant).await,
            }
        }
    }

    fn owed(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.start).as_secs_f64();
        let due = (elapsed * self.rate) as u64 + 1;
        due.saturating_sub(self.taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Counts the posts that are yielded within `length` when each wait ends `lag` too late.
    fn run(rate: f64, length: Duration, lag: Duration) -> u64 {
        let start = Instant::now();
        let mut pace = Pace::new(rate, start);
        let (mut now, mut count) = (start, 0);
        while now < start + length {
            match pace.due(now, 10_000) {
                Due::Now(n) => count += n as u64,
                Due::At(next) => now = next.max(now) + lag,
            }
        }
        count
    }

    proptest! {
        #[test]
        fn count_is_rate_times_time_with_late_waits(
            rate in 0.1f64..50_000.0,
            seconds in 1u64..30,
            lag_micros in 0u64..20_000,
        ) {
            let lag = Duration::from_micros(lag_micros);
            let count = run(rate, Duration::from_secs(seconds), lag) as f64;
            let expected = rate * seconds as f64;
            // The last wait may end late by the lag and the gathering time.
            let slack = 1.0 + rate * (lag + GATHER).as_secs_f64();
            prop_assert!((count - expected).abs() <= slack + 1.0, "{count} for {expected}");
        }
    }

    #[test]
    fn posts_of_five_seconds_are_caught_up_after_a_long_delay() {
        let start = Instant::now();
        let mut pace = Pace::new(100.0, start);
        assert_eq!(pace.due(start, 1_000), Due::Now(1));
        let after = start + Duration::from_secs(3_600);
        assert_eq!(pace.due(after, 100_000), Due::Now(500));
        let (mut now, mut count) = (after, 0);
        while now < after + Duration::from_secs(10) {
            match pace.due(now, 1_000) {
                Due::Now(n) => count += n,
                Due::At(next) => now = next,
            }
        }
        assert!((999..=1_001).contains(&count), "{count}");
    }
}
