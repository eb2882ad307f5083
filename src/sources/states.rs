//! What each source of this process is doing, for health, `/api/sources` and the dashboard.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::domain::Timestamp;

/// What a source is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceActivity {
    /// It has not yielded anything yet.
    #[default]
    Starting,
    /// It yields posts, or waits until the next is due.
    Connected,
    /// The stream is full or away: it goes on by itself.
    Waiting,
    /// It failed or fell silent, and is tried again after a while.
    BackingOff,
    /// Someone paused it.
    Paused,
    /// Another instance feeds it.
    Standby,
    /// It stopped for good and needs a person.
    Failed,
    /// It came to its end.
    Finished,
}

impl SourceActivity {
    /// Every one, in order.
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

    /// Whether it does its work, has done it, or is not meant to.
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

/// One source of this process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceState {
    /// Its name in the config.
    pub name: String,
    /// What kind of source it is: `bluesky`, `replay`.
    #[serde(default)]
    pub kind: String,
    /// What it is doing.
    pub state: SourceActivity,
    /// Posts (and deletions) it put into the stream since this process started.
    pub posts: u64,
    /// Items that were no valid posts.
    pub rejected: u64,
    /// Items that the source's own filters left out.
    #[serde(default)]
    pub filtered: u64,
    /// How often it failed or fell silent.
    #[serde(default)]
    pub errors: u64,
    /// Posts per second over the last minute.
    #[serde(default)]
    pub rate: f64,
    /// How old the newest of its last posts was when it went into the stream, in seconds.
    #[serde(default)]
    pub lag_seconds: Option<f64>,
    /// When the last of its posts went into the stream.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_post: Option<Timestamp>,
    /// Why it waits or failed, or waited last.
    pub last_error: Option<String>,
}

/// The state of every source of this process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SourceStates(Arc<Mutex<BTreeMap<String, Tracked>>>);

#[derive(Debug, Default)]
struct Tracked {
    state: SourceState,
    meter: Meter,
}

impl SourceStates {
    /// Every source, by name.
    pub fn all(&self) -> Vec<SourceState> {
        let now = Instant::now();
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rated = |tracked: &mut Tracked| SourceState { rate: tracked.meter.rate(now), ..tracked.state.clone() };
        states.values_mut().map(rated).collect()
    }

    /// Changes the state of the source `name`, which begins as [`SourceActivity::Starting`]; what `change` gives.
    pub fn update<T>(&self, name: &str, change: impl FnOnce(&mut SourceState) -> T) -> T {
        self.tracked(name, |tracked| change(&mut tracked.state))
    }

    /// Notes that `count` posts of the source `name` went into the stream at `at`.
    pub fn appended(&self, name: &str, count: u64, at: Timestamp) {
        self.tracked(name, |tracked| {
            tracked.meter.add(Instant::now(), count);
            tracked.state.posts += count;
            tracked.state.last_post = Some(at);
        });
    }

    fn tracked<T>(&self, name: &str, change: impl FnOnce(&mut Tracked) -> T) -> T {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tracked = states.entry(name.to_owned()).or_insert_with(|| Tracked {
            state: SourceState { name: name.to_owned(), ..SourceState::default() },
            meter: Meter::default(),
        });
        change(tracked)
    }
}

/// Counts over the last minute.
#[derive(Debug, Default)]
struct Meter {
    begun: Option<Instant>,
    /// Seconds since `begun`, and what was counted in them.
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

    /// Per second, over the last minute or over as much of it as there was.
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
    async fn the_rate_is_that_of_the_last_minute() {
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
