//! The schema: embedded migrations, run by one instance at a time.

use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::StoreError;
use super::postgres::Postgres;
use crate::sqlite::Sqlite;

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Postgres' advisory lock of whoever migrates.
const LOCK: i64 = 0x0073_656e_7469_0001;

/// Whether to run what is pending or only to name it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Run,
    Check,
}

/// The names of the pending migrations, which have run if `mode` says so.
/// The write lock of the file makes other processes wait.
pub async fn sqlite(sqlite: &Sqlite, mode: Mode) -> Result<Vec<String>, StoreError> {
    Ok(sqlite.write(move |connection| migrate(connection, SQLITE.migrations(), mode)).await?)
}

/// The names of the pending migrations, which have run if `mode` says so. An advisory lock makes other processes wait.
pub async fn postgres(postgres: &Postgres, mode: Mode) -> Result<Vec<String>, StoreError> {
    let connection = postgres.migrator().await?;
    // Diesel's migrations are synchronous. The lock ends with the connection at the latest.
    let task = tokio::task::spawn_blocking(move || {
        let mut connection: AsyncConnectionWrapper<AsyncPgConnection> = connection.into();
        diesel::sql_query(format!("SELECT pg_advisory_lock({LOCK})")).execute(&mut connection)?;
        let names = migrate::<Pg, _>(&mut connection, POSTGRES.migrations(), mode)?;
        diesel::sql_query(format!("SELECT pg_advisory_unlock({LOCK})")).execute(&mut connection)?;
        Ok(names)
    });
    task.await.map_err(|e| StoreError::Unavailable(format!("the migration was abandoned: {e}")))?
}

type Found<DB> = diesel::migration::Result<Vec<Box<dyn Migration<DB>>>>;

fn migrate<DB: Backend, C: MigrationHarness<DB>>(
    connection: &mut C,
    found: Found<DB>,
    mode: Mode,
) -> QueryResult<Vec<String>> {
    let applied = connection.applied_migrations().map_err(failed)?;
    let mut pending: Vec<_> =
        found.map_err(failed)?.into_iter().filter(|migration| !applied.contains(&migration.name().version())).collect();
    pending.sort_unstable_by(|one, other| one.name().version().cmp(&other.name().version()));
    let mut names = Vec::new();
    for migration in pending {
        if mode == Mode::Run {
            connection.run_migration(&*migration).map_err(failed)?;
        }
        names.push(migration.name().to_string());
    }
    Ok(names)
}

/// Keeps the database's own error, which says whether it passes.
fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> DieselError {
    match error.downcast::<DieselError>() {
        Ok(error) => *error,
        Err(other) => DieselError::QueryBuilderError(other),
    }
}
