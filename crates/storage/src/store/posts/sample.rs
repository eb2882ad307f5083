//! Reads samples of limited size from the posts of a range.

mod words;

pub use words::WordSample;

use diesel::{QueryResult, Queryable};

use super::PostFilter;
use super::query::{on_postgres, on_sqlite};
use crate::store::backend::read;
use crate::store::sql::At;
use crate::store::{Store, StoreError};
use sentistream_core::domain::{Emotion, Sentiment, TimeRange, Timestamp};

/// The number of posts that a sample should have.
const TARGET: i64 = 2_000;
/// The number of time windows from which the posts of a sample are taken, and the maximum number of posts per window.
/// A sample has at most 3,000 posts in total.
const WINDOWS: u32 = 40;
const PER_WINDOW: i64 = 75;

/// A post of a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct SampledPost {
    /// The id of the post, unique across all sources.
    pub post_id: String,
    /// The name of the source.
    pub source: String,
    /// The name of the author; `None` if the source did not send one.
    pub author: Option<String>,
    /// The URL of the original post; `None` if it is not known.
    pub url: Option<String>,
    /// The first 1,000 characters.
    pub content: String,
    /// When the author wrote the post.
    pub created_at: Timestamp,
    /// `None`: the post is unscored.
    pub sentiment: Option<Sentiment>,
    /// `None`: the post is unscored.
    pub emotion: Option<Emotion>,
    /// The probability of `sentiment`, in [0, 1]; 0 if the post is unscored.
    pub confidence: f64,
}

/// The columns of a post that a sample reads.
#[derive(Queryable)]
struct SampleRow {
    post_id: String,
    source: String,
    author: Option<String>,
    url: Option<String>,
    content: String,
    created_at: At,
    sentiment: String,
    emotion: String,
    confidence: f64,
}

impl From<SampleRow> for SampledPost {
    fn from(row: SampleRow) -> Self {
        Self {
            post_id: row.post_id,
            source: row.source,
            author: row.author,
            url: row.url,
            content: row.content,
            created_at: row.created_at.0,
            sentiment: row.sentiment.parse().ok(),
            emotion: row.emotion.parse().ok(),
            confidence: row.confidence,
        }
    }
}

impl Store {
    /// A sample of the posts of `range` that match `filter`; the times of the filter are ignored. `total` is the number
    /// of matching posts, or a lower bound of it. If at most 2,000 posts match, all of them are returned. Otherwise the
    /// sample consists of at most 3,000 posts from windows that are spread evenly over the range, so that busy times
    /// contribute more posts.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sample(
        &self,
        filter: &PostFilter,
        range: TimeRange,
        total: i64,
    ) -> Result<Vec<SampledPost>, StoreError> {
        if total <= TARGET {
            return self.newest_sampled(&within(filter, range), TARGET).await;
        }
        self.windows_sampled(filter, range, TARGET as f64 / total as f64, PER_WINDOW).await
    }

    /// The posts in windows that are spread evenly over `range`, at most `most` from each window. `part` is the share
    /// of the range that the windows cover.
    async fn windows_sampled(
        &self,
        filter: &PostFilter,
        range: TimeRange,
        part: f64,
        most: i64,
    ) -> Result<Vec<SampledPost>, StoreError> {
        let stride = range.length() / WINDOWS;
        let window = |number: u32| TimeRange::last(stride.mul_f64(part.min(1.0)), range.start() + stride * number);
        let filters: Vec<PostFilter> = (1..=WINDOWS).map(|number| within(filter, window(number))).collect();
        let mut rows: Vec<SampleRow> = Vec::new();
        // One connection serves all windows.
        match filter.topic {
            None => read!(
                self,
                replica,
                |c| async {
                    for filter in &filters {
                        rows.extend(on_sqlite::samples(filter, most).load::<SampleRow>(c).await?);
                    }
                    QueryResult::Ok(())
                },
                async {
                    for filter in &filters {
                        rows.extend(on_postgres::samples(filter, most).load::<SampleRow>(c).await?);
                    }
                    QueryResult::Ok(())
                }
            ),
            Some(topic) => read!(
                self,
                replica,
                |c| async {
                    for filter in &filters {
                        rows.extend(on_sqlite::topic_samples(topic, filter, most).load::<SampleRow>(c).await?);
                    }
                    QueryResult::Ok(())
                },
                async {
                    for filter in &filters {
                        rows.extend(on_postgres::topic_samples(topic, filter, most).load::<SampleRow>(c).await?);
                    }
                    QueryResult::Ok(())
                }
            ),
        }?;
        Ok(rows.into_iter().map(SampledPost::from).collect())
    }

    async fn newest_sampled(&self, filter: &PostFilter, most: i64) -> Result<Vec<SampledPost>, StoreError> {
        let rows: Vec<SampleRow> = match filter.topic {
            None => read!(
                self,
                replica,
                |c| on_sqlite::samples(filter, most).load(c),
                on_postgres::samples(filter, most).load(c)
            ),
            Some(topic) => read!(
                self,
                replica,
                |c| on_sqlite::topic_samples(topic, filter, most).load(c),
                on_postgres::topic_samples(topic, filter, most).load(c)
            ),
        }?;
        Ok(rows.into_iter().map(SampledPost::from).collect())
    }
}

/// `filter` with the times of `range`.
fn within(filter: &PostFilter, range: TimeRange) -> PostFilter {
    PostFilter { start: Some(range.start()), end: Some(range.end()), ..filter.clone() }
}
