//! Removal of many posts in steps, each of which is a transaction that can be repeated.

use std::sync::PoisonError;

use diesel::Queryable;
use diesel::sql_types::{BigInt, Text};

use super::{RemovedPost, postgres, sqlite};
use crate::domain::{Author, EntryKey, Source, Timestamp};
use crate::store::backend::{Backend, transact};
use crate::store::sql::{At, Instant, sql};
use crate::store::{Store, StoreError};

/// Most posts of a step. Each takes rows of several tables with it, and other writers wait meanwhile.
pub(in crate::store) const STEP: i64 = 500;

/// The posts of an author that a step processes.
#[derive(Clone, Debug)]
pub struct AuthorStep {
    pub source: Source,
    pub author: Author,
    /// Only posts with an entry that was appended before this one.
    pub deletion: Option<EntryKey>,
    /// The last post that was processed.
    pub after: Position,
    /// Most posts to process.
    pub limit: i64,
}

/// A position in the order in which the posts of an author are processed.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    pub created_at: Timestamp,
    pub id: i64,
}

/// A post that a step processes.
#[derive(Queryable)]
pub struct Candidate {
    pub post_id: String,
    created_at: At,
    id: i64,
}

impl Candidate {
    pub fn position(&self) -> Position {
        Position { created_at: self.created_at.0, id: self.id }
    }
}

/// The columns of [`Candidate`].
pub type CandidateColumns = (Text, Instant, BigInt);

/// What a step removed.
#[derive(Debug, Default)]
pub struct Removal {
    pub posts: Vec<RemovedPost>,
    /// How often alerts cited these posts.
    pub evidence: i64,
    /// Where the next step begins; `None` after the last.
    pub next: Option<Position>,
}

/// Old posts that a step removes. Their counts stay.
#[derive(Clone, Debug)]
pub struct OldPosts {
    /// Those written before.
    pub before: Timestamp,
    /// Entries from this one on may be delivered again; the rows that they created show that they are settled.
    pub needed: Option<EntryKey>,
    /// Most posts to remove.
    pub limit: i64,
}

impl Store {
    /// Deletes the posts of an author in steps. With `deletion`, a tombstone is committed first, which refuses copies that
    /// arrive later; the tombstone and the deletion cover the entries that were appended before it, and the removed
    /// posts are reported with the entry.
    pub(in crate::store) async fn remove_author(
        &self,
        source: &Source,
        author: &Author,
        deletion: Option<EntryKey>,
    ) -> Result<Removal, StoreError> {
        if let Some(deletion) = &deletion {
            self.write_author_tombstone(source, author, deletion).await?;
        }
        let mut removed = Removal::default();
        let start = Position { created_at: Timestamp::MIN, id: i64::MIN };
        let mut step =
            AuthorStep { source: source.clone(), author: author.clone(), deletion, after: start, limit: STEP };
        loop {
            let Removal { posts, evidence, next } = self.remove_author_step(&step).await?;
            match &step.deletion {
                // Reported with the entry, also when a later step or the entry's own transaction fails and is repeated.
                Some(deletion) => {
                    let mut unreported = self.unreported.lock().unwrap_or_else(PoisonError::into_inner);
                    unreported.entry(deletion.clone()).or_default().extend(posts);
                }
                None => removed.posts.extend(posts),
            }
            removed.evidence += evidence;
            match next {
                Some(next) => step.after = next,
                None => return Ok(removed),
            }
        }
    }

    async fn remove_author_step(&self, step: &AuthorStep) -> Result<Removal, StoreError> {
        let (now, retention, step) = (self.clock.now(), self.retention.clone(), step.clone());
        match &self.backend {
            Backend::Sqlite(sqlite) => {
                let removed = sqlite.write(move |c| sqlite::remove_author_step(c, &step, now, &retention));
                Ok(removed.await?)
            }
            Backend::Postgres(postgres) => {
                let removed =
                    postgres.transact(move |c| postgres::remove_author_step(c, step.clone(), now, retention.clone()));
                removed.await
            }
        }
    }

    /// Commits the tombstone alone. On Postgres its lock waits for the transactions that store posts, so that each of
    /// them either is committed or reads the tombstone; the deletion of the posts then needs no such lock.
    async fn write_author_tombstone(
        &self,
        source: &Source,
        author: &Author,
        deletion: &EntryKey,
    ) -> Result<(), StoreError> {
        let lock = match &self.backend {
            Backend::Sqlite(_) => "SELECT ?",
            Backend::Postgres(_) => "SELECT pg_advisory_xact_lock(?)",
        };
        transact!(self, (source.clone(), author.clone(), deletion.clone()), |c, (source, author, deletion), run| {
            run!(sql(lock).bind::<BigInt, _>(postgres::AUTHORS_LOCK).execute(c))?;
            let (ms, seq) = super::columns(deletion.id);
            run!(
                sql("INSERT INTO author_keys (source, author, epoch, ms, seq) VALUES (?, ?, ?, ?, ?) \
                     ON CONFLICT (source, author, epoch) DO UPDATE SET ms = excluded.ms, seq = excluded.seq \
                     WHERE (excluded.ms, excluded.seq) > (author_keys.ms, author_keys.seq)")
                .bind::<Text, _>(source.as_str())
                .bind::<Text, _>(author.as_str())
                .bind::<Text, _>(&*deletion.epoch)
                .bind::<BigInt, _>(ms)
                .bind::<BigInt, _>(seq)
                .execute(c)
            )?;
            Ok(())
        })
    }

    /// Removes old posts with their analyses, matches and citations; how many, at most `limit` of `old`.
    pub(in crate::store) async fn remove_old_posts(&self, old: OldPosts) -> Result<usize, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => Ok(sqlite.write(move |c| sqlite::remove_old_posts(c, &old)).await?),
            Backend::Postgres(postgres) => postgres.transact(move |c| postgres::remove_old_posts(c, old.clone())).await,
        }
    }
}

/// Most posts that pruning removes in a step.
pub const OLD_POSTS_STEP: i64 = STEP;
