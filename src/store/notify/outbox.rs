//! The state of the notifier: its position, its groups, and messages to deliver. Each transaction that writes it checks
//! the notifier's lease.

use std::collections::BTreeSet;

use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use crate::domain::Timestamp;
use crate::domain::notify::{Attempt, Delivery, Message, Reason};
use crate::store::backend::{read, transact};
use crate::store::leases::is_held;
use crate::store::sql::{At, Document, Instant, JsonText, sql};
use crate::store::{Lease, Store, StoreError};

use super::deliveries::{COLUMNS, Columns, Row, delivery};

/// The position of the notifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotifierState {
    /// The last transition that it read.
    pub cursor: i64,
    /// Grows with each change of receivers, routes, silences and mute timings.
    pub changes: i64,
}

/// The changes of one step of the notifier, written in one transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// The last transition that was read.
    pub cursor: Option<i64>,
    /// Groups by key, as JSON.
    pub groups: Vec<(String, String)>,
    /// Keys of groups that ended.
    pub gone: Vec<String>,
    pub deliveries: Vec<NewDelivery>,
}

impl Commit {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A message to be delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDelivery {
    /// The receiver's name.
    pub receiver: String,
    pub reason: Reason,
    pub message: Message,
}

/// The result of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    pub delivery_id: i64,
    pub attempt: Attempt,
    pub next: Next,
}

/// What happens to the delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Delivered,
    /// The next attempt is at this time.
    Again(Timestamp),
    /// No further attempt is made.
    Failed,
}

/// The statement that adds a delivery, and gives its id.
macro_rules! insert_delivery {
    ($new:expr, $now:expr) => {
        sql("INSERT INTO alert_deliveries (receiver, group_key, reason, state, attempts, created_at, next_attempt_at, \
             message) VALUES (?, ?, ?, 'pending', 0, ?, ?, ?) RETURNING id")
        .bind::<Text, _>(&$new.receiver)
        .bind::<Text, _>(&$new.message.group_key)
        .bind::<Text, _>($new.reason.as_str())
        .bind::<Instant, _>(At($now))
        .bind::<Instant, _>(At($now))
        .bind::<Document, _>(JsonText(serde_json::to_string(&$new.message).unwrap_or_default()))
        .rows::<BigInt>()
    };
}

impl Store {
    /// The position of the notifier.
    pub async fn notifier_state(&self) -> Result<NotifierState, StoreError> {
        const QUERY: &str = "SELECT cursor, changes FROM alert_notifier WHERE id = 1";
        let (cursor, changes): (i64, i64) =
            read!(self, primary, |c| sql(QUERY).rows::<(BigInt, BigInt)>().get_result(c))?;
        Ok(NotifierState { cursor, changes })
    }

    /// All groups: their keys, and their JSON.
    pub async fn notification_groups(&self) -> Result<Vec<(String, String)>, StoreError> {
        const QUERY: &str = "SELECT key, state FROM alert_groups ORDER BY key";
        let rows: Vec<(String, JsonText)> = read!(self, primary, |c| sql(QUERY).rows::<(Text, Document)>().load(c))?;
        Ok(rows.into_iter().map(|(key, state)| (key, state.0)).collect())
    }

    /// Writes a step of the notifier.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another instance took over; nothing was written then.
    pub async fn commit_notifications(&self, lease: &Lease, commit: &Commit) -> Result<(), StoreError> {
        let now = self.clock.now();
        let done = transact!(self, (lease.clone(), commit.clone()), |c, (lease, commit), run| {
            if !is_held!(run, c, &lease) {
                return Ok(None);
            }
            if let Some(cursor) = commit.cursor {
                let set = sql("UPDATE alert_notifier SET cursor = ? WHERE id = 1").bind::<BigInt, _>(cursor);
                run!(set.execute(c))?;
            }
            for (key, state) in &commit.groups {
                run!(
                    sql("INSERT INTO alert_groups (key, state) VALUES (?, ?) \
                         ON CONFLICT (key) DO UPDATE SET state = excluded.state")
                    .bind::<Text, _>(key)
                    .bind::<Document, _>(JsonText(state.clone()))
                    .execute(c)
                )?;
            }
            for key in &commit.gone {
                run!(sql("DELETE FROM alert_groups WHERE key = ?").bind::<Text, _>(key).execute(c))?;
            }
            for new in &commit.deliveries {
                let _: i64 = run!(insert_delivery!(new, now).get_result(c))?;
            }
            Ok(Some(()))
        })?;
        lease.check(done)
    }

    /// Adds a delivery that belongs to no group; its id.
    pub async fn add_delivery(&self, new: &NewDelivery) -> Result<i64, StoreError> {
        let now = self.clock.now();
        transact!(self, new.clone(), |c, new, run| run!(insert_delivery!(new, now).get_result(c)))
    }

    /// The deliveries that are due, those that wait longest first, at most `limit`.
    pub async fn due_deliveries(&self, limit: i64) -> Result<Vec<Delivery>, StoreError> {
        let text = format!(
            "SELECT {COLUMNS} FROM alert_deliveries WHERE state = 'pending' AND next_attempt_at <= ? \
             ORDER BY next_attempt_at, id LIMIT ?"
        );
        let now = At(self.clock.now());
        let query = || sql(text.clone()).bind::<Instant, _>(now).bind::<BigInt, _>(limit).rows::<Columns>();
        let rows: Vec<Row> = read!(self, primary, |c| query().load(c))?;
        Ok(rows.into_iter().filter_map(delivery).collect())
    }

    /// The keys of groups with a pending delivery.
    pub async fn groups_under_way(&self) -> Result<BTreeSet<String>, StoreError> {
        const QUERY: &str = "SELECT DISTINCT group_key FROM alert_deliveries WHERE state = 'pending'";
        let keys: Vec<String> = read!(self, primary, |c| sql(QUERY).rows::<Text>().load(c))?;
        Ok(keys.into_iter().collect())
    }

    /// Records the result of an attempt.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another instance took over; nothing was written then.
    pub async fn record_attempt(&self, lease: &Lease, record: &AttemptRecord) -> Result<(), StoreError> {
        let now = self.clock.now();
        let done = transact!(self, (lease.clone(), record.clone()), |c, (lease, record), run| {
            if !is_held!(run, c, &lease) {
                return Ok(None);
            }
            let attempt = &record.attempt;
            let (state, next, finished) = match record.next {
                Next::Delivered => ("delivered", None, Some(At(now))),
                Next::Again(at) => ("pending", Some(At(at)), None),
                Next::Failed => ("failed", None, Some(At(now))),
            };
            let known: usize = run!(
                sql("UPDATE alert_deliveries SET state = ?, attempts = attempts + 1, next_attempt_at = ?, \
                     finished_at = ?, error = ? WHERE id = ? AND state = 'pending'")
                .bind::<Text, _>(state)
                .bind::<Nullable<Instant>, _>(next)
                .bind::<Nullable<Instant>, _>(finished)
                .bind::<Nullable<Text>, _>(attempt.error.clone())
                .bind::<BigInt, _>(record.delivery_id)
                .execute(c)
            )?;
            if known > 0 {
                run!(
                    sql("INSERT INTO alert_delivery_attempts (delivery_id, at, elapsed_ms, status, answer, error) \
                         VALUES (?, ?, ?, ?, ?, ?)")
                    .bind::<BigInt, _>(record.delivery_id)
                    .bind::<Instant, _>(At(attempt.at))
                    .bind::<BigInt, _>(attempt.elapsed_ms)
                    .bind::<Nullable<Integer>, _>(attempt.status)
                    .bind::<Nullable<Text>, _>(attempt.answer.clone())
                    .bind::<Nullable<Text>, _>(attempt.error.clone())
                    .execute(c)
                )?;
            }
            Ok(Some(()))
        })?;
        lease.check(done)
    }

    /// The ids of open alerts that were acknowledged.
    pub async fn acknowledged_alerts(&self) -> Result<BTreeSet<i64>, StoreError> {
        const QUERY: &str = "SELECT id FROM sentiment_alerts WHERE state = 'firing' AND acknowledged_at IS NOT NULL";
        let ids: Vec<i64> = read!(self, primary, |c| sql(QUERY).rows::<BigInt>().load(c))?;
        Ok(ids.into_iter().collect())
    }

    /// Removes deliveries that finished, and silences that ended, before `before`.
    pub async fn prune_notifications(&self, before: Timestamp) -> Result<(), StoreError> {
        const STEP: i64 = 1_000;
        while transact!(self, (), |c, (), run| run!(
            sql("DELETE FROM alert_deliveries WHERE id IN \
                 (SELECT id FROM alert_deliveries WHERE finished_at < ? LIMIT ?)")
            .bind::<Instant, _>(At(before))
            .bind::<BigInt, _>(STEP)
            .execute(c)
        ))? > 0
        {}
        let silences = self.managed::<crate::domain::notify::Silence>().await?;
        for silence in silences.iter().filter(|silence| silence.spec.ends_at < before) {
            let id = silence.id;
            transact!(self, (), |c, (), run| run!(
                sql("DELETE FROM alert_silences WHERE id = ?").bind::<BigInt, _>(id).execute(c)
            ))?;
        }
        Ok(())
    }
}
