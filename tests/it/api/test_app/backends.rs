//! The backends of a test app: a SQLite file, or the servers of the test run.

use std::time::Duration;

use secrecy::SecretString;
use sentistream::clock::Clock;
use sentistream::redis::{Redis, RedisOptions};
use sentistream::sqlite::{Sqlite, SqliteOptions};
use sentistream::store::{PostgresOptions, Retention, Store};
use sentistream::stream::{LocalStream, RedisStream, Stream, StreamOptions};

use super::{DEADLINE, Setup};
use crate::services::Shared;

/// Creates a separate database and stream for a test case.
pub async fn backends(setup: Setup, folder: &tempfile::TempDir, clock: &Clock) -> (Store, Stream) {
    match setup {
        Setup::Embedded => {
            let path = folder.path().join("test.db");
            let options = SqliteOptions { path, readers: 4, read_timeout: DEADLINE, busy_timeout: DEADLINE };
            let sqlite = Sqlite::open(&options).expect("the database opens");
            let store = Store::sqlite(sqlite.clone(), retention(), clock.clone());
            store.migrate().await.expect("the schema");
            let stream = LocalStream::open(sqlite, stream_options(), clock.clone()).await.expect("the queue opens");
            (store, Stream::Local(stream))
        }
        Setup::Shared => {
            let Shared { postgres_url, redis_url, .. } = Shared::create().await;
            let store = postgres_store(&postgres_url, clock);
            store.migrate().await.expect("the schema");
            (store, redis_stream(&redis_url, DEADLINE))
        }
    }
}

pub fn postgres_store(url: &str, clock: &Clock) -> Store {
    let options = PostgresOptions {
        url: SecretString::from(url.to_owned()),
        read_url: None,
        max_connections: 6,
        connect_timeout: Duration::from_secs(5),
        statement_timeout: DEADLINE,
    };
    Store::postgres(&options, retention(), clock.clone()).expect("the URL is valid")
}

pub fn redis_stream(url: &str, command_timeout: Duration) -> Stream {
    let options = RedisOptions { url: url.to_owned().into(), ca_file: None, command_timeout };
    let redis = Redis::connect(&options).expect("the URL is valid");
    Stream::Redis(RedisStream::connect(redis, stream_options()).expect("the names are valid"))
}

fn retention() -> Retention {
    Retention { minute_rollups: Duration::from_secs(8 * 86_400) }
}

fn stream_options() -> StreamOptions {
    let name = format!("test:{}", uuid::Uuid::new_v4());
    StreamOptions {
        group: "workers".to_owned(),
        dead_letter: format!("{name}:dead"),
        processed: format!("{name}:processed"),
        name,
        processed_max_len: 1_000,
        processed_max_bytes: 64 << 20,
        dead_letter_max_bytes: 64 << 20,
        claim_idle: DEADLINE,
        max_backlog: 5_000,
        command_timeout: DEADLINE,
    }
}
