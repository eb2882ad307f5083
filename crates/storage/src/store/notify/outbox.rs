//! The state of the notifier: its cursor, its groups, and the outbox. Steps and attempts of the notifier check its
//! lease in the transaction that writes them.

use std::collections::{BTreeMap, BTreeSet};

use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use diesel::{ExpressionMethods, Queryable};

use crate::store::backend::{read, transact};
use crate::store::leases::is_held;
use crate::store::schema::social_media_posts as post;
use crate::store::sql::{At, Document, Instant, JsonText, Label, Value, sql};
use crate::store::{Lease, Store, StoreError};
use sentistream_core::domain::Timestamp;
use sentistream_core::domain::notify::{Attempt, Delivery, DeliveryState, Message, Reason, Silence};

use super::deliveries::{COLUMNS, Columns, Row, delivery};
use super::quotes::{quoted_posts, without_quotes};

/// The progress of the notifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable)]
pub struct NotifierState {
    /// The id of the last transition that was processed.
    pub cursor: i64,
    /// Increases with each change of a receiver, route, silence, inhibition rule, mute timing or added source.
    pub changes: i64,
}

/// A group of alerts as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredGroup {
    /// The key of the group, unique among groups.
    pub key: String,
    /// The state of the group as JSON.
    pub state: String,
}

#[derive(Queryable)]
struct GroupRow {
    key: String,
    state: JsonText,
}

#[derive(Queryable)]
struct OutcomeRow {
    group_key: String,
    state: Label<DeliveryState>,
}

/// The changes of one step of the notifier, which are written in one transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// The id of the last transition that was processed. `None`: the stored cursor stays.
    pub cursor: Option<i64>,
    /// Groups that changed.
    pub groups: Vec<StoredGroup>,
    /// The keys of groups that have no alerts any more and must be deleted.
    pub gone: Vec<String>,
    /// Messages to add to the outbox.
    pub deliveries: Vec<NewDelivery>,
}

impl Commit {
    /// Whether there are no changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A new message for the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDelivery {
    /// The receiver's name.
    pub receiver: String,
    /// The address, for receivers with one message per recipient; `None` for other receivers.
    pub recipient: Option<String>,
    /// The key of the group whose state depends on the outcome of the delivery.
    pub group_key: String,
    /// Why the message is sent.
    pub reason: Reason,
    /// The content in the format of webhooks.
    pub message: Message,
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    /// The delivery that was attempted.
    pub delivery_id: i64,
    /// The entry for the log.
    pub attempt: Attempt,
    /// The state of the delivery after the attempt.
    pub next: Next,
}

/// The state of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The receiver accepted the message.
    Delivered,
    /// The time of the next attempt.
    RetryAt(Timestamp),
    /// The delivery failed and is not attempted again.
    Failed,
}

/// The statement that adds a delivery with `$message`, and returns its id.
macro_rules! insert_delivery {
    ($new:expr, $message:expr, $now:expr) => {
        sql("INSERT INTO alert_deliveries (receiver, recipient, group_key, reason, state, attempts, created_at, \
             next_attempt_at, message) VALUES (?, ?, ?, ?, 'pending', 0, ?, ?, ?) RETURNING id")
        .bind::<Text, _>(&$new.receiver)
        .bind::<Nullable<Text>, _>($new.recipient.clone())
        .bind::<Text, _>(&$new.group_key)
        .bind::<Text, _>($new.reason.as_str())
        .bind::<Instant, _>(At($now))
        .bind::<Instant, _>(At($now))
        .bind::<Document, _>(JsonText($message.to_string()))
        .rows::<BigInt>()
    };
}

/// Adds the delivery `$new`, records which posts it quotes, and returns its id. Quotes of deleted posts are left out.
macro_rules! queue {
    ($run:ident, $c:ident, $new:expr, $now:expr) => {{
        let message = serde_json::to_value(&$new.message).unwrap_or_default();
        let quoted = quoted_posts(&message);
        let mut present = BTreeSet::new();
        if !quoted.is_empty() {
            // Writing the rows of the posts unchanged prevents their deletion until the commit.
            let found: Vec<String> = $run!(
                diesel::update(post::table)
                    .filter(post::post_id.eq_any(quoted))
                    .set(post::lang.eq(post::lang))
                    .returning(post::post_id)
                    .get_results($c)
            )?;
            present.extend(found);
        }
        let message = without_quotes(message, &|id| !present.contains(id));
        let id: i64 = $run!(insert_delivery!($new, message, $now).get_result($c))?;
        for post_id in &present {
            $run!(
                sql("INSERT INTO alert_delivery_posts (post_id, delivery_id) VALUES (?, ?)")
                    .bind::<Text, _>(post_id)
                    .bind::<BigInt, _>(id)
                    .execute($c)
            )?;
        }
        id
    }};
}

impl Store {
    /// The progress of the notifier.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notifier_state(&self) -> Result<NotifierState, StoreError> {
        const QUERY: &str = "SELECT cursor, changes FROM alert_notifier WHERE id = 1";
        read!(self, primary, |c| sql(QUERY).rows::<(BigInt, BigInt)>().get_result(c))
    }

    /// All groups of alerts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notification_groups(&self) -> Result<Vec<StoredGroup>, StoreError> {
        const QUERY: &str = "SELECT key, state FROM alert_groups ORDER BY key";
        let rows: Vec<GroupRow> = read!(self, primary, |c| sql(QUERY).rows::<(Text, Document)>().load(c))?;
        Ok(rows.into_iter().map(|row| StoredGroup { key: row.key, state: row.state.0 }).collect())
    }

    /// Writes a step of the notifier.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another instance has taken over the lease; in this case nothing is written.
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
            for group in &commit.groups {
                run!(
                    sql("INSERT INTO alert_groups (key, state) VALUES (?, ?) \
                         ON CONFLICT (key) DO UPDATE SET state = excluded.state")
                    .bind::<Text, _>(&group.key)
                    .bind::<Document, _>(JsonText(group.state.clone()))
                    .execute(c)
                )?;
            }
            for key in &commit.gone {
                run!(sql("DELETE FROM alert_groups WHERE key = ?").bind::<Text, _>(key).execute(c))?;
            }
            for new in &commit.deliveries {
                queue!(run, c, new, now);
            }
            Ok(Some(()))
        })?;
        lease.check(done)
    }

    /// Adds a delivery that does not change the state of a group, and returns its id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_delivery(&self, new: &NewDelivery) -> Result<i64, StoreError> {
        let now = self.clock.now();
        transact!(self, new.clone(), |c, new, run| Ok(queue!(run, c, new, now)))
    }

    /// Deliveries whose next attempt is due: at most `each` per receiver, without the receivers in `saturated`, sorted
    /// by waiting time. The limit per receiver prevents a receiver with a long queue from blocking the other receivers.
    /// A delivery whose creation or last attempt has a time in the future, because the clock was ahead, is also due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_deliveries(&self, each: i64, saturated: &BTreeSet<String>) -> Result<Vec<Delivery>, StoreError> {
        const SCHEDULED_AT: &str = "coalesce((SELECT a.at FROM alert_delivery_attempts a WHERE a.delivery_id = \
             alert_deliveries.id ORDER BY a.id DESC LIMIT 1), created_at)";
        let now = self.clock.now();
        let mut values = vec![Value::At(now), Value::At(now)];
        let mut others = String::new();
        if !saturated.is_empty() {
            others = format!(" AND receiver NOT IN ({})", vec!["?"; saturated.len()].join(", "));
            values.extend(saturated.iter().cloned().map(Value::Text));
        }
        values.push(Value::Integer(each));
        let text = format!(
            "SELECT {COLUMNS} FROM (SELECT {COLUMNS}, \
             ROW_NUMBER() OVER (PARTITION BY receiver ORDER BY next_attempt_at, id) AS place \
             FROM alert_deliveries WHERE state = 'pending' AND (next_attempt_at <= ? OR {SCHEDULED_AT} > ?){others}) AS due \
             WHERE place <= ? ORDER BY next_attempt_at, id"
        );
        let rows: Vec<Row> = read!(self, primary, |c| sql(text).values(values).rows::<Columns>().load(c))?;
        Ok(rows.into_iter().filter_map(delivery).collect())
    }

    /// The state of the last delivery of each group, by the group's key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_outcomes(&self) -> Result<BTreeMap<String, DeliveryState>, StoreError> {
        const QUERY: &str = "SELECT newest.group_key, newest.state FROM alert_groups JOIN alert_deliveries AS newest \
             ON newest.id = (SELECT MAX(id) FROM alert_deliveries WHERE group_key = alert_groups.key)";
        let rows: Vec<OutcomeRow> = read!(self, primary, |c| sql(QUERY).rows::<(Text, Text)>().load(c))?;
        Ok(rows.into_iter().map(|row| (row.group_key, row.state.0)).collect())
    }

    /// Records the outcome of an attempt. Does nothing if the delivery was deleted or is already finished.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another instance has taken over the lease; in this case nothing is written.
    pub async fn record_attempt(&self, lease: &Lease, record: &AttemptRecord) -> Result<(), StoreError> {
        let now = self.clock.now();
        let done = transact!(self, (lease.clone(), record.clone()), |c, (lease, record), run| {
            if !is_held!(run, c, &lease) {
                return Ok(None);
            }
            let attempt = &record.attempt;
            let (state, next, finished) = match record.next {
                Next::Delivered => ("delivered", None, Some(At(now))),
                Next::RetryAt(at) => ("pending", Some(At(at)), None),
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

    /// The ids of open alerts that are acknowledged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn acknowledged_alerts(&self) -> Result<BTreeSet<i64>, StoreError> {
        const QUERY: &str = "SELECT id FROM sentiment_alerts WHERE state = 'firing' AND acknowledged_at IS NOT NULL";
        let ids: Vec<i64> = read!(self, primary, |c| sql(QUERY).rows::<BigInt>().load(c))?;
        Ok(ids.into_iter().collect())
    }

    /// Deletes deliveries that were settled, and silences that expired, before `before`.
    ///
    /// # Errors
    /// When the database fails.
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
        let silences = self.managed::<Silence>().await?;
        for silence in silences.iter().filter(|silence| silence.spec.ends_at < before) {
            let id = silence.id;
            transact!(self, (), |c, (), run| run!(
                sql("DELETE FROM alert_silences WHERE id = ?").bind::<BigInt, _>(id).execute(c)
            ))?;
        }
        Ok(())
    }
}
