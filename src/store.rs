//! Everything that is SQL: posts, analyses, rollups, alerts, cursors and leases,
//! over Postgres and SQLite.

pub mod aggregate;
pub mod alerts;
pub mod posts;
pub mod settle;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::{Alert, Books, Counts, EntryKey, PostId, Source, TimeRange, Timestamp};
use crate::sqlite::Sqlite;

use aggregate::{Aggregate, AggregateError, AggregateQuery};
use alerts::{AlertChange, AlertFilter, AlertPage};
use posts::{PostFilter, PostPage, Start, StoredPost, Total};
use settle::{Settled, Settlement};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away, busy, or refused the transaction for the moment; try again.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Trying again will not help.
    #[error("the database failed: {0}")]
    Failed(String),
    /// Another instance took over the lease; this one must stop acting.
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

/// How long rows are kept in tables that would grow without bound.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Minute rollups; older posts are in the 15-minute rollups alone.
    pub minute_rollups: Duration,
}

/// Marks which instance acts; every use is checked in the transaction that acts.
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
#[derive(Clone)]
pub struct Store {}

/// An aggregate query that cannot be answered, or a store that does not answer.
#[derive(Debug, thiserror::Error)]
pub enum AggregateFailure {
    #[error(transparent)]
    Query(#[from] AggregateError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[expect(clippy::todo, clippy::unused_async, clippy::needless_pass_by_value, reason = "signatures first")]
impl Store {
    /// A store in the embedded database. Connects lazily; call [`Self::migrate`] before use.
    pub fn sqlite(_sqlite: Sqlite, _retention: Retention, _clock: Clock) -> Self {
        todo!()
    }

    /// A store in Postgres. Connects lazily; call [`Self::migrate`] before use.
    ///
    /// # Errors
    /// When the URL is malformed or its certificate file cannot be read.
    pub fn postgres(_options: &PostgresOptions, _retention: Retention, _clock: Clock) -> Result<Self, StoreError> {
        todo!()
    }

    /// Brings the schema up to date; several instances may do so at once. The names of the migrations that ran.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        todo!()
    }

    /// The names of migrations that have not run.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        todo!()
    }

    /// Answers when the database does.
    pub async fn ping(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Which of these posts are stored.
    pub async fn known_posts(&self, _ids: &[PostId]) -> Result<HashSet<PostId>, StoreError> {
        todo!()
    }

    /// Makes all changes and settles their entries in one transaction; the answers are in the same order.
    /// On SQLite this also removes the entries from the embedded queue.
    /// Serialisation failures and deadlocks are retried inside.
    pub async fn settle(&self, _batch: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        todo!()
    }

    /// Deletes one post now (not through the stream) and keeps a tombstone; whether it was there.
    pub async fn delete_post(&self, _id: &PostId) -> Result<bool, StoreError> {
        todo!()
    }

    /// How many entries of this epoch ended how; `appended`, `pending` and `dead_lettered` are the stream's and stay 0.
    pub async fn outcomes(&self, _epoch: &str) -> Result<Books, StoreError> {
        todo!()
    }

    /// Forgets remembered entry ids below `needed`, old minute rollups and ingest counters; in small steps.
    pub async fn prune(&self, _needed: Option<EntryKey>) -> Result<(), StoreError> {
        todo!()
    }

    /// One page, newest first.
    pub async fn posts(&self, _filter: &PostFilter, _start: Start, _limit: i64) -> Result<PostPage, StoreError> {
        todo!()
    }

    /// How many posts match: exact from the totals, else counted up to a limit.
    pub async fn count_posts(&self, _filter: &PostFilter) -> Result<Total, StoreError> {
        todo!()
    }

    /// One post.
    pub async fn post(&self, _id: &PostId) -> Result<Option<StoredPost>, StoreError> {
        todo!()
    }

    /// Every source with its counts and newest post, most posts first. Costs O(sources).
    pub async fn sources(&self) -> Result<Vec<SourceTotals>, StoreError> {
        todo!()
    }

    /// Posts stored at or after `since`, to the resolution of ten seconds. Costs O(buckets).
    pub async fn ingested_since(&self, _since: Timestamp) -> Result<i64, StoreError> {
        todo!()
    }

    /// Counts by bucket.
    pub async fn aggregate(&self, _query: &AggregateQuery) -> Result<Aggregate, AggregateFailure> {
        todo!()
    }

    /// Counts of an exact window by event time: whole buckets from the rollups, the ragged edges from posts.
    pub async fn window(&self, _range: TimeRange, _source: Option<&Source>) -> Result<Counts, StoreError> {
        todo!()
    }

    /// As [`Self::window`], for each source that has posts in it.
    pub async fn window_by_source(&self, _range: TimeRange) -> Result<BTreeMap<String, Counts>, StoreError> {
        todo!()
    }

    /// One page of alerts, newest first, starting after the alert with id `after`.
    pub async fn alerts(
        &self,
        _filter: &AlertFilter,
        _after: Option<i64>,
        _limit: i64,
    ) -> Result<AlertPage, StoreError> {
        todo!()
    }

    /// All alerts that fire.
    pub async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        todo!()
    }

    /// Applies changes if `lease` still holds, checked in the same transaction; the alerts that really changed.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another instance took over; nothing was changed then.
    pub async fn change_alerts(&self, _lease: &Lease, _changes: &[AlertChange]) -> Result<Vec<Alert>, StoreError> {
        todo!()
    }

    /// Takes or renews the lease `name` for `holder` for `ttl`; `None` while another holds it.
    pub async fn acquire_lease(&self, _name: &str, _holder: &str, _ttl: Duration) -> Result<Option<Lease>, StoreError> {
        todo!()
    }

    /// Gives a lease back before it runs out.
    pub async fn release_lease(&self, _lease: &Lease) -> Result<(), StoreError> {
        todo!()
    }

    /// Where a source goes on.
    pub async fn cursor(&self, _source: &str) -> Result<Option<String>, StoreError> {
        todo!()
    }

    /// Keeps where a source goes on.
    pub async fn keep_cursor(&self, _source: &str, _cursor: &str) -> Result<(), StoreError> {
        todo!()
    }
}
