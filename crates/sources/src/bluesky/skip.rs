//! Skips a frame that ends the connection every time the source reads it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The number of failures at one position after which the source skips ahead.
const ATTEMPTS: u32 = 2;
/// How far the first step skips. Each further failure at the same position doubles the step.
const STEP: Duration = Duration::from_secs(1);
/// The maximum step.
const MAX_STEP: Duration = Duration::from_secs(3_600);

/// The position of the last unreadable frame. It is kept when the source is opened again.
#[derive(Default)]
pub struct Skip(Mutex<Option<Place>>);

struct Place {
    /// The time of the last event before the frame, in microseconds since the Unix epoch.
    after: i64,
    failures: u32,
}

impl Skip {
    /// Records that the frame after the event at `time_us` could not be read.
    pub fn failed_after(&self, time_us: i64) {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match place.as_mut() {
            // A step may be too short to pass the frame. A failure within one step after the last position therefore
            // counts as a failure at the same position.
            Some(known) if time_us <= known.after.saturating_add(step(known.failures)) => {
                known.failures = known.failures.saturating_add(1);
            }
            _ => *place = Some(Place { after: time_us, failures: 1 }),
        }
    }

    /// The position to resume at instead of `time_us`. `None`: no frame has failed [`ATTEMPTS`] times, or `time_us` is
    /// not within the step that skips the frame.
    pub fn resume_at(&self, time_us: i64) -> Option<i64> {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = place.as_ref().filter(|place| place.failures >= ATTEMPTS)?;
        let resume = place.after.saturating_add(step(place.failures));
        if time_us < place.after || time_us >= resume {
            return None;
        }
        let skipped_ms = (resume - time_us) / 1_000;
        tracing::warn!(skipped_ms, "skipping a Jetstream frame that cannot be read, and the events around it");
        Some(resume)
    }
}

fn step(failures: u32) -> i64 {
    let step = STEP.saturating_mul(1 << failures.saturating_sub(ATTEMPTS).min(12)).min(MAX_STEP);
    i64::try_from(step.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_that_fails_twice_is_skipped() {
        let skip = Skip::default();
        skip.failed_after(1_000_000);
        assert_eq!(skip.resume_at(1_000_000), None);
        skip.failed_after(1_000_000);
        assert_eq!(skip.resume_at(1_000_000), Some(2_000_000));
        assert_eq!(skip.resume_at(5_000_000), None, "the source is past the frame");
        // The first step was too short, so the next step is longer.
        skip.failed_after(2_000_000);
        assert_eq!(skip.resume_at(1_000_000), Some(3_000_000));
        skip.failed_after(60_000_000);
        assert_eq!(skip.resume_at(60_000_000), None, "the count starts again at another position");
    }
}
