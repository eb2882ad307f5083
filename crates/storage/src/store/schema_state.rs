//! Lists the migrations that ran and those that did not run, for administrators.

use std::collections::BTreeMap;

use diesel::sql_types::Text;

use super::backend::{Backend, read};
use super::sql::{At, Instant, sql};
use super::{Store, StoreError, migrate};
use sentistream_core::domain::Timestamp;

/// A migration that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedMigration {
    /// The name; `None` for a migration of a newer release.
    pub name: Option<String>,
    /// The version: the digits at the beginning of the name, without hyphens.
    pub version: String,
    /// When it ran.
    pub ran_at: Timestamp,
}

impl Store {
    /// The migrations that ran, oldest first.
    ///
    /// # Errors
    /// When the database does not answer or was never migrated.
    pub async fn applied_migrations(&self) -> Result<Vec<AppliedMigration>, StoreError> {
        const SQLITE: &str = "SELECT version, CAST(unixepoch(run_on) * 1000000 AS INTEGER) \
                              FROM __diesel_schema_migrations ORDER BY version";
        const POSTGRES: &str =
            "SELECT version::text, run_on::timestamptz FROM __diesel_schema_migrations ORDER BY version";
        let rows: Vec<(String, At)> = read!(
            self,
            primary,
            |c| sql(SQLITE).rows::<(Text, Instant)>().load(c),
            sql(POSTGRES).rows::<(Text, Instant)>().load(c)
        )?;
        let names = self.known_migrations()?;
        let applied = |(version, At(ran_at)): (String, At)| AppliedMigration {
            name: names.get(&version).cloned(),
            version,
            ran_at,
        };
        Ok(rows.into_iter().map(applied).collect())
    }

    /// Whether all migrations of this release ran.
    ///
    /// # Errors
    /// When the database does not answer or was never migrated.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        let applied = self.applied_migrations().await?;
        let named = applied.iter().filter(|migration| migration.name.is_some()).count();
        Ok(named == self.known_migrations()?.len())
    }

    /// The names of the migrations of this release by their versions.
    fn known_migrations(&self) -> Result<BTreeMap<String, String>, StoreError> {
        match &self.backend {
            Backend::Sqlite(_) => migrate::sqlite_names(),
            Backend::Postgres(_) => migrate::postgres_names(),
        }
    }
}
