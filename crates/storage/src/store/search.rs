//! The text index, which finds posts that may contain a word.
//!
//! Both databases store the [`grams`] of each post in the same transaction as the post: SQLite in a full-text table,
//! Postgres in a `tsvector` with a GIN index. Neither needs an extension or depends on the locale of the database. A
//! post that contains a word has all grams of the word. For some words ([`query`]), a post with all grams of the word
//! certainly contains the word. For other words, the texts of the found posts must be searched. Posts that were stored
//! by a release without the index, or with fewer grams, are added to the index in steps. Until then, searches for words
//! read the texts of the posts.

mod find;
pub(super) mod grams;
pub(super) mod postgres;
mod query;
pub(super) mod sqlite;

use std::sync::atomic::{AtomicBool, Ordering};

use diesel::Queryable;
use diesel::sql_types::{BigInt, Bool, Text};
use tokio_util::sync::CancellationToken;

pub(super) use query::Query;

use super::backend::{Backend, read};
use super::sql::sql;
use super::{Store, StoreError};
use query::{Coverage, Dialect};

/// The maximum number of posts that a transaction adds to the index.
const STEP: i64 = 500;

/// What is known about the index: whether it contains the pieces of words of all posts (`pieces`), and whether it
/// contains all grams of all posts (`all`). Both values change only from `false` to `true`.
#[derive(Debug, Default)]
pub(super) struct Indexed {
    pieces: AtomicBool,
    all: AtomicBool,
}

/// A post that is not in the index, or not with all its grams.
#[derive(Queryable)]
struct Missing {
    id: i64,
    content: String,
}

type MissingColumns = (BigInt, Text);

/// The progress of indexing posts that an earlier release stored.
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

/// Whether all posts are in the index, and whether all of them have the grams of this release, because earlier releases
/// stored fewer.
#[derive(Queryable)]
struct State {
    indexed: bool,
    finished: bool,
}

/// The size of the text index on Postgres.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable)]
pub struct TextIndexSize {
    /// The size of the index.
    pub index_bytes: i64,
    /// The size of the table that is indexed, which contains the grams of the stored posts.
    pub table_bytes: i64,
}

impl Store {
    /// The size of the text index; `None` on SQLite, whose index does not keep the words of pruned posts.
    ///
    /// # Errors
    /// When the database does not answer or was never migrated.
    pub async fn text_index_size(&self) -> Result<Option<TextIndexSize>, StoreError> {
        if matches!(self.backend, Backend::Sqlite(_)) {
            return Ok(None);
        }
        let query = || sql(postgres::SIZE).rows::<(BigInt, BigInt)>();
        let size: TextIndexSize = read!(self, primary, |c| query().get_result(c))?;
        Ok(Some(size))
    }

    /// The query for posts with `words`. `None`: the index cannot find these words, or does not contain all posts yet.
    pub(super) async fn search_query(&self, words: &[String]) -> Result<Option<Query>, StoreError> {
        let dialect = match &self.backend {
            Backend::Sqlite(_) => Dialect::Fts5,
            Backend::Postgres(_) => Dialect::TsQuery,
        };
        Ok(self.coverage().await?.and_then(|coverage| Query::new(words, dialect, coverage)))
    }

    async fn coverage(&self) -> Result<Option<Coverage>, StoreError> {
        if !self.indexed.all.load(Ordering::Relaxed) {
            let state: State = read!(
                self,
                replica,
                |c| sql(sqlite::STATE).rows::<(Bool, Bool)>().get_result(c),
                sql(postgres::STATE).rows::<(Bool, Bool)>().get_result(c)
            )?;
            self.indexed.pieces.store(state.indexed, Ordering::Relaxed);
            self.indexed.all.store(state.indexed && state.finished, Ordering::Relaxed);
        }
        Ok(match (self.indexed.all.load(Ordering::Relaxed), self.indexed.pieces.load(Ordering::Relaxed)) {
            (true, _) => Some(Coverage::All),
            (false, true) => Some(Coverage::Pieces),
            (false, false) => None,
        })
    }

    /// Adds posts that an earlier release stored to the index, and returns their number. Ends early, between two small
    /// transactions, when `stop` is cancelled.
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
