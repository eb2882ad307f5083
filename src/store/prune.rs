//! Forgetting what nothing needs any more, in small steps.

use diesel::sql_types::{BigInt, Integer, Text};

use super::backend::transact;
use super::rollup::{Grain, INGEST_KEPT, Series};
use super::sql::{At, Instant, sql};
use super::{Store, StoreError};
use crate::domain::EntryKey;

/// Most rows of one step.
const STEP: i64 = 5_000;

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
        self.prune_ingested(At(now - INGEST_KEPT)).await?;
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

    async fn prune_ingested(&self, before: At) -> Result<(), StoreError> {
        transact!(self, (), |c, (), run| {
            run!(sql("DELETE FROM ingest_counters WHERE bucket < ?").bind::<Instant, _>(before).execute(c))
        })?;
        Ok(())
    }
}
