//! The schema: embedded migrations, which one instance runs at a time.
//!
//! Migrations only add to the schema, so that instances of the previous release keep working while a new release is
//! rolled out. [`COMPATIBLE_SINCE`] is stored with the schema. A binary that does not know all migrations of the schema
//! starts only if its newest migration is not older than the stored [`COMPATIBLE_SINCE`].

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::{Bool, Text};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::StoreError;
use super::postgres::Postgres;
use crate::sqlite::Sqlite;

const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// The advisory lock of the instance that migrates a Postgres database.
const LOCK: i64 = 0x0073_656e_7469_0001;
/// The time between two attempts to get the lock. A session that waits for the lock inside the database would block
/// `CREATE INDEX CONCURRENTLY`, so this program polls.
const LOCK_RETRY: Duration = Duration::from_millis(100);
/// The number of attempts to get the lock. After the last one the start fails, and a later start repeats the migration.
const LOCK_ATTEMPTS: u32 = 6_000;
/// The last migration of the oldest release that works with this schema.
const COMPATIBLE_SINCE: &str = "20260204000001";

/// Why this binary cannot use the database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A newer release changed the schema in a way that is incompatible with this release.
    #[error(
        "the database was migrated by a newer release (it has {unknown}, and needs a release that knows {needs}): \
         start that release, or restore a backup from before its migration"
    )]
    Newer {
        /// The first migration that this binary does not know.
        unknown: String,
        /// The migration that a release must know to use this schema.
        needs: String,
    },
    /// Posts may contain characters that the database cannot store.
    #[error(
        "the database has the encoding {encoding}, which cannot store all characters of posts: create one with \
         CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and set database.url to it"
    )]
    Encoding {
        /// The encoding of the database, such as `LATIN1`.
        encoding: String,
    },
}

/// Whether to run pending migrations or only to list them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Run the pending migrations.
    Run,
    /// Only list the pending migrations.
    Check,
}

/// The names of the pending migrations. With [`Mode::Run`] they have run when the function returns; until then, other
/// processes wait for the write lock of the file.
pub async fn sqlite(sqlite: &Sqlite, mode: Mode) -> Result<Vec<String>, StoreError> {
    let migrated = sqlite.write(move |connection| migrate(connection, SQLITE.migrations(), mode)).await?;
    Ok(migrated?)
}

/// The names of the pending migrations. With [`Mode::Run`] they have run when the function returns; until then, other
/// processes wait for an advisory lock.
pub async fn postgres(postgres: &Postgres, mode: Mode) -> Result<Vec<String>, StoreError> {
    let connection = postgres.migrator().await?;
    // Diesel's migrations are synchronous, so they run on a blocking thread. The server releases the lock at the latest
    // when the connection is closed.
    let task = tokio::task::spawn_blocking(move || {
        let mut connection: AsyncConnectionWrapper<AsyncPgConnection> = connection.into();
        let encoding: Setting =
            diesel::sql_query("SELECT current_setting('server_encoding') AS value").get_result(&mut connection)?;
        if encoding.value != "UTF8" {
            return Err(SchemaError::Encoding { encoding: encoding.value }.into());
        }
        if mode == Mode::Check {
            // Diesel creates its table of migrations when it reads the table. A check holds no lock, so it must not
            // create the table: a second creation at the same time would make the migration of another instance fail.
            let table: Setting =
                diesel::sql_query("SELECT coalesce(to_regclass('__diesel_schema_migrations')::text, '') AS value")
                    .get_result(&mut connection)?;
            if table.value.is_empty() {
                return Ok(postgres_names()?.into_values().collect());
            }
            return Ok(migrate::<Pg, _>(&mut connection, POSTGRES.migrations(), mode)??);
        }
        lock(&mut connection)?;
        drop_invalid_indexes(&mut connection)?;
        let names = migrate::<Pg, _>(&mut connection, POSTGRES.migrations(), mode)?;
        diesel::sql_query(format!("SELECT pg_advisory_unlock({LOCK})")).execute(&mut connection)?;
        Ok(names?)
    });
    task.await.map_err(|e| StoreError::Unavailable(format!("the migration was interrupted: {e}")))?
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    value: String,
}

fn lock(connection: &mut AsyncConnectionWrapper<AsyncPgConnection>) -> Result<(), StoreError> {
    #[derive(QueryableByName)]
    struct Lock {
        #[diesel(sql_type = Bool)]
        locked: bool,
    }
    let attempt = format!("SELECT pg_try_advisory_lock({LOCK}) AS locked");
    for _ in 0..LOCK_ATTEMPTS {
        if diesel::sql_query(&attempt).get_result::<Lock>(connection)?.locked {
            return Ok(());
        }
        std::thread::sleep(LOCK_RETRY);
    }
    let busy = "another instance is still migrating the database: start again when it has finished";
    Err(StoreError::Unavailable(busy.to_owned()))
}

/// Drops indexes whose concurrent creation was interrupted. Their migration runs again and creates them.
fn drop_invalid_indexes(connection: &mut AsyncConnectionWrapper<AsyncPgConnection>) -> QueryResult<()> {
    const INVALID: &str = "SELECT i.indexrelid::regclass::text AS value FROM pg_index i \
                           JOIN pg_class c ON c.oid = i.indexrelid \
                           WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace";
    for index in diesel::sql_query(INVALID).load::<Setting>(connection)? {
        diesel::sql_query(format!("DROP INDEX CONCURRENTLY IF EXISTS {}", index.value)).execute(connection)?;
    }
    Ok(())
}

/// The names of the migrations of this release for SQLite, by version.
///
/// # Errors
/// Never in practice, because the migrations are embedded in the binary.
pub fn sqlite_names() -> Result<BTreeMap<String, String>, StoreError> {
    names::<diesel::sqlite::Sqlite>(SQLITE.migrations())
}

/// The names of the migrations of this release for Postgres, by version.
///
/// # Errors
/// Never in practice, because the migrations are embedded in the binary.
pub fn postgres_names() -> Result<BTreeMap<String, String>, StoreError> {
    names::<Pg>(POSTGRES.migrations())
}

fn names<DB: Backend>(found: Found<DB>) -> Result<BTreeMap<String, String>, StoreError> {
    let found = found.map_err(failed)?;
    Ok(found.iter().map(|migration| (migration.name().version().to_string(), migration.name().to_string())).collect())
}

type Found<DB> = diesel::migration::Result<Vec<Box<dyn Migration<DB>>>>;

fn migrate<DB, C>(connection: &mut C, found: Found<DB>, mode: Mode) -> QueryResult<Result<Vec<String>, SchemaError>>
where
    DB: Backend,
    C: MigrationHarness<DB> + SchemaInfo,
{
    let mut known = found.map_err(failed)?;
    known.sort_unstable_by(|one, other| one.name().version().cmp(&other.name().version()));
    let applied = connection.applied_migrations().map_err(failed)?;
    let is_known =
        |version: &MigrationVersion<'_>| known.iter().any(|migration| migration.name().version() == *version);
    if let Some(unknown) = applied.iter().filter(|version| !is_known(version)).min() {
        let newest = known.last().map(|migration| migration.name().version().to_string()).unwrap_or_default();
        let needs = connection.compatible_since()?;
        let unknown = unknown.to_string();
        return Ok(match needs {
            Some(needs) if needs <= newest => {
                tracing::warn!(unknown, "database schema is newer than this release, which can still use it");
                Ok(Vec::new())
            }
            needs => Err(SchemaError::Newer { needs: needs.unwrap_or_else(|| unknown.clone()), unknown }),
        });
    }
    let mut names = Vec::new();
    for migration in known.iter().filter(|migration| !applied.contains(&migration.name().version())) {
        if mode == Mode::Run {
            connection.run_migration(&**migration).map_err(failed)?;
        }
        names.push(migration.name().to_string());
    }
    // A process that was killed after the last migration has not stored the value.
    if mode == Mode::Run && (!names.is_empty() || connection.compatible_since()?.as_deref() != Some(COMPATIBLE_SINCE)) {
        connection.set_compatible_since()?;
    }
    Ok(Ok(names))
}

/// Data about the schema that is stored besides the list of migrations.
trait SchemaInfo {
    /// The last migration of the oldest release that works with the schema; `None` if it is not stored.
    fn compatible_since(&mut self) -> QueryResult<Option<String>>;
    fn set_compatible_since(&mut self) -> QueryResult<()>;
}

macro_rules! schema_info {
    ($Connection:ty) => {
        impl SchemaInfo for $Connection {
            fn compatible_since(&mut self) -> QueryResult<Option<String>> {
                let select = diesel::sql_query("SELECT compatible_since AS value FROM schema_info WHERE id = 1");
                Ok(select.get_result::<Setting>(self).optional()?.map(|row| row.value))
            }

            fn set_compatible_since(&mut self) -> QueryResult<()> {
                diesel::sql_query(format!(
                    "INSERT INTO schema_info (id, compatible_since) VALUES (1, '{COMPATIBLE_SINCE}') \
                     ON CONFLICT (id) DO UPDATE SET compatible_since = excluded.compatible_since"
                ))
                .execute(self)?;
                Ok(())
            }
        }
    };
}

schema_info!(SqliteConnection);
schema_info!(AsyncConnectionWrapper<AsyncPgConnection>);

/// Extracts the error of the database, which shows whether the failure is transient.
fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> DieselError {
    match error.downcast::<DieselError>() {
        Ok(error) => *error,
        Err(other) => DieselError::QueryBuilderError(other),
    }
}
