//! Tracks the state of each source of this process, for health checks, `/api/sources` and the dashboard.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use sentistream_core::domain::Timestamp;

/// The state of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceActivity {
    /// The source was started or resumed, and has not answered yet.
    #[default]
    Starting,
    /// The last read of the source succeeded, even if there were no new posts.
    Connected,
    /// The source waits because the stream is full or unavailable.
    Waiting,
    /// The source failed, or sent nothing for too long. It is opened again automatically after a delay.
    BackingOff,
    /// The source is paused.
    Paused,
    /// This instance may not read the source, because another instance reads it or the database does not answer.
    Standby,
    /// The source stopped because of an error that a retry cannot fix: the settings of the source must change, or the
    /// stream failed permanently.
    Failed,
    /// The source has no more posts.
    Finished,
}

impl SourceActivity {
    /// All states, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::Starting,
        Self::Connected,
        Self::Waiting,
        Self::BackingOff,
        Self::Paused,
        Self::Standby,
        Self::Failed,
        Self::Finished,
    ];

    /// Whether the source works as intended.
    pub fn is_healthy(self) -> bool {
        !matches!(self, Self::Waiting | Self::BackingOff | Self::Failed)
    }

    /// The name used in the API and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Connected => "connected",
            Self::Waiting => "waiting",
            Self::BackingOff => "backing_off",
            Self::Paused => "paused",
            Self::Standby => "standby",
            Self::Failed => "failed",
            Self::Finished => "finished",
        }
    }
}

/// A source of this process. All counts begin when the process starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceState {
    /// The name of the source.
    pub name: String,
    /// The kind of source, such as `bluesky` or `replay`; `unknown` if its settings are invalid.
    #[serde(default)]
    pub kind: String,
    /// What the source is doing.
    pub state: SourceActivity,
    /// The number of posts and deletions of the source that were appended to the stream.
    pub posts: u64,
    /// The number of items that were not valid posts.
    pub rejected: u64,
    /// The number of items that the filters of the source excluded, or that have no text.
    #[serde(default)]
    pub filtered: u64,
    /// The number of failures of the source and of its individual feeds or hosts, including messages about items that
    /// were left out because of a limit.
    #[serde(default)]
    pub errors: u64,
    /// Posts and deletions per second over the last minute, or since the first of them if that is more recent.
    #[serde(default)]
    pub rate: f64,
    /// The age, in seconds, of the newest post of the last batch when this batch was appended. For a source that
    /// reports the time up to which it was read, the age of this time instead. `null`: not known yet.
    #[serde(default)]
    pub lag_seconds: Option<f64>,
    /// The seconds since the last post or deletion, if this time is unusual: more than ten minutes, and more than
    /// twenty times the average time between two batches with posts or deletions of this source. `null` if the time is
    /// usual, if there were fewer than eleven of these batches, or if the source is not connected.
    #[serde(default)]
    pub quiet_seconds: Option<f64>,
    /// When the last post or deletion was appended to the stream; `null` before the first one.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_post: Option<Timestamp>,
    /// The last error of the source, or of the stream while the source waited for it. The error remains here after the
    /// source has recovered. `null`: there was no error.
    pub last_error: Option<String>,
}

/// The states of all sources of this process. Clones share the states.
#[derive(Clone, Debug, Default)]
pub struct SourceStates(Arc<Mutex<BTreeMap<String, Tracked>>>);

#[derive(Debug, Default)]
struct Tracked {
    state: SourceState,
    meter: Meter,
    gaps: Gaps,
}

impl SourceStates {
    /// The states of all sources, sorted by name.
    pub fn all(&self) -> Vec<SourceState> {
        let now = Instant::now();
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let measured = |tracked: &mut Tracked| {
            let is_connected = tracked.state.state == SourceActivity::Connected;
            let quiet = tracked.gaps.unusual(now).filter(|_| is_connected);
            let quiet_seconds = quiet.map(|quiet| quiet.as_secs_f64().round());
            SourceState { rate: tracked.meter.rate(now), quiet_seconds, ..tracked.state.clone() }
        };
        states.values_mut().map(measured).collect()
    }

    /// Removes the source `name`, which this process no longer reads.
    pub fn forget(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Changes the state of the source `name`, which is initially [`SourceActivity::Starting`].
    pub fn update<T>(&self, name: &str, change: impl FnOnce(&mut SourceState) -> T) -> T {
        self.tracked(name, |tracked| change(&mut tracked.state))
    }

    /// Records that `count` posts and deletions of the source `name` were appended at `at`.
    pub fn appended(&self, name: &str, count: u64, at: Timestamp) {
        self.tracked(name, |tracked| {
            tracked.meter.add(Instant::now(), count);
            tracked.gaps.add(Instant::now());
            tracked.state.posts += count;
            tracked.state.last_post = Some(at);
        });
    }

    fn tracked<T>(&self, name: &str, change: impl FnOnce(&mut Tracked) -> T) -> T {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tracked = states.entry(name.to_owned()).or_insert_with(|| Tracked {
            state: SourceState { name: name.to_owned(), ..SourceState::default() },
            meter: Meter::default(),
            gaps: Gaps::default(),
        });
        change(tracked)
    }
}

/// Measures the usual time between two batches that contain posts or deletions.
#[derive(Debug, Default)]
struct Gaps {
    last: Option<Instant>,
    /// The exponential moving average of the gaps, in seconds.
    average: f64,
    count: u32,
}

impl Gaps {
    /// The weight of the latest gap in the average.
    const WEIGHT: f64 = 0.1;
    /// The number of gaps that are needed for an average.
    const ENOUGH: u32 = 10;
    /// The minimum length of an unusual time without posts.
    const SHORTEST: Duration = Duration::from_secs(600);
    /// A time without posts is unusual if it is longer than this many average gaps.
    const FACTOR: f64 = 20.0;

    fn add(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            let gap = (now - last).as_secs_f64();
            self.average += (gap - self.average) * if self.count == 0 { 1.0 } else { Self::WEIGHT };
            self.count = self.count.saturating_add(1);
        }
    }

    /// The time since the last post, if this time is unusual.
    fn unusual(&self, now: Instant) -> Option<Duration> {
        let quiet = now.saturating_duration_since(self.last?);
        let limit = Self::SHORTEST.as_secs_f64().max(self.average * Self::FACTOR);
        (self.count >= Self::ENOUGH && quiet.as_secs_f64() > limit).then_some(quiet)
    }
}

/// Counts the posts of the last minute.
#[derive(Debug, Default)]
struct Meter {
    begun: Option<Instant>,
    /// The seconds since `begun` with posts, each with the number of its posts.
    counts: VecDeque<(u64, u64)>,
}

const MINUTE: u64 = 60;

impl Meter {
    fn add(&mut self, now: Instant, count: u64) {
        let second = self.second(now);
        match self.counts.back_mut() {
            Some((last, sum)) if *last == second => *sum += count,
            _ => self.counts.push_back((second, count)),
        }
        self.forget(second);
    }

    /// The posts per second over the last minute, or since the start if the start is more recent.
    fn rate(&mut self, now: Instant) -> f64 {
        let Some(begun) = self.begun else { return 0.0 };
        let second = self.second(now);
        self.forget(second);
        let sum: u64 = self.counts.iter().map(|(_, count)| count).sum();
        let time = now.duration_since(begun).clamp(Duration::from_secs(1), Duration::from_secs(MINUTE));
        (sum as f64 / time.as_secs_f64() * 1e3).round() / 1e3
    }

    fn second(&mut self, now: Instant) -> u64 {
        now.duration_since(*self.begun.get_or_insert(now)).as_secs()
    }

    fn forget(&mut self, second: u64) {
        while self.counts.front().is_some_and(|(counted, _)| counted + MINUTE <= second) {
            self.counts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn unusual_silence_is_reported() {
        let states = SourceStates::default();
        let quiet = || states.all().remove(0).quiet_seconds;
        for _ in 0..20 {
            states.appended("x", 10, Timestamp::EPOCH);
            tokio::time::advance(Duration::from_secs(60)).await;
        }
        states.update("x", |state| state.state = SourceActivity::Connected);
        assert_eq!(quiet(), None);
        // After gaps of one minute, a time without posts is unusual if it exceeds twenty minutes.
        tokio::time::advance(Duration::from_secs(18 * 60)).await;
        assert_eq!(quiet(), None);
        tokio::time::advance(Duration::from_secs(2 * 60)).await;
        assert_eq!(quiet(), Some(1_260.0));
        states.update("x", |state| state.state = SourceActivity::Paused);
        assert_eq!(quiet(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn rate_covers_the_last_minute() {
        let states = SourceStates::default();
        for _ in 0..120 {
            states.appended("x", 10, Timestamp::EPOCH);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let state = states.all().remove(0);
        assert!((9.0..=10.2).contains(&state.rate), "{state:?}");
        tokio::time::advance(Duration::from_secs(120)).await;
        let state = states.all().remove(0);
        assert_eq!((state.rate, state.posts), (0.0, 1_200));
    }
}
