//! Provides the databases that are measured.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use sentistream::clock::Clock;
use sentistream::sqlite::{Sqlite, SqliteOptions};
use sentistream::store::{PostgresOptions, Retention, Store};

use crate::load::Queue;

/// Measures SQLite in a temporary folder, and Postgres as well when `SENTISTREAM_TEST_POSTGRES_URL` names a server on
/// which databases may be created.
pub async fn each(measure: impl AsyncFn(Store, Queue)) {
    let clock = Clock::system();
    let retention = Retention { minute_rollups: Duration::from_secs(8 * 86_400) };

    let folder = tempfile::tempdir().expect("cannot create a temporary folder");
    let path = folder.path().join("bench.db");
    let options = SqliteOptions {
        path: path.clone(),
        readers: 4,
        read_timeout: Duration::from_secs(10),
        busy_timeout: Duration::from_secs(10),
    };
    let sqlite = Sqlite::open(&options).expect("cannot open the database file");
    let store = Store::sqlite(sqlite.clone(), retention.clone(), clock.clone());
    println!("SQLite");
    store.migrate().await.expect("cannot migrate the schema");
    measure(store, Queue::Sqlite(sqlite)).await;
    println!("  file: {} MB", std::fs::metadata(&path).map_or(0, |file| file.len() / 1_000_000));

    #[expect(clippy::disallowed_methods, reason = "a bench has no configuration")]
    let Ok(url) = std::env::var("SENTISTREAM_TEST_POSTGRES_URL") else {
        println!("Postgres: skipped, SENTISTREAM_TEST_POSTGRES_URL is not set");
        return;
    };
    let name = format!("bench_{}", uuid::Uuid::new_v4().simple());
    let (client, connection) =
        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("cannot connect to Postgres");
    tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("cannot create a database");
    let mut of_its_own = url::Url::parse(&url).expect("the URL is not valid");
    of_its_own.set_path(&name);
    let options = PostgresOptions {
        url: SecretString::from(of_its_own.as_str()),
        read_url: None,
        max_connections: 8,
        connect_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(60),
    };
    let store = Store::postgres(&options, retention, clock).expect("the URL is not valid");
    println!("Postgres");
    store.migrate().await.expect("cannot migrate the schema");
    measure(store, Queue::None(Arc::default())).await;
    client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("cannot drop the database");
}
