//! The composition root: from a configuration to open rooms. The only place that knows everything.

use anyhow::Context as _;

use crate::clock::Clock;
use crate::config::{Backends, Config};
use crate::sqlite::{Sqlite, SqliteOptions};
use crate::store::{PostgresOptions, Retention, Store};

/// The store that `config` names; it connects lazily and is not migrated.
///
/// # Errors
/// When the SQLite file cannot be opened, or the Postgres URL is malformed.
pub fn open_store(config: &Config, clock: Clock) -> anyhow::Result<Store> {
    let retention = Retention { minute_rollups: config.retention.minute_rollups };
    match &config.backends {
        Backends::Embedded { path } => {
            let options = SqliteOptions {
                path: path.clone(),
                readers: config.database.max_connections,
                busy_timeout: config.database.connect_timeout,
            };
            Ok(Store::sqlite(Sqlite::open(&options)?, retention, clock))
        }
        Backends::Shared { database, read, .. } => {
            let options = PostgresOptions {
                url: database.clone(),
                read_url: read.clone(),
                max_connections: config.database.max_connections,
                connect_timeout: config.database.connect_timeout,
                statement_timeout: config.database.statement_timeout,
            };
            Store::postgres(&options, retention, clock).context("database.url")
        }
    }
}
