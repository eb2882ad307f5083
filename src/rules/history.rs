//! Counts of the posts before a window, from which baselines and backtests are computed.

use std::sync::Arc;
use std::time::Duration;

use super::profile::ProfileCache;
use super::series::{BucketCount, Selection, Series, Tally, WindowCount};
use crate::domain::{TimeRange, Timestamp};

/// The width of the buckets of weekly profiles.
pub const QUARTER: Duration = Duration::from_secs(900);
/// The width of the buckets of recent counts.
pub const MINUTE: Duration = Duration::from_secs(60);
/// The newest counts, of a period of this length, are read by minute. The period is longer than the sum of the longest
/// delay of a post and the time for which counts by quarter of an hour are cached.
const UNSETTLED: Duration = Duration::from_secs(6 * 3_600);

/// Counts of the posts of one scope.
#[derive(Debug)]
pub struct History {
    /// The counts by minute, over at least the last day.
    pub minutes: Series,
    /// The counts by quarter of an hour, over up to four weeks. They may be cached and then miss posts that were stored
    /// recently, so the newest counts are read from `minutes` instead.
    pub quarters: Arc<Series>,
    /// When the collection of posts of this scope began; `None` if the collection began with the first post. From this
    /// time on, times without posts count as zero.
    pub since: Option<Timestamp>,
    /// The end of the generated posts of a demonstration. Baselines exclude these posts, because their number is
    /// arbitrary.
    pub made_up_until: Option<Timestamp>,
    /// The times at which the system was down.
    pub gaps: Gaps,
    /// The posts that were stored late, sorted by `written_at`: more than [`super::PUNCTUAL`] and at most
    /// [`super::LONGEST_DELAY`] after they were written. Backtests need them.
    pub late: Vec<LateCount>,
    pub(super) profiles: ProfileCache,
}

impl History {
    /// Creates a history from these series, without downtime.
    pub fn new(minutes: Series, quarters: Arc<Series>) -> Self {
        let (gaps, late, profiles) = (Gaps::default(), Vec::new(), ProfileCache::default());
        Self { minutes, quarters, since: None, made_up_until: None, gaps, late, profiles }
    }

    /// Creates a history whose two series are computed from `counts` over `range`.
    pub fn of_counts(range: TimeRange, counts: &[BucketCount]) -> Self {
        Self::new(Series::new(range, MINUTE, counts), Arc::new(Series::new(range, QUARTER, counts)))
    }

    /// When the collection of posts of a source, or of all sources, began; `None` without posts. Generated posts of a
    /// demonstration do not count.
    pub fn first(&self, source: Option<&str>) -> Option<Timestamp> {
        let own = || self.quarters.first(source).into_iter().chain(self.minutes.first(source)).min();
        // A source may be newer than the scope, so the time before its first post does not count as zero.
        let first = if source.is_none() { self.since.or_else(own) } else { own() };
        first.map(|first| self.made_up_until.map_or(first, |end| first.max(end)))
    }

    /// The counts of consecutive windows of `length` within `range`. The newest window comes first and ends at the last
    /// quarter of an hour in the range. If `length` is not whole quarters of an hour, the counts are read by minute: the
    /// newest window ends at the last minute, and windows before the counts by minute are left out.
    pub fn windows(&self, range: TimeRange, length: Duration, selection: Selection<'_>) -> Vec<WindowCount> {
        if !length.as_secs().is_multiple_of(QUARTER.as_secs()) {
            return self.minutes.windows(range, length, selection);
        }
        let span = self.minutes.range();
        let end = range.end().floor(QUARTER);
        let recent = (span.end() - UNSETTLED).max(span.start()).max(range.start()).min(end);
        let mut windows = TimeRange::new(recent, end)
            .map(|recent| self.minutes.windows(recent, length, selection))
            .unwrap_or_default();
        let rest = windows.last().map_or(end, |oldest| oldest.start);
        if let Some(earlier) = TimeRange::new(range.start(), rest) {
            windows.extend(self.quarters.windows(earlier, length, selection));
        }
        windows
    }

    /// Whether a post written at `at` belongs to the generated posts of a demonstration.
    fn is_made_up(&self, at: Timestamp) -> bool {
        self.made_up_until.is_some_and(|end| at < end)
    }

    /// The counts of the posts in `range` that were already stored at the time `seen`, of one source or of all sources.
    /// Generated posts of a demonstration count as punctual, although all of them are stored when the demonstration
    /// starts.
    pub fn seen(&self, range: TimeRange, source: Option<&str>, seen: Timestamp) -> Tally {
        let mut missing = Tally::default();
        let from = self.late.partition_point(|late| late.written_at < range.start());
        let late = self.late[from..].iter().take_while(|late| late.written_at < range.end());
        for late in late.filter(|late| !self.is_made_up(late.written_at)) {
            if late.stored_at > seen && source.is_none_or(|source| source == late.source) {
                missing.merge(&late.tally);
            }
        }
        self.minutes.sum(range, source).without(&missing)
    }
}

/// The count of posts that were stored late. Lists of these counts are sorted by `written_at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateCount {
    /// When the posts were written.
    pub written_at: Timestamp,
    /// When the posts were stored. Windows that were evaluated before this time do not contain them.
    pub stored_at: Timestamp,
    /// The source of the posts.
    pub source: String,
    /// The number of posts by label.
    pub tally: Tally,
}

/// The times at which the system was down, in ascending order: the alerts role did not run, and no posts were stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps(Vec<TimeRange>);

impl Gaps {
    /// Creates a list of gaps, which must not overlap.
    pub fn new(mut gaps: Vec<TimeRange>) -> Self {
        gaps.sort_unstable_by_key(TimeRange::start);
        Self(gaps)
    }

    /// The part of `range` in which the system was down, in [0, 1].
    pub fn share_of(&self, range: TimeRange) -> f64 {
        let from = self.0.partition_point(|gap| gap.end() <= range.start());
        let overlap = |gap: &TimeRange| gap.end().min(range.end()).since(gap.start().max(range.start()));
        let missing: Duration = self.0[from..].iter().take_while(|gap| gap.start() < range.end()).map(overlap).sum();
        missing.as_secs_f64() / range.length().as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Class;

    fn range(from: i64, to: i64) -> TimeRange {
        TimeRange::new(Timestamp::from_unix(from).unwrap(), Timestamp::from_unix(to).unwrap()).unwrap()
    }

    #[test]
    fn windows_of_any_length_in_minutes_contain_every_post() {
        let minutes = (0..2 * 1_440).map(|minute| BucketCount {
            at: Timestamp::from_unix(minute * 60).unwrap(),
            source: "web".to_owned(),
            labels: None,
            count: 1,
        });
        let history = History::of_counts(range(0, 2 * 86_400), &minutes.collect::<Vec<_>>());
        for minutes in [45_u32, 60, 70, 175] {
            let selection = Selection { class: Class::Posts, source: None };
            let windows = history.windows(range(86_400, 2 * 86_400), MINUTE * minutes, selection);
            let counts: Vec<f64> = windows.iter().map(|window| window.count).collect();
            assert_eq!(counts, vec![f64::from(minutes); 1_440 / minutes as usize], "{minutes} minutes");
        }
    }

    #[test]
    fn downtime_share_of_a_range_is_computed_from_gaps() {
        let gaps = Gaps::new(vec![range(500, 600), range(100, 200)]);
        assert_eq!(gaps.share_of(range(0, 100)), 0.0);
        assert_eq!(gaps.share_of(range(100, 200)), 1.0);
        assert_eq!(gaps.share_of(range(150, 550)), 0.25);
        assert_eq!(gaps.share_of(range(0, 1_000)), 0.2);
    }
}
