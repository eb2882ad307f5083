//! Writing what an evaluation came to: states, transitions and alert rows in one fenced transaction.

use std::collections::BTreeSet;

use diesel::{BoolExpressionMethods, ExpressionMethods, SelectableHelper};

use super::evidence::{cited_posts, without_evidence};
use super::row::{AlertRow, TransitionRow, to_json};
use crate::domain::alert::{Instance, InstanceState, Transition};
use crate::domain::{Alert, AlertState, Timestamp};
use crate::store::backend::transact;
use crate::store::schema::{
    alert_evidence, alert_instances as instance, alert_transitions as transition, leases, sentiment_alerts as alert,
    social_media_posts as post,
};
use crate::store::sql::{At, JsonText};
use crate::store::{Lease, Store, StoreError};

/// What an evaluation makes of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its state before; a series without a row is normal.
    pub from: InstanceState,
    /// As it is now. A normal one is not kept.
    pub instance: Instance,
    /// When it came so.
    pub at: Timestamp,
    /// The alert that begins, when the series begins to fire.
    pub opens: Option<NewAlert>,
}

/// An alert that begins. Its id, state and labels come of the step.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAlert {
    pub alert_type: String,
    pub actual_value: f64,
    pub window_start: Timestamp,
    pub window_end: Timestamp,
    pub post_count: i32,
    pub details: serde_json::Value,
}

/// A transition that was written, with the alert that it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    pub transition: Transition,
    pub alert: Option<Alert>,
}

impl Store {
    /// Writes `steps`, and resolves the open alerts `orphans`, whose series are unknown; all if `lease` still holds,
    /// checked in the same transaction. The transitions that were written. Evidence of posts that are deleted
    /// meanwhile is left out.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another instance took over; nothing was changed then.
    pub async fn apply_alert_steps(
        &self,
        lease: &Lease,
        steps: &[Step],
        orphans: &[i64],
    ) -> Result<Vec<Applied>, StoreError> {
        let data = (lease.clone(), steps.to_vec(), orphans.to_vec(), At(self.clock.now()));
        let written: Option<Vec<(TransitionRow, Option<AlertRow>)>> =
            transact!(self, data, |c, (lease, steps, orphans, now), run| {
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
                run!(
                    diesel::update(alert::table)
                        .filter(alert::id.eq_any(&orphans).and(alert::state.eq(AlertState::Firing.as_str())))
                        .set((
                            alert::state.eq(AlertState::Resolved.as_str()),
                            alert::phase.eq(InstanceState::Normal.as_str()),
                            alert::resolved_at.eq(now),
                        ))
                        .execute(c)
                )?;
                let mut written = Vec::new();
                for step in steps {
                    let Step { from, instance: mut series, at, opens } = step;
                    let mut row: Option<AlertRow> = None;
                    if let Some(new) = opens {
                        // Writing the rows as they are keeps deletions out until the commit.
                        let standing: Vec<String> = run!(
                            diesel::update(post::table)
                                .filter(post::post_id.eq_any(cited_posts(&new.details)))
                                .set(post::lang.eq(post::lang))
                                .returning(post::post_id)
                                .get_results(c)
                        )?;
                        let standing: BTreeSet<String> = standing.into_iter().collect();
                        let details = without_evidence(&new.details.to_string(), &|id| !standing.contains(id));
                        // The type may be open from before its rule was renamed or replaced; that one goes on.
                        let open: Vec<AlertRow> = run!(
                            diesel::update(alert::table)
                                .filter(alert::alert_type.eq(&new.alert_type).and(alert::scope.eq(&series.scope)))
                                .filter(alert::state.eq(AlertState::Firing.as_str()))
                                .set((
                                    alert::rule_id.eq(series.rule_id),
                                    alert::severity.eq(series.severity.as_str()),
                                    alert::phase.eq(series.state.as_str()),
                                    alert::labels.eq(to_json(&series.labels)),
                                    alert::annotations.eq(to_json(&series.annotations)),
                                ))
                                .returning(AlertRow::as_returning())
                                .get_results(c)
                        )?;
                        let opened = match open.into_iter().next() {
                            Some(open) => open,
                            None => run!(
                                diesel::insert_into(alert::table)
                                    .values((
                                        alert::alert_type.eq(&new.alert_type),
                                        alert::scope.eq(&series.scope),
                                        alert::state.eq(AlertState::Firing.as_str()),
                                        alert::threshold_value.eq(series.threshold),
                                        alert::actual_value.eq(new.actual_value),
                                        alert::window_start.eq(At(new.window_start)),
                                        alert::window_end.eq(At(new.window_end)),
                                        alert::post_count.eq(new.post_count),
                                        alert::triggered_at.eq(At(at)),
                                        alert::details.eq(JsonText(details)),
                                        alert::rule_id.eq(series.rule_id),
                                        alert::severity.eq(series.severity.as_str()),
                                        alert::phase.eq(series.state.as_str()),
                                        alert::labels.eq(to_json(&series.labels)),
                                        alert::annotations.eq(to_json(&series.annotations)),
                                    ))
                                    .returning(AlertRow::as_returning())
                                    .get_result::<AlertRow>(c)
                            )?,
                        };
                        for id in &standing {
                            run!(
                                diesel::insert_into(alert_evidence::table)
                                    .values((alert_evidence::post_id.eq(id), alert_evidence::alert_id.eq(opened.id)))
                                    .on_conflict_do_nothing()
                                    .execute(c)
                            )?;
                        }
                        series.alert_id = Some(opened.id);
                        row = Some(opened);
                    } else if let Some(id) = series.alert_id
                        && from != series.state
                    {
                        let over = (!series.state.is_alerting()).then_some(At(at));
                        let state = if over.is_some() { AlertState::Resolved } else { AlertState::Firing };
                        let changed: Vec<AlertRow> = run!(
                            diesel::update(alert::table)
                                .filter(alert::id.eq(id))
                                .set((
                                    alert::state.eq(state.as_str()),
                                    alert::phase.eq(series.state.as_str()),
                                    alert::resolved_at.eq(over),
                                ))
                                .returning(AlertRow::as_returning())
                                .get_results(c)
                        )?;
                        row = changed.into_iter().next();
                    }
                    if from != series.state {
                        let change: TransitionRow = run!(
                            diesel::insert_into(transition::table)
                                .values((
                                    transition::rule_id.eq(series.rule_id),
                                    transition::alert_id.eq(series.alert_id),
                                    transition::scope.eq(&series.scope),
                                    transition::fingerprint.eq(&series.fingerprint),
                                    transition::from_state.eq(from.as_str()),
                                    transition::to_state.eq(series.state.as_str()),
                                    transition::at.eq(At(at)),
                                    transition::value.eq(series.value),
                                    transition::threshold.eq(series.threshold),
                                    transition::severity.eq(series.severity.as_str()),
                                    transition::labels.eq(to_json(&series.labels)),
                                    transition::annotations.eq(to_json(&series.annotations)),
                                    transition::reason.eq(&series.reason),
                                ))
                                .returning(TransitionRow::as_returning())
                                .get_result(c)
                        )?;
                        written.push((change, row));
                    }
                    if !series.state.is_alerting() {
                        series.alert_id = None;
                    }
                    run!(
                        diesel::delete(instance::table)
                            .filter(instance::rule_id.eq(series.rule_id).and(instance::scope.eq(&series.scope)))
                            .execute(c)
                    )?;
                    if series.state != InstanceState::Normal {
                        run!(
                            diesel::insert_into(instance::table)
                                .values((
                                    instance::rule_id.eq(series.rule_id),
                                    instance::scope.eq(&series.scope),
                                    instance::fingerprint.eq(&series.fingerprint),
                                    instance::state.eq(series.state.as_str()),
                                    instance::since.eq(At(series.since)),
                                    instance::evaluated_at.eq(At(series.evaluated_at)),
                                    instance::alert_id.eq(series.alert_id),
                                    instance::value.eq(series.value),
                                    instance::threshold.eq(series.threshold),
                                    instance::severity.eq(series.severity.as_str()),
                                    instance::labels.eq(to_json(&series.labels)),
                                    instance::annotations.eq(to_json(&series.annotations)),
                                    instance::reason.eq(&series.reason),
                                ))
                                .execute(c)
                        )?;
                    }
                }
                Ok(Some(written))
            })?;
        let Some(written) = written else { return Err(StoreError::LeaseLost(lease.name.clone())) };
        let applied = |(transition, alert): (TransitionRow, Option<AlertRow>)| Applied {
            transition: transition.into(),
            alert: alert.map(Alert::from),
        };
        Ok(written.into_iter().map(applied).collect())
    }
}
