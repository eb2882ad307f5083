//! The audit log: denied requests, sign-ins, and changes by users and tokens except appended posts.

use diesel::sql_types::BigInt;
use diesel::{ExpressionMethods, QueryDsl, Queryable, Selectable, SelectableHelper};
use serde::Serialize;

use super::backend::{read, transact};
use super::schema::security_audit as audit;
use super::sql::{At, Instant, sql};
use super::{Store, StoreError};
use sentistream_core::domain::{Page, Timestamp};

/// The maximum number of rows that one transaction deletes.
const STEP: i64 = 5_000;

/// An event of the audit log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SecurityEvent {
    /// The id of the event, assigned by the store. Later events have higher ids.
    pub id: i64,
    /// When the answer to the request was ready, or the connection was closed. For a command: when it made the change.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The name of the user or the token, `jwt:SUBJECT`, `local`, `anonymous`, or `unknown` without valid credentials.
    /// For a sign-in, the name of the user or of the new token. `command line` for `sentistream sign-in` and
    /// `sentistream user`.
    pub actor: String,
    /// The IP address of the client; null for a command, and if the address is not known.
    #[schema(example = "192.0.2.7")]
    pub address: Option<String>,
    /// `allowed`: the change was made, or the sign-in succeeded. `denied`: the request had no valid credentials or not
    /// the required scope, or came from a page of another site. `unknown`: the request for a change failed in the
    /// server or ended without a response, so the change may have been made.
    pub outcome: String,
    /// The method and the route, or the command.
    #[schema(example = "DELETE /api/posts/{post_id}")]
    pub action: String,
    /// The path of the request, at most 256 characters. For `sentistream user`: the path of the user; empty for
    /// `sentistream sign-in`.
    pub target: String,
    /// The HTTP status of the response; 0 for a command, and if the connection was closed before the response.
    pub status: i32,
    /// The id of the request in the logs; empty or a random id for a command, which has no request.
    pub request_id: String,
}

/// Which events to list. An event must meet all conditions.
#[derive(Clone, Debug, Default)]
pub struct SecurityFilter {
    /// Only events of this actor.
    pub actor: Option<String>,
    /// `allowed`, `denied` or `unknown`.
    pub outcome: Option<String>,
    /// Only events with a smaller id than this.
    pub before: Option<i64>,
}

impl Store {
    /// Appends events to the audit log.
    ///
    /// # Errors
    /// When the database fails. In this case nothing is stored.
    pub async fn record_security(&self, events: &[SecurityEvent]) -> Result<(), StoreError> {
        transact!(self, events.to_vec(), |c, events, run| {
            for event in events {
                run!(
                    diesel::insert_into(audit::table)
                        .values((
                            audit::at.eq(At(event.at)),
                            audit::actor.eq(event.actor),
                            audit::address.eq(event.address),
                            audit::outcome.eq(event.outcome),
                            audit::action.eq(event.action),
                            audit::target.eq(event.target),
                            audit::status.eq(event.status),
                            audit::request_id.eq(event.request_id),
                        ))
                        .execute(c)
                )?;
            }
            Ok(())
        })
    }

    /// One page of the audit log, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn security_events(
        &self,
        filter: &SecurityFilter,
        limit: i64,
    ) -> Result<Page<SecurityEvent>, StoreError> {
        // The type of a boxed query depends on the database, so a macro builds the query for each of them.
        macro_rules! query {
            () => {{
                let mut query = audit::table
                    .filter(audit::id.lt(filter.before.unwrap_or(i64::MAX)))
                    .order(audit::id.desc())
                    .limit(limit + 1)
                    .select(SecurityRow::as_select())
                    .into_boxed();
                if let Some(actor) = &filter.actor {
                    query = query.filter(audit::actor.eq(actor));
                }
                if let Some(outcome) = &filter.outcome {
                    query = query.filter(audit::outcome.eq(outcome));
                }
                query
            }};
        }
        let rows: Vec<SecurityRow> = read!(self, replica, |c| query!().load(c))?;
        Ok(Page::of(rows, limit, |row| row.id).map(SecurityEvent::from))
    }

    /// Deletes events that happened before `before`, in small transactions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_security(&self, before: Timestamp) -> Result<(), StoreError> {
        while transact!(self, At(before), |c, before, run| {
            run!(
                sql("DELETE FROM security_audit WHERE id IN (SELECT id FROM security_audit WHERE at < ? LIMIT ?)")
                    .bind::<Instant, _>(before)
                    .bind::<BigInt, _>(STEP)
                    .execute(c)
            )
        })? > 0
        {}
        Ok(())
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit)]
struct SecurityRow {
    id: i64,
    at: At,
    actor: String,
    address: Option<String>,
    outcome: String,
    action: String,
    target: String,
    status: i32,
    request_id: String,
}

impl From<SecurityRow> for SecurityEvent {
    fn from(row: SecurityRow) -> Self {
        Self {
            id: row.id,
            at: row.at.0,
            actor: row.actor,
            address: row.address,
            outcome: row.outcome,
            action: row.action,
            target: row.target,
            status: row.status,
            request_id: row.request_id,
        }
    }
}
