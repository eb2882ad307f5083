//! Reads posts: filters, keyset pagination, single posts.

mod counted;
mod filter;
mod page;
pub(super) mod query;
pub(super) mod row;
pub mod sample;
mod search;
mod stored;
mod stripes;

pub use filter::{CountedFrom, PostFilter};
pub use page::{PostCursor, Sort, Start};
pub(super) use row::{public_id, scores_from, scores_json};
pub use stored::{StoredAnalysis, StoredPost};

use std::collections::{HashMap, HashSet};

use diesel::sql_types::Text;
use diesel::{ExpressionMethods, JoinOnDsl, QueryDsl, SelectableHelper};

use super::backend::read;
use super::rollup::Series;
use super::rollup::read::{sum, totals};
use super::scans::is_short;
use super::schema::{post_topics as about, sentiment_analysis as analysis, social_media_posts as post};
use super::settle::{SELECT_TOPICS, TopicColumns, TopicRow};
use super::sql::{CountOf, sql};
use super::{Store, StoreError};
use query::{on_postgres, on_sqlite};
use row::PostRow;
use sentistream_core::domain::{Page, PostId, PostTopic, Sentiment, TimeRange, Timestamp, TopicId};

/// Reads complete posts for which `$condition` holds.
macro_rules! whole_posts {
    ($condition:expr) => {
        post::table
            .left_join(analysis::table.on(analysis::post_id.eq(post::post_id)))
            .filter($condition)
            .select(PostRow::as_select())
    };
}

impl Store {
    /// Returns those of `ids` that belong to a stored post.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn known_posts(&self, ids: &[PostId]) -> Result<HashSet<PostId>, StoreError> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let names: Vec<&str> = ids.iter().map(PostId::as_str).collect();
        let query = || post::table.filter(post::post_id.eq_any(&names)).select(post::post_id);
        let known: HashSet<String> = read!(self, primary, |c| query().load(c))?.into_iter().collect();
        Ok(ids.iter().filter(|id| known.contains(id.as_str())).cloned().collect())
    }

    /// One page, newest first.
    ///
    /// # Errors
    /// The same errors as [`Self::sorted_posts`].
    pub async fn posts(
        &self,
        filter: &PostFilter,
        start: Start,
        limit: i64,
    ) -> Result<Page<StoredPost, PostCursor>, StoreError> {
        self.sorted_posts(filter, Sort::Newest, start, limit).await
    }

    /// One page in the order of `sort`. A cursor in `start` must come from a page in the same order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored sentiment or
    /// emotion is unknown.
    pub async fn sorted_posts(
        &self,
        filter: &PostFilter,
        sort: Sort,
        start: Start,
        limit: i64,
    ) -> Result<Page<StoredPost, PostCursor>, StoreError> {
        let _turn = if is_short(filter, start, limit) { None } else { self.scans.turn().await };
        let found = if filter.words.is_empty() { None } else { self.search_page(filter, sort, start, limit).await? };
        let rows: Vec<PostRow> = match (found, filter.topic) {
            (Some(ids), _) => read!(self, replica, |c| whole_posts!(post::id.eq_any(&ids)).load(c))?,
            (None, None) => read!(
                self,
                replica,
                |c| whole_posts!(post::id.eq_any(on_sqlite::page(filter, sort, start, limit))).load(c),
                whole_posts!(post::id.eq_any(on_postgres::page(filter, sort, start, limit))).load(c)
            )?,
            (None, Some(topic)) => {
                let ids: Vec<i64> = read!(
                    self,
                    replica,
                    |c| on_sqlite::topic_page(topic, filter, sort, (start, limit)).load(c),
                    on_postgres::topic_page(topic, filter, sort, (start, limit)).load(c)
                )?;
                read!(self, replica, |c| whole_posts!(post::id.eq_any(&ids)).load(c))?
            }
        };
        let mut posts: Vec<StoredPost> = rows.into_iter().map(StoredPost::from).collect();
        posts.sort_unstable_by(|one, other| sort.compare(one, other));
        Ok(Page::of(posts, limit, |post| sort.cursor(post)))
    }

    /// The number of matching posts. If the totals or rollups can answer the filter, the number is exact and includes
    /// posts that retention has removed. Otherwise the stored posts are counted, up to [`COUNT_LIMIT`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored sentiment or
    /// emotion is unknown.
    pub async fn count_posts(&self, filter: &PostFilter) -> Result<Total, StoreError> {
        let rolled_up = filter.rolled_up();
        let exact = |count| Total { count, capped: false };
        if filter.is_counted() {
            let query = totals(rolled_up);
            return Ok(exact(sum(read!(self, replica, |c| query.load(c))?).posts()));
        }
        if filter.counted_from() == CountedFrom::Rollups {
            let (start, end) = (filter.start.unwrap_or(Timestamp::MIN), filter.end.unwrap_or(Timestamp::MAX));
            let Some(range) = TimeRange::new(start, end) else { return Ok(exact(0)) };
            let series = if filter.source.is_some() { Series::Source } else { Series::Together };
            return Ok(exact(sum(self.cells(range, series, rolled_up).await?).posts()));
        }
        let count = self.counted_up_to(filter, COUNT_LIMIT).await?;
        Ok(Total { count: count.min(COUNT_LIMIT), capped: count > COUNT_LIMIT })
    }

    /// The number of matching posts, counted individually; `limit + 1` if there are more than `limit`.
    pub(super) async fn counted_up_to(&self, filter: &PostFilter, limit: i64) -> Result<i64, StoreError> {
        let _turn = self.scans.turn().await;
        if !filter.words.is_empty()
            && let Some(count) = self.search_count(filter, limit).await?
        {
            return Ok(count);
        }
        match filter.topic {
            None => read!(
                self,
                replica,
                |c| CountOf(on_sqlite::counted(filter, limit)).get_result(c),
                CountOf(on_postgres::counted(filter, limit)).get_result(c)
            ),
            Some(topic) => read!(
                self,
                replica,
                |c| CountOf(on_sqlite::topic_counted(topic, filter, limit)).get_result(c),
                CountOf(on_postgres::topic_counted(topic, filter, limit)).get_result(c)
            ),
        }
    }

    /// One post.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored sentiment or
    /// emotion is unknown.
    pub async fn post(&self, id: &PostId) -> Result<Option<StoredPost>, StoreError> {
        let found: Vec<PostRow> = read!(self, replica, |c| whole_posts!(post::post_id.eq(id.as_str())).load(c))?;
        Ok(found.into_iter().next().map(StoredPost::from))
    }
}

impl Store {
    /// The topics of a post, with the sentiment towards each.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn topics_of_post(&self, id: &PostId) -> Result<Vec<PostTopic>, StoreError> {
        let query = || {
            sql(format!("{SELECT_TOPICS} p.post_id = ? ORDER BY t.topic_id"))
                .bind::<Text, _>(id.as_str())
                .rows::<TopicColumns>()
        };
        let rows: Vec<TopicRow> = read!(self, replica, |c| query().load(c))?;
        Ok(rows.into_iter().map(PostTopic::from).collect())
    }

    /// The sentiment of posts towards one topic, by the ids of their rows. Posts that do not match the topic, and posts
    /// whose sentiment towards it is not determined yet, are left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sentiments_towards(
        &self,
        topic: TopicId,
        posts: &[StoredPost],
    ) -> Result<HashMap<i64, (Sentiment, f64)>, StoreError> {
        let ids: Vec<i64> = posts.iter().map(|post| post.id).collect();
        let query = || {
            about::table.filter(about::topic_id.eq(topic.0)).filter(about::post.eq_any(&ids)).select((
                about::post,
                about::sentiment_label,
                about::confidence_score,
            ))
        };
        let rows: Vec<(i64, Option<String>, Option<f64>)> = read!(self, replica, |c| query().load(c))?;
        let labels = rows.into_iter().filter_map(|(post, label, confidence)| {
            Some((post, (label?.parse().ok()?, confidence.unwrap_or_default())))
        });
        Ok(labels.collect())
    }
}

/// The number of matching posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// The number of posts, at most [`COUNT_LIMIT`] if they were counted individually.
    pub count: i64,
    /// Whether counting stopped at its limit, so that there are at least `count` posts.
    pub capped: bool,
}

/// Posts are counted individually only up to this number.
pub const COUNT_LIMIT: i64 = 10_000;
