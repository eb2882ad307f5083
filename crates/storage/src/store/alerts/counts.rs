//! The counts by bucket that the evaluation of rules reads. `rollup` counts posts in ranges that need not start or end
//! at a bucket boundary.

use crate::store::backend::read;
use crate::store::rollup::Grain;
use crate::store::rollup::read::series;
use crate::store::sql::{At, MaybeLabel, labels_of};
use crate::store::{Store, StoreError};
use sentistream_core::domain::{Emotion, PostLabels, Sentiment, TimeRange, Timestamp, TopicId};

/// The bucket widths that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketWidth {
    /// One minute.
    Minute,
    /// Fifteen minutes.
    Quarter,
}

/// A count of one bucket, source, sentiment and emotion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollupCount {
    /// The start of the bucket.
    pub at: Timestamp,
    /// The source of the posts.
    pub source: String,
    /// `None`: the posts are unscored.
    pub labels: Option<PostLabels>,
    /// The number of posts.
    pub count: i64,
}

#[derive(diesel::Queryable)]
struct CountRow {
    bucket: At,
    source: String,
    sentiment: MaybeLabel<Sentiment>,
    emotion: MaybeLabel<Emotion>,
    count: i64,
}

impl Store {
    /// Counts by bucket and source, for the buckets that start in `range`. With a topic, only its posts are counted.
    /// Minutes before [`Self::minutes_kept_from`] are missing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored sentiment or
    /// emotion is unknown.
    pub async fn bucket_counts(
        &self,
        width: BucketWidth,
        range: TimeRange,
        topic: Option<TopicId>,
    ) -> Result<Vec<RollupCount>, StoreError> {
        let grain = match width {
            BucketWidth::Minute => Grain::Minute,
            BucketWidth::Quarter => Grain::Quarter,
        };
        let query = series(grain, range, topic);
        let rows: Vec<CountRow> =
            read!(self, primary, |c| c.spawn_blocking(move |c| diesel::RunQueryDsl::load(query, c)), query.load(c))?;
        Ok(rows
            .into_iter()
            .map(|row| RollupCount {
                at: row.bucket.0,
                source: row.source,
                labels: labels_of(row.sentiment, row.emotion),
                count: row.count,
            })
            .collect())
    }

    /// The first minute for which counts are stored.
    pub fn minutes_kept_from(&self) -> Timestamp {
        self.retention.usable(self.clock.now()).from(Grain::Minute)
    }
}
