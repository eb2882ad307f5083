//! Stores the reports that the feeds of sources send, and whether feeds are paused.

use diesel::upsert::excluded;
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, Queryable, Selectable, SelectableHelper};

use super::backend::{read, transact};
use super::schema::source_feeds::dsl;
use super::schema::{source_cursors, source_feeds, source_hooks};
use super::sql::{At, JsonText};
use super::{Store, StoreError};
use sentistream_core::domain::Timestamp;
use sentistream_core::domain::managed_source::HISTORY_SUFFIX;

/// The report of a feed.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedReport {
    /// The name of the source.
    pub name: String,
    /// The report as a JSON object, which the store does not interpret.
    pub report: String,
}

/// A feed as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedRow {
    /// The name of the source.
    pub name: String,
    /// Whether the feed is paused.
    pub paused: bool,
    /// The instance that sent the last report.
    pub instance: String,
    /// The last report, a JSON object.
    pub report: String,
    /// The time of the last report.
    pub reported_at: Timestamp,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = source_feeds)]
struct StoredFeed {
    name: String,
    paused: bool,
    instance: String,
    report: JsonText,
    reported_at: At,
}

impl From<StoredFeed> for FeedRow {
    fn from(row: StoredFeed) -> Self {
        let StoredFeed { name, paused, instance, report, reported_at } = row;
        Self { name, paused, instance, report: report.0, reported_at: reported_at.0 }
    }
}

impl Store {
    /// Stores the reports of the feeds of `instance`. Returns the names of all paused feeds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit; [`StoreError::Failed`] when
    /// Postgres rejects a report that is not JSON.
    pub async fn report_feeds(&self, instance: &str, reports: &[FeedReport]) -> Result<Vec<String>, StoreError> {
        let mut reports = reports.to_vec();
        // The rows are written in the order of their keys, so that two instances cannot deadlock.
        reports.sort_by(|a, b| a.name.cmp(&b.name));
        transact!(self, (instance.to_owned(), reports, At(self.clock.now())), |c, (instance, reports, now), run| {
            for FeedReport { name, report } in reports {
                run!(
                    diesel::insert_into(dsl::source_feeds)
                        .values((
                            dsl::name.eq(&name),
                            dsl::paused.eq(false),
                            dsl::instance.eq(&instance),
                            dsl::report.eq(JsonText(report)),
                            dsl::reported_at.eq(now),
                        ))
                        .on_conflict(dsl::name)
                        .do_update()
                        .set((
                            dsl::instance.eq(excluded(dsl::instance)),
                            dsl::report.eq(excluded(dsl::report)),
                            dsl::reported_at.eq(excluded(dsl::reported_at)),
                        ))
                        .execute(c)
                )?;
            }
            run!(dsl::source_feeds.filter(dsl::paused.eq(true)).select(dsl::name).load::<String>(c))
        })
    }

    /// Every feed that sent a report since `since` or is paused, sorted by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn feeds(&self, since: Timestamp) -> Result<Vec<FeedRow>, StoreError> {
        let rows: Vec<StoredFeed> = read!(self, primary, |c| dsl::source_feeds
            .filter(dsl::paused.eq(true).or(dsl::reported_at.ge(At(since))))
            .order(dsl::name)
            .select(StoredFeed::as_select())
            .load(c))?;
        Ok(rows.into_iter().map(FeedRow::from).collect())
    }

    /// Pauses or resumes the feed `name` and the import of its history. The instance that runs the feed applies the
    /// change within seconds. Returns `false` if no instance has reported the feed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn set_feed_paused(&self, name: &str, paused: Paused) -> Result<bool, StoreError> {
        let data = (with_history(name), paused == Paused::Yes);
        let changed: usize = transact!(self, data, |c, (names, paused), run| {
            run!(
                diesel::update(dsl::source_feeds)
                    .filter(dsl::name.eq_any(&names))
                    .set(dsl::paused.eq(paused))
                    .execute(c)
            )
        })?;
        Ok(changed > 0)
    }

    /// Whether the feed `name` is paused.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn is_feed_paused(&self, name: &str) -> Result<bool, StoreError> {
        let query = || dsl::source_feeds.filter(dsl::name.eq(name)).filter(dsl::paused.eq(true)).select(dsl::name);
        let rows: Vec<String> = read!(self, primary, |c| query().load(c))?;
        Ok(!rows.is_empty())
    }

    /// Deletes the report, the pause, the cursor and the counts of a removed feed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn forget_feed(&self, name: &str) -> Result<(), StoreError> {
        transact!(self, with_history(name), |c, names, run| {
            run!(diesel::delete(dsl::source_feeds).filter(dsl::name.eq_any(&names)).execute(c))?;
            run!(diesel::delete(source_cursors::table).filter(source_cursors::source.eq_any(&names)).execute(c))?;
            run!(diesel::delete(source_hooks::table).filter(source_hooks::name.eq_any(&names)).execute(c))?;
            Ok(())
        })
    }

    /// Whether other instances may use the same database, which only Postgres allows. If they may, instances must
    /// coordinate by leases.
    pub fn is_shared(&self) -> bool {
        matches!(self.backend, super::backend::Backend::Postgres(_))
    }
}

/// The name of a feed, and the name under which the import of its history is stored.
fn with_history(name: &str) -> Vec<String> {
    vec![name.to_owned(), format!("{name}{HISTORY_SUFFIX}")]
}

/// Whether a feed is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    /// The feed is paused.
    Yes,
    /// The feed runs.
    No,
}
