//! Forgetting what nothing needs any more, in small steps.

use diesel::sql_types::{BigInt, Text};

use super::backend::transact;
use super::rollup::INGEST_KEPT;
use super::sql::{At, Instant, sql};
use super::{Store, StoreError};
use crate::domain::EntryKey;

/// Most rows of one step.
const STEP: i64 = 5_000;

impl Store {
    /// Forgets remembered entry ids below `needed`, old minute rollups and ingest counters; in small steps.
    pub async fn prune(&self, needed: Option<EntryKey>) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.prune_buckets(PruneBuckets::Minutes, At(self.retention.minutes_from(now))).await?;
        self.prune_buckets(PruneBuckets::Ingested, At(now - INGEST_KEPT)).await?;
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

    async fn prune_buckets(&self, which: PruneBuckets, before: At) -> Result<(), StoreError> {
        let text = match which {
            PruneBuckets::Minutes => {
                "DELETE FROM post_rollups WHERE (grain, bucket, source, sentiment, emotion) IN (SELECT grain, bucket, \
                 source, sentiment, emotion FROM post_rollups WHERE grain = 1 AND bucket < ? LIMIT ?)"
            }
            PruneBuckets::Ingested => {
                "DELETE FROM ingest_counters WHERE bucket IN \
                 (SELECT bucket FROM ingest_counters WHERE bucket < ? LIMIT ?)"
            }
        };
        while transact!(self, (), |c, (), run| {
            run!(sql(text).bind::<Instant, _>(before).bind::<BigInt, _>(STEP).execute(c))
        })? > 0
        {}
        Ok(())
    }
}

/// The tables whose buckets grow old.
#[derive(Clone, Copy)]
enum PruneBuckets {
    Minutes,
    Ingested,
}
