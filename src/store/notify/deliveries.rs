//! The log of deliveries.

use diesel::Queryable;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use crate::domain::notify::{Attempt, Delivery, DeliveryState, Reason};
use crate::store::backend::read;
use crate::store::sql::{At, Document, Instant, JsonText, Label, Value, sql};
use crate::store::{Store, StoreError};

pub(super) const COLUMNS: &str =
    "id, receiver, group_key, reason, state, attempts, created_at, next_attempt_at, finished_at, error, message";
pub(super) type Columns =
    (BigInt, Text, Text, Text, Text, Integer, Instant, Nullable<Instant>, Nullable<Instant>, Nullable<Text>, Document);

/// A row of `alert_deliveries`.
#[derive(Queryable)]
pub(super) struct Row {
    id: i64,
    receiver: String,
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

impl From<AttemptRow> for Attempt {
    fn from(row: AttemptRow) -> Self {
        let AttemptRow { at: At(at), elapsed_ms, status, answer, error } = row;
        Self { at, elapsed_ms, status, answer, error }
    }
}

/// Which deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    pub receiver: Option<String>,
    pub state: Option<DeliveryState>,
    /// An alert that they are about.
    pub alert: Option<i64>,
}

/// A page of deliveries, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryPage {
    pub deliveries: Vec<Delivery>,
    /// The id after which the next page starts; `None` on the last.
    pub next: Option<i64>,
}

impl Store {
    /// One page of deliveries, newest first, starting after the one with id `after`.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<i64>,
        limit: i64,
    ) -> Result<DeliveryPage, StoreError> {
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
            // A message names its alerts by their pages on the dashboard; both databases write JSON with quotes.
            text.push_str(" AND CAST(message AS text) LIKE ?");
            values.push(Value::Text(format!("%/alerts/{alert}\"%")));
        }
        text.push_str(" ORDER BY id DESC LIMIT ?");
        values.push(Value::Integer(limit + 1));
        let mut rows: Vec<Row> = read!(self, replica, |c| sql(text).values(values).rows::<Columns>().load(c))?;
        let wanted = usize::try_from(limit).unwrap_or_default();
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let next = rows.last().map(|row| row.id).filter(|_| more);
        Ok(DeliveryPage { deliveries: rows.into_iter().filter_map(delivery).collect(), next })
    }

    /// One delivery with its attempts, oldest first.
    pub async fn delivery(&self, id: i64) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
        const ATTEMPTS: &str = "SELECT at, elapsed_ms, status, answer, error FROM alert_delivery_attempts \
                                WHERE delivery_id = ? ORDER BY id";
        type AttemptColumns = (Instant, BigInt, Nullable<Integer>, Nullable<Text>, Nullable<Text>);
        let text = format!("SELECT {COLUMNS} FROM alert_deliveries WHERE id = ?");
        let rows: Vec<Row> = read!(self, primary, |c| sql(text).bind::<BigInt, _>(id).rows::<Columns>().load(c))?;
        let Some(found) = rows.into_iter().next().and_then(delivery) else { return Ok(None) };
        let attempts: Vec<AttemptRow> =
            read!(self, primary, |c| sql(ATTEMPTS).bind::<BigInt, _>(id).rows::<AttemptColumns>().load(c))?;
        Ok(Some((found, attempts.into_iter().map(Attempt::from).collect())))
    }
}

/// The delivery of a row; `None` when this version of the program cannot read it.
pub(super) fn delivery(row: Row) -> Option<Delivery> {
    let message = serde_json::from_str(&row.message.0)
        .inspect_err(|error| tracing::warn!(id = row.id, %error, "delivery is unreadable"))
        .ok()?;
    Some(Delivery {
        id: row.id,
        receiver: row.receiver,
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
