//! The embedded database: one file, one writer thread with group commit, a pool of readers.
//!
//! The store and the embedded queue share it, so that a post and the acknowledgement of its
//! entry are one transaction. Writes are closures; the writer runs those that wait together in
//! one transaction, each behind a savepoint, and answers them after the common commit: many
//! small durable writes cost one `fsync`.

mod backup;

use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_async::AsyncConnection;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use tokio::sync::{mpsc, oneshot};

pub use self::backup::{BackupError, back_up};

#[diesel::declare_sql_function]
extern "SQL" {
    /// Whether `text` contains `word`, which is in lower case, whatever its own case is. Folds every script.
    fn has_word(text: diesel::sql_types::Text, word: diesel::sql_types::Text) -> diesel::sql_types::Bool;
}

/// A reader from the pool.
pub type Reader = Object<SyncConnectionWrapper<SqliteConnection>>;

/// Why the embedded database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// It cannot be opened.
    #[error("cannot open the database {path}: {reason}")]
    Open { path: PathBuf, reason: String },
    /// A statement failed; nothing of its write was kept.
    #[error("the database refused: {0}")]
    Query(#[from] diesel::result::Error),
    /// The common commit failed; nothing of the write was kept.
    #[error("the database could not commit: {0}")]
    Commit(String),
    /// No reader came free in time, or the writer has ended.
    #[error("the database is busy or closing: {0}")]
    Unavailable(String),
}

/// How the file is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The file; its folder is made if it is missing.
    pub path: PathBuf,
    /// Most connections that read at once.
    pub readers: usize,
    /// How long to wait for a lock that another process holds, or for a free reader.
    pub busy_timeout: Duration,
}

type Job = Box<dyn Write + Send>;

/// A queued write: run inside the group's transaction, answered after its commit.
trait Write {
    fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), diesel::result::Error>;
    fn answer(self: Box<Self>, commit: Result<(), String>);
}

struct Pending<T, F> {
    work: Option<F>,
    result: Option<Result<T, diesel::result::Error>>,
    reply: oneshot::Sender<Result<T, SqliteError>>,
}

impl<T, F> Write for Pending<T, F>
where
    F: FnOnce(&mut SqliteConnection) -> Result<T, diesel::result::Error>,
{
    fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), diesel::result::Error> {
        let Some(work) = self.work.take() else { return Ok(()) };
        // Diesel nests: inside the group's transaction this is a savepoint.
        self.result = Some(connection.transaction(work));
        Ok(())
    }

    fn answer(self: Box<Self>, commit: Result<(), String>) {
        let result = match (commit, self.result) {
            (Ok(()), Some(result)) => result.map_err(SqliteError::Query),
            (Ok(()), None) => Err(SqliteError::Commit("the write did not run".to_owned())),
            (Err(reason), _) => Err(SqliteError::Commit(reason)),
        };
        // The caller may have gone; its write is committed all the same.
        let _ = self.reply.send(result);
    }
}

/// The mode of the database file.
const OWNER_ONLY: u32 = 0o600;
/// Most writes that share one commit.
const GROUP: usize = 64;
/// Most writes that wait; a full queue slows its callers.
const QUEUE: usize = 256;

/// Pages that the writer keeps in memory, in KiB: those of the indexes over ids come back in no order.
const WRITER_CACHE_KIB: u32 = 49_152;
/// Pages that each reader keeps in memory, in KiB.
const READER_CACHE_KIB: u32 = 8_192;
/// Pages of the write-ahead log (4 KiB each) after which it is moved into the file. A page that was
/// written several times meanwhile is moved once.
const CHECKPOINT_PAGES: u32 = 8_000;

/// The embedded database. Clones share it; the writer thread ends with the last one.
#[derive(Clone)]
pub struct Sqlite {
    jobs: mpsc::Sender<Job>,
    readers: Pool<SyncConnectionWrapper<SqliteConnection>>,
    path: Arc<Path>,
}

impl Sqlite {
    /// Opens or creates the file and starts the writer.
    ///
    /// # Errors
    /// When the folder cannot be made or the file is no SQLite database.
    pub fn open(options: &SqliteOptions) -> Result<Self, SqliteError> {
        let fail = |reason: String| SqliteError::Open { path: options.path.clone(), reason };
        if let Some(folder) = options.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| fail(e.to_string()))?;
        }
        protect(&options.path).map_err(|e| fail(e.to_string()))?;
        let url = options.path.to_string_lossy().into_owned();
        let busy_timeout = options.busy_timeout;
        let writer = open_writer(&url, busy_timeout).map_err(fail)?;

        let (jobs, queue) = mpsc::channel(QUEUE);
        let path = url.clone();
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_loop(writer, queue, || open_writer(&path, busy_timeout)))
            .map_err(|e| fail(e.to_string()))?;
        Ok(Self { jobs, readers: reader_pool(&url, options).map_err(fail)?, path: options.path.as_path().into() })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` in a transaction of its own on the writer and waits until it is durable.
    /// An error of `work` rolls back its writes alone. Dropping the future does not cancel the write.
    ///
    /// # Errors
    /// The error of `work`, or of the commit.
    pub async fn write<T, F>(&self, work: F) -> Result<T, SqliteError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, diesel::result::Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Pending { work: Some(work), result: None, reply });
        let gone = || SqliteError::Unavailable("the writer has ended".to_owned());
        self.jobs.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// How the connections that read are used.
    pub fn reader_status(&self) -> deadpool::Status {
        self.readers.status()
    }

    /// A connection to read with; it sees the last commit.
    ///
    /// # Errors
    /// When none comes free within the busy time-out.
    pub async fn reader(&self) -> Result<Reader, SqliteError> {
        self.readers.get().await.map_err(|e| SqliteError::Unavailable(e.to_string()))
    }
}

/// Creates the file if it is missing and takes all rights of others from it. SQLite gives its other files the same mode.
fn protect(path: &Path) -> std::io::Result<()> {
    let file = std::fs::OpenOptions::new().create(true).append(true).mode(OWNER_ONLY).open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & !OWNER_ONLY != 0
        && let Err(error) = file.set_permissions(std::fs::Permissions::from_mode(OWNER_ONLY))
    {
        // Another user owns the file and decides about it.
        tracing::warn!(path = %path.display(), mode = format!("{mode:o}"), %error, "cannot restrict the database file");
    }
    Ok(())
}

fn reader_pool(url: &str, options: &SqliteOptions) -> Result<Pool<SyncConnectionWrapper<SqliteConnection>>, String> {
    let busy = options.busy_timeout;
    let mut config = ManagerConfig::default();
    // A file does not go away, so a reader need not be tried out each time.
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |url| {
        let url = url.to_owned();
        Box::pin(async move {
            let mut connection = SyncConnectionWrapper::<SqliteConnection>::establish(&url).await?;
            connection
                .spawn_blocking(move |connection| set_up(connection, busy, READER_CACHE_KIB))
                .await
                .map_err(ConnectionError::CouldntSetupConfiguration)?;
            Ok(connection)
        })
    });
    let manager = AsyncDieselConnectionManager::new_with_config(url, config);
    Pool::builder(manager)
        .max_size(options.readers.max(1))
        .wait_timeout(Some(busy))
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .map_err(|e| e.to_string())
}

fn set_up(connection: &mut SqliteConnection, busy_timeout: Duration, cache_kib: u32) -> QueryResult<()> {
    has_word_utils::register_impl(connection, |text: String, word: String| text.to_lowercase().contains(&word))?;
    connection.batch_execute(&format!(
        "PRAGMA busy_timeout = {};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -{cache_kib};
         PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
         PRAGMA journal_size_limit = 67108864;",
        busy_timeout.as_millis()
    ))
}

fn write_loop(mut connection: SqliteConnection, mut queue: mpsc::Receiver<Job>, open: impl Fn() -> Opened) {
    let mut group: Vec<Job> = Vec::with_capacity(GROUP);
    while let Some(first) = queue.blocking_recv() {
        group.push(first);
        while group.len() < GROUP {
            match queue.try_recv() {
                Ok(job) => group.push(job),
                Err(_) => break,
            }
        }
        let committing = AssertUnwindSafe(|| {
            connection.immediate_transaction(|connection| group.iter_mut().try_for_each(|job| job.run(connection)))
        });
        let commit = match catch_unwind(committing) {
            Ok(commit) => commit.map_err(|e| e.to_string()),
            Err(_) => {
                // The connection is somewhere inside a transaction. Closing it rolls back.
                match open() {
                    Ok(fresh) => connection = fresh,
                    Err(e) => {
                        tracing::error!(error = %e, "the database cannot be opened again after a write panicked");
                        return;
                    }
                }
                Err("a write panicked".to_owned())
            }
        };
        for job in group.drain(..) {
            job.answer(commit.clone());
        }
    }
}

type Opened = Result<SqliteConnection, String>;

fn open_writer(url: &str, busy_timeout: Duration) -> Opened {
    let mut connection = SqliteConnection::establish(url).map_err(|e| e.to_string())?;
    set_up(&mut connection, busy_timeout, WRITER_CACHE_KIB).map_err(|e| e.to_string())?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_that_fails_or_panics_keeps_nothing_and_the_next_one_works() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("test.db");
        let sqlite = Sqlite::open(&SqliteOptions { path, readers: 1, busy_timeout: Duration::from_secs(5) }).unwrap();
        sqlite.write(|c| c.batch_execute("CREATE TABLE t (n integer NOT NULL)")).await.unwrap();
        let failed = sqlite.write(|c| c.batch_execute("INSERT INTO t VALUES (1); INSERT INTO t VALUES (NULL)")).await;
        assert!(matches!(failed, Err(SqliteError::Query(_))), "{failed:?}");
        let panicked: Result<(), _> = sqlite
            .write(|c| {
                c.batch_execute("INSERT INTO t VALUES (2)")?;
                panic!("a bug");
            })
            .await;
        assert!(matches!(panicked, Err(SqliteError::Commit(_))), "{panicked:?}");
        sqlite.write(|c| c.batch_execute("INSERT INTO t VALUES (3)")).await.unwrap();

        let mut reader = sqlite.reader().await.unwrap();
        let query = diesel::dsl::sql::<diesel::sql_types::BigInt>("SELECT n FROM t");
        let numbers: Vec<i64> = diesel_async::RunQueryDsl::load(query, &mut reader).await.unwrap();
        assert_eq!(numbers, [3]);
    }
}
