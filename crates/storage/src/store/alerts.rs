//! Alerting: rules, the states of their series, and alerts. At most one alert is open per type and scope.

mod apply;
mod audit;
mod counts;
mod evidence;
mod observed;
mod row;
mod rules;
mod transitions;
mod update;

pub use apply::{Applied, NewAlert, Step};
pub use audit::AuditEntry;
pub(super) use audit::insert_audit;
pub use counts::{BucketWidth, RollupCount};
pub(super) use evidence::{without_author, without_evidence};
pub use observed::{Arrival, LatePosts, PostMark};
pub use rules::{RuleChange, RuleList, RuleRefusal};
pub use update::AlertUpdate;

use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, SelectableHelper};

use super::backend::{read, transact};
use super::schema::sentiment_alerts as alert;
use super::sql::{At, CountOf};
use super::{Store, StoreError};
use row::{AlertRow, RecentRow};
use sentistream_core::domain::alert::{Acknowledgement, Severity};
use sentistream_core::domain::notify::inhibit::RecentAlert;
use sentistream_core::domain::{Alert, AlertState, Page, Timestamp};

/// The alerts that match `$filter`, on the backend `$Db`.
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
        if let Some(severity) = filter.severity {
            query = query.filter(alert::severity.eq(severity.as_str()));
        }
        if let Some(rule_id) = filter.rule_id {
            query = query.filter(alert::rule_id.eq(rule_id));
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
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored state or
    /// severity is unknown.
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
        let rows: Vec<AlertRow> = read!(self, replica, |c| page!(Sqlite).load(c), page!(Pg).load(c))?;
        Ok(AlertPage { page: Page::of(rows, limit, |row| row.id).map(Alert::from), total })
    }

    /// One alert.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored state or
    /// severity is unknown.
    pub async fn alert(&self, id: i64) -> Result<Option<Alert>, StoreError> {
        let rows: Vec<AlertRow> =
            read!(self, replica, |c| alert::table.filter(alert::id.eq(id)).select(AlertRow::as_select()).load(c))?;
        Ok(rows.into_iter().next().map(Alert::from))
    }

    /// All alerts that are firing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored state or
    /// severity is unknown.
    pub async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let rows: Vec<AlertRow> = read!(self, primary, |c| alert::table
            .filter(alert::state.eq(AlertState::Firing.as_str()))
            .order(alert::id)
            .select(AlertRow::as_select())
            .load(c))?;
        Ok(rows.into_iter().map(Alert::from).collect())
    }

    /// The alerts that are firing or were resolved after `since`, in the order in which they were triggered.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn recent_alerts(&self, since: Timestamp) -> Result<Vec<RecentAlert>, StoreError> {
        let firing = alert::state.eq(AlertState::Firing.as_str());
        let rows: Vec<RecentRow> = read!(self, primary, |c| alert::table
            .filter(firing.or(alert::resolved_at.gt(At(since))))
            .order(alert::id)
            .select(RecentRow::as_select())
            .load(c))?;
        Ok(rows.into_iter().map(RecentAlert::from).collect())
    }

    /// Records who acknowledged an open alert, and replaces an earlier acknowledgement. Returns the changed alert;
    /// `None` if no open alert has this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit; [`StoreError::Failed`] when a
    /// stored state or severity is unknown.
    pub async fn acknowledge_alert(&self, id: i64, mark: &Acknowledgement) -> Result<Option<Alert>, StoreError> {
        let rows: Vec<AlertRow> = transact!(self, (id, mark.clone()), |c, (id, mark), run| {
            let rows: Vec<AlertRow> = run!(
                diesel::update(alert::table)
                    .filter(alert::id.eq(id).and(alert::state.eq(AlertState::Firing.as_str())))
                    .set((
                        alert::acknowledged_at.eq(At(mark.at)),
                        alert::acknowledged_by.eq(&mark.by),
                        alert::acknowledged_note.eq(&mark.note),
                    ))
                    .returning(AlertRow::as_returning())
                    .get_results(c)
            )?;
            if let Some(row) = rows.as_slice().first() {
                let entry = AuditEntry {
                    at: mark.at,
                    actor: mark.by.clone(),
                    action: "acknowledge".to_owned(),
                    object_kind: "alert".to_owned(),
                    object_id: id.to_string(),
                    name: row.alert_type.clone(),
                    before: None,
                    after: Some(serde_json::json!({"note": mark.note})),
                    ..AuditEntry::default()
                };
                run!(insert_audit!(entry).execute(c))?;
            }
            Ok(rows)
        })?;
        Ok(rows.into_iter().next().map(Alert::from))
    }
}

/// Selects alerts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertFilter {
    /// Only alerts in this state.
    pub state: Option<AlertState>,
    /// Only alerts of rules that had this name while the alert was open.
    pub alert_type: Option<String>,
    /// Only alerts of this severity.
    pub severity: Option<Severity>,
    /// Only alerts of the rule with this id.
    pub rule_id: Option<i64>,
    /// `triggered_at` is at or after this time.
    pub start: Option<Timestamp>,
    /// `triggered_at` is before this time.
    pub end: Option<Timestamp>,
}

/// A page of alerts, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertPage {
    /// The alerts, newest first. The cursor is the id of an alert.
    pub page: Page<Alert>,
    /// The number of alerts that match the filter, on all pages.
    pub total: i64,
}
