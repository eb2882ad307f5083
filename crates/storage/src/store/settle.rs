//! Settles entries: makes the changes that a worker requests for them, and returns the results.

pub(super) mod backfill;
mod new_analysis;
mod plan;
mod postgres;
mod reanalysis;
pub(super) mod removal;
pub(super) mod removal_step;
mod sqlite;
mod state;
mod tally;
mod topics;
mod toward;

pub use backfill::{BackfillStep, TopicTest};
pub use new_analysis::{Reanalysis, Replaced};
pub(super) use postgres::remove_with_counts as remove_on_postgres;
pub use reanalysis::{Reanalysed, Reanalyses};
pub(super) use sqlite::remove_with_counts as remove_on_sqlite;
pub(super) use state::columns;
pub(super) use topics::{SELECT_TOPICS, TopicColumns, TopicRow};
pub use toward::{PendingPost, TopicReanalysis};

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use diesel::{ExpressionMethods, QueryDsl};

use super::backend::{Backend, read};
use super::schema::stream_outcomes;
use super::{Store, StoreError};
use plan::Terms;
use sentistream_core::domain::{
    Analysis, Author, Books, EntryKey, Outcome, Post, PostId, PostTopic, Source, Timestamp,
};
use tally::Tally;

impl Store {
    /// Makes all changes and settles their entries in one transaction. The results are in the order of `batch`. The
    /// posts of authors whose deletion is requested are removed before this transaction, in steps. On SQLite the
    /// transaction also removes the entries from the embedded queue. Serialisation failures and deadlocks are retried.
    /// The transaction is completed even if the future is dropped.
    ///
    /// # Errors
    /// When the database is unavailable, or rejects the data of an entry.
    pub async fn settle(&self, batch: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        Ok(self.settle_on(batch, Terms::default()).await?.unwrap_or_default())
    }

    /// The same as [`Self::settle`], for posts that were matched with a certain version of the topics. Returns `None`
    /// and settles no entry if the topics have changed since then. The caller must then match the posts again.
    ///
    /// # Errors
    /// The same errors as [`Self::settle`].
    pub async fn settle_matched(
        &self,
        batch: Vec<Settlement>,
        matched: Matched,
    ) -> Result<Option<Vec<Settled>>, StoreError> {
        let Matched { version, topics } = matched;
        self.settle_on(batch, Terms { version: Some(version), topics, ..Terms::default() }).await
    }

    async fn settle_on(&self, batch: Vec<Settlement>, terms: Terms) -> Result<Option<Vec<Settled>>, StoreError> {
        let removed = self.remove_authors_of(&batch).await?;
        let (now, retention) = (self.clock.now(), self.retention.clone());
        let terms = Terms { oldest: self.kept().posts.map(|kept| now - kept), ..terms };
        let settled = match &self.backend {
            Backend::Sqlite(sqlite) => {
                sqlite.write(move |c| sqlite::settle(c, &batch, &terms, Tally::new(now, &retention))).await?
            }
            Backend::Postgres(postgres) => {
                let (batch, terms): (Arc<[Settlement]>, _) = (batch.into(), Arc::new(terms));
                let settled = postgres.transact(move |connection| {
                    postgres::settle(connection, batch.clone(), terms.clone(), Tally::new(now, &retention))
                });
                settled.await?
            }
        };
        Ok(settled.map(|mut settled| {
            for (settled, removed) in settled.iter_mut().zip(removed) {
                settled.removed.extend(removed);
            }
            settled
        }))
    }

    /// Deletes the posts of the authors whose deletion the batch requests, before the batch's own transaction, because
    /// a transaction over all posts of an author would block all others. The removal is repeated after a crash. Returns
    /// for each entry the posts that it removed, now or in an earlier delivery.
    async fn remove_authors_of(&self, batch: &[Settlement]) -> Result<Vec<Vec<RemovedPost>>, StoreError> {
        let mut removed = Vec::with_capacity(batch.len());
        for Settlement { key, change } in batch {
            removed.push(match change {
                Change::DeleteAuthor { source, author } => {
                    self.remove_author(source, author, Some(key.clone())).await?;
                    self.removed_by(key).await?
                }
                _ => Vec::new(),
            });
        }
        Ok(removed)
    }

    /// Matches the next posts that were stored before a topic's query was created or changed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn backfill_topics(&self, test: TopicTest) -> Result<BackfillStep, StoreError> {
        let (now, retention) = (self.clock.now(), self.retention.clone());
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                Ok(sqlite.write(move |connection| backfill::sqlite(connection, &test, now, &retention)).await?)
            }
            Backend::Postgres(postgres) => {
                let step = postgres
                    .transact(move |connection| backfill::postgres(connection, test.clone(), now, retention.clone()));
                step.await
            }
        }
    }

    /// Deletes one post immediately, not through the stream, and leaves a tombstone. An unknown post gets no tombstone.
    /// Returns whether the post was stored.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn delete_post(&self, id: &PostId) -> Result<bool, StoreError> {
        let (now, retention, id) = (self.clock.now(), self.retention.clone(), id.clone());
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                Ok(sqlite.write(move |connection| sqlite::delete_post(connection, &id, now, &retention)).await?)
            }
            Backend::Postgres(postgres) => {
                let deleted = postgres
                    .transact(move |connection| postgres::delete_post(connection, id.clone(), now, retention.clone()));
                deleted.await
            }
        }
    }

    /// Replaces the analyses of stored posts, and updates their rollups and topics in the same transaction. The results
    /// are in the order of the batch. A result is `None` for a post that is no longer in the state
    /// [`Reanalysis::replaces`], and the post stays unchanged. If the version of the topics differs from
    /// [`Reanalyses::topics`], the method returns `None` and changes nothing. The caller must then match the posts
    /// again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reanalyse(&self, batch: Reanalyses) -> Result<Option<Vec<Option<Reanalysed>>>, StoreError> {
        let (now, retention) = (self.clock.now(), self.retention.clone());
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                Ok(sqlite.write(move |connection| reanalysis::sqlite(connection, &batch, now, &retention)).await?)
            }
            Backend::Postgres(postgres) => {
                let batch = Arc::new(batch);
                let done = postgres.transact(move |connection| {
                    reanalysis::postgres(connection, batch.clone(), now, retention.clone())
                });
                done.await
            }
        }
    }

    /// The number of entries of this epoch by outcome. `appended`, `pending` and `dead_lettered` are 0, because the
    /// stream counts them and not the store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn outcomes(&self, epoch: &str) -> Result<Books, StoreError> {
        let query = stream_outcomes::table
            .filter(stream_outcomes::epoch.eq(epoch))
            .select((stream_outcomes::outcome, stream_outcomes::count));
        let rows: Vec<(String, i64)> = read!(self, primary, |c| query.load(c))?;
        let counts: BTreeMap<&str, u64> =
            rows.iter().map(|(outcome, count)| (&**outcome, u64::try_from(*count).unwrap_or_default())).collect();
        let count = |outcome: Outcome| counts.get(outcome.as_str()).copied().unwrap_or_default();
        Ok(Books {
            analysed: count(Outcome::Analysed),
            unscored: count(Outcome::Unscored),
            duplicate: count(Outcome::Duplicate),
            skipped: count(Outcome::Skipped),
            deletion: count(Outcome::Deletion),
            replacement: count(Outcome::Replacement),
            ..Books::default()
        })
    }
}

/// The topics of posts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matched {
    /// The version of the topics that the posts were matched with.
    pub version: i64,
    /// The topics by entry. Entries without topics may be left out.
    pub topics: HashMap<EntryKey, Vec<PostTopic>>,
}

/// The change that one entry requests. The transaction of the batch makes it.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The entry that requests the change.
    pub key: EntryKey,
    /// The change to make.
    pub change: Change,
}

/// The kind of change.
#[derive(Clone, Debug)]
pub enum Change {
    /// Store a post, unless it is already stored, was deleted, or is older than the retention of posts.
    Insert {
        /// The post to store.
        post: Post,
        /// The analysis of its text. `None`: the post is unscored.
        analysis: Option<Analysis>,
    },
    /// Store a later version of a post. Nothing is stored if the stored version is at least as late, if the post was
    /// deleted, or if the post is not stored and is older than the retention of posts.
    Replace {
        /// The complete later version.
        post: Post,
        /// The analysis of its text. `None`: the post is unscored.
        analysis: Option<Analysis>,
        /// When the post was edited.
        edited_at: Timestamp,
    },
    /// Delete a post and leave a tombstone.
    Delete {
        /// The id of the post to delete.
        post_id: PostId,
    },
    /// Delete all posts of an author whose entries were appended before the entry of this deletion, including posts
    /// that have not been processed yet.
    DeleteAuthor {
        /// The source of the posts.
        source: Source,
        /// The author of the posts.
        author: Author,
    },
    /// Change nothing, because a check before the analysis found that the post is already stored. If the author's posts
    /// up to this entry were deleted since then, the post is deleted too.
    Known {
        /// The id of the stored post.
        post_id: PostId,
    },
    /// Settle the entry without storing anything.
    Skip,
}

impl Change {
    /// The post that the change affects, if it is a single post.
    fn post_id(&self) -> Option<&PostId> {
        match self {
            Self::Insert { post, .. } | Self::Replace { post, .. } => Some(&post.post_id),
            Self::Delete { post_id } | Self::Known { post_id } => Some(post_id),
            Self::DeleteAuthor { .. } | Self::Skip => None,
        }
    }
}

/// The result of a [`Settlement`], after the commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// The outcome of the entry if this transaction settled it; `None` if the entry was settled before and delivered
    /// again.
    pub outcome: Option<Outcome>,
    /// The times of the post that this entry stored. If the entry was delivered again, the times of the post with the
    /// same id, if it is stored. Otherwise `None`.
    pub stored: Option<PostTimes>,
    /// The posts that the change removed, now or in an earlier delivery.
    pub removed: Vec<RemovedPost>,
}

/// A removed post. Its copies in other systems must be removed too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedPost {
    /// The id of the removed post.
    pub post_id: PostId,
    /// When the post was analysed; `None` if it was unscored, or an earlier delivery of the deletion of this post
    /// removed it. If the deletion of its author removed an unscored post, the time is the Unix epoch.
    pub analyzed_at: Option<Timestamp>,
}

/// When a post was stored and analysed. For an unscored post both are the time at which it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostTimes {
    /// When the post was first stored.
    pub ingested_at: Timestamp,
    /// When the current analysis was stored.
    pub analyzed_at: Timestamp,
}
