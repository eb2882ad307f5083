//! Removes many posts in steps, each of which is a transaction that can be repeated.

use diesel::Queryable;
use diesel::sql_types::{BigInt, Text};

use super::removal_step::{AuthorStep, OldPosts, Position, Removal};
use super::{RemovedPost, postgres, sqlite};
use crate::store::backend::{Backend, read, transact};
use crate::store::sql::{At, Instant, sql};
use crate::store::{Store, StoreError};
use sentistream_core::domain::{Author, EntryKey, PostId, Source, Timestamp};

/// The maximum number of posts per step. The number is small because each post has rows in several tables, and other
/// writers wait for the step.
pub(in crate::store) const STEP: i64 = 500;

impl Store {
    /// Deletes the posts of an author in steps. With `deletion`, a tombstone is committed first, which rejects copies
    /// that arrive later. The tombstone and the removal apply to entries that were appended before `deletion`. The
    /// removed posts are stored for [`Self::removed_by`] instead of being returned, because after a crash a later
    /// delivery of the deletion must report them.
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
            // With a `deletion`, the step has already stored the removed posts for later deliveries.
            if step.deletion.is_none() {
                removed.posts.extend(posts);
            }
            removed.evidence += evidence;
            match next {
                Some(next) => step.after = next,
                None => return Ok(removed),
            }
        }
    }

    /// The posts that the deletion of an author has removed so far.
    pub(super) async fn removed_by(&self, deletion: &EntryKey) -> Result<Vec<RemovedPost>, StoreError> {
        #[derive(Queryable)]
        struct Row {
            post_id: String,
            analyzed_at: At,
        }
        const REMOVED: &str =
            "SELECT post_id, analyzed_at FROM removed_posts WHERE epoch = ? AND ms = ? AND seq = ? ORDER BY post_id";
        let (ms, seq) = super::columns(deletion.id);
        let query = || {
            let query = sql(REMOVED).bind::<Text, _>(&*deletion.epoch).bind::<BigInt, _>(ms).bind::<BigInt, _>(seq);
            query.rows::<(Text, Instant)>()
        };
        let rows: Vec<Row> = read!(self, primary, |c| query().load(c))?;
        let post = |row: Row| {
            let post_id = PostId::parse(&row.post_id).ok()?;
            Some(RemovedPost { post_id, analyzed_at: Some(row.analyzed_at.0) })
        };
        Ok(rows.into_iter().filter_map(post).collect())
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

    /// Commits the tombstone in a separate transaction. On Postgres, this transaction cannot run at the same time as a
    /// transaction that stores posts. Each transaction that stores posts has therefore either committed before, or
    /// reads the tombstone. The removal of the posts then needs no lock of authors.
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

    /// Removes at most `limit` old posts with their analyses, matches and citations. Returns their number.
    pub(in crate::store) async fn remove_old_posts(&self, old: OldPosts) -> Result<usize, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => Ok(sqlite.write(move |c| sqlite::remove_old_posts(c, &old)).await?),
            Backend::Postgres(postgres) => postgres.transact(move |c| postgres::remove_old_posts(c, old.clone())).await,
        }
    }
}

/// The maximum number of posts that pruning removes per step.
pub const OLD_POSTS_STEP: i64 = STEP;
