//! Reads posts: filters, keyset pagination, single posts.

mod counted;
pub(super) mod query;
pub(super) mod row;
pub mod sample;
mod search;
mod stripes;

pub(super) use row::{public_id, scores_from, scores_json};

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use diesel::sql_types::Text;
use diesel::{ExpressionMethods, JoinOnDsl, QueryDsl, SelectableHelper};

use super::backend::read;
use super::rollup::Series;
use super::rollup::read::{Cells, sum, totals};
use super::scans::is_short;
use super::schema::{post_topics as about, sentiment_analysis as analysis, social_media_posts as post};
use super::settle::{SELECT_TOPICS, TopicColumns, TopicRow};
use super::sql::{CountOf, sql};
use super::{Store, StoreError};
use crate::domain::{
    Author, Emotion, PostId, PostLabels, PostTopic, Scores, Sentiment, SentimentFilter, SentimentOf, Source, TimeRange,
    Timestamp, TopicId,
};
use query::{on_postgres, on_sqlite};
use row::PostRow;

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
    /// The posts of `ids` that are stored.
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
    /// As [`Self::sorted_posts`].
    pub async fn posts(&self, filter: &PostFilter, start: Start, limit: i64) -> Result<PostPage, StoreError> {
        self.sorted_posts(filter, Sort::Newest, start, limit).await
    }

    /// One page in the order of `sort`, which must be that of the start cursor.
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
    ) -> Result<PostPage, StoreError> {
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
        let wanted = usize::try_from(limit).unwrap_or_default();
        let more = posts.len() > wanted;
        posts.truncate(wanted);
        let last = posts.last().map(|post| sort.cursor(post));
        Ok(PostPage { next: last.filter(|_| more), posts })
    }

    /// The number of matching posts: exact if it can be read from the totals or rollups, otherwise counted up to
    /// [`COUNT_LIMIT`].
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

    /// The sentiment of posts towards one topic, by the ids of their rows. Posts that do not match it, and those for which
    /// it is not determined, are left out.
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

/// Selects posts. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostFilter {
    /// Posts that belong to this topic.
    pub topic: Option<TopicId>,
    /// With a topic: the label that `sentiment` and `min_confidence` refer to, and by which posts are counted.
    pub sentiment_of: SentimentOf,
    /// Posts of this source.
    pub source: Option<Source>,
    /// Posts with this sentiment, or posts without one.
    pub sentiment: Option<SentimentFilter>,
    /// Posts with this emotion.
    pub emotion: Option<Emotion>,
    /// Posts of authors with this name.
    pub author: Option<Author>,
    /// Posts in this language or a regional form of it: `en` also finds `en-US`. In lower case.
    pub lang: Option<String>,
    /// The text contains all of these words, ignoring case.
    pub words: Vec<String>,
    /// The text contains all of these words as whole words, ignoring case.
    pub whole_words: Vec<String>,
    /// The confidence is at least this, in [0, 1].
    pub min_confidence: Option<f64>,
    /// `created_at` is at or after this time.
    pub start: Option<Timestamp>,
    /// `created_at` is before this time.
    pub end: Option<Timestamp>,
    /// `ingested_at` is after this time.
    pub ingested_after: Option<Timestamp>,
}

impl PostFilter {
    /// Whether the number of matches can be read from the totals: only topic, source, sentiment and emotion are
    /// filtered.
    pub fn is_counted(&self) -> bool {
        let rolled_up = Self {
            topic: self.topic,
            sentiment_of: self.sentiment_of,
            source: self.source.clone(),
            sentiment: self.sentiment,
            emotion: self.emotion,
            ..Self::default()
        };
        *self == rolled_up
    }

    /// The tables that the counts over time can be read from.
    pub fn counted_from(&self) -> CountedFrom {
        let any_time = Self { start: None, end: None, ..self.clone() };
        if any_time.is_counted() { CountedFrom::Rollups } else { CountedFrom::Posts }
    }

    /// The conditions that the rollups can answer.
    pub(super) fn rolled_up(&self) -> Cells<'_> {
        Cells {
            topic: self.topic,
            of: self.sentiment_of,
            source: self.source.as_ref(),
            sentiment: self.sentiment,
            emotion: self.emotion,
        }
    }
}

/// The tables that counts are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CountedFrom {
    /// The rollups: any range, including pruned posts.
    Rollups,
    /// The posts: only stored posts, and only as many as may be read for one answer.
    Posts,
}

/// The position at which a page begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// After this many posts.
    Offset(i64),
    /// After the post with these keys.
    After(PostCursor),
}

/// The sort order of a list. Posts with equal keys are sorted by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The latest `created_at` first.
    #[default]
    Newest,
    /// The earliest `created_at` first.
    Oldest,
    /// The highest confidence first.
    Confidence,
}

impl Sort {
    fn compare(self, one: &StoredPost, other: &StoredPost) -> Ordering {
        match self {
            Self::Newest => (other.created_at, other.id).cmp(&(one.created_at, one.id)),
            Self::Oldest => (one.created_at, one.id).cmp(&(other.created_at, other.id)),
            Self::Confidence => other.confidence().total_cmp(&one.confidence()).then(other.id.cmp(&one.id)),
        }
    }

    fn cursor(self, post: &StoredPost) -> PostCursor {
        let (created_at, confidence, id) = (post.created_at, post.confidence(), post.id);
        match self {
            Self::Newest => PostCursor::Newest { created_at, id },
            Self::Oldest => PostCursor::Oldest { created_at, id },
            Self::Confidence => PostCursor::Confidence { confidence, id },
        }
    }
}

/// The sort keys of the last post of a page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PostCursor {
    /// The last post of a page in the order [`Sort::Newest`].
    Newest {
        /// When the author wrote the post.
        created_at: Timestamp,
        /// The row id of the post.
        id: i64,
    },
    /// The last post of a page in the order [`Sort::Oldest`].
    Oldest {
        /// When the author wrote the post.
        created_at: Timestamp,
        /// The row id of the post.
        id: i64,
    },
    /// The last post of a page in the order [`Sort::Confidence`].
    Confidence {
        /// The confidence, in [0, 1]; 0 if the post is unscored.
        confidence: f64,
        /// The row id of the post.
        id: i64,
    },
}

impl PostCursor {
    /// The sort order of its page.
    pub fn sort(self) -> Sort {
        match self {
            Self::Newest { .. } => Sort::Newest,
            Self::Oldest { .. } => Sort::Oldest,
            Self::Confidence { .. } => Sort::Confidence,
        }
    }
}

/// A stored post.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPost {
    /// The row id, by which posts with equal sort keys are ordered.
    pub id: i64,
    /// The id of the post, unique across all sources.
    pub post_id: String,
    /// The name of the source.
    pub source: String,
    /// The complete text.
    pub content: String,
    /// The name of the author; `None` if the source did not send one.
    pub author: Option<String>,
    /// When the author wrote the post.
    pub created_at: Timestamp,
    /// When the post was first stored.
    pub ingested_at: Timestamp,
    /// The BCP 47 tag that the source sent, or the detected language; `None` if neither is known.
    pub lang: Option<String>,
    /// The URL of the original post.
    pub url: Option<String>,
    /// The id of the post that this one replies to.
    pub reply_to: Option<String>,
    /// `None`: the post is unscored.
    pub analysis: Option<StoredAnalysis>,
}

impl StoredPost {
    /// The labels, if the post is scored.
    pub fn labels(&self) -> Option<PostLabels> {
        self.analysis.as_ref().map(|analysis| PostLabels { sentiment: analysis.sentiment, emotion: analysis.emotion })
    }

    /// The confidence; 0 if the post is unscored.
    pub fn confidence(&self) -> f64 {
        self.analysis.as_ref().map_or(0.0, |analysis| analysis.confidence)
    }
}

/// The analysis of a stored post by a model.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAnalysis {
    /// The name of the model.
    pub model_name: String,
    /// The sentiment with the largest score.
    pub sentiment: Sentiment,
    /// The probability of `sentiment`, in [0, 1].
    pub confidence: f64,
    /// The emotion with the largest score.
    pub emotion: Emotion,
    /// When the analysis was stored.
    pub analyzed_at: Timestamp,
    /// The scores of all classes.
    pub scores: Scores,
    /// Whether the model read only the beginning of the text, because of its limit.
    pub truncated: bool,
}

/// A page of posts.
#[derive(Clone, Debug, PartialEq)]
pub struct PostPage {
    /// The posts of the page.
    pub posts: Vec<StoredPost>,
    /// The position at which the next page starts; `None` on the last page.
    pub next: Option<PostCursor>,
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
