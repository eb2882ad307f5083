//! Measures how late posts arrive.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::{Reader, RuleLoadError};
use crate::domain::alert::Scope;
use crate::domain::{SentimentOf, TimeRange, Timestamp};
use crate::rules::history::MINUTE;
use crate::rules::{DAY, Delays, LONGEST_DELAY, PUNCTUAL};
use crate::store::alerts::Arrival;
use crate::store::{Store, StoreError};

/// How long measured delays are valid.
const MEASURED_FOR: Duration = Duration::from_secs(300);
/// The maximum number of a source's newest posts whose delays are measured, and the minimum number for a result.
const ARRIVALS: i64 = 200;
const LEAST_ARRIVALS: usize = 5;
/// The part of the posts that must arrive within the delay.
const ARRIVED: f64 = 0.95;
/// The maximum number of sources whose delays are measured. The largest sources are measured.
const MAX_SOURCES: usize = 100;

/// The most recently measured delays.
#[derive(Debug, Default)]
pub struct DelayCache {
    measured_at: Option<Timestamp>,
    by_source: BTreeMap<String, Duration>,
    together: HashMap<Scope, Duration>,
}

impl DelayCache {
    /// The measured delays of the posts of a scope, measured at most [`MEASURED_FOR`] ago.
    ///
    /// # Errors
    /// When the store does not answer, or the topic is not tracked.
    pub async fn of(&mut self, store: &Store, scope: &Scope, now: Timestamp) -> Result<Delays, RuleLoadError> {
        if self.measured_at.is_none_or(|at| now.since(at) >= MEASURED_FOR || at > now) {
            self.together.clear();
            self.by_source = by_source(store, now).await?;
            self.measured_at = Some(now);
        }
        let together = match self.together.get(scope) {
            Some(together) => *together,
            None => {
                let together = self.together(store, scope, now).await?;
                self.together.insert(scope.clone(), together);
                together
            }
        };
        Ok(Delays { together, by_source: self.by_source.clone() })
    }

    /// The shortest delay within which 95 % of the posts of the scope arrive. Each source is weighted by its number of
    /// posts in the last day: the posts about the topic if the scope is a topic, otherwise all posts, because rollups
    /// do not count the posts of an author or a text.
    async fn together(&self, store: &Store, scope: &Scope, now: Timestamp) -> Result<Duration, RuleLoadError> {
        if self.by_source.values().all(Duration::is_zero) {
            return Ok(Duration::ZERO);
        }
        let topic = if scope.is_rolled_up() { Reader::new(store, scope).await?.topic } else { None };
        let counts = store.window_by_source(TimeRange::last(DAY, now), topic, SentimentOf::Topic).await?;
        let all: i64 = counts.values().map(crate::domain::Counts::posts).sum();
        let of = |name: &str| self.by_source.get(name).copied().unwrap_or_default();
        let mut sources: Vec<_> = counts.iter().map(|(name, counts)| (of(name), counts.posts())).collect();
        sources.sort_unstable();
        let mut arrived = 0;
        for (delay, posts) in sources {
            arrived += posts;
            if arrived as f64 >= ARRIVED * all as f64 {
                return Ok(delay);
            }
        }
        Ok(Duration::ZERO)
    }
}

/// The delays of the largest sources of the last day.
async fn by_source(store: &Store, now: Timestamp) -> Result<BTreeMap<String, Duration>, StoreError> {
    let counts = store.window_by_source(TimeRange::last(DAY, now), None, SentimentOf::Topic).await?;
    let mut names: Vec<_> = counts.into_iter().collect();
    names.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.posts()));
    let mut delays = BTreeMap::new();
    for (name, _) in names.into_iter().take(MAX_SOURCES) {
        let delay = delay(&store.arrivals(&name, ARRIVALS).await?);
        if !delay.is_zero() {
            delays.insert(name, delay);
        }
    }
    Ok(delays)
}

/// The time within which 95 % of the posts arrived, in whole minutes; zero if they are punctual, or if there are fewer
/// than [`LEAST_ARRIVALS`]. Posts that arrived later than the longest delay of a window are ignored, because they come
/// from an archive.
fn delay(arrivals: &[Arrival]) -> Duration {
    let lateness = |arrival: &Arrival| arrival.stored_at.since(arrival.written_at);
    let mut late: Vec<Duration> = arrivals.iter().map(lateness).filter(|late| *late <= LONGEST_DELAY).collect();
    if late.len() < LEAST_ARRIVALS {
        return Duration::ZERO;
    }
    late.sort_unstable();
    let quantile = late[((late.len() - 1) as f64 * ARRIVED).round() as usize];
    if quantile <= PUNCTUAL {
        return Duration::ZERO;
    }
    Duration::from_secs(quantile.as_secs().div_ceil(MINUTE.as_secs()) * MINUTE.as_secs()).min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_delay_covers_95_percent_of_the_posts() {
        let of = |minutes: &[u64]| {
            let written_at = Timestamp::from_unix(1_767_225_600).unwrap();
            let arrival =
                |minutes: &u64| Arrival { written_at, stored_at: written_at + Duration::from_secs(minutes * 60 + 10) };
            delay(&minutes.iter().map(arrival).collect::<Vec<_>>()).as_secs() / 60
        };
        assert_eq!(of(&[0; 40]), 0);
        assert_eq!(of(&[30; 4]), 0, "too few posts");
        assert_eq!(of(&(0..30).collect::<Vec<_>>()), 29);
        // Posts of an imported archive do not change the delay of current posts.
        assert_eq!(of(&[10, 10, 10, 10, 10, 10, 500_000, 500_000]), 11);
        let mut mostly = vec![0; 97];
        mostly.extend([120; 3]);
        assert_eq!(of(&mostly), 0);
    }
}
