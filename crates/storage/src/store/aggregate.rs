//! Counts over time, from the rollups, or from the posts if the rollups cannot answer the filter.

use std::time::Duration;

use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::backend::read;
use super::posts::query::{on_postgres, on_sqlite};
use super::posts::{CountedFrom, PostFilter};
use super::rollup::read::{BucketCell, buckets, sum};
use super::rollup::{Grain, Series};
use super::sql::labels_of;
use super::{AggregateFailure, Store, StoreError};
use sentistream_core::domain::{Counts, Period, TimeRange, Timestamp};

impl Store {
    /// Counts by bucket.
    ///
    /// # Errors
    /// [`AggregateFailure::Query`] when there are more than [`MAX_BUCKETS`] buckets, the range begins before the
    /// retention of counts, or more than [`MAX_READ_POSTS`] posts must be read. [`AggregateFailure::Store`] when the
    /// database does not answer, or a stored sentiment or emotion is unknown.
    pub async fn aggregate(&self, query: &AggregateQuery) -> Result<Aggregate, AggregateFailure> {
        match query.filter.counted_from() {
            CountedFrom::Rollups => {
                let edges = self.edges(query)?;
                let cells = self.bucket_cells(&edges, &query.filter).await?;
                Ok(edges.fill(cells))
            }
            CountedFrom::Posts => {
                let edges = Edges::of(query, Timestamp::MIN)?;
                let cells = self.post_cells(edges.range, &query.filter).await?;
                Ok(edges.fill(cells))
            }
        }
    }

    /// The buckets of `query`. Fails if the rollups do not contain the counts of these buckets.
    pub(super) fn edges(&self, query: &AggregateQuery) -> Result<Edges, AggregateError> {
        let now = self.clock.now();
        let edges = Edges::of(query, self.retention.usable(now).from(Grain::Minute))?;
        match self.kept().rollups.map(|kept| now - kept) {
            Some(kept_from) if edges.range.start() < kept_from => Err(AggregateError::CountsGone(kept_from)),
            _ => Ok(edges),
        }
    }

    /// Counts of the posts that were written in `range`, which may start and end at any time. The times of the filter
    /// are ignored.
    ///
    /// # Errors
    /// [`AggregateFailure::Query`] when more than [`MAX_READ_POSTS`] posts must be read. [`AggregateFailure::Store`]
    /// when the database does not answer, or a stored sentiment or emotion is unknown.
    pub async fn counts(&self, range: TimeRange, filter: &PostFilter) -> Result<Counts, AggregateFailure> {
        match filter.counted_from() {
            CountedFrom::Rollups => {
                let series = if filter.source.is_some() { Series::Source } else { Series::Together };
                Ok(sum(self.cells(range, series, filter.rolled_up()).await?))
            }
            CountedFrom::Posts => {
                let mut counts = Counts::default();
                for (_, sentiment, emotion, count, confidence) in self.post_cells(range, filter).await? {
                    counts.add(labels_of(sentiment, emotion), count, confidence);
                }
                Ok(counts)
            }
        }
    }

    async fn bucket_cells(&self, edges: &Edges, filter: &PostFilter) -> Result<Vec<BucketCell>, StoreError> {
        let statement = buckets(edges.grain, edges.range, filter.rolled_up());
        read!(self, replica, |c| c.spawn_blocking(move |c| diesel::RunQueryDsl::load(statement, c)), statement.load(c))
    }

    /// The time and the labels of each matching post, as a cell with the count 1. Fails when more than
    /// [`MAX_READ_POSTS`] posts would be read.
    async fn post_cells(&self, range: TimeRange, filter: &PostFilter) -> Result<Vec<BucketCell>, AggregateFailure> {
        if !filter.words.is_empty() && self.candidates(range, filter).await? > MAX_READ_POSTS {
            return Err(AggregateError::TooManyPosts.into());
        }
        let found = self.matching_cells(range, filter).await?;
        if found.len() as i64 > MAX_READ_POSTS { Err(AggregateError::TooManyPosts.into()) } else { Ok(found) }
    }

    /// The number of posts that match the filter without its words. The texts of these posts must be searched for the
    /// words.
    async fn candidates(&self, range: TimeRange, filter: &PostFilter) -> Result<i64, StoreError> {
        let rest =
            PostFilter { words: Vec::new(), start: Some(range.start()), end: Some(range.end()), ..filter.clone() };
        match rest.counted_from() {
            CountedFrom::Rollups => Ok(self.count_posts(&rest).await?.count),
            CountedFrom::Posts => self.counted_up_to(&rest, MAX_READ_POSTS).await,
        }
    }

    async fn matching_cells(&self, range: TimeRange, filter: &PostFilter) -> Result<Vec<BucketCell>, StoreError> {
        let limit = MAX_READ_POSTS + 1;
        let _turn = self.scans.turn().await;
        match filter.topic {
            None => read!(
                self,
                replica,
                |c| on_sqlite::cells(filter, range, limit).load(c),
                on_postgres::cells(filter, range, limit).load(c)
            ),
            Some(topic) => read!(
                self,
                replica,
                |c| on_sqlite::topic_cells(topic, filter, range, limit).load(c),
                on_postgres::topic_cells(topic, filter, range, limit).load(c)
            ),
        }
    }
}

/// Which posts to count, and how.
#[derive(Clone, Debug)]
pub struct AggregateQuery {
    /// The width of the buckets.
    pub period: Period,
    /// The requested range. It is extended to bucket edges.
    pub range: TimeRange,
    /// Selects the posts. Its times are ignored.
    pub filter: PostFilter,
    /// The time zone in which days start.
    pub zone: TimeZone,
}

/// Buckets without gaps, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The range after it was extended to bucket edges.
    pub range: TimeRange,
    /// The buckets that cover the range, including those without posts.
    pub buckets: Vec<Bucket>,
}

/// One bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// The start of the bucket, inclusive.
    pub start: Timestamp,
    /// The counts of the posts that were written in the bucket.
    pub counts: Counts,
}

/// The maximum number of buckets in one answer.
pub const MAX_BUCKETS: usize = 5_000;

/// The maximum number of posts that are read to answer a query that the rollups cannot answer.
pub const MAX_READ_POSTS: i64 = 100_000;

/// Why counts cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AggregateError {
    /// More buckets than [`MAX_BUCKETS`].
    #[error(
        "the range has {0} buckets, but at most {MAX_BUCKETS} are allowed: choose a longer period or a shorter range"
    )]
    TooManyBuckets(usize),
    /// The range begins before the first stored minute count, which is at this time.
    #[error("minute counts before {0} were deleted (retention.minute_rollups): use period=hour or a later start_date")]
    MinutesGone(Timestamp),
    /// The range begins before the first stored count, which is at this time.
    #[error("counts before {0} were deleted (retention.rollups): choose a later start_date")]
    CountsGone(Timestamp),
    /// More posts than [`MAX_READ_POSTS`].
    #[error("this filter requires reading more than {MAX_READ_POSTS} posts: choose a shorter range or add a filter")]
    TooManyPosts,
}

const HOUR: Duration = Duration::from_secs(3_600);

/// The buckets of an aggregate before they are counted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Edges {
    /// The range after it was extended to bucket edges.
    pub range: TimeRange,
    /// The start of each bucket. A bucket ends where the next one starts; the last bucket ends with the range.
    pub starts: Vec<Timestamp>,
    /// The widest rollup buckets that do not cross the edge of any bucket of the aggregate.
    pub grain: Grain,
}

impl Edges {
    /// Extends the query's range to bucket edges and finds the buckets in it.
    pub fn of(query: &AggregateQuery, minutes_from: Timestamp) -> Result<Self, AggregateError> {
        match query.period {
            Period::Minute => {
                let edges = Self::regular(query.range, Grain::Minute.width(), Grain::Minute)?;
                if edges.range.start() < minutes_from {
                    return Err(AggregateError::MinutesGone(minutes_from));
                }
                Ok(edges)
            }
            Period::Hour => Self::regular(query.range, HOUR, Grain::Quarter),
            Period::Day if query.zone == TimeZone::UTC => Self::regular(query.range, Grain::Day.width(), Grain::Day),
            Period::Day => Self::days(query.range, &query.zone),
        }
    }

    fn regular(range: TimeRange, width: Duration, grain: Grain) -> Result<Self, AggregateError> {
        let range = range.widened(width);
        let count = bucket_count(range.length(), width);
        if count > MAX_BUCKETS {
            return Err(AggregateError::TooManyBuckets(count));
        }
        let mut starts = Vec::with_capacity(count);
        let mut start = range.start();
        while start < range.end() {
            starts.push(start);
            start = start + width;
        }
        Ok(Self { range, starts, grain })
    }

    /// Days from midnight to midnight in `zone`. They have 23 to 25 hours when the clocks change.
    fn days(range: TimeRange, zone: &TimeZone) -> Result<Self, AggregateError> {
        let day = Grain::Day.width();
        let least = bucket_count(range.length(), day);
        if least > MAX_BUCKETS {
            return Err(AggregateError::TooManyBuckets(least));
        }
        let date = range.start().to_jiff().to_zoned(zone.clone()).date();
        let mut edges: Vec<Timestamp> = Vec::with_capacity(least + 2);
        for days in 0.. {
            // There is no midnight after the last day of the calendar.
            let edge = midnight(date, days, zone).unwrap_or(range.end());
            if edge <= range.start() {
                edges.clear();
            }
            // When a zone moves across the date line, it skips a day. The skipped day gets no bucket.
            if edges.last().is_none_or(|last| edge > *last) {
                edges.push(edge);
            }
            if edge >= range.end() {
                break;
            }
        }
        let end = edges.pop().unwrap_or(range.end());
        let start = edges.first().copied().unwrap_or(end);
        let starts = edges;
        if starts.len() > MAX_BUCKETS {
            return Err(AggregateError::TooManyBuckets(starts.len()));
        }
        let range = TimeRange::new(start, end).unwrap_or(range);
        let whole_days = starts.iter().chain([&end]).all(|edge| edge.floor(day) == *edge);
        let grain = if whole_days { Grain::Day } else { Grain::Quarter };
        Ok(Self { range, starts, grain })
    }

    /// Adds the counts of rollup buckets to these buckets. A rollup bucket belongs to the bucket in which it starts.
    pub fn fill(self, cells: impl IntoIterator<Item = BucketCell>) -> Aggregate {
        let mut buckets: Vec<_> =
            self.starts.into_iter().map(|start| Bucket { start, counts: Counts::default() }).collect();
        for (at, sentiment, emotion, count, confidence) in cells {
            let after = buckets.partition_point(|bucket| bucket.start <= at.0);
            if let Some(bucket) = after.checked_sub(1).and_then(|index| buckets.get_mut(index)) {
                bucket.counts.add(labels_of(sentiment, emotion), count, confidence);
            }
        }
        Aggregate { range: self.range, buckets }
    }
}

fn bucket_count(length: Duration, width: Duration) -> usize {
    usize::try_from(length.as_micros().div_ceil(width.as_micros().max(1))).unwrap_or(usize::MAX)
}

/// The start of the day that is `days` after `date`.
fn midnight(date: Date, days: i64, zone: &TimeZone) -> Option<Timestamp> {
    let date = date.checked_add(Span::new().try_days(days).ok()?).ok()?;
    let zoned = zone.to_ambiguous_zoned(date.at(0, 0, 0, 0)).compatible().ok()?;
    Some(zoned.timestamp().into())
}
