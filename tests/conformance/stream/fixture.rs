//! The fixture of a case: its own stream, which each simulated process opens.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use sentistream::clock::Clock;
use sentistream::domain::{EntryKey, RawFields};
use sentistream::redis::{Redis, RedisOptions};
use sentistream::sqlite::{Sqlite, SqliteOptions};
use sentistream::store::{Retention, Store};
use sentistream::stream::{Consumer, Entry, LocalStream, RedisStream, Stream, StreamOptions};
use tempfile::TempDir;

/// The idle time after which a claim expires. It is short, because tests wait for it. On a busy machine it may pass
/// between two steps of a test.
pub const CLAIM_IDLE: Duration = Duration::from_millis(300);
/// The maximum time that a case waits for a condition.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub struct Fixture {
    pub options: StreamOptions,
    place: Place,
}

enum Place {
    Local { _folder: TempDir, path: PathBuf },
    Redis { url: String },
}

impl Fixture {
    pub fn local() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        Self { options: options(), place: Place::Local { _folder: folder, path } }
    }

    pub fn redis() -> Self {
        Self::redis_at(&redis_url())
    }

    pub fn redis_at(url: &str) -> Self {
        Self { options: options(), place: Place::Redis { url: url.to_owned() } }
    }

    /// Opens the stream as a new process does.
    pub async fn open(&self) -> Stream {
        match &self.place {
            Place::Local { path, .. } => {
                let sqlite = open_sqlite(path.clone()).await;
                Stream::Local(LocalStream::open(sqlite, self.options.clone(), Clock::system()).await.unwrap())
            }
            Place::Redis { url } => {
                let stream = RedisStream::connect(connect(url, self.options.command_timeout), self.options.clone());
                Stream::Redis(stream.unwrap())
            }
        }
    }

    /// Settles entries as a worker does: with SQLite, the entries are deleted as in the commit that stores their posts;
    /// with every backend, they are then acknowledged.
    pub async fn settle(&self, stream: &Stream, consumer: &Consumer, entries: &[Entry]) {
        if let Place::Local { path, .. } = &self.place {
            let seqs: Vec<String> = entries.iter().map(|entry| entry.key.id.seq.to_string()).collect();
            let delete = format!("delete from stream_entries where seq in ({})", seqs.join(","));
            let sqlite = open_sqlite(path.clone()).await;
            sqlite.write(move |connection| connection.batch_execute(&delete)).await.unwrap();
        }
        stream.ack(consumer, &keys(entries)).await.unwrap();
    }
}

impl Fixture {
    /// The number of rows of a table of the embedded queue.
    pub async fn count_rows(&self, table: &str) -> i64 {
        let Place::Local { path, .. } = &self.place else { panic!("Redis has no tables") };
        let sqlite = open_sqlite(path.clone()).await;
        let count = diesel::dsl::sql::<diesel::sql_types::BigInt>(&format!("(select count(*) from {table})"));
        sqlite.write(move |connection| diesel::select(count).get_result(connection)).await.unwrap()
    }
}

pub fn connect(url: &str, command_timeout: Duration) -> Redis {
    Redis::connect(&RedisOptions { url: url.to_owned().into(), ca_file: None, command_timeout }).unwrap()
}

fn options() -> StreamOptions {
    let name = format!("test:{}", uuid::Uuid::new_v4());
    StreamOptions {
        group: "workers".to_owned(),
        dead_letter: format!("{name}:dead"),
        processed: format!("{name}:processed"),
        name,
        processed_max_len: 1_000,
        processed_max_bytes: 64 << 20,
        dead_letter_max_bytes: 64 << 20,
        claim_idle: CLAIM_IDLE,
        max_backlog: 100_000,
        command_timeout: Duration::from_secs(5),
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment names the servers of the tests")]
pub fn redis_url() -> String {
    std::env::var("SENTISTREAM_TEST_REDIS_URL")
        .expect("SENTISTREAM_TEST_REDIS_URL is not set: run the tests with `make test`, which starts a Redis for them")
}

/// Opens the SQLite file. The store creates its tables.
async fn open_sqlite(path: PathBuf) -> Sqlite {
    let options =
        SqliteOptions { path, readers: 4, read_timeout: Duration::from_secs(5), busy_timeout: Duration::from_secs(5) };
    let sqlite = Sqlite::open(&options).unwrap();
    let retention = Retention { minute_rollups: Duration::from_secs(3_600) };
    Store::sqlite(sqlite.clone(), retention, Clock::system()).migrate().await.unwrap();
    sqlite
}

pub fn consumer(name: &str) -> Consumer {
    Consumer(Arc::from(name))
}

/// The fields of an entry with a post.
pub fn post(id: &str) -> RawFields {
    let mut fields = RawFields::default();
    fields.push("post_id", id);
    fields.push("source", "test");
    fields.push("content", format!("the content of {id}"));
    fields
}

pub fn posts(ids: impl IntoIterator<Item = usize>) -> Vec<RawFields> {
    ids.into_iter().map(|id| post(&format!("p{id}"))).collect()
}

/// The post ids of entries, in order.
pub fn ids(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| String::from_utf8(entry.fields.get("post_id").unwrap().to_vec()).unwrap()).collect()
}

pub fn keys(entries: &[Entry]) -> Vec<EntryKey> {
    entries.iter().map(|entry| entry.key.clone()).collect()
}

/// Repeats `ask` until it returns an answer.
pub async fn eventually<T, F, W>(what: &str, mut ask: F) -> T
where
    F: FnMut() -> W,
    W: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "timed out after {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Repeats the rescue until `count` entries are rescued.
pub async fn rescue(stream: &Stream, consumer: &Consumer, count: usize) -> Vec<Entry> {
    rescue_rest(stream, consumer, count, Vec::new()).await
}

/// Repeats the rescue until `rescued` has `count` entries. The claims of rescued entries are renewed. An entry whose
/// claim expires nevertheless is rescued again, but is not added a second time.
pub async fn rescue_rest(stream: &Stream, consumer: &Consumer, count: usize, mut rescued: Vec<Entry>) -> Vec<Entry> {
    let deadline = Instant::now() + DEADLINE;
    while rescued.len() < count {
        stream.renew(consumer, &keys(&rescued)).await.unwrap();
        for entry in stream.rescue(consumer, count - rescued.len()).await.unwrap() {
            if rescued.iter().all(|known| known.key != entry.key) {
                rescued.push(entry);
            }
        }
        assert!(Instant::now() < deadline, "only {} of {count} entries were rescued", rescued.len());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rescued
}
