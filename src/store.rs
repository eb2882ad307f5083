//! The database: posts, analyses, rollups, alerts, cursors and leases, in Postgres or SQLite.

pub mod aggregate;
pub mod alerts;
mod backend;
mod connections;
pub mod demonstration;
pub mod erase;
mod error;
pub mod feeds;
mod labels;
mod leases;
mod migrate;
pub mod notify;
mod postgres;
pub mod posts;
mod prune;
mod rollup;
mod scans;
mod schema;
mod search;
pub mod security;
mod server;
pub mod settle;
mod sql;
pub mod tokens;
pub mod topics;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::{Counts, Timestamp};
use crate::secrets::Vault;
use crate::sqlite::Sqlite;

use aggregate::AggregateError;
use backend::{Backend, read};
use postgres::Postgres;
use scans::Scans;

pub use connections::{Connections, Target};
pub use migrate::SchemaError;
pub use server::Server;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is unavailable, busy, or refused the transaction for now; a retry may succeed.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A retry fails again.
    #[error("the database failed: {0}")]
    Failed(String),
    /// This binary must not use the database.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Another instance took over the lease; this one must stop the work.
    #[error("the lease {0} is held by another instance")]
    LeaseLost(String),
}

impl StoreError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// A source that posts came from.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceTotals {
    pub source: String,
    pub counts: Counts,
    /// Event time of its newest post.
    pub last_post: Option<Timestamp>,
}

/// The retention of tables that would otherwise grow without limit.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Minute rollups; older posts are in the 15-minute rollups alone.
    pub minute_rollups: Duration,
}

/// How long posts, counts and alerts are kept; `None`: without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Posts with all that belongs to them, by the time at which they were written. Their counts stay.
    pub posts: Option<Duration>,
    /// Counts by day and 15 minutes; those of all time stay.
    pub rollups: Option<Duration>,
    /// Resolved alerts and the transitions of series, by the time at which they ended.
    pub alerts: Option<Duration>,
}

/// A lease that an instance acquired. Each transaction that needs it checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub name: String,
    pub holder: String,
    /// Grows with each change of holder.
    pub token: i64,
}

/// How to reach Postgres.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// `postgres://…`; `sslmode` and `sslrootcert` as in libpq.
    pub url: secrecy::SecretString,
    /// A replica for the API's reads.
    pub read_url: Option<secrecy::SecretString>,
    /// Most connections of this process to each database.
    pub max_connections: usize,
    /// How long to wait for a free connection, and for a new one.
    pub connect_timeout: Duration,
    /// The longest a statement may run.
    pub statement_timeout: Duration,
}

/// The store, on either backend. Clones share its connections.
///
/// Each part of it has its methods in its own file: [`settle`] writes posts, [`posts`] and
/// [`aggregate`] read them, [`alerts`] holds alerts.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
    retention: Retention,
    keep: Keep,
    vault: Option<Vault>,
    clock: Clock,
    /// Whether the text index is complete. Once complete, it remains complete.
    indexed: Arc<AtomicBool>,
    scans: Scans,
}

/// Why there is no aggregate.
#[derive(Debug, thiserror::Error)]
pub enum AggregateFailure {
    #[error(transparent)]
    Query(#[from] AggregateError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// A store in the embedded database. Connects lazily; call [`Self::migrate`] before use.
    pub fn sqlite(sqlite: Sqlite, retention: Retention, clock: Clock) -> Self {
        Self {
            backend: Backend::Sqlite(sqlite),
            retention,
            keep: Keep::default(),
            vault: None,
            clock,
            indexed: Arc::default(),
            scans: Scans::on_cores(),
        }
    }

    /// A store in Postgres. Connects lazily; call [`Self::migrate`] before use. Its connections
    /// belong to the async runtime in which this is called.
    ///
    /// # Errors
    /// When the URL is malformed or its certificate file cannot be read.
    pub fn postgres(options: &PostgresOptions, retention: Retention, clock: Clock) -> Result<Self, StoreError> {
        let backend = Backend::Postgres(Postgres::new(options)?);
        Ok(Self {
            backend,
            retention,
            keep: Keep::default(),
            vault: None,
            clock,
            indexed: Arc::default(),
            scans: Scans::on_connections(options),
        })
    }

    /// The same store, with a retention of posts, counts and alerts.
    #[must_use]
    pub fn keeping(self, keep: Keep) -> Self {
        Self { keep, ..self }
    }

    /// The same store, which encrypts secrets with the keys of `vault`.
    #[must_use]
    pub fn sealing(self, vault: Option<Vault>) -> Self {
        Self { vault, ..self }
    }

    /// Brings the schema up to date; several instances may do so at once. The names of the migrations that ran.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when a newer release owns the schema, or the database cannot store every post.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.migrations(migrate::Mode::Run).await
    }

    /// The names of migrations that have not run.
    ///
    /// # Errors
    /// As [`Self::migrate`].
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        self.migrations(migrate::Mode::Check).await
    }

    async fn migrations(&self, mode: migrate::Mode) -> Result<Vec<String>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => migrate::sqlite(sqlite, mode).await,
            Backend::Postgres(postgres) => migrate::postgres(postgres, mode).await,
        }
    }

    /// The use of the connections to the database; with SQLite of those that read.
    pub fn connections(&self) -> Vec<Connections> {
        match &self.backend {
            Backend::Sqlite(sqlite) => vec![Connections::of(Target::Primary, &sqlite.reader_status())],
            Backend::Postgres(postgres) => postgres.connections(),
        }
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        read!(self, primary, |c| sql::sql("SELECT 1").execute(c))?;
        Ok(())
    }
}
