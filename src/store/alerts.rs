//! Alert rows: at most one open per type and scope.

use std::collections::BTreeSet;

use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl};
use diesel::{Queryable, Selectable, SelectableHelper};
use serde_json::Value;

use super::backend::{read, transact};
use super::schema::{alert_evidence, leases, sentiment_alerts as alert, social_media_posts as post};
use super::sql::{At, CountOf, JsonText, Label};
use super::{Lease, Store, StoreError};
use crate::domain::{Alert, AlertState, Timestamp};

/// The alerts that match, on the backend `$Db`.
macro_rules! matching {
    ($Db:ty, $filter:expr) => {{
        let filter: &AlertFilter = $filter;
        let mut query = alert::table.into_boxed::<$Db>();
        if let Some(state) = filter.state {
            query = query.filter(alert::state.eq(state.as_str()));
        }
        if let Some(alert_type) = &filter.alert_type {
            query = query.filter(alert::alert_type.eq(alert_type));
        }
        if let Some(start) = filter.start {
            query = query.filter(alert::triggered_at.ge(At(start)));
        }
        if let Some(end) = filter.end {
            query = query.filter(alert::triggered_at.lt(At(end)));
        }
        query
    }};
}

impl Store {
    /// One page of alerts, newest first, starting after the alert with id `after`.
    pub async fn alerts(&self, filter: &AlertFilter, after: Option<i64>, limit: i64) -> Result<AlertPage, StoreError> {
        use diesel::{pg::Pg, sqlite::Sqlite};
        let total: i64 = read!(
            self,
            replica,
            |c| CountOf(matching!(Sqlite, filter).select(alert::id)).get_result(c),
            CountOf(matching!(Pg, filter).select(alert::id)).get_result(c)
        )?;
        macro_rules! page {
            ($Db:ty) => {
                matching!($Db, filter)
                    .filter(alert::id.lt(after.unwrap_or(i64::MAX)))
                    .order(alert::id.desc())
                    .limit(limit + 1)
                    .select(AlertRow::as_select())
            };
        }
        let mut rows: Vec<AlertRow> = read!(self, replica, |c| page!(Sqlite).load(c), page!(Pg).load(c))?;
        let wanted = usize::try_from(limit).unwrap_or_default();
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let next = rows.last().map(|row| row.id).filter(|_| more);
        Ok(AlertPage { alerts: rows.into_iter().map(Alert::from).collect(), total, next })
    }

    /// All alerts that fire.
    pub async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let rows: Vec<AlertRow> = read!(self, primary, |c| alert::table
            .filter(alert::state.eq(AlertState::Firing.as_str()))
            .order(alert::id)
            .select(AlertRow::as_select())
            .load(c))?;
        Ok(rows.into_iter().map(Alert::from).collect())
    }

    /// Applies changes if `lease` still holds, checked in the same transaction; the alerts that really changed.
    /// Evidence of posts that are deleted meanwhile is left out.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another instance took over; nothing was changed then.
    pub async fn change_alerts(&self, lease: &Lease, changes: &[AlertChange]) -> Result<Vec<Alert>, StoreError> {
        let data = (lease.clone(), changes.to_vec());
        let rows: Option<Vec<AlertRow>> = transact!(self, data, |c, (lease, changes), run| {
            // Locked until the commit, so that nobody takes over in between.
            let held: usize = run!(
                diesel::update(leases::table)
                    .filter(leases::name.eq(&lease.name).and(leases::token.eq(lease.token)))
                    .filter(leases::holder.eq(&lease.holder))
                    .set(leases::token.eq(lease.token))
                    .execute(c)
            )?;
            if held == 0 {
                return Ok(None);
            }
            let mut changed: Vec<AlertRow> = Vec::new();
            for change in changes {
                match change {
                    AlertChange::Open(new) => {
                        let cited = cited_posts(&new.details);
                        // Writing the rows as they are keeps deletions out until the commit.
                        let standing: Vec<String> = run!(
                            diesel::update(post::table)
                                .filter(post::post_id.eq_any(cited.iter()))
                                .set(post::lang.eq(post::lang))
                                .returning(post::post_id)
                                .get_results(c)
                        )?;
                        let standing: BTreeSet<String> = standing.into_iter().collect();
                        let details = without_evidence(&new.details.to_string(), &|id| !standing.contains(id));
                        let opened: Vec<AlertRow> = run!(
                            diesel::insert_into(alert::table)
                                .values((
                                    alert::alert_type.eq(&new.alert_type),
                                    alert::scope.eq(&new.scope),
                                    alert::state.eq(AlertState::Firing.as_str()),
                                    alert::threshold_value.eq(new.threshold_value),
                                    alert::actual_value.eq(new.actual_value),
                                    alert::window_start.eq(At(new.window_start)),
                                    alert::window_end.eq(At(new.window_end)),
                                    alert::post_count.eq(new.post_count),
                                    alert::triggered_at.eq(At(new.triggered_at)),
                                    alert::details.eq(JsonText(details)),
                                ))
                                .on_conflict_do_nothing()
                                .returning(AlertRow::as_returning())
                                .get_results(c)
                        )?;
                        for row in opened {
                            for id in &standing {
                                run!(
                                    diesel::insert_into(alert_evidence::table)
                                        .values((alert_evidence::post_id.eq(id), alert_evidence::alert_id.eq(row.id)))
                                        .execute(c)
                                )?;
                            }
                            changed.push(row);
                        }
                    }
                    AlertChange::Resolve { id, at } => {
                        let resolved: Vec<AlertRow> = run!(
                            diesel::update(alert::table)
                                .filter(alert::id.eq(id).and(alert::state.eq(AlertState::Firing.as_str())))
                                .set((alert::state.eq(AlertState::Resolved.as_str()), alert::resolved_at.eq(At(at)),))
                                .returning(AlertRow::as_returning())
                                .get_results(c)
                        )?;
                        changed.extend(resolved);
                    }
                }
            }
            Ok(Some(changed))
        })?;
        match rows {
            Some(rows) => Ok(rows.into_iter().map(Alert::from).collect()),
            None => Err(StoreError::LeaseLost(lease.name.clone())),
        }
    }
}

/// The posts that an alert's `details.evidence` cites.
fn cited_posts(details: &Value) -> BTreeSet<String> {
    let evidence = details.get("evidence").and_then(Value::as_array).into_iter().flatten();
    evidence.filter_map(cited_post).map(str::to_owned).collect()
}

fn cited_post(evidence: &Value) -> Option<&str> {
    evidence.get("post_id").and_then(Value::as_str)
}

/// `details` without the evidence of the posts that are `gone`.
pub(super) fn without_evidence(details: &str, gone: &dyn Fn(&str) -> bool) -> String {
    let Ok(mut details) = serde_json::from_str::<Value>(details) else { return details.to_owned() };
    if let Some(evidence) = details.get_mut("evidence").and_then(Value::as_array_mut) {
        evidence.retain(|cited| !cited_post(cited).is_some_and(gone));
    }
    details.to_string()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = alert)]
struct AlertRow {
    id: i64,
    alert_type: String,
    scope: String,
    state: Label<AlertState>,
    threshold_value: f64,
    actual_value: f64,
    window_start: At,
    window_end: At,
    post_count: i32,
    triggered_at: At,
    resolved_at: Option<At>,
    details: JsonText,
}

impl From<AlertRow> for Alert {
    fn from(row: AlertRow) -> Self {
        Self {
            id: row.id,
            alert_type: row.alert_type,
            scope: row.scope,
            state: row.state.0,
            threshold_value: row.threshold_value,
            actual_value: row.actual_value,
            window_start: row.window_start.0,
            window_end: row.window_end.0,
            post_count: row.post_count,
            triggered_at: row.triggered_at.0,
            resolved_at: row.resolved_at.map(|at| at.0),
            details: serde_json::from_str(&row.details.0).unwrap_or_default(),
        }
    }
}

/// Which alerts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertFilter {
    pub state: Option<AlertState>,
    pub alert_type: Option<String>,
    /// `triggered_at` at or after.
    pub start: Option<Timestamp>,
    /// `triggered_at` before.
    pub end: Option<Timestamp>,
}

/// An alert that begins. Its id and state are given by the store.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAlert {
    pub alert_type: String,
    pub scope: String,
    pub threshold_value: f64,
    pub actual_value: f64,
    pub window_start: Timestamp,
    pub window_end: Timestamp,
    pub post_count: i32,
    pub triggered_at: Timestamp,
    pub details: serde_json::Value,
}

/// A change of the alert table.
#[derive(Clone, Debug, PartialEq)]
pub enum AlertChange {
    /// Opens an alert; nothing happens if one of its type and scope is open.
    Open(NewAlert),
    /// Resolves the open alert with this id; nothing happens if it is resolved.
    Resolve { id: i64, at: Timestamp },
}

/// A page of alerts, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertPage {
    pub alerts: Vec<Alert>,
    pub total: i64,
    /// The id after which the next page starts; `None` on the last.
    pub next: Option<i64>,
}
