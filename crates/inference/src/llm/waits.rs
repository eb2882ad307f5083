//! The waits between the attempts of a request.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// The maximum wait between two attempts of a request. If the server requests a longer wait, the request fails.
pub const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The wait before each of `retries` retries: `first`, doubled for each retry, with jitter, at most [`LONGEST_WAIT`].
pub fn waits(first: Duration, retries: usize) -> impl Iterator<Item = Duration> {
    let backoff = ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(LONGEST_WAIT)
        .with_max_times(retries)
        .with_jitter()
        .build();
    // The jitter is added after the limit of the backoff is applied.
    backoff.map(|wait| wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_with_jitter_never_exceed_the_longest_wait() {
        let waits: Vec<Duration> = waits(Duration::from_millis(500), 100).collect();
        assert_eq!(waits.len(), 100);
        assert!(waits[0] >= Duration::from_millis(500), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= LONGEST_WAIT), "{waits:?}");
    }
}
