//! Updates open alerts with the results of the latest evaluation.

use std::collections::BTreeSet;

use diesel::sql_types::BigInt;
use diesel::{BoolExpressionMethods, ExpressionMethods, SelectableHelper};
use serde_json::{Map, Value};

use super::evidence::{cited_posts, without_evidence};
use super::row::{AlertRow, to_json};
use crate::store::backend::{Backend, transact};
use crate::store::leases::is_held;
use crate::store::schema::{alert_evidence, sentiment_alerts as alert, social_media_posts as post};
use crate::store::sql::{At, Document, JsonText, sql};
use crate::store::{Lease, Store, StoreError};
use sentistream_core::domain::alert::Labels;
use sentistream_core::domain::{Alert, AlertState, TimeRange};

/// Current figures of an alert that fires.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertUpdate {
    /// The id of the alert.
    pub id: i64,
    /// The current threshold of the rule.
    pub threshold_value: f64,
    /// The value at the last evaluation.
    pub actual_value: f64,
    /// The last evaluated window.
    pub window: TimeRange,
    /// The number of posts in the window that the rule counts.
    pub post_count: i32,
    /// The rule's texts with the current values.
    pub annotations: Labels,
    /// The fields of `details` to replace. If `evidence` is among them, the cited posts are replaced too.
    pub details: Map<String, Value>,
}

impl Store {
    /// Writes `updates` of alerts that are still open, if `lease` is held, and returns these alerts. Citations of
    /// deleted posts are left out.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another instance has taken over the lease. In this case nothing is changed.
    pub async fn update_alerts(&self, lease: &Lease, updates: &[AlertUpdate]) -> Result<Vec<Alert>, StoreError> {
        // Deletions of posts change `details` too, so the row is locked.
        let select = match &self.backend {
            Backend::Sqlite(_) => "SELECT details FROM sentiment_alerts WHERE id = ? AND state = 'firing'",
            Backend::Postgres(_) => "SELECT details FROM sentiment_alerts WHERE id = ? AND state = 'firing' FOR UPDATE",
        };
        let mut sorted = updates.to_vec();
        sorted.sort_by_key(|update| update.id);
        let rows: Option<Vec<AlertRow>> = transact!(self, (lease.clone(), sorted), |c, (lease, updates), run| {
            if !is_held!(run, c, &lease) {
                return Ok(None);
            }
            let cited: BTreeSet<String> = updates.iter().flat_map(|update| cited_by(&update.details)).collect();
            // Writing the rows of the posts unchanged prevents their deletion until the commit. Posts are locked before
            // alerts, in the same order as in a deletion of posts.
            let mut present = BTreeSet::new();
            if !cited.is_empty() {
                let found: Vec<String> = run!(
                    diesel::update(post::table)
                        .filter(post::post_id.eq_any(cited))
                        .set(post::lang.eq(post::lang))
                        .returning(post::post_id)
                        .get_results(c)
                )?;
                present.extend(found);
            }
            let mut updated = Vec::with_capacity(updates.len());
            for update in &updates {
                let stored: Vec<JsonText> = run!(sql(select).bind::<BigInt, _>(update.id).rows::<Document>().load(c))?;
                let Some(stored) = stored.as_slice().first() else { continue };
                let details = replaced(&stored.0, &update.details, &present);
                let rows: Vec<AlertRow> = run!(
                    diesel::update(alert::table)
                        .filter(alert::id.eq(update.id).and(alert::state.eq(AlertState::Firing.as_str())))
                        .set((
                            alert::threshold_value.eq(update.threshold_value),
                            alert::actual_value.eq(update.actual_value),
                            alert::window_start.eq(At(update.window.start())),
                            alert::window_end.eq(At(update.window.end())),
                            alert::post_count.eq(update.post_count),
                            alert::annotations.eq(to_json(&update.annotations)),
                            alert::details.eq(JsonText(details)),
                        ))
                        .returning(AlertRow::as_returning())
                        .get_results(c)
                )?;
                updated.extend(rows);
                if update.details.contains_key("evidence") {
                    run!(
                        diesel::delete(alert_evidence::table).filter(alert_evidence::alert_id.eq(update.id)).execute(c)
                    )?;
                    for id in cited_by(&update.details).intersection(&present) {
                        run!(
                            diesel::insert_into(alert_evidence::table)
                                .values((alert_evidence::post_id.eq(id), alert_evidence::alert_id.eq(update.id)))
                                .execute(c)
                        )?;
                    }
                }
            }
            Ok(Some(updated))
        })?;
        Ok(lease.check(rows)?.into_iter().map(Alert::from).collect())
    }
}

/// The posts that new details cite. If the new details do not contain `evidence`, the stored citations stay.
fn cited_by(details: &Map<String, Value>) -> BTreeSet<String> {
    if details.contains_key("evidence") { cited_posts(&Value::Object(details.clone())) } else { BTreeSet::new() }
}

/// The stored details with the fields of `new`, and with the new citations of posts that are `present`.
fn replaced(stored: &str, new: &Map<String, Value>, present: &BTreeSet<String>) -> String {
    let mut details: Map<String, Value> = serde_json::from_str(stored).unwrap_or_default();
    details.extend(new.clone());
    let details = Value::Object(details).to_string();
    if new.contains_key("evidence") { without_evidence(&details, &|id| !present.contains(id)) } else { details }
}
