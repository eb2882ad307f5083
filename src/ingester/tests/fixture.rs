//! An ingester with an embedded database in a temporary folder.

use std::io::Write;
use std::path::Path;

use diesel::connection::SimpleConnection as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::*;
use crate::domain::DeadLetterReason;
use crate::sources::file::FieldMap;
use crate::sources::{ReplayOptions, SourceState};
use crate::sqlite::{Sqlite, SqliteOptions};
use crate::store::Retention;
use crate::stream::{Consumer, DeadLetterRequest, Entry, LocalStream, StreamOptions};

/// The longest time that a test waits for a condition.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// The embedded database and queue in a temporary folder.
pub(super) struct Fixture {
    pub(super) services: IngesterServices,
    sqlite: Sqlite,
    folder: tempfile::TempDir,
}

impl Fixture {
    pub(super) async fn new(max_backlog: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions {
            path: folder.path().join("sentistream.db"),
            readers: 2,
            read_timeout: Duration::from_secs(5),
            busy_timeout: Duration::from_secs(5),
        };
        let sqlite = Sqlite::open(&options).unwrap();
        let clock = Clock::system();
        let retention = Retention { minute_rollups: Duration::from_secs(8 * 86_400) };
        let store = Store::sqlite(sqlite.clone(), retention, clock.clone());
        store.migrate().await.unwrap();
        let stream = LocalStream::open(sqlite.clone(), stream_options(max_backlog), clock.clone()).await.unwrap();
        let services =
            IngesterServices { stream: Stream::Local(stream), store, states: SourceStates::default(), clock };
        Self { services, sqlite, folder }
    }

    /// Runs a statement on the database.
    pub(super) async fn execute(&self, statement: &'static str) {
        self.sqlite.write(move |connection| connection.batch_execute(statement)).await.unwrap();
    }

    pub(super) fn file(&self, lines: usize) -> std::path::PathBuf {
        let path = self.folder.path().join("posts.ndjson");
        let mut file = std::fs::File::create(&path).unwrap();
        for id in 0..lines {
            writeln!(file, "{{\"post_id\": \"p{id}\", \"source\": \"x\", \"content\": \"post {id}\"}}").unwrap();
        }
        path
    }

    pub(super) async fn appended(&self) -> u64 {
        self.services.stream.depth().await.unwrap().appended
    }

    pub(super) fn state(&self, name: &str) -> SourceState {
        self.services.states.all().into_iter().find(|state| state.name == name).unwrap_or_default()
    }

    pub(super) fn start(&self, sources: Vec<SourceSpec>, options: IngesterOptions) -> Running {
        let shutdown = Shutdown::default();
        let role = tokio::spawn(run(sources, self.services.clone(), options, shutdown.clone()));
        Running { role, shutdown }
    }

    /// Settles up to `max` entries, so that the stream has space again.
    pub(super) async fn drain(&self, max: usize) -> Vec<Entry> {
        let entries = self.services.stream.claim(&Consumer("test".into()), max, Duration::ZERO).await.unwrap();
        for entry in &entries {
            let request =
                DeadLetterRequest { entry: entry.clone(), reason: DeadLetterReason::Invalid, error: String::new() };
            assert!(self.services.stream.dead_letter(request, self.services.clock.now()).await.unwrap());
        }
        entries
    }
}

pub(super) struct Running {
    pub(super) role: JoinHandle<anyhow::Result<()>>,
    shutdown: Shutdown,
}

impl Running {
    pub(super) async fn stop(self) {
        self.shutdown.stop();
        let ended = tokio::time::timeout(DEADLINE, self.role).await;
        ended.expect("the ingester stops").unwrap().unwrap();
    }
}

pub(super) fn stream_options(max_backlog: u64) -> StreamOptions {
    StreamOptions {
        name: "posts".to_owned(),
        group: "workers".to_owned(),
        dead_letter: "dead".to_owned(),
        processed: "processed".to_owned(),
        processed_max_len: 10,
        processed_max_bytes: 64 << 20,
        dead_letter_max_bytes: 64 << 20,
        claim_idle: Duration::from_secs(30),
        max_backlog,
        command_timeout: Duration::from_secs(10),
    }
}

pub(super) fn options() -> IngesterOptions {
    IngesterOptions {
        batch_size: 50,
        rate: None,
        max_backoff: Duration::from_millis(50),
        lease_ttl: Duration::from_millis(250),
        ..IngesterOptions::default()
    }
}

pub(super) fn replay(path: &Path, clock: &Clock) -> SourceSpec {
    let (path, map) = (path.to_owned(), FieldMap::default());
    let options = ReplayOptions { path, rate: None, retime: true, repeat: false, map };
    SourceSpec::replay("replay", options, clock.clone())
}

pub(super) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
