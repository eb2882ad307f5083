//! Reads the states of the series of rules, and their transitions.

use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};

use super::row::{InstanceRow, TransitionRow};
use crate::store::backend::read;
use crate::store::schema::{alert_instances as instance, alert_transitions as transition};
use crate::store::{Store, StoreError};
use sentistream_core::domain::alert::{Instance, InstanceState, Transition};

impl Store {
    /// Every series that is not normal, by rule and scope.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored state or
    /// severity is unknown.
    pub async fn alert_instances(&self) -> Result<Vec<Instance>, StoreError> {
        let rows: Vec<InstanceRow> = read!(self, primary, |c| instance::table
            .order((instance::rule_id, instance::scope))
            .select(InstanceRow::as_select())
            .load(c))?;
        Ok(rows.into_iter().map(Instance::from).collect())
    }

    /// Every series whose alert is open.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored state or
    /// severity is unknown.
    pub async fn firing_instances(&self) -> Result<Vec<Instance>, StoreError> {
        let alerting = [InstanceState::Firing.as_str(), InstanceState::Recovering.as_str()];
        let rows: Vec<InstanceRow> = read!(self, primary, |c| instance::table
            .filter(instance::state.eq_any(alerting))
            .order((instance::rule_id, instance::scope))
            .select(InstanceRow::as_select())
            .load(c))?;
        Ok(rows.into_iter().map(Instance::from).collect())
    }

    /// At most `limit` transitions after the transition with id `after`, in ascending order. Transitions are committed
    /// in the order of their ids, so a reader that continues after the last id it has read misses no transition.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored state or
    /// severity is unknown.
    pub async fn transitions_after(&self, after: i64, limit: i64) -> Result<Vec<Transition>, StoreError> {
        let rows: Vec<TransitionRow> = read!(self, primary, |c| transition::table
            .filter(transition::id.gt(after))
            .order(transition::id)
            .limit(limit)
            .select(TransitionRow::as_select())
            .load(c))?;
        Ok(rows.into_iter().map(Transition::from).collect())
    }

    /// The id of the newest transition; 0 if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn last_transition(&self) -> Result<i64, StoreError> {
        let ids: Vec<i64> = read!(self, primary, |c| transition::table
            .order(transition::id.desc())
            .limit(1)
            .select(transition::id)
            .load(c))?;
        Ok(ids.first().copied().unwrap_or_default())
    }

    /// The newest transitions of one alert, at most `limit`, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored state or
    /// severity is unknown.
    pub async fn transitions_of_alert(&self, alert_id: i64, limit: i64) -> Result<Vec<Transition>, StoreError> {
        let rows: Vec<TransitionRow> = read!(self, replica, |c| transition::table
            .filter(transition::alert_id.eq(alert_id))
            .order(transition::id.desc())
            .limit(limit)
            .select(TransitionRow::as_select())
            .load(c))?;
        Ok(rows.into_iter().rev().map(Transition::from).collect())
    }
}
