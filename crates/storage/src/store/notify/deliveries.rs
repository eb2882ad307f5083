//! The delivery log.

use diesel::Queryable;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use crate::store::backend::{read, transact};
use crate::store::sql::{At, Document, Instant, JsonText, Label, Value, sql};
use crate::store::{Store, StoreError};
use sentistream_core::domain::Page;
use sentistream_core::domain::notify::{Attempt, Delivery, DeliveryState, Reason};

/// The columns of [`Row`], in the same order.
pub(super) const COLUMNS: &str = "id, receiver, recipient, group_key, reason, state, attempts, created_at, \
                                  next_attempt_at, finished_at, error, message";
/// The SQL types of [`COLUMNS`].
pub(super) type Columns = (
    BigInt,
    Text,
    Nullable<Text>,
    Text,
    Text,
    Text,
    Integer,
    Instant,
    Nullable<Instant>,
    Nullable<Instant>,
    Nullable<Text>,
    Document,
);

/// A delivery as stored.
#[derive(Queryable)]
pub(super) struct Row {
    id: i64,
    receiver: String,
    recipient: Option<String>,
    group_key: String,
    reason: Label<Reason>,
    state: Label<DeliveryState>,
    attempts: i32,
    created_at: At,
    next_attempt_at: Option<At>,
    finished_at: Option<At>,
    error: Option<String>,
    message: JsonText,
}

#[derive(Queryable)]
struct AttemptRow {
    at: At,
    elapsed_ms: i64,
    status: Option<i32>,
    answer: Option<String>,
    error: Option<String>,
}

/// Selects deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only deliveries to the receiver with this name.
    pub receiver: Option<String>,
    /// Only deliveries in this state.
    pub state: Option<DeliveryState>,
    /// Only deliveries whose message contains the alert with this id.
    pub alert: Option<i64>,
}

/// A receiver whose last delivery failed. Failed test deliveries do not count.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct FailingReceiver {
    /// The name of the receiver.
    pub name: String,
    /// The error of the last attempt.
    pub error: Option<String>,
}

/// A delivery with its attempts, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// The attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

impl Store {
    /// One page of deliveries, newest first, starting after the delivery with id `after`. Deliveries that this version
    /// of the program cannot read are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<i64>,
        limit: i64,
    ) -> Result<Page<Delivery>, StoreError> {
        let mut text = format!("SELECT {COLUMNS} FROM alert_deliveries WHERE id < ?");
        let mut values = vec![Value::Integer(after.unwrap_or(i64::MAX))];
        if let Some(receiver) = &filter.receiver {
            text.push_str(" AND receiver = ?");
            values.push(Value::Text(receiver.clone()));
        }
        if let Some(state) = filter.state {
            text.push_str(" AND state = ?");
            values.push(Value::Text(state.as_str().to_owned()));
        }
        if let Some(alert) = filter.alert {
            // Matches the URL of the alert and the quote after it, which ends the JSON string in both databases.
            text.push_str(" AND CAST(message AS text) LIKE ?");
            values.push(Value::Text(format!("%/alerts/{alert}\"%")));
        }
        text.push_str(" ORDER BY id DESC LIMIT ?");
        values.push(Value::Integer(limit + 1));
        let rows: Vec<Row> = read!(self, replica, |c| sql(text).values(values).rows::<Columns>().load(c))?;
        let page = Page::of(rows, limit, |row| row.id);
        Ok(Page { items: page.items.into_iter().filter_map(delivery).collect(), next: page.next })
    }

    /// One delivery with its attempts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delivery(&self, id: i64) -> Result<Option<LoggedDelivery>, StoreError> {
        const ATTEMPTS: &str = "SELECT at, elapsed_ms, status, answer, error FROM alert_delivery_attempts \
                                WHERE delivery_id = ? ORDER BY id";
        type AttemptColumns = (Instant, BigInt, Nullable<Integer>, Nullable<Text>, Nullable<Text>);
        let text = format!("SELECT {COLUMNS} FROM alert_deliveries WHERE id = ?");
        let rows: Vec<Row> = read!(self, primary, |c| sql(text).bind::<BigInt, _>(id).rows::<Columns>().load(c))?;
        let Some(delivery) = rows.into_iter().next().and_then(delivery) else { return Ok(None) };
        let attempts: Vec<AttemptRow> =
            read!(self, primary, |c| sql(ATTEMPTS).bind::<BigInt, _>(id).rows::<AttemptColumns>().load(c))?;
        let attempts = attempts.into_iter().map(Attempt::from).collect();
        Ok(Some(LoggedDelivery { delivery, attempts }))
    }

    /// Receivers whose last settled delivery failed. A successful test delivery clears the failure of a receiver; a
    /// failed test delivery does not count as a failure.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn failing_receivers(&self) -> Result<Vec<FailingReceiver>, StoreError> {
        const QUERY: &str = "SELECT alert_receivers.name, newest.error FROM alert_receivers JOIN alert_deliveries AS newest \
             ON newest.id = (SELECT MAX(id) FROM alert_deliveries WHERE receiver = alert_receivers.name \
             AND (state = 'delivered' OR (state = 'failed' AND reason <> 'test'))) \
             WHERE newest.state = 'failed' ORDER BY alert_receivers.name";
        read!(self, primary, |c| sql(QUERY).rows::<(Text, Nullable<Text>)>().load(c))
    }

    /// Sends the message of a settled delivery again as a new delivery and returns its id; `None` if no settled
    /// delivery has this id. If the delivery contains the group's last message, the outcome of the new delivery becomes
    /// the outcome of the group.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resend_delivery(&self, id: i64) -> Result<Option<i64>, StoreError> {
        // If the message is not the last one of its group, the new delivery must not change the state of the group.
        const COPY: &str = "INSERT INTO alert_deliveries \
             (receiver, recipient, group_key, reason, state, attempts, created_at, next_attempt_at, message) \
             SELECT receiver, recipient, \
                    CASE WHEN id = (SELECT MAX(later.id) FROM alert_deliveries later \
                                    WHERE later.group_key = alert_deliveries.group_key) \
                         THEN group_key ELSE 'resend:' || CAST(id AS text) END, \
                    'resend', 'pending', 0, ?, ?, message \
             FROM alert_deliveries WHERE id = ? AND state <> 'pending' RETURNING id";
        const QUOTES: &str = "INSERT INTO alert_delivery_posts (post_id, delivery_id) \
             SELECT post_id, ? FROM alert_delivery_posts WHERE delivery_id = ?";
        let now = self.clock.now();
        transact!(self, id, |c, id, run| {
            let ids: Vec<i64> = run!(
                sql(COPY)
                    .bind::<Instant, _>(At(now))
                    .bind::<Instant, _>(At(now))
                    .bind::<BigInt, _>(id)
                    .rows::<BigInt>()
                    .load(c)
            )?;
            let copy = ids.as_slice().first().copied();
            if let Some(copy) = copy {
                run!(sql(QUOTES).bind::<BigInt, _>(copy).bind::<BigInt, _>(id).execute(c))?;
            }
            Ok(copy)
        })
    }
}

impl From<AttemptRow> for Attempt {
    fn from(row: AttemptRow) -> Self {
        let AttemptRow { at, elapsed_ms, status, answer, error } = row;
        Self { at: at.0, elapsed_ms, status, answer, error }
    }
}

/// The typed delivery; `None` when this version of the program cannot read it.
pub(super) fn delivery(row: Row) -> Option<Delivery> {
    let id = row.id;
    let message = serde_json::from_str(&row.message.0)
        .inspect_err(|error| tracing::warn!(id, %error, "delivery skipped: unreadable"))
        .ok()?;
    Some(Delivery {
        id,
        receiver: row.receiver,
        recipient: row.recipient,
        group_key: row.group_key,
        reason: row.reason.0,
        state: row.state.0,
        attempts: row.attempts,
        created_at: row.created_at.0,
        next_attempt_at: row.next_attempt_at.map(|at| at.0),
        finished_at: row.finished_at.map(|at| at.0),
        error: row.error,
        message,
    })
}
