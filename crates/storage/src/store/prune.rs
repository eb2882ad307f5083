//! Removes expired rows, in small transactions.

use diesel::sql_types::{BigInt, Integer, Text};
use tokio_util::sync::CancellationToken;

use super::backend::transact;
use super::rollup::{CLOCKS_DIFFER, Grain, INGEST_KEPT, Series};
use super::settle::removal::OLD_POSTS_STEP;
use super::settle::removal_step::OldPosts;
use super::sql::{At, Instant, sql};
use super::{Store, StoreError};
use sentistream_core::domain::{EntryKey, Timestamp};

/// The maximum number of rows that one transaction removes.
const STEP: i64 = 5_000;

/// Repeats `$step`, which returns the number of removed rows, until a step removes no row or a stop is requested.
macro_rules! repeat {
    ($stop:expr, $step:expr) => {
        while !$stop.is_cancelled() && $step > 0 {}
    };
}

impl Store {
    /// Removes expired posts, tombstones, counts, resolved alerts and transitions, and the rows of dropped topics. On
    /// Postgres, only posts whose stream entries are older than `needed` are removed, and no posts if it is `None`.
    /// Ends early, between two small transactions, when `stop` is cancelled.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn prune(&self, needed: Option<EntryKey>, stop: &CancellationToken) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.prune_counts(now, stop).await?;
        self.prune_topics(STEP, stop).await?;
        if let Some(kept) = self.kept().posts {
            // No instance stores a post older than this time, even if the clocks of instances differ.
            let before = now - kept - CLOCKS_DIFFER;
            let old = OldPosts { before, needed, limit: OLD_POSTS_STEP };
            repeat!(stop, self.remove_old_posts(old.clone()).await?);
            self.prune_tombstones(before, stop).await?;
        }
        if let Some(kept) = self.kept().alerts {
            self.prune_alerts(now - kept, stop).await?;
        }
        Ok(())
    }

    async fn prune_counts(&self, now: Timestamp, stop: &CancellationToken) -> Result<(), StoreError> {
        let kept = self.retention.kept(now);
        for grain in [Grain::Second, Grain::Minute] {
            self.prune_rollups(grain, kept.from(grain), stop).await?;
        }
        self.prune_topic_rollups(Grain::Minute, kept.from(Grain::Minute), stop).await?;
        if let Some(kept) = self.kept().rollups {
            for grain in [Grain::Quarter, Grain::Day] {
                // The additional day covers the difference between the clocks of instances.
                let before = (now - kept - Grain::Day.width()).floor(grain.width());
                self.prune_rollups(grain, before, stop).await?;
                self.prune_topic_rollups(grain, before, stop).await?;
            }
        }
        let ingested = At(now - INGEST_KEPT);
        transact!(self, (), |c, (), run| {
            run!(sql("DELETE FROM ingest_counters WHERE bucket < ?").bind::<Instant, _>(ingested).execute(c))
        })?;
        Ok(())
    }

    async fn prune_rollups(&self, grain: Grain, before: Timestamp, stop: &CancellationToken) -> Result<(), StoreError> {
        for series in [Series::Source, Series::Together] {
            let grain = grain.column(series);
            repeat!(
                stop,
                transact!(self, (), |c, (), run| {
                    run!(
                        sql("DELETE FROM post_rollups WHERE (grain, bucket, source, sentiment, emotion) IN \
                             (SELECT grain, bucket, source, sentiment, emotion FROM post_rollups \
                             WHERE grain = ? AND bucket < ? LIMIT ?)")
                        .bind::<Integer, _>(grain)
                        .bind::<Instant, _>(At(before))
                        .bind::<BigInt, _>(STEP)
                        .execute(c)
                    )
                })?
            );
        }
        Ok(())
    }

    async fn prune_topic_rollups(
        &self,
        grain: Grain,
        before: Timestamp,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let grain = grain.column(Series::Source);
        for table in ["topic_rollups", "topic_shifts"] {
            repeat!(
                stop,
                transact!(self, (), |c, (), run| {
                    run!(
                        sql(format!(
                            "DELETE FROM {table} WHERE (topic_id, grain, bucket, source, sentiment, emotion) IN \
                             (SELECT topic_id, grain, bucket, source, sentiment, emotion FROM {table} \
                             WHERE topic_id IN (SELECT id FROM topics) AND grain = ? AND bucket < ? LIMIT ?)"
                        ))
                        .bind::<Integer, _>(grain)
                        .bind::<Instant, _>(At(before))
                        .bind::<BigInt, _>(STEP)
                        .execute(c)
                    )
                })?
            );
        }
        Ok(())
    }

    /// Removes tombstones of posts and authors that are no longer needed, because the posts that they reject are too
    /// old to be stored.
    async fn prune_tombstones(&self, before: Timestamp, stop: &CancellationToken) -> Result<(), StoreError> {
        repeat!(
            stop,
            transact!(self, (), |c, (), run| {
                run!(
                    sql("DELETE FROM post_keys WHERE post_id IN \
                         (SELECT post_id FROM post_keys WHERE deleted_at < ? LIMIT ?)")
                    .bind::<Instant, _>(At(before))
                    .bind::<BigInt, _>(STEP)
                    .execute(c)
                )
            })?
        );
        let before_ms = before.as_millis();
        repeat!(
            stop,
            transact!(self, (), |c, (), run| {
                run!(
                    sql("DELETE FROM author_keys WHERE (source, author, epoch) IN \
                         (SELECT source, author, epoch FROM author_keys WHERE ms < ? LIMIT ?)")
                    .bind::<BigInt, _>(before_ms)
                    .bind::<BigInt, _>(STEP)
                    .execute(c)
                )
            })?
        );
        Ok(())
    }

    /// Removes resolved alerts, and transitions that the notifier has read and that belong to no open alert.
    async fn prune_alerts(&self, before: Timestamp, stop: &CancellationToken) -> Result<(), StoreError> {
        repeat!(
            stop,
            transact!(self, (), |c, (), run| {
                run!(
                    sql("DELETE FROM sentiment_alerts WHERE id IN (SELECT id FROM sentiment_alerts \
                         WHERE resolved_at < ? AND state = 'resolved' LIMIT ?)")
                    .bind::<Instant, _>(At(before))
                    .bind::<BigInt, _>(STEP)
                    .execute(c)
                )
            })?
        );
        repeat!(
            stop,
            transact!(self, (), |c, (), run| {
                run!(
                    sql("DELETE FROM alert_transitions WHERE id IN (SELECT t.id FROM alert_transitions t \
                         WHERE t.at < ? AND t.id <= (SELECT cursor FROM alert_notifier WHERE id = 1) \
                         AND NOT EXISTS (SELECT 1 FROM sentiment_alerts a WHERE a.id = t.alert_id \
                         AND a.state = 'firing') LIMIT ?)")
                    .bind::<Instant, _>(At(before))
                    .bind::<BigInt, _>(STEP)
                    .execute(c)
                )
            })?
        );
        Ok(())
    }

    /// Removes the ids of settled entries that are older than `needed`, and for deletions of authors also the list of
    /// the removed posts. The ids of entries of a lost stream are removed at the same age: these entries cannot be
    /// delivered again, but a worker may still process them. Ends early, between two small transactions, when `stop` is
    /// cancelled.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn prune_entries(&self, needed: &EntryKey, stop: &CancellationToken) -> Result<(), StoreError> {
        let (ms, seq) = super::settle::columns(needed.id);
        repeat!(
            stop,
            transact!(self, needed.epoch.to_string(), |c, epoch, run| {
                run!(
                    sql("DELETE FROM settled_entries WHERE (epoch, ms, seq) IN (SELECT epoch, ms, seq \
                         FROM settled_entries WHERE (epoch = ? AND (ms, seq) < (?, ?)) OR (epoch <> ? AND ms < ?) \
                         LIMIT ?)")
                    .bind::<Text, _>(&epoch)
                    .bind::<BigInt, _>(ms)
                    .bind::<BigInt, _>(seq)
                    .bind::<Text, _>(&epoch)
                    .bind::<BigInt, _>(ms)
                    .bind::<BigInt, _>(STEP)
                    .execute(c)
                )
            })?
        );
        repeat!(
            stop,
            transact!(self, needed.epoch.to_string(), |c, epoch, run| {
                run!(
                    sql(
                        "DELETE FROM removed_posts WHERE (epoch, ms, seq, post_id) IN (SELECT epoch, ms, seq, post_id \
                         FROM removed_posts WHERE (epoch = ? AND (ms, seq) < (?, ?)) OR (epoch <> ? AND ms < ?) \
                         LIMIT ?)"
                    )
                    .bind::<Text, _>(&epoch)
                    .bind::<BigInt, _>(ms)
                    .bind::<BigInt, _>(seq)
                    .bind::<Text, _>(&epoch)
                    .bind::<BigInt, _>(ms)
                    .bind::<BigInt, _>(STEP)
                    .execute(c)
                )
            })?
        );
        Ok(())
    }
}
