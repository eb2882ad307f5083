//! Stores the sentiment of stored posts towards their topics, for matches that have no sentiment yet: matches that an
//! earlier release stored, matches of a new or changed query, and matches of posts that were analysed again.
//!
//! The texts are classified outside of the transaction. A post that was edited, deleted or analysed again in the
//! meantime stays unchanged, because its matches were rewritten.

use std::collections::BTreeSet;
use std::sync::Arc;

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{QueryResult, Queryable};
use diesel_async::AsyncPgConnection;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::plan::Row;
use super::tally::Tally;
use super::{postgres, sqlite};
use crate::store::backend::{Backend, read};
use crate::store::posts::scores_from;
use crate::store::sql::{At, Document, Instant, JsonText, sql};
use crate::store::{Retention, Store, StoreError};
use sentistream_core::domain::{PostTopic, Scores, Timestamp, TopicId, Towards};

/// A post with topics for which it has no sentiment yet.
#[derive(Clone, Debug)]
pub struct PendingPost {
    /// The id of the post.
    pub post_id: String,
    /// The text of the post.
    pub content: String,
    /// The language of the post; `None` if it is not known.
    pub lang: Option<String>,
    /// When the post was analysed; `None` if it is unscored.
    pub analyzed_at: Option<Timestamp>,
    /// The scores of the whole text; `None` if the post is unscored.
    pub scores: Option<Scores>,
    /// The topics for which the post has no sentiment yet.
    pub topics: Vec<TopicId>,
}

/// New sentiments of a stored post towards topics.
#[derive(Clone, Debug)]
pub struct TopicReanalysis {
    /// The id of the post.
    pub post_id: String,
    /// When the analysis on which the sentiments are based was stored; `None` for an unscored post.
    pub analyzed_at: Option<Timestamp>,
    /// The state of a match that the sentiments replace. A match in a different state stays unchanged.
    pub replaces: Towards,
    /// The topics with the sentiments to store.
    pub topics: Vec<PostTopic>,
}

impl TopicReanalysis {
    /// The row with the new sentiments; `None` if no sentiment changes.
    fn after<'r>(&self, row: &Row<'r>) -> Option<Row<'r>> {
        let mut after = row.clone();
        for topic in after.topics.iter_mut().filter(|topic| topic.towards == self.replaces) {
            if let Some(new) = self.topics.iter().find(|of| of.topic == topic.topic) {
                topic.towards = new.towards.clone();
            }
        }
        (row.analyzed_at == self.analyzed_at && after != *row).then_some(after)
    }
}

/// Selects the first matches that have no sentiment, with their posts.
const PENDING: &str = "SELECT p.post_id, p.content, p.lang, a.analyzed_at, a.scores, t.topic_id FROM post_topics t \
                       JOIN social_media_posts p ON p.id = t.post \
                       LEFT JOIN sentiment_analysis a ON a.post_id = p.post_id \
                       WHERE t.sentiment_label IS NULL AND t.topic_id IN (SELECT id FROM topics) \
                       ORDER BY t.post, t.topic_id LIMIT ?";

#[derive(Queryable)]
struct PendingRow {
    post_id: String,
    content: String,
    lang: Option<String>,
    analyzed_at: Option<At>,
    scores: Option<JsonText>,
    topic: i64,
}

impl Store {
    /// The next posts that have topics without a sentiment. `limit` is the maximum number of such topics over all
    /// returned posts.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pending_topics(&self, limit: i64) -> Result<Vec<PendingPost>, StoreError> {
        let query = || {
            sql(PENDING).bind::<BigInt, _>(limit).rows::<(
                Text,
                Text,
                Nullable<Text>,
                Nullable<Instant>,
                Nullable<Document>,
                BigInt,
            )>()
        };
        let rows: Vec<PendingRow> = read!(self, primary, |c| query().load(c))?;
        let mut posts: Vec<PendingPost> = Vec::new();
        for row in rows {
            let topic = TopicId(row.topic);
            match posts.last_mut() {
                Some(post) if post.post_id == row.post_id => post.topics.push(topic),
                _ => posts.push(PendingPost {
                    post_id: row.post_id,
                    content: row.content,
                    lang: row.lang,
                    analyzed_at: row.analyzed_at.map(|at| at.0),
                    scores: row.scores.map(|scores| scores_from(&scores.0)),
                    topics: vec![topic],
                }),
            }
        }
        Ok(posts)
    }

    /// Stores sentiments towards topics, in one transaction with their counts. Returns for each item whether
    /// its post was changed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reanalyse_topics(&self, batch: Vec<TopicReanalysis>) -> Result<Vec<bool>, StoreError> {
        let (now, retention) = (self.clock.now(), self.retention.clone());
        match &self.backend {
            Backend::Sqlite(sqlite) => Ok(sqlite.write(move |c| on_sqlite(c, &batch, now, &retention)).await?),
            Backend::Postgres(postgres) => {
                let batch = Arc::new(batch);
                postgres.transact(move |c| on_postgres(c, batch.clone(), now, retention.clone())).await
            }
        }
    }
}

fn on_sqlite(
    connection: &mut SqliteConnection,
    batch: &[TopicReanalysis],
    now: Timestamp,
    retention: &Retention,
) -> QueryResult<Vec<bool>> {
    let mut tally = Tally::new(now, retention);
    let mut changed = Vec::with_capacity(batch.len());
    for reanalysis in batch {
        let before = sqlite::load_state(connection, &reanalysis.post_id)?.row;
        let after = before.as_ref().and_then(|before| reanalysis.after(before));
        changed.push(after.is_some());
        if let (Some(before), Some(after)) = (before, after) {
            tally.add_topics(&before, -1);
            tally.add_topics(&after, 1);
            sqlite::replace_topics(connection, &reanalysis.post_id, &after)?;
        }
    }
    sqlite::write_tally(connection, &tally)?;
    Ok(changed)
}

fn on_postgres(
    connection: &mut AsyncPgConnection,
    batch: Arc<Vec<TopicReanalysis>>,
    now: Timestamp,
    retention: Retention,
) -> BoxFuture<'_, QueryResult<Vec<bool>>> {
    async move {
        postgres::lock_for_backfill(connection).await?;
        let ids: BTreeSet<&str> = batch.iter().map(|reanalysis| reanalysis.post_id.as_str()).collect();
        let mut states = postgres::lock_states(connection, &ids.into_iter().collect::<Vec<_>>()).await?;
        let mut tally = Tally::new(now, &retention);
        let mut changed = Vec::with_capacity(batch.len());
        for reanalysis in &*batch {
            let row = states.get_mut(&reanalysis.post_id).and_then(|state| state.row.as_mut());
            let after = row.as_ref().and_then(|before| reanalysis.after(before));
            changed.push(after.is_some());
            if let (Some(row), Some(after)) = (row, after) {
                tally.add_topics(row, -1);
                tally.add_topics(&after, 1);
                postgres::replace_topics(connection, &reanalysis.post_id, &after).await?;
                // The row is updated, because another item of the batch may change the same post.
                *row = after;
            }
        }
        postgres::write_tally(connection, &tally).await?;
        Ok(changed)
    }
    .boxed()
}
