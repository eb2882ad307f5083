//! How fast the store takes posts, and how long each default query of the API takes over many of them.
//!
//! `cargo bench --bench store [-- POSTS]`: SQLite in a temporary folder, and Postgres as well when
//! `SENTISTREAM_TEST_POSTGRES_URL` names a server on which databases may be created.

mod alerts;
mod load;
mod queries;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use sentistream::clock::Clock;
use sentistream::sqlite::{Sqlite, SqliteOptions};
use sentistream::store::{PostgresOptions, Retention, Store};

use load::{Load, Queue};

/// Posts stored before the queries are timed, unless an argument says otherwise.
const POSTS: u64 = 1_000_000;
/// Posts whose storing is timed, all of the present minute, as they come in live.
fn live(posts: u64) -> u64 {
    (posts / 10).clamp(5_120, 100_000)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let posts = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(POSTS);
    let clock = Clock::system();
    let retention = Retention { minute_rollups: Duration::from_secs(8 * 86_400) };

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.db");
    let options = SqliteOptions { path: path.clone(), readers: 4, busy_timeout: Duration::from_secs(10) };
    let sqlite = Sqlite::open(&options).expect("a database file");
    let store = Store::sqlite(sqlite.clone(), retention.clone(), clock.clone());
    measure("SQLite", store, Queue::Sqlite(sqlite), posts).await;
    println!("  file: {} MB", std::fs::metadata(&path).map_or(0, |file| file.len() / 1_000_000));

    #[expect(clippy::disallowed_methods, reason = "a bench has no configuration")]
    let Ok(url) = std::env::var("SENTISTREAM_TEST_POSTGRES_URL") else {
        println!("Postgres: SENTISTREAM_TEST_POSTGRES_URL is not set");
        return;
    };
    let name = format!("bench_{}", uuid::Uuid::new_v4().simple());
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("Postgres");
    tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("the right to create databases");
    let mut of_its_own = url::Url::parse(&url).expect("a URL");
    of_its_own.set_path(&name);
    let options = PostgresOptions {
        url: SecretString::from(of_its_own.as_str()),
        read_url: None,
        max_connections: 8,
        connect_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(60),
    };
    let store = Store::postgres(&options, retention, clock).expect("a valid URL");
    measure("Postgres", store, Queue::None(Arc::default()), posts).await;
    client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("the database is gone");
}

async fn measure(name: &str, store: Store, queue: Queue, posts: u64) {
    println!("{name}");
    store.migrate().await.expect("the schema");
    let load = Load::new(store.clone(), queue);
    for (tasks, batch) in [(1, 128), (1, 256), (2, 256), (4, 256), (2, 512)] {
        let rate = load.settle_live(live(posts), tasks, batch).await;
        println!("  settle, {tasks} tasks, batches of {batch}: {rate}");
    }
    if let Some(rate) = load.pipeline(live(posts), 2, 256).await {
        println!("  append, claim and settle, 2 tasks, batches of 256: {rate}");
    }
    let rate = load.fill(posts, 2, 512).await;
    println!("  filled to {posts} posts over {} days: {rate}", load::DAYS);
    queries::measure(&store).await;
    alerts::measure(&store).await;
}
