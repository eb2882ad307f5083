//! The database, Postgres or SQLite: posts, analyses, rollups, topics, alerts, notifications, accounts, settings,
//! cursors and leases.

pub mod accounts;
pub mod aggregate;
pub mod alerts;
mod backend;
mod connections;
pub mod demonstration;
pub mod erase;
mod error;
pub mod feeds;
pub mod hooks;
mod id_tokens;
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
pub mod schema_state;
mod search;
pub mod security;
mod server;
pub mod settings;
pub mod settle;
mod sql;
pub mod tokens;
pub mod topics;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::sqlite::Sqlite;
use sentistream_core::clock::Clock;
use sentistream_core::domain::{Counts, Timestamp};
use sentistream_core::secrets::Vault;

use aggregate::AggregateError;
use backend::{Backend, read};
use postgres::Postgres;
use scans::Scans;

pub use connections::{Connections, Target};
pub use migrate::SchemaError;
pub use search::TextIndexSize;
pub use server::Server;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is unavailable, busy, or refused the transaction for now; a retry may succeed.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The failure is permanent: a retry would fail in the same way.
    #[error("the database failed: {0}")]
    Failed(String),
    /// The schema is incompatible with this binary, so the binary must not use the database.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Another instance took over the lease. This instance must stop the work.
    #[error("another instance has taken over the lease {0}")]
    LeaseLost(String),
}

impl StoreError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// A source with the counts of its posts.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceTotals {
    /// The name of the source.
    pub source: String,
    /// The counts of all time, including posts that retention has removed.
    pub counts: Counts,
    /// Event time of the newest stored post; `None` if retention has removed all posts of the source.
    pub last_post: Option<Timestamp>,
}

/// The retention that is fixed when the store is opened.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Retention of minute rollups. Older posts are counted only in rollups with wider buckets.
    pub minute_rollups: Duration,
}

/// The retention of posts, counts and alerts, which users can change while the server runs. `None`: without a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Retention of posts and their analyses, counted from the time at which the author wrote the post. Counts remain.
    pub posts: Option<Duration>,
    /// Retention of counts by day and by 15 minutes. The counts of all time remain.
    pub rollups: Option<Duration>,
    /// Retention of resolved alerts, counted from their end, and of the state transitions of series.
    pub alerts: Option<Duration>,
}

/// A lease that an instance has acquired. Each transaction that requires the lease checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What the lease protects, such as `notifications`.
    pub name: String,
    /// The name of the instance that holds the lease.
    pub holder: String,
    /// Increases when the lease gets a new holder, or is acquired again after it expired.
    pub token: i64,
}

/// Settings of the connections to Postgres.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// `postgres://…`; `sslmode` and `sslrootcert` as in libpq.
    pub url: secrecy::SecretString,
    /// The URL of a replica for the API's read queries. `None`: these queries use `url`.
    pub read_url: Option<secrecy::SecretString>,
    /// The maximum number of connections of this process to each database.
    pub max_connections: usize,
    /// The maximum time to wait for a free connection, and to establish a new one.
    pub connect_timeout: Duration,
    /// The maximum run time of a statement.
    pub statement_timeout: Duration,
}

/// The store, on either backend. Clones share its connections.
///
/// The methods are in one file per subject: [`settle`] writes posts, [`posts`] and [`aggregate`] read them, [`alerts`]
/// stores alerts.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
    retention: Retention,
    /// The retention that users can change while the server runs. Clones of the store share it.
    keep: Arc<ArcSwap<Keep>>,
    vault: Option<Vault>,
    clock: Clock,
    /// Whether the text index is known to contain all posts and all their grams.
    indexed: Arc<search::Indexed>,
    scans: Scans,
}

/// Why a query for counts failed.
#[derive(Debug, thiserror::Error)]
pub enum AggregateFailure {
    /// The query cannot be answered. The message says what the user can change.
    #[error(transparent)]
    Query(#[from] AggregateError),
    /// The store does not answer, or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// A store in the embedded database. Connects lazily; call [`Self::migrate`] before use.
    pub fn sqlite(sqlite: Sqlite, retention: Retention, clock: Clock) -> Self {
        Self {
            backend: Backend::Sqlite(sqlite),
            retention,
            keep: Arc::default(),
            vault: None,
            clock,
            indexed: Arc::default(),
            scans: Scans::on_cores(),
        }
    }

    /// A store in Postgres. Connects lazily; call [`Self::migrate`] before use. The connections belong to the async
    /// runtime in which this function is called.
    ///
    /// # Errors
    /// When the URL is malformed or its certificate file cannot be read.
    pub fn postgres(options: &PostgresOptions, retention: Retention, clock: Clock) -> Result<Self, StoreError> {
        let backend = Backend::Postgres(Postgres::new(options)?);
        Ok(Self {
            backend,
            retention,
            keep: Arc::default(),
            vault: None,
            clock,
            indexed: Arc::default(),
            scans: Scans::on_connections(options),
        })
    }

    /// Returns this store with `keep` as the retention of posts, counts and alerts.
    #[must_use]
    pub fn keeping(self, keep: Keep) -> Self {
        self.keep.store(Arc::new(keep));
        self
    }

    /// Changes the retention of posts, counts and alerts of this store and its clones.
    pub fn keep(&self, keep: Keep) {
        self.keep.store(Arc::new(keep));
    }

    /// The retention of posts, counts and alerts.
    fn kept(&self) -> Keep {
        **self.keep.load()
    }

    /// Returns the store with `vault`, whose keys encrypt secrets.
    #[must_use]
    pub fn sealing(self, vault: Option<Vault>) -> Self {
        Self { vault, ..self }
    }

    /// Updates the schema. Several instances may do so at once. Returns the names of the migrations that ran.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when the schema requires a newer release, or the database cannot store all characters;
    /// other errors when the database does not answer or a migration fails.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.migrations(migrate::Mode::Run).await
    }

    /// The names of migrations that have not run.
    ///
    /// # Errors
    /// The same errors as [`Self::migrate`].
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        self.migrations(migrate::Mode::Check).await
    }

    async fn migrations(&self, mode: migrate::Mode) -> Result<Vec<String>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => migrate::sqlite(sqlite, mode).await,
            Backend::Postgres(postgres) => migrate::postgres(postgres, mode).await,
        }
    }

    /// The usage of the database connections. With SQLite, only connections for reading are counted.
    pub fn connections(&self) -> Vec<Connections> {
        match &self.backend {
            Backend::Sqlite(sqlite) => vec![Connections::of(Target::Primary, &sqlite.reader_status())],
            Backend::Postgres(postgres) => postgres.connections(),
        }
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ping(&self) -> Result<(), StoreError> {
        read!(self, primary, |c| sql::sql("SELECT 1").execute(c))?;
        Ok(())
    }
}
