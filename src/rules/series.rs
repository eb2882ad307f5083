//! Counts by bucket of equal width, summed up so that any run of buckets costs the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{History, View};
use crate::domain::alert::Class;
use crate::domain::{Counts, Emotion, Sentiment, TimeRange, Timestamp};

/// How many posts of each sentiment and each emotion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    sentiments: [i64; 3],
    emotions: [i64; 7],
}

impl Tally {
    /// Adds `count` posts.
    pub fn add(&mut self, sentiment: Sentiment, emotion: Emotion, count: i64) {
        self.sentiments[sentiment.index()] += count;
        self.emotions[emotion.index()] += count;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        *self = self.zip(other, |one, other| one + other);
    }

    /// All posts.
    pub fn total(&self) -> i64 {
        self.sentiments.iter().sum()
    }

    /// How many are of `class`.
    pub fn of(&self, class: Class) -> i64 {
        match class {
            Class::Posts => self.total(),
            Class::Sentiment(label) => self.sentiments[label.index()],
            Class::Emotion(label) => self.emotions[label.index()],
        }
    }

    fn zip(&self, other: &Self, with: impl Fn(i64, i64) -> i64) -> Self {
        Self {
            sentiments: std::array::from_fn(|index| with(self.sentiments[index], other.sentiments[index])),
            emotions: std::array::from_fn(|index| with(self.emotions[index], other.emotions[index])),
        }
    }
}

impl From<&Counts> for Tally {
    fn from(counts: &Counts) -> Self {
        Self {
            sentiments: Sentiment::ALL.map(|label| counts.sentiment(label)),
            emotions: Emotion::ALL.map(|label| counts.emotion(label)),
        }
    }
}

/// A count of one bucket, source, sentiment and emotion.
pub type BucketCount = (Timestamp, String, Sentiment, Emotion, i64);

/// Counts by bucket and source over a range.
#[derive(Clone, Debug)]
pub struct Series {
    range: TimeRange,
    width: Duration,
    /// Of each source: the sum of all buckets before each edge.
    sums: BTreeMap<String, Vec<Tally>>,
    /// Of all sources together.
    together: Vec<Tally>,
    /// The start of the first bucket with posts.
    first: BTreeMap<String, Timestamp>,
}

impl Series {
    /// The series over `range`, widened to buckets of `width`. Counts outside of it are left out.
    pub fn new(range: TimeRange, width: Duration, counts: impl IntoIterator<Item = BucketCount>) -> Self {
        let range = range.widened(width);
        let mut series = Self { range, width, sums: BTreeMap::new(), together: Vec::new(), first: BTreeMap::new() };
        let edges = series.index(range.end()) + 1;
        series.together = vec![Tally::default(); edges];
        for (at, source, sentiment, emotion, count) in counts {
            if at < range.start() || at >= range.end() || count == 0 {
                continue;
            }
            let bucket = series.index(at) + 1;
            let first = series.first.entry(source.clone()).or_insert(at.floor(width));
            *first = (*first).min(at.floor(width));
            series.sums.entry(source).or_insert_with(|| vec![Tally::default(); edges])[bucket]
                .add(sentiment, emotion, count);
            series.together[bucket].add(sentiment, emotion, count);
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

    /// What it covers.
    pub fn range(&self) -> TimeRange {
        self.range
    }

    /// The width of its buckets.
    pub fn width(&self) -> Duration {
        self.width
    }

    /// The start of the first bucket with posts, of one source or of any.
    pub fn first(&self, source: Option<&str>) -> Option<Timestamp> {
        match source {
            Some(name) => self.first.get(name).copied(),
            None => self.first.values().min().copied(),
        }
    }

    /// Counts of the buckets that start in `range`, of one source or of all.
    pub fn sum(&self, range: TimeRange, source: Option<&str>) -> Tally {
        let clamp = |at: Timestamp| self.index(at.ceil(self.width).clamp(self.range.start(), self.range.end()));
        let (start, end) = (clamp(range.start()), clamp(range.end()));
        let of = |sums: &Vec<Tally>| sums[end].zip(&sums[start], |end, start| end - start);
        match source {
            Some(name) => self.sums.get(name).map(of).unwrap_or_default(),
            None => of(&self.together),
        }
    }

    /// How many posts of `class` there are in each window of `length`, whole buckets, that lies within `range`: the last one
    /// ends with it, and each begins where the next one ends.
    pub fn windows(&self, range: TimeRange, length: Duration, (class, source): (Class, Option<&str>)) -> Vec<f64> {
        let sums = source.map_or(Some(&self.together), |name| self.sums.get(name));
        let Some(sums) = sums else { return Vec::new() };
        let clamp = |at: Timestamp| self.index(at.clamp(self.range.start(), self.range.end()));
        let (first, mut end) = (clamp(range.start().ceil(self.width)), clamp(range.end()));
        let length = self.index(self.range.start() + length).max(1);
        let mut counts = Vec::with_capacity(end.saturating_sub(first) / length);
        while end >= first + length {
            counts.push((sums[end].of(class) - sums[end - length].of(class)) as f64);
            end -= length;
        }
        counts
    }

    /// The number of buckets before `at`, which is in the range.
    fn index(&self, at: Timestamp) -> usize {
        let micros = at.since(self.range.start()).as_micros() / self.width.as_micros().max(1);
        usize::try_from(micros).unwrap_or_default()
    }
}

/// A view of stored counts, whose windows begin and end at edges of minutes.
impl View for History {
    fn window(&self, range: TimeRange, source: Option<&str>) -> Tally {
        self.minutes.sum(range, source)
    }

    fn sources(&self, range: TimeRange) -> BTreeSet<String> {
        let names = self.minutes.sums.keys();
        names.filter(|name| self.minutes.sum(range, Some(name)).total() > 0).cloned().collect()
    }

    fn history(&self) -> Option<&History> {
        Some(self)
    }
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
        fn any_run_of_buckets_sums_to_a_recount(
            posts in proptest::collection::vec((0_i64..200, 0_usize..3, 0_usize..3, 0_usize..7, 1_i64..4), 0..300),
            from in -20_i64..220, length in 0_i64..240,
        ) {
            let counts: Vec<BucketCount> = posts
                .iter()
                .map(|&(minute, source, sentiment, emotion, count)| {
                    (at(minute), format!("s{source}"), Sentiment::ALL[sentiment], Emotion::ALL[emotion], count)
                })
                .collect();
            let series = Series::new(TimeRange::new(at(0), at(200)).unwrap(), Duration::from_secs(60), counts.clone());
            let range = TimeRange::new(at(from), at(from + length)).unwrap();
            let series_of = |source| series.windows(range, Duration::from_secs(600), (Class::Posts, source));
            for source in [None, Some("s0"), Some("s2"), Some("none")] {
                for (number, count) in (0..).zip(series_of(source)) {
                    let end = range.end().min(at(200)) - Duration::from_secs(600 * number);
                    let window = TimeRange::last(Duration::from_secs(600), end);
                    prop_assert_eq!(count, series.sum(window, source).total() as f64);
                }
                let mut recount = Tally::default();
                for (at, name, sentiment, emotion, count) in &counts {
                    if source.is_none_or(|source| source == name) && *at >= range.start() && *at < range.end() {
                        recount.add(*sentiment, *emotion, *count);
                    }
                }
                prop_assert_eq!(series.sum(range, source), recount);
            }
        }
    }
}
