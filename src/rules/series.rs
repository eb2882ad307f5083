//! Counts in buckets of equal width, stored as running sums so that the sum of any range of buckets takes constant
//! time.

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
    /// Adds `count` posts; without labels they are unscored.
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

    /// This tally without the posts of `other`.
    pub fn without(&self, other: &Self) -> Self {
        self.zip(other, |one, other| (one - other).max(0))
    }

    /// Each count times `factor`, rounded.
    pub fn scaled(&self, factor: f64) -> Self {
        self.zip(self, |count, _| (count as f64 * factor).round() as i64)
    }

    /// The number of posts with a sentiment, which shares are computed from.
    pub fn total(&self) -> i64 {
        self.sentiments.iter().sum()
    }

    /// The number of all posts, including unscored ones.
    pub fn posts(&self) -> i64 {
        self.total() + self.unscored
    }

    /// The posts of `class`.
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

/// The count of one bucket, source, sentiment and emotion. The bucket is identified by its start or any time within it.
pub use crate::store::alerts::RollupCount as BucketCount;

/// Selects the posts of a feed that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection<'a> {
    /// The class of posts to count.
    pub class: Class,
    /// `None`: any source.
    pub source: Option<&'a str>,
}

/// Counts by bucket and source over a range.
#[derive(Clone, Debug)]
pub struct Series {
    range: TimeRange,
    width: Duration,
    /// For each source, the sum of all buckets before each edge.
    sums: BTreeMap<String, Vec<Tally>>,
    /// The same sums for all sources together.
    together: Vec<Tally>,
    /// The start of the first bucket with posts, by source.
    first: BTreeMap<String, Timestamp>,
}

impl Series {
    /// A series over `range`, extended to whole buckets of `width`. Counts outside the range are ignored.
    pub fn new<'c>(range: TimeRange, width: Duration, counts: impl IntoIterator<Item = &'c BucketCount>) -> Self {
        let range = range.widened(width);
        let mut series = Self { range, width, sums: BTreeMap::new(), together: Vec::new(), first: BTreeMap::new() };
        let edges = series.index(range.end()) + 1;
        series.together = vec![Tally::default(); edges];
        for BucketCount { at, source, labels, count } in counts {
            if *at < range.start() || *at >= range.end() || *count == 0 {
                continue;
            }
            let bucket = series.index(*at) + 1;
            if !series.sums.contains_key(source) {
                series.first.insert(source.clone(), at.floor(width));
                series.sums.insert(source.clone(), vec![Tally::default(); edges]);
            }
            if let Some(first) = series.first.get_mut(source) {
                *first = (*first).min(at.floor(width));
            }
            if let Some(sums) = series.sums.get_mut(source) {
                sums[bucket].add(*labels, *count);
            }
            series.together[bucket].add(*labels, *count);
        }
        for sums in series.sums.values_mut().chain([&mut series.together]) {
            let mut sum = Tally::default();
            for edge in sums {
                sum.merge(edge);
                *edge = sum;
            }
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
        match source {
            Some(name) => self.first.get(name).copied(),
            None => self.first.values().min().copied(),
        }
    }

    /// The sources with posts in `range`.
    pub fn sources(&self, range: TimeRange) -> BTreeSet<String> {
        self.sums.keys().filter(|name| self.sum(range, Some(name)).posts() > 0).cloned().collect()
    }

    /// The counts of the buckets that start in `range`, of one source or of all sources.
    pub fn sum(&self, range: TimeRange, source: Option<&str>) -> Tally {
        let clamp = |at: Timestamp| self.index(at.ceil(self.width).clamp(self.range.start(), self.range.end()));
        let (start, end) = (clamp(range.start()), clamp(range.end()));
        let of = |sums: &Vec<Tally>| sums[end].zip(&sums[start], |end, start| end - start);
        match source {
            Some(name) => self.sums.get(name).map(of).unwrap_or_default(),
            None => of(&self.together),
        }
    }

    /// The counts of consecutive windows of `length` within `range`, newest first: the first one ends with the range,
    /// and each of the others ends where the previous one starts. Each window has the time at which it starts.
    pub fn windows(&self, range: TimeRange, length: Duration, selection: Selection<'_>) -> Vec<WindowCount> {
        let sums = selection.source.map_or(Some(&self.together), |name| self.sums.get(name));
        let clamp = |at: Timestamp| self.index(at.clamp(self.range.start(), self.range.end()));
        let (first, mut end) = (clamp(range.start().ceil(self.width)), clamp(range.end()));
        let step = self.index(self.range.start() + length).max(1);
        let mut windows = Vec::with_capacity(end.saturating_sub(first) / step);
        while end >= first + step {
            let count = sums.map_or(0, |sums| sums[end].of(selection.class) - sums[end - step].of(selection.class));
            let start = self.range.start() + self.width * u32::try_from(end - step).unwrap_or(u32::MAX);
            windows.push(WindowCount { start, count: count as f64 });
            end -= step;
        }
        windows
    }

    /// The number of buckets before `at`, which is in the range.
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
