//! The embedded database: one file, one writer thread with group commit, and two pools of read connections.
//!
//! The store and the embedded queue share the database, so that a post and the acknowledgement of its entry are written
//! in one transaction. Writes are closures. The writer runs up to 64 waiting writes in one transaction, each with its
//! own savepoint, and returns their results after the common commit, so that many small durable writes require one
//! `fsync`.

mod backup;
mod error;
mod readers;

use std::future::Future;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tokio::sync::{mpsc, oneshot};

pub use self::backup::{BackupError, back_up, remove_incomplete};
pub use self::error::{CommitError, OpenError, SqliteError};
use self::readers::{Connections, Readers};
pub use self::readers::{Reader, has_whole_word, has_word};

/// How the database file is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The file. Its folder is created if it is missing.
    pub path: PathBuf,
    /// The maximum number of concurrent read connections for the API. The queue has separate connections.
    pub readers: usize,
    /// The maximum time of a reader's statement.
    pub read_timeout: Duration,
    /// The maximum time to wait for a lock that another process holds, or for a free read connection.
    pub busy_timeout: Duration,
}

type Job = Box<dyn Write + Send>;

/// A queued write. It runs inside the transaction of the group, and its result is returned after the commit.
trait Write {
    fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), diesel::result::Error>;
    /// Whether the write has not run yet.
    fn waits(&self) -> bool;
    fn answer(self: Box<Self>, commit: Result<(), CommitError>);
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
        // Diesel nests transactions: inside the transaction of the group this is a savepoint.
        self.result = Some(connection.transaction(work));
        Ok(())
    }

    fn waits(&self) -> bool {
        self.work.is_some()
    }

    fn answer(self: Box<Self>, commit: Result<(), CommitError>) {
        let result = match (commit, self.result) {
            (Ok(()), Some(result)) => result.map_err(SqliteError::Query),
            (Ok(()), None) => Err(SqliteError::Commit(CommitError::NotRun)),
            (Err(reason), _) => Err(SqliteError::Commit(reason)),
        };
        // If the caller was dropped, nothing receives the result. The write is committed nevertheless.
        let _ = self.reply.send(result);
    }
}

/// The mode of the database file.
const OWNER_ONLY: u32 = 0o600;
/// The maximum number of writes that share one commit.
const GROUP: usize = 64;
/// The maximum number of queued writes. If the queue is full, callers wait.
const QUEUE: usize = 256;

/// The size of the writer's page cache, in KiB. Writes to indexes of ids change random pages, which the cache keeps.
/// The page cache of the operating system contains the pages that do not fit.
const WRITER_CACHE_KIB: u32 = 16_384;
/// The number of read connections for the queue. The queue has separate connections, because its short statements must
/// not wait for long statements of the API.
const QUEUE_READERS: usize = 2;
/// The maximum time that the writer waits for a lock. Another process may take the lock repeatedly.
const LOCK_WAIT: Duration = Duration::from_secs(60);
/// SQLite moves the pages of the write-ahead log into the file when the log has this number of pages (4 KiB each). With
/// a large log, a page that was written several times is moved only once.
const CHECKPOINT_PAGES: u32 = 8_000;

/// The embedded database. Clones share it. The writer thread ends when the last clone is dropped.
#[derive(Clone)]
pub struct Sqlite {
    jobs: mpsc::Sender<Job>,
    readers: Readers,
    queue_readers: Readers,
    read_timeout: Duration,
    path: Arc<Path>,
}

impl Sqlite {
    /// Opens or creates the file and starts the writer.
    ///
    /// # Errors
    /// When the folder cannot be created, or the file is not an SQLite database.
    pub fn open(options: &SqliteOptions) -> Result<Self, SqliteError> {
        let fail = |source: OpenError| SqliteError::Open { path: options.path.clone(), source };
        if let Some(folder) = options.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| fail(e.into()))?;
        }
        protect(&options.path).map_err(|e| fail(e.into()))?;
        let url = options.path.to_string_lossy().into_owned();
        let busy_timeout = options.busy_timeout;
        let writer = open_writer(&url, busy_timeout).map_err(fail)?;

        let (jobs, queue) = mpsc::channel(QUEUE);
        let path = url.clone();
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_loop(writer, queue, || open_writer(&path, busy_timeout)))
            .map_err(|e| fail(e.into()))?;
        let readers =
            |size| Readers::new(Connections { url: url.clone(), busy_timeout }, size).map_err(|e| fail(e.into()));
        Ok(Self {
            jobs,
            readers: readers(options.readers)?,
            queue_readers: readers(QUEUE_READERS)?,
            read_timeout: options.read_timeout,
            path: options.path.as_path().into(),
        })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` in a transaction on the writer and waits until it is durable. An error of `work` rolls back only its
    /// own writes. Dropping the future does not cancel the write.
    ///
    /// # Errors
    /// The error of `work`, or of the commit; [`SqliteError::Unavailable`] when the writer has ended.
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

    /// Moves the write-ahead log into the file and truncates the log, unless a reader or another process is using the
    /// log.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub async fn checkpoint(&self) -> Result<(), SqliteError> {
        // A checkpoint cannot run inside a transaction, so it does not run on the writer.
        self.read(|connection| connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")).await
    }

    /// Runs `work` on a read connection of the queue. Dropping the future does not end `work`, so `work` should be
    /// short.
    ///
    /// # Errors
    /// The error of `work`, or [`SqliteError::Unavailable`] when no connection becomes free within the busy timeout or
    /// none can be opened.
    pub async fn read<T, F>(&self, work: F) -> Result<T, SqliteError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    {
        let mut reader = self.queue_readers.get().await?;
        let result = reader.spawn_blocking(work).await;
        reader.finish();
        result.map_err(SqliteError::Query)
    }

    /// The usage of the API's connections.
    pub fn reader_status(&self) -> deadpool::Status {
        self.readers.status()
    }

    /// A read connection for the API. It sees the state of the last commit.
    ///
    /// # Errors
    /// When no connection becomes free within the busy timeout, or none can be opened.
    pub async fn reader(&self) -> Result<Reader, SqliteError> {
        self.readers.get().await
    }

    /// The result of `query`, or `None` if it takes longer than [`SqliteOptions::read_timeout`].
    pub async fn in_time<T>(&self, query: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(self.read_timeout, query).await.ok()
    }

    /// The error for a query that took too long.
    pub fn overdue(&self) -> SqliteError {
        SqliteError::Unavailable(format!("no answer within {} s", self.read_timeout.as_secs_f64()))
    }
}

/// Creates the file if it is missing, and makes it accessible only to its owner. SQLite gives its other files the same
/// mode.
fn protect(path: &Path) -> std::io::Result<()> {
    let file = std::fs::OpenOptions::new().create(true).append(true).mode(OWNER_ONLY).open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & !OWNER_ONLY != 0
        && let Err(error) = file.set_permissions(std::fs::Permissions::from_mode(OWNER_ONLY))
    {
        // The file belongs to another user, so this process may not change its mode.
        tracing::warn!(path = %path.display(), mode = format!("{mode:o}"), %error, "cannot restrict the database file");
    }
    Ok(())
}

fn set_up(connection: &mut SqliteConnection, busy_timeout: Duration, cache_kib: u32) -> QueryResult<()> {
    connection.batch_execute(&format!("PRAGMA busy_timeout = {};", busy_timeout.as_millis()))?;
    // SQLite does not wait for its lock while another connection changes a new file to WAL.
    let since = Instant::now();
    while let Err(error) = connection.batch_execute("PRAGMA journal_mode = WAL;") {
        let is_locked =
            matches!(&error, diesel::result::Error::DatabaseError(_, cause) if cause.message() == "database is locked");
        if !is_locked || since.elapsed() >= busy_timeout {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    connection.batch_execute(&format!(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -{cache_kib};
         PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
         PRAGMA journal_size_limit = 67108864;"
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
        let since = Instant::now();
        let commit = loop {
            let committing = AssertUnwindSafe(|| {
                connection.immediate_transaction(|connection| group.iter_mut().try_for_each(|job| job.run(connection)))
            });
            match catch_unwind(committing) {
                // Another process holds the lock, so no write ran. The group is tried again.
                Ok(Err(_)) if group.iter().all(|job| job.waits()) && since.elapsed() < LOCK_WAIT => {}
                Ok(commit) => break commit.map_err(|e| CommitError::Refused(Arc::new(e))),
                Err(_) => {
                    // The transaction is in an unknown state. Closing the connection rolls it back.
                    match open() {
                        Ok(fresh) => connection = fresh,
                        Err(e) => {
                            tracing::error!(error = %e, "cannot reopen the database after a panic in a write");
                            return;
                        }
                    }
                    break Err(CommitError::Panicked);
                }
            }
        };
        for job in group.drain(..) {
            job.answer(commit.clone());
        }
    }
}

type Opened = Result<SqliteConnection, OpenError>;

fn open_writer(url: &str, busy_timeout: Duration) -> Opened {
    let mut connection = SqliteConnection::establish(url)?;
    set_up(&mut connection, busy_timeout, WRITER_CACHE_KIB)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(path: PathBuf) -> SqliteOptions {
        SqliteOptions { path, readers: 1, read_timeout: Duration::from_secs(5), busy_timeout: Duration::from_secs(5) }
    }

    #[tokio::test]
    async fn failed_or_panicked_write_is_rolled_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("test.db");
        let sqlite = Sqlite::open(&options(path)).unwrap();
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

        let query = diesel::dsl::sql::<diesel::sql_types::BigInt>("SELECT n FROM t");
        let numbers: Vec<i64> = sqlite.read(|connection| query.load(connection)).await.unwrap();
        assert_eq!(numbers, [3]);
    }

    /// A statement that would run for hours. It calls `has_word` for every row.
    const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                           SELECT count(*) FROM n WHERE has_word(CAST(i AS text), 'b')";

    /// This test uses a single-threaded runtime, as the HTTP workers do.
    #[tokio::test]
    async fn slow_reads_end_at_their_deadline_and_do_not_block_the_queue() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions { read_timeout: Duration::from_millis(50), ..options(folder.path().join("t.db")) };
        let sqlite = Sqlite::open(&options).unwrap();
        for _ in 0..3 {
            let mut reader = sqlite.reader().await.unwrap();
            let answer = sqlite.in_time(reader.spawn_blocking(|c| c.batch_execute(ENDLESS))).await;
            assert!(answer.is_none(), "{answer:?}");
            // The only reader of the API is in use, but the queue can still read.
            sqlite.read(|connection| connection.batch_execute("SELECT 1")).await.unwrap();
        }
        let mut reader = sqlite.reader().await.unwrap();
        let answer = reader.spawn_blocking(|c| c.batch_execute("SELECT 1"));
        tokio::time::timeout(Duration::from_secs(60), answer).await.unwrap().unwrap();
        reader.finish();
        // The runtime ends only after the cancelled statements have ended.
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn write_waits_for_the_lock_of_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let busy = Duration::from_millis(20);
        let sqlite = Sqlite::open(&SqliteOptions { busy_timeout: busy, ..options(path.clone()) }).unwrap();
        let mut other = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        other.batch_execute("BEGIN IMMEDIATE").unwrap();
        let write = tokio::spawn({
            let sqlite = sqlite.clone();
            async move { sqlite.write(|c| c.batch_execute("CREATE TABLE t (n integer)")).await }
        });
        // Hold the lock for several times the busy timeout of SQLite.
        tokio::time::sleep(10 * busy).await;
        assert!(!write.is_finished());
        other.batch_execute("COMMIT").unwrap();
        write.await.unwrap().unwrap();
    }
}
