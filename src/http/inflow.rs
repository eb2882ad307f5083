//! The rate at which entries are appended to the stream.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::stream::Depth;

/// The rate at which entries are appended, measured from the stream's counter.
#[derive(Default)]
pub struct Inflow {
    samples: Mutex<VecDeque<Sample>>,
}

struct Sample {
    at: Instant,
    epoch: Arc<str>,
    appended: u64,
}

/// The time between two samples.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// The number of samples that span one minute.
const SAMPLES: usize = 13;

impl Inflow {
    /// Records a sample.
    pub fn record(&self, depth: &Depth) {
        let Ok(mut samples) = self.samples.lock() else { return };
        // The counter restarts with each epoch of the stream, so samples of earlier epochs are removed.
        samples.retain(|sample| sample.epoch == depth.epoch);
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        let at = Instant::now();
        samples.push_back(Sample { at, epoch: depth.epoch.clone(), appended: depth.appended });
    }

    /// Entries per second over the last minute, or since the first sample if that is less than a minute ago; `None`
    /// before the second sample.
    pub fn per_second(&self) -> Option<f64> {
        let samples = self.samples.lock().ok()?;
        let (first, last) = (samples.front()?, samples.back()?);
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        let appended = last.appended.saturating_sub(first.appended);
        (seconds > 0.0).then(|| (appended as f64 / seconds * 1e3).round() / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(epoch: &str, appended: u64) -> Depth {
        Depth {
            epoch: epoch.into(),
            appended,
            is_estimate: false,
            memory: None,
            lag: 0,
            claimed: 0,
            dead_lettered: 0,
            dead_letters: 0,
            oldest_unsettled: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rate_covers_last_minute_and_restarts_with_epoch() {
        let inflow = Inflow::default();
        assert_eq!(inflow.per_second(), None);
        for sample in 0..40 {
            // 10 per second at first, 2 in the last minute.
            inflow.record(&depth("a", if sample < 20 { sample * 50 } else { 1_000 + (sample - 20) * 10 }));
            tokio::time::advance(SAMPLE_EVERY).await;
        }
        assert_eq!(inflow.per_second(), Some(2.0));
        inflow.record(&depth("b", 3));
        assert_eq!(inflow.per_second(), None);
        tokio::time::advance(SAMPLE_EVERY).await;
        inflow.record(&depth("b", 8));
        assert_eq!(inflow.per_second(), Some(1.0));
    }
}
