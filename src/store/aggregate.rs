//! Counts over time, from the rollups.

use crate::domain::{Counts, Emotion, Period, Source, TimeRange, Timestamp};

/// What to count.
#[derive(Clone, Debug)]
pub struct AggregateQuery {
    pub period: Period,
    /// Widened to bucket edges.
    pub range: TimeRange,
    pub source: Option<Source>,
    pub emotion: Option<Emotion>,
    /// Whose midnights bound days.
    pub zone: jiff::tz::TimeZone,
}

/// Buckets without gaps, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The range as used.
    pub range: TimeRange,
    pub buckets: Vec<Bucket>,
}

/// One bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    pub start: Timestamp,
    pub counts: Counts,
}

/// Most buckets of one answer.
pub const MAX_BUCKETS: usize = 5_000;

/// Why an aggregate cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AggregateError {
    /// More buckets than [`MAX_BUCKETS`].
    #[error(
        "the range holds {0} buckets, at most {MAX_BUCKETS} are allowed: choose a longer period or a shorter range"
    )]
    TooManyBuckets(usize),
    /// Minutes are kept for a while only.
    #[error("minutes before {0} are not kept (retention.minute_rollups): choose period=hour or a later start_date")]
    MinutesGone(Timestamp),
}
