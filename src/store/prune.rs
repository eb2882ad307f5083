//! Forgetting what nothing needs any more, in small steps.

use diesel::sql_types::{BigInt, Integer, Text};

use super::backend::{Backend, transact};
use super::rollup::{CLOCKS_DIFFER, Grain, INGEST_KEPT, Series};
use super::sql::{At, Instant, sql};
use super::{Store, StoreError};
use crate::domain::EntryKey;

/// Most rows of one step.
const STEP: i64 = 5_000;
/// Most posts of one step: each takes rows of several tables with it, and readers and writers wait meanwhile.
const POSTS_STEP: i64 = 500;

impl Store {
    /// Forgets remembered entry ids below `needed`, old minute rollups and ingest counters; in small steps.
    pub async fn prune(&self, needed: Option<EntryKey>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let kept = self.retention.kept(now);
        for grain in [Grain::Second, Grain::Minute] {
            for series in [Series::Source, Series::Together] {
                self.prune_rollups(grain.column(series), At(kept.from(grain))).await?;
            }
        }
        self.prune_topic_rollups(Grain::Minute, At(kept.from(Grain::Minute))).await?;
        if let Some(kept) = self.keep.rollups {
            for grain in [Grain::Quarter, Grain::Day] {
                // What clocks differ by is less than the shortest time that can be set.
                let before = At((now - kept - Grain::Day.width()).floor(grain.width()));
                for series in [Series::Source, Series::Together] {
                    self.prune_rollups(grain.column(series), before).await?;
                }
                self.prune_topic_rollups(grain, before).await?;
            }
        }
        self.prune_ingested(At(now - INGEST_KEPT)).await?;
        self.prune_topics(STEP).await?;
        if let Some(kept) = self.keep.posts {
            // Nobody stores posts as old as these any more, also those whose clocks are behind.
            let before = At(now - kept - CLOCKS_DIFFER);
            match (&self.backend, &needed) {
                // An entry that is settled is gone from the embedded queue.
                (Backend::Sqlite(_), _) => self.prune_posts(before, None).await?,
                (Backend::Postgres(_), Some(needed)) => self.prune_posts(before, Some(needed)).await?,
                (Backend::Postgres(_), None) => {}
            }
        }
        let Some(needed) = needed else { return Ok(()) };
        let (ms, seq) = super::settle::columns(needed.id);
        let epoch = needed.epoch.to_string();
        // Entries of a lost stream are gone with it; those that were appended lately may still be in a worker's hands.
        while transact!(self, (epoch.clone(), ms, seq), |c, (epoch, ms, seq), run| {
            run!(sql("DELETE FROM settled_entries WHERE (epoch, ms, seq) IN (SELECT epoch, ms, seq \
                      FROM settled_entries WHERE (epoch = ? AND (ms, seq) < (?, ?)) OR (epoch <> ? AND ms < ?) LIMIT ?)")
            .bind::<Text, _>(&epoch)
            .bind::<BigInt, _>(ms)
            .bind::<BigInt, _>(seq)
            .bind::<Text, _>(&epoch)
            .bind::<BigInt, _>(ms)
            .bind::<BigInt, _>(STEP)
            .execute(c))
        })? > 0
        {}
        Ok(())
    }

    async fn prune_rollups(&self, grain: i32, before: At) -> Result<(), StoreError> {
        while transact!(self, (), |c, (), run| {
            run!(
                sql("DELETE FROM post_rollups WHERE (grain, bucket, source, sentiment, emotion) IN (SELECT grain, \
                      bucket, source, sentiment, emotion FROM post_rollups WHERE grain = ? AND bucket < ? LIMIT ?)")
                .bind::<Integer, _>(grain)
                .bind::<Instant, _>(before)
                .bind::<BigInt, _>(STEP)
                .execute(c)
            )
        })? > 0
        {}
        Ok(())
    }

    async fn prune_topic_rollups(&self, grain: Grain, before: At) -> Result<(), StoreError> {
        while transact!(self, (grain.column(Series::Source), before), |c, (grain, before), run| {
            run!(
                sql("DELETE FROM topic_rollups WHERE (topic_id, grain, bucket, source, sentiment, emotion) IN \
                     (SELECT topic_id, grain, bucket, source, sentiment, emotion FROM topic_rollups \
                     WHERE topic_id IN (SELECT id FROM topics) AND grain = ? AND bucket < ? LIMIT ?)")
                .bind::<Integer, _>(grain)
                .bind::<Instant, _>(before)
                .bind::<BigInt, _>(STEP)
                .execute(c)
            )
        })? > 0
        {}
        Ok(())
    }

    /// Removes posts written before, with all that hangs on them; their counts stay. A post whose entry may be
    /// delivered again stays a little longer: its row is what tells that the entry is settled.
    async fn prune_posts(&self, before: At, needed: Option<&EntryKey>) -> Result<(), StoreError> {
        let (epoch, (ms, seq)) = match needed {
            Some(needed) => (needed.epoch.to_string(), super::settle::columns(needed.id)),
            None => (String::new(), (0, 0)),
        };
        loop {
            let data = (before, epoch.clone(), ms, seq);
            let removed: usize = transact!(self, data, |c, (before, epoch, ms, seq), run| {
                let gone: Vec<String> = run!(
                    sql("DELETE FROM social_media_posts WHERE id IN (SELECT id FROM social_media_posts \
                         WHERE created_at < ? AND (entry_epoch <> ? OR (entry_ms, entry_seq) < (?, ?)) \
                         ORDER BY created_at LIMIT ?) RETURNING post_id")
                    .bind::<Instant, _>(before)
                    .bind::<Text, _>(&epoch)
                    .bind::<BigInt, _>(ms)
                    .bind::<BigInt, _>(seq)
                    .bind::<BigInt, _>(POSTS_STEP)
                    .rows::<Text>()
                    .load(c)
                )?;
                for post_id in &gone {
                    run!(
                        sql("DELETE FROM post_keys WHERE post_id = ? AND deleted_at IS NULL")
                            .bind::<Text, _>(post_id)
                            .execute(c)
                    )?;
                }
                Ok(gone.len())
            })?;
            if removed < POSTS_STEP as usize {
                return Ok(());
            }
        }
    }

    async fn prune_ingested(&self, before: At) -> Result<(), StoreError> {
        transact!(self, (), |c, (), run| {
            run!(sql("DELETE FROM ingest_counters WHERE bucket < ?").bind::<Instant, _>(before).execute(c))
        })?;
        Ok(())
    }
}
