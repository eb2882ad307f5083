//! The counts that rules are evaluated by, beside the exact windows.

use crate::domain::{Emotion, Sentiment, TimeRange, Timestamp, TopicId};
use crate::store::backend::read;
use crate::store::posts::PostFilter;
use crate::store::posts::query::{on_postgres, on_sqlite};
use crate::store::rollup::Grain;
use crate::store::rollup::read::series;
use crate::store::sql::{At, Label};
use crate::store::{Store, StoreError};

/// The widths of rollups that make a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketWidth {
    Minute,
    /// Fifteen minutes.
    Quarter,
}

/// A count of one bucket, source, sentiment and emotion.
type Count = (Timestamp, String, Sentiment, Emotion, i64);

/// Bucket, source, sentiment, emotion and how many.
type CountRow = (At, String, Label<Sentiment>, Label<Emotion>, i64);

impl Store {
    /// Counts by bucket and source, of the buckets that start in `range`, of all posts or of those of one topic. Minutes from before
    /// [`Self::minutes_kept_from`] are missing.
    pub async fn bucket_counts(
        &self,
        width: BucketWidth,
        range: TimeRange,
        topic: Option<TopicId>,
    ) -> Result<Vec<Count>, StoreError> {
        let grain = match width {
            BucketWidth::Minute => Grain::Minute,
            BucketWidth::Quarter => Grain::Quarter,
        };
        let query = series(grain, range, topic);
        let rows: Vec<CountRow> =
            read!(self, primary, |c| c.spawn_blocking(move |c| diesel::RunQueryDsl::load(query, c)), query.load(c))?;
        Ok(rows
            .into_iter()
            .map(|(at, source, sentiment, emotion, n)| (at.0, source, sentiment.0, emotion.0, n))
            .collect())
    }

    /// Time, source, sentiment and emotion of the newest `limit` posts that match; each counts one.
    pub async fn post_marks(&self, filter: &PostFilter, limit: i64) -> Result<Vec<Count>, StoreError> {
        let rows: Vec<(At, String, Label<Sentiment>, Label<Emotion>)> = read!(
            self,
            primary,
            |c| on_sqlite::marks(filter, limit).load(c),
            on_postgres::marks(filter, limit).load(c)
        )?;
        Ok(rows.into_iter().map(|(at, source, sentiment, emotion)| (at.0, source, sentiment.0, emotion.0, 1)).collect())
    }

    /// The first minute of which counts exist.
    pub fn minutes_kept_from(&self) -> Timestamp {
        self.retention.usable(self.clock.now()).from(Grain::Minute)
    }
}
