//! The fixture of a case: an empty store on one backend, a clock, and entries to settle. To settle an entry means that
//! the store makes the change of the entry and records the outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use secrecy::SecretString;
use sentistream::clock::Clock;
use sentistream::domain::{
    Analysis, Author, Emotion, EntryId, EntryKey, Outcome, Post, PostId, Scores, Sentiment, Source, Timestamp,
};
use sentistream::sqlite::{Sqlite, SqliteOptions};
use sentistream::store::settle::{Change, Settled, Settlement};
use sentistream::store::{PostgresOptions, Retention, Store};

/// Defines a test on each backend for each case.
macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::store::fixture::Fixture::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::store::fixture::Fixture::postgres().await).await;
            })+
        }
    };
}
pub(crate) use cases;

/// The time at the start of a case.
pub const START: &str = "2026-03-01T12:00:00Z";

/// An empty store with its database and clock.
pub struct Fixture {
    pub store: Store,
    pub clock: Clock,
    pub place: Place,
    next: AtomicU64,
}

/// The database of the store.
pub enum Place {
    Sqlite { sqlite: Sqlite, _folder: tempfile::TempDir },
    Postgres { url: String },
}

/// Parses a time in RFC 3339.
pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

pub fn retention() -> Retention {
    Retention { minute_rollups: seconds(8 * 86_400) }
}

impl Fixture {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sqlite = open(&folder.path().join("test.db"));
        let clock = Clock::fixed(at(START));
        let store = Store::sqlite(sqlite.clone(), retention(), clock.clone());
        Self::ready(store, clock, Place::Sqlite { sqlite, _folder: folder }).await
    }

    pub async fn postgres() -> Self {
        let url = empty_database().await;
        let clock = Clock::fixed(at(START));
        let store = connect(&url, &clock);
        Self::ready(store, clock, Place::Postgres { url }).await
    }

    async fn ready(store: Store, clock: Clock, place: Place) -> Self {
        store.migrate().await.expect("the schema");
        Self { store, clock, place, next: AtomicU64::new(1) }
    }

    /// A second store on the same database. On Postgres it has its own connections, like the store of another process.
    pub fn another_store(&self) -> Store {
        match &self.place {
            Place::Sqlite { sqlite, .. } => Store::sqlite(sqlite.clone(), retention(), self.clock.clone()),
            Place::Postgres { url } => connect(url, &self.clock),
        }
    }

    /// Advances the clock by `time`.
    pub fn pass(&self, time: Duration) {
        self.clock.set(self.clock.now() + time);
    }

    /// The single number that `query` returns.
    pub async fn number(&self, query: &str) -> i64 {
        match &self.place {
            Place::Sqlite { sqlite, .. } => {
                #[derive(QueryableByName)]
                struct One {
                    #[diesel(sql_type = diesel::sql_types::BigInt)]
                    number: i64,
                }
                let query = format!("SELECT CAST(({query}) AS bigint) AS number");
                let one = sqlite.write(move |connection| diesel::sql_query(query).get_result::<One>(connection));
                one.await.expect("a number").number
            }
            Place::Postgres { url } => {
                let query = format!("SELECT CAST(({query}) AS bigint)");
                admin(url).await.query_one(&query, &[]).await.expect("a number").get(0)
            }
        }
    }

    /// Runs `statements` as another program would.
    pub async fn run(&self, statements: &str) {
        match &self.place {
            Place::Sqlite { sqlite, .. } => {
                let statements = statements.to_owned();
                sqlite.write(move |connection| connection.batch_execute(&statements)).await.expect("statements");
            }
            Place::Postgres { url } => admin(url).await.batch_execute(statements).await.expect("statements"),
        }
    }

    /// Makes the keys of `count` entries, in order. On SQLite the entries are also added to the embedded queue.
    pub async fn append(&self, count: usize) -> Vec<EntryKey> {
        let ms = u64::try_from(self.clock.now().as_millis()).expect("after 1970");
        let first = self.next.fetch_add(count as u64, Ordering::SeqCst);
        let numbers = first..first + count as u64;
        if let Place::Sqlite { sqlite, .. } = &self.place {
            let rows: Vec<String> = numbers.clone().map(|seq| format!("({seq}, {ms}, x'')")).collect();
            if !rows.is_empty() {
                let text = format!("INSERT INTO stream_entries (seq, appended_ms, fields) VALUES {}", rows.join(","));
                sqlite.write(move |connection| connection.batch_execute(&text)).await.expect("entries");
            }
        }
        let epoch: Arc<str> = "one".into();
        numbers.map(|seq| EntryKey { epoch: epoch.clone(), id: EntryId { ms, seq } }).collect()
    }

    /// Appends an entry for each change and settles them in one batch.
    pub async fn settle(&self, changes: Vec<Change>) -> Vec<Settled> {
        let keys = self.append(changes.len()).await;
        let batch = keys.into_iter().zip(changes).map(|(key, change)| Settlement { key, change }).collect();
        self.store.settle(batch).await.expect("settled")
    }

    /// Appends and settles one change.
    pub async fn settle_one(&self, change: Change) -> Settled {
        self.settle(vec![change]).await.remove(0)
    }

    /// Appends and settles changes, and returns only the outcomes.
    pub async fn outcomes(&self, changes: Vec<Change>) -> Vec<Option<Outcome>> {
        self.settle(changes).await.into_iter().map(|settled| settled.outcome).collect()
    }
}

/// Opens a SQLite file.
pub fn open(path: &std::path::Path) -> Sqlite {
    let options =
        SqliteOptions { path: path.to_owned(), readers: 4, read_timeout: seconds(20), busy_timeout: seconds(20) };
    Sqlite::open(&options).expect("a database file")
}

/// Connects a store to a Postgres database.
pub fn connect(url: &str, clock: &Clock) -> Store {
    let options = PostgresOptions {
        url: SecretString::from(url),
        read_url: None,
        max_connections: 8,
        connect_timeout: seconds(10),
        statement_timeout: seconds(20),
    };
    Store::postgres(&options, retention(), clock.clone()).expect("a valid URL")
}

/// Creates a database on the Postgres server of the tests, and returns its URL.
pub async fn empty_database() -> String {
    database("UTF8").await
}

/// Creates a database with this encoding on the Postgres server of the tests, and returns its URL.
pub async fn database(encoding: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the environment configures the test's servers")]
    let url = std::env::var("SENTISTREAM_TEST_POSTGRES_URL")
        .expect("SENTISTREAM_TEST_POSTGRES_URL is not set: run the tests with `make test`, which starts Postgres");
    let name = format!("store_{}", uuid::Uuid::new_v4().simple());
    admin(&url)
        .await
        .batch_execute(&format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
        ))
        .await
        .expect("the right to create databases");
    let mut parsed = url::Url::parse(&url).expect("a URL");
    parsed.set_path(&name);
    parsed.into()
}

pub async fn admin(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("Postgres");
    tokio::spawn(connection);
    client
}

pub fn post_id(id: &str) -> PostId {
    PostId::parse(id).expect("a post id")
}

pub fn source(name: &str) -> Source {
    Source::parse(name).expect("a source")
}

pub fn author(name: &str) -> Author {
    Author::parse(name).expect("an author")
}

/// A post of the source `web`, written at [`START`] without an author.
pub fn post(id: &str) -> Post {
    Post {
        post_id: post_id(id),
        source: source("web"),
        content: format!("content of {id}"),
        author: None,
        created_at: at(START),
        lang: None,
        url: None,
        reply_to: None,
    }
}

/// An analysis whose most probable labels are `sentiment` and `emotion`.
pub fn analysis(sentiment: Sentiment, emotion: Emotion) -> Analysis {
    let mut scores = Scores { sentiment: [0.125; 3], emotion: [0.25; 7] };
    scores.sentiment[sentiment.index()] = 0.75;
    scores.emotion[emotion.index()] = 0.5;
    Analysis::from_scores("test-model".into(), scores, 7, false)
}

/// An insertion of `post` with the labels positive and joy.
pub fn insert(post: Post) -> Change {
    Change::Insert { post, analysis: Some(analysis(Sentiment::Positive, Emotion::Joy)) }
}

/// An edit of `post` with the labels negative and anger.
pub fn replace(post: Post, edited_at: &str) -> Change {
    Change::Replace { post, analysis: Some(analysis(Sentiment::Negative, Emotion::Anger)), edited_at: at(edited_at) }
}

/// An insertion of `post` in German, which is unscored.
pub fn insert_unscored(mut post: Post) -> Change {
    post.lang = Some("de-AT".to_owned());
    Change::Insert { post, analysis: None }
}

pub fn delete(id: &str) -> Change {
    Change::Delete { post_id: post_id(id) }
}
