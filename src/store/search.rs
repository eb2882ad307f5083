//! The text index, which finds posts that may contain a word.
//!
//! Both databases store the [`grams`] of each post in the same transaction as the post: SQLite in a full-text table,
//! Postgres in a `tsvector` with a GIN index. Neither needs an extension or depends on the locale of the database. A
//! post that contains a word has all grams of the word. The converse is not true, so the texts of the found posts are
//! checked. Posts that a release without the index has stored are added in steps; until then searches read the posts
//! themselves.

pub(super) mod grams;
pub(super) mod postgres;
pub(super) mod sqlite;

use std::sync::atomic::Ordering;

use diesel::Queryable;
use diesel::sql_types::{BigInt, Bool, Text};
use tokio_util::sync::CancellationToken;

use super::backend::{Backend, read};
use super::sql::sql;
use super::{Store, StoreError};
use grams::Dialect;

/// The maximum number of posts that a transaction adds to the index.
const STEP: i64 = 500;

/// Posts that may contain some words.
#[derive(Debug)]
pub(super) struct Candidates {
    /// Ids of posts, at most the requested number.
    pub ids: Vec<i64>,
    /// Whether these are all candidates.
    pub complete: bool,
}

/// A post that is not in the index.
#[derive(Queryable)]
struct Missing {
    id: i64,
    content: String,
}

type MissingColumns = (BigInt, Text);

/// The progress of indexing the posts from before the index.
#[derive(Queryable)]
struct Progress {
    done: i64,
    last: i64,
}

type ProgressColumns = (BigInt, BigInt);

const PROGRESS: &str = "SELECT done, last FROM search_state WHERE id = 1 AND done < last";
const NEXT: &str = "SELECT id, content FROM social_media_posts WHERE id > ? AND id <= ? ORDER BY id LIMIT ?";
const ADVANCE: &str = "UPDATE search_state SET done = ? WHERE id = 1 AND done < ?";

impl Progress {
    /// The id up to which all posts are indexed after `posts` were added.
    fn after(&self, posts: &[Missing]) -> i64 {
        posts.last().filter(|_| posts.len() as i64 == STEP).map_or(self.last, |post| post.id)
    }
}

impl Store {
    /// At most `limit` posts that may contain all of `words`; on SQLite the newest ones. `None`: the index is not
    /// complete, or the words are too short for it.
    pub(super) async fn search_candidates(
        &self,
        words: &[String],
        limit: i64,
    ) -> Result<Option<Candidates>, StoreError> {
        const SQLITE: &str = "SELECT rowid FROM post_search WHERE post_search MATCH ? ORDER BY rowid DESC LIMIT ?";
        const POSTGRES: &str = "(SELECT post FROM post_search WHERE grams @@ CAST(? AS tsquery) LIMIT ?) \
                                UNION ALL (SELECT post FROM post_search WHERE grams IS NULL LIMIT ?)";
        let dialect = match &self.backend {
            Backend::Sqlite(_) => Dialect::Fts5,
            Backend::Postgres(_) => Dialect::TsQuery,
        };
        let Some(query) = grams::query(words, dialect) else { return Ok(None) };
        if !self.index_is_complete().await? {
            return Ok(None);
        }
        let most = limit + 1;
        let mut ids: Vec<i64> = read!(
            self,
            replica,
            |c| sql(SQLITE).bind::<Text, _>(&query).bind::<BigInt, _>(most).rows::<BigInt>().load(c),
            sql(POSTGRES)
                .bind::<Text, _>(&query)
                .bind::<BigInt, _>(most)
                .bind::<BigInt, _>(most)
                .rows::<BigInt>()
                .load(c)
        )?;
        let complete = ids.len() as i64 <= limit;
        ids.truncate(usize::try_from(limit).unwrap_or_default());
        Ok(Some(Candidates { ids, complete }))
    }

    async fn index_is_complete(&self) -> Result<bool, StoreError> {
        if self.indexed.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let query = || sql("SELECT done >= last FROM search_state WHERE id = 1").rows::<Bool>();
        let complete: bool = read!(self, replica, |c| query().get_result(c))?;
        if complete {
            self.indexed.store(true, Ordering::Relaxed);
        }
        Ok(complete)
    }

    /// Adds posts to the index that a release without it has stored, and returns their number. Ends early, between two
    /// small transactions, when `stop` is cancelled.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn index_missing(&self, stop: &CancellationToken) -> Result<usize, StoreError> {
        let mut added = 0;
        while !stop.is_cancelled() {
            let step = match &self.backend {
                Backend::Sqlite(sqlite) => sqlite.write(sqlite::index_missing).await?,
                Backend::Postgres(postgres) => postgres.transact(postgres::index_missing).await?,
            };
            if step == 0 {
                break;
            }
            added += step;
        }
        Ok(added)
    }
}
