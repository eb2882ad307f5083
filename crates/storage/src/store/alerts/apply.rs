//! Writes the changes of an evaluation: series, transitions and alerts, in one transaction that checks the lease.
//!
//! A step opens an alert or advances the open one, records the transition, and saves the series. These four operations
//! are macros, because a statement runs on a synchronous connection with SQLite and on an asynchronous one with
//! Postgres.

use std::collections::BTreeSet;

use diesel::{BoolExpressionMethods, ExpressionMethods, SelectableHelper};

use super::evidence::{cited_posts, without_evidence};
use super::row::{AlertRow, TransitionRow, to_json};
use crate::store::backend::transact;
use crate::store::leases::is_held;
use crate::store::schema::{
    alert_evidence, alert_instances as instance, alert_transitions as transition, sentiment_alerts as alert,
    social_media_posts as post,
};
use crate::store::sql::{At, JsonText};
use crate::store::{Lease, Store, StoreError};
use sentistream_core::domain::alert::{Instance, InstanceState, Transition};
use sentistream_core::domain::{Alert, AlertState, Timestamp};

/// The change of one series by an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The state before the change. A series without a row is normal.
    pub from: InstanceState,
    /// The series after the change. If its state is `Normal`, its row is deleted.
    pub instance: Instance,
    /// The time of the evaluation.
    pub at: Timestamp,
    /// The alert to open, if the series starts to fire.
    pub opens: Option<NewAlert>,
}

/// An alert to open. Its id, state and labels come from the step.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAlert {
    /// The name of the rule; `RuleFailing` or `ReceiverFailing` for an alert about a rule or receiver that fails.
    pub alert_type: String,
    /// The measured value.
    pub actual_value: f64,
    /// The start of the evaluated window, inclusive.
    pub window_start: Timestamp,
    /// The end of the evaluated window, exclusive.
    pub window_end: Timestamp,
    /// The number of posts in the window that the rule counts.
    pub post_count: i32,
    /// The counts of the window and other data that explains the alert, including the cited posts.
    pub details: serde_json::Value,
}

/// A transition that was written, with its alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The transition as it is stored.
    pub transition: Transition,
    /// The alert after the transition; `None` if the series has no alert.
    pub alert: Option<Alert>,
}

/// Opens the alert `$new` of `$series` and returns its row. Citations of deleted posts are left out.
macro_rules! open {
    ($run:ident, $c:ident, $series:ident, $new:ident, $at:ident) => {{
        // Writing the rows of the posts unchanged prevents their deletion until the commit.
        let present: Vec<String> = $run!(
            diesel::update(post::table)
                .filter(post::post_id.eq_any(cited_posts(&$new.details)))
                .set(post::lang.eq(post::lang))
                .returning(post::post_id)
                .get_results($c)
        )?;
        let present: BTreeSet<String> = present.into_iter().collect();
        let details = without_evidence(&$new.details.to_string(), &|id| !present.contains(id));
        // An alert of this type and scope may still be open, because its rule was renamed or replaced. The series
        // continues that alert.
        let open: Vec<AlertRow> = $run!(
            diesel::update(alert::table)
                .filter(alert::alert_type.eq(&$new.alert_type).and(alert::scope.eq(&$series.scope)))
                .filter(alert::state.eq(AlertState::Firing.as_str()))
                .set((
                    alert::rule_id.eq($series.rule_id),
                    alert::severity.eq($series.severity.as_str()),
                    alert::phase.eq($series.state.as_str()),
                    alert::labels.eq(to_json(&$series.labels)),
                    alert::annotations.eq(to_json(&$series.annotations)),
                ))
                .returning(AlertRow::as_returning())
                .get_results($c)
        )?;
        let opened = match open.into_iter().next() {
            Some(open) => open,
            None => $run!(
                diesel::insert_into(alert::table)
                    .values((
                        alert::alert_type.eq(&$new.alert_type),
                        alert::scope.eq(&$series.scope),
                        alert::state.eq(AlertState::Firing.as_str()),
                        alert::threshold_value.eq($series.threshold),
                        alert::actual_value.eq($new.actual_value),
                        alert::window_start.eq(At($new.window_start)),
                        alert::window_end.eq(At($new.window_end)),
                        alert::post_count.eq($new.post_count),
                        alert::triggered_at.eq(At($at)),
                        alert::details.eq(JsonText(details)),
                        alert::rule_id.eq($series.rule_id),
                        alert::severity.eq($series.severity.as_str()),
                        alert::phase.eq($series.state.as_str()),
                        alert::labels.eq(to_json(&$series.labels)),
                        alert::annotations.eq(to_json(&$series.annotations)),
                    ))
                    .returning(AlertRow::as_returning())
                    .get_result::<AlertRow>($c)
            )?,
        };
        for id in &present {
            $run!(
                diesel::insert_into(alert_evidence::table)
                    .values((alert_evidence::post_id.eq(id), alert_evidence::alert_id.eq(opened.id)))
                    .on_conflict_do_nothing()
                    .execute($c)
            )?;
        }
        opened
    }};
}

/// Updates the open alert `$id` to the state of `$series`, and returns its row if it exists.
macro_rules! advance {
    ($run:ident, $c:ident, $series:ident, $id:ident, $at:ident) => {{
        let resolved_at = (!$series.state.is_alerting()).then_some(At($at));
        let state = if resolved_at.is_some() { AlertState::Resolved } else { AlertState::Firing };
        let changed: Vec<AlertRow> = $run!(
            diesel::update(alert::table)
                .filter(alert::id.eq($id))
                .set((
                    alert::state.eq(state.as_str()),
                    alert::phase.eq($series.state.as_str()),
                    alert::resolved_at.eq(resolved_at),
                ))
                .returning(AlertRow::as_returning())
                .get_results($c)
        )?;
        changed.into_iter().next()
    }};
}

/// Records that the state of `$series` changed from `$from`, and returns the row of the transition.
macro_rules! record {
    ($run:ident, $c:ident, $series:ident, $from:ident, $at:ident) => {{
        let change: TransitionRow = $run!(
            diesel::insert_into(transition::table)
                .values((
                    transition::rule_id.eq($series.rule_id),
                    transition::alert_id.eq($series.alert_id),
                    transition::scope.eq(&$series.scope),
                    transition::fingerprint.eq(&$series.fingerprint),
                    transition::from_state.eq($from.as_str()),
                    transition::to_state.eq($series.state.as_str()),
                    transition::at.eq(At($at)),
                    transition::value.eq($series.value),
                    transition::threshold.eq($series.threshold),
                    transition::severity.eq($series.severity.as_str()),
                    transition::labels.eq(to_json(&$series.labels)),
                    transition::annotations.eq(to_json(&$series.annotations)),
                    transition::reason.eq(&$series.reason),
                ))
                .returning(TransitionRow::as_returning())
                .get_result($c)
        )?;
        change
    }};
}

/// Saves the current state of `$series`. The row of a series that has become normal is deleted.
macro_rules! save {
    ($run:ident, $c:ident, $series:ident) => {{
        $run!(
            diesel::delete(instance::table)
                .filter(instance::rule_id.eq($series.rule_id).and(instance::scope.eq(&$series.scope)))
                .execute($c)
        )?;
        if $series.state != InstanceState::Normal {
            $run!(
                diesel::insert_into(instance::table)
                    .values((
                        instance::rule_id.eq($series.rule_id),
                        instance::scope.eq(&$series.scope),
                        instance::fingerprint.eq(&$series.fingerprint),
                        instance::state.eq($series.state.as_str()),
                        instance::since.eq(At($series.since)),
                        instance::began_at.eq($series.began.map(At)),
                        instance::evaluated_at.eq(At($series.evaluated_at)),
                        instance::alert_id.eq($series.alert_id),
                        instance::value.eq($series.value),
                        instance::threshold.eq($series.threshold),
                        instance::severity.eq($series.severity.as_str()),
                        instance::labels.eq(to_json(&$series.labels)),
                        instance::annotations.eq(to_json(&$series.annotations)),
                        instance::reason.eq(&$series.reason),
                    ))
                    .execute($c)
            )?;
        }
    }};
}

/// Resolves the open alerts with these ids.
macro_rules! resolve {
    ($run:ident, $c:ident, $ids:expr, $now:ident) => {
        $run!(
            diesel::update(alert::table)
                .filter(alert::id.eq_any($ids).and(alert::state.eq(AlertState::Firing.as_str())))
                .set((
                    alert::state.eq(AlertState::Resolved.as_str()),
                    alert::phase.eq(InstanceState::Normal.as_str()),
                    alert::resolved_at.eq($now),
                ))
                .execute($c)
        )
    };
}

/// A transition that was written, with its alert.
struct Written {
    transition: TransitionRow,
    alert: Option<AlertRow>,
}

impl From<Written> for Applied {
    fn from(written: Written) -> Self {
        Self { transition: written.transition.into(), alert: written.alert.map(Alert::from) }
    }
}

impl Store {
    /// Writes `steps` if `lease` is still held, and resolves the open alerts `orphans`, which have no series. Returns
    /// the written transitions. Citations of deleted posts are left out.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another instance has taken over the lease. In this case nothing is changed.
    pub async fn apply_alert_steps(
        &self,
        lease: &Lease,
        steps: &[Step],
        orphans: &[i64],
    ) -> Result<Vec<Applied>, StoreError> {
        let data = (lease.clone(), steps.to_vec(), orphans.to_vec(), At(self.clock.now()));
        let written: Option<Vec<Written>> = transact!(self, data, |c, (lease, steps, orphans, now), run| {
            if !is_held!(run, c, &lease) {
                return Ok(None);
            }
            resolve!(run, c, &orphans, now)?;
            let mut written = Vec::new();
            for step in steps {
                let Step { from, instance: mut series, at, opens } = step;
                let mut alert = None;
                if let Some(new) = opens {
                    let opened: AlertRow = open!(run, c, series, new, at);
                    series.alert_id = Some(opened.id);
                    alert = Some(opened);
                } else if let Some(id) = series.alert_id
                    && from != series.state
                {
                    alert = advance!(run, c, series, id, at);
                }
                if from != series.state {
                    let transition = record!(run, c, series, from, at);
                    written.push(Written { transition, alert });
                }
                if !series.state.is_alerting() {
                    series.alert_id = None;
                }
                save!(run, c, series);
            }
            Ok(Some(written))
        })?;
        Ok(lease.check(written)?.into_iter().map(Applied::from).collect())
    }
}
