//! Counts in buckets of equal width. They are stored as running sums, so that the sum of a range of buckets is computed
//! without reading each bucket in the range.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::alert::Class;
use crate::domain::{Counts, Emotion, PostLabels, Sentiment, TimeRange, Timestamp};

/// The number of posts of each sentiment and of each emotion, and of unscored posts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    sentiments: [i64; 3],
    emotions: [i64; 7],
    unscored: i64,
}

impl Tally {
    /// Adds `count` posts. Posts without labels are unscored.
    pub fn add(&mut self, labels: Option<PostLabels>, count: i64) {
        match labels {
            Some(PostLabels { sentiment, emotion }) => {
                self.sentiments[sentiment.index()] += count;
                self.emotions[emotion.index()] += count;
            }
            None => self.unscored += count,
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        *self = self.zip(other, |one, other| one + other);
    }

    /// Each count minus that of `other`, at least 0.
    pub fn without(&self, other: &Self) -> Self {
        self.zip(other, |one, other| (one - other).max(0))
    }

    /// Each count times `factor`, rounded.
    pub fn scaled(&self, factor: f64) -> Self {
        self.zip(self, |count, _| (count as f64 * factor).round() as i64)
    }

    /// The number of posts with a sentiment. Shares are computed relative to this number.
    pub fn total(&self) -> i64 {
        self.sentiments.iter().sum()
    }

    /// The number of all posts, including unscored ones.
    pub fn posts(&self) -> i64 {
        self.total() + self.unscored
    }

    /// The number of posts of `class`.
    pub fn of(&self, class: Class) -> i64 {
        match class {
            Class::Posts => self.posts(),
            Class::Sentiment(label) => self.sentiments[label.index()],
            Class::Emotion(label) => self.emotions[label.index()],
        }
    }

    fn zip(&self, other: &Self, with: impl Fn(i64, i64) -> i64) -> Self {
        Self {
            sentiments: std::array::from_fn(|index| with(self.sentiments[index], other.sentiments[index])),
            emotions: std::array::from_fn(|index| with(self.emotions[index], other.emotions[index])),
            unscored: with(self.unscored, other.unscored),
        }
    }
}

impl From<&Counts> for Tally {
    fn from(counts: &Counts) -> Self {
        Self {
            sentiments: Sentiment::ALL.map(|label| counts.sentiment(label)),
            emotions: Emotion::ALL.map(|label| counts.emotion(label)),
            unscored: counts.unscored(),
        }
    }
}

/// The count of one bucket, source, sentiment and emotion. Any time within a bucket identifies the bucket.
pub use crate::store::alerts::RollupCount as BucketCount;

/// Selects which posts of a [`Series`] are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection<'a> {
    /// The class of posts to count.
    pub class: Class,
    /// The source of the posts. `None`: any source.
    pub source: Option<&'a str>,
}

/// Counts by bucket and source over a range.
///
/// A source uses memory only for the buckets that contain its posts. Clients that append posts can use any number of
/// source names, so the memory for each source must be small.
#[derive(Clone, Debug)]
pub struct Series {
    range: TimeRange,
    width: Duration,
    /// The sums of each source.
    sums: BTreeMap<String, Sums>,
    /// The sum of all buckets before each bucket edge, for all sources together.
    together: Vec<Tally>,
    /// The index of the first bucket with posts.
    first: Option<usize>,
}

/// The running sums of one source.
#[derive(Clone, Debug, Default)]
struct Sums {
    /// The buckets with posts, in ascending order, each with the sum of all buckets up to it.
    buckets: Vec<(usize, Tally)>,
}

impl Sums {
    /// Adds posts. The sums are valid after [`Self::finish`].
    fn add(&mut self, bucket: usize, count: &BucketCount) {
        match self.buckets.last_mut() {
            Some((last, tally)) if *last == bucket => tally.add(count.labels, count.count),
            _ => {
                let mut tally = Tally::default();
                tally.add(count.labels, count.count);
                self.buckets.push((bucket, tally));
            }
        }
    }

    /// Sorts the buckets and computes their running sums.
    fn finish(&mut self) {
        self.buckets.sort_by_key(|(bucket, _)| *bucket);
        self.buckets.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1.merge(&next.1);
            }
            is_same
        });
        self.buckets.shrink_to_fit();
        let mut sum = Tally::default();
        for (_, tally) in &mut self.buckets {
            sum.merge(tally);
            *tally = sum;
        }
    }

    /// The sum of all buckets before `edge`.
    fn before(&self, edge: usize) -> Tally {
        let count = self.buckets.partition_point(|(bucket, _)| *bucket < edge);
        count.checked_sub(1).map(|last| self.buckets[last].1).unwrap_or_default()
    }
}

impl Series {
    /// Creates a series over `range`, extended to whole buckets of `width`. Counts outside the range are ignored.
    pub fn new<'c>(range: TimeRange, width: Duration, counts: impl IntoIterator<Item = &'c BucketCount>) -> Self {
        let range = range.widened(width);
        let mut series = Self { range, width, sums: BTreeMap::new(), together: Vec::new(), first: None };
        let edges = series.index(range.end()) + 1;
        series.together = vec![Tally::default(); edges];
        for count in counts {
            if count.at < range.start() || count.at >= range.end() || count.count == 0 {
                continue;
            }
            let bucket = series.index(count.at);
            series.first = Some(series.first.map_or(bucket, |first| first.min(bucket)));
            if !series.sums.contains_key(&count.source) {
                series.sums.insert(count.source.clone(), Sums::default());
            }
            if let Some(sums) = series.sums.get_mut(&count.source) {
                sums.add(bucket, count);
            }
            series.together[bucket + 1].add(count.labels, count.count);
        }
        series.sums.values_mut().for_each(Sums::finish);
        let mut sum = Tally::default();
        for edge in &mut series.together {
            sum.merge(edge);
            *edge = sum;
        }
        series
    }

    /// The range that the buckets cover.
    pub fn range(&self) -> TimeRange {
        self.range
    }

    /// The width of a bucket.
    pub fn width(&self) -> Duration {
        self.width
    }

    /// The start of the first bucket with posts, of one source or of any source.
    pub fn first(&self, source: Option<&str>) -> Option<Timestamp> {
        let bucket = match source {
            Some(name) => self.sums.get(name)?.buckets.first().map(|(bucket, _)| *bucket),
            None => self.first,
        };
        bucket.map(|bucket| self.start_of(bucket))
    }

    /// The sources with posts in `range`.
    pub fn sources(&self, range: TimeRange) -> BTreeSet<String> {
        self.sums.keys().filter(|name| self.sum(range, Some(name)).posts() > 0).cloned().collect()
    }

    /// The counts of the buckets that start in `range`, of one source or of all sources.
    pub fn sum(&self, range: TimeRange, source: Option<&str>) -> Tally {
        let clamp = |at: Timestamp| self.index(at.ceil(self.width).clamp(self.range.start(), self.range.end()));
        let (start, end) = (clamp(range.start()), clamp(range.end()));
        self.before(end, source).zip(&self.before(start, source), |end, start| end - start)
    }

    /// The counts of consecutive windows of `length` within `range`. The newest window comes first and ends at the last
    /// bucket edge in the range.
    pub fn windows(&self, range: TimeRange, length: Duration, selection: Selection<'_>) -> Vec<WindowCount> {
        let clamp = |at: Timestamp| self.index(at.clamp(self.range.start(), self.range.end()));
        let (first, mut end) = (clamp(range.start().ceil(self.width)), clamp(range.end()));
        let step = self.index(self.range.start() + length).max(1);
        let mut windows = Vec::with_capacity(end.saturating_sub(first) / step);
        while end >= first + step {
            let before = |edge: usize| self.before(edge, selection.source).of(selection.class);
            let count = before(end) - before(end - step);
            windows.push(WindowCount { start: self.start_of(end - step), count: count as f64 });
            end -= step;
        }
        windows
    }

    /// The sum of all buckets before `edge`, of one source or of all sources.
    fn before(&self, edge: usize, source: Option<&str>) -> Tally {
        match source {
            Some(name) => self.sums.get(name).map(|sums| sums.before(edge)).unwrap_or_default(),
            None => self.together[edge],
        }
    }

    /// The start of a bucket.
    fn start_of(&self, bucket: usize) -> Timestamp {
        self.range.start() + self.width * u32::try_from(bucket).unwrap_or(u32::MAX)
    }

    /// The number of buckets before `at`, which must be in the range.
    fn index(&self, at: Timestamp) -> usize {
        let micros = at.since(self.range.start()).as_micros() / self.width.as_micros().max(1);
        usize::try_from(micros).unwrap_or_default()
    }
}

/// The number of posts in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowCount {
    /// The start of the window, inclusive.
    pub start: Timestamp,
    /// The number of posts of the selected class.
    pub count: f64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_unix(minute * 60).unwrap()
    }

    #[test]
    fn memory_of_a_source_is_proportional_to_its_posts() {
        let count = |source: usize, minute: i64| BucketCount {
            at: at(minute),
            source: format!("s{source}"),
            labels: None,
            count: 1,
        };
        let mut counts: Vec<BucketCount> = (0..3_000).map(|source| count(source, 5)).collect();
        counts.extend([count(7, 1_500), count(7, 5), count(7, 2)]);
        let series = Series::new(TimeRange::new(at(0), at(1_860)).unwrap(), Duration::from_secs(60), &counts);
        let entries: usize = series.sums.values().map(|sums| sums.buckets.capacity()).sum();
        assert!(entries <= counts.len(), "{entries} entries for {} counts", counts.len());
        let range = |from, to| TimeRange::new(at(from), at(to)).unwrap();
        assert_eq!(series.sum(range(0, 1_860), Some("s7")).posts(), 4);
        assert_eq!(series.sum(range(3, 1_500), Some("s7")).posts(), 2);
        assert_eq!((series.first(Some("s7")), series.first(Some("s8"))), (Some(at(2)), Some(at(5))));
        assert_eq!((series.first(None), series.first(Some("none"))), (Some(at(2)), None));
        assert_eq!(series.sources(range(1_000, 1_860)), BTreeSet::from(["s7".to_owned()]));
    }

    proptest! {
        #[test]
        fn sum_of_any_range_equals_the_counted_posts(
            posts in proptest::collection::vec((0_i64..200, 0_usize..3, 0_usize..4, 0_usize..7, 1_i64..4), 0..300),
            from in -20_i64..220, length in 0_i64..240,
        ) {
            let counts: Vec<BucketCount> = posts
                .iter()
                .map(|&(minute, source, sentiment, emotion, count)| BucketCount {
                    at: at(minute),
                    source: format!("s{source}"),
                    labels: Sentiment::ALL
                        .get(sentiment)
                        .map(|&sentiment| PostLabels { sentiment, emotion: Emotion::ALL[emotion] }),
                    count,
                })
                .collect();
            let series = Series::new(TimeRange::new(at(0), at(200)).unwrap(), Duration::from_secs(60), &counts);
            let range = TimeRange::new(at(from), at(from + length)).unwrap();
            for source in [None, Some("s0"), Some("s2"), Some("none")] {
                let selection = Selection { class: Class::Posts, source };
                for window in series.windows(range, Duration::from_secs(600), selection) {
                    let range = TimeRange::last(Duration::from_secs(600), window.start + Duration::from_secs(600));
                    prop_assert_eq!(window.count, series.sum(range, source).posts() as f64);
                }
                let mut recount = Tally::default();
                for count in &counts {
                    let inside = count.at >= range.start() && count.at < range.end();
                    if inside && source.is_none_or(|source| source == count.source) {
                        recount.add(count.labels, count.count);
                    }
                }
                prop_assert_eq!(series.sum(range, source), recount);
            }
        }
    }
}
