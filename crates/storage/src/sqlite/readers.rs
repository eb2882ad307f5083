//! Read connections. When the future of a caller is dropped, its statement is cancelled.

use std::error::Error;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool::managed::{BuildError, Manager, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult};
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Bool;
use diesel_async::AsyncConnection;
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::{SqliteError, set_up};

/// The page cache of each reader, in KiB.
const CACHE_KIB: u32 = 4_096;

#[diesel::declare_sql_function]
extern "SQL" {
    /// Whether `text` contains `word`, which must be in lower case. The case of `text` is ignored in every script.
    fn has_word(text: diesel::sql_types::Text, word: diesel::sql_types::Text) -> diesel::sql_types::Bool;
    /// Whether `text` contains `word` as a whole word. Case is handled as in [`has_word`].
    fn has_whole_word(text: diesel::sql_types::Text, word: diesel::sql_types::Text) -> diesel::sql_types::Bool;
}

/// A pool of connections for reading.
#[derive(Clone)]
pub struct Readers(Pool<Connections>);

/// The settings of a reader's connection.
#[derive(Debug)]
pub struct Connections {
    /// The path of the database file.
    pub url: String,
    /// The longest wait for a lock, and for a free connection of the pool.
    pub busy_timeout: Duration,
}

/// A connection whose statements run on tokio's blocking threads.
pub type ReadConnection = SyncConnectionWrapper<SqliteConnection, Detached>;

/// Runs statements on the blocking threads of tokio. A statement continues there when its future is dropped.
///
/// The default implementation of diesel-async blocks in `drop` until the statement ends. Blocking panics on the
/// single-threaded runtimes of the HTTP workers, which drop the future of a request when its client disconnects or at a
/// shutdown.
pub struct Detached;

impl SpawnBlocking for Detached {
    fn spawn_blocking<'a, R: Send + 'static>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync>>> {
        // All tasks have one type, so that the code of tokio for a task is compiled once and not for each query.
        let (reply, answer) = oneshot::channel();
        let task: Box<dyn FnOnce() + Send> = Box::new(move || _ = reply.send(task()));
        let running = tokio::task::spawn_blocking(task);
        Box::pin(async move {
            running.await?;
            Ok(answer.await?)
        })
    }

    fn get_runtime() -> Self {
        Self
    }
}

/// A connection of the pool, with the flag that cancels its statement.
pub struct Connection {
    inner: ReadConnection,
    cancelled: Arc<AtomicBool>,
}

/// A connection for reading. If it is dropped before [`Self::finish`], its statement is cancelled.
pub struct Reader {
    connection: Object<Connections>,
    finished: bool,
}

impl Readers {
    /// A pool of at most `size` connections, each of which is opened when it is first needed.
    ///
    /// # Errors
    /// When the pool cannot be built.
    pub fn new(connections: Connections, size: usize) -> Result<Self, BuildError> {
        let busy = connections.busy_timeout;
        Pool::builder(connections)
            .max_size(size.max(1))
            .wait_timeout(Some(busy))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map(Self)
    }

    /// A connection that sees the state of the last commit.
    ///
    /// # Errors
    /// When no connection becomes free within the busy timeout, or a connection cannot be opened.
    pub async fn get(&self) -> Result<Reader, SqliteError> {
        let connection =
            self.0.get().await.map_err(|e: PoolError<ConnectionError>| SqliteError::Unavailable(e.to_string()))?;
        Ok(Reader { connection, finished: false })
    }

    /// The usage of the connections.
    pub fn status(&self) -> deadpool::Status {
        self.0.status()
    }
}

impl Manager for Connections {
    type Type = Connection;
    type Error = ConnectionError;

    async fn create(&self) -> ConnectionResult<Connection> {
        let mut inner = ReadConnection::establish(&self.url).await?;
        let cancelled = Arc::new(AtomicBool::new(false));
        let (flag, whole_flag, busy) = (cancelled.clone(), cancelled.clone(), self.busy_timeout);
        inner
            .spawn_blocking(move |connection| {
                let find = move |text: String, word: String| {
                    if flag.load(Ordering::Relaxed) { Found::Cancelled } else { Found::of(&text, &word) }
                };
                has_word_utils::register_impl(connection, find)?;
                let find_whole = move |text: String, word: String| {
                    if whole_flag.load(Ordering::Relaxed) { Found::Cancelled } else { Found::whole(&text, &word) }
                };
                has_whole_word_utils::register_impl(connection, find_whole)?;
                set_up(connection, busy, CACHE_KIB)
            })
            .await
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(Connection { inner, cancelled })
    }

    /// Rejects a connection whose statement was cancelled. There is no other test, because connections to a local file
    /// do not break.
    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<ConnectionError> {
        if connection.cancelled.load(Ordering::Relaxed) {
            return Err(RecycleError::message("its statement was cancelled"));
        }
        Ok(())
    }
}

/// The result of [`has_word`] and [`has_whole_word`].
#[derive(Debug)]
enum Found {
    Yes,
    No,
    Cancelled,
}

impl Found {
    fn of(text: &str, word: &str) -> Self {
        if text.to_lowercase().contains(word) { Self::Yes } else { Self::No }
    }

    fn whole(text: &str, word: &str) -> Self {
        if sentistream_core::domain::words::holds_word(text, word) { Self::Yes } else { Self::No }
    }
}

impl ToSql<Bool, diesel::sqlite::Sqlite> for Found {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, diesel::sqlite::Sqlite>) -> serialize::Result {
        match self {
            Self::Yes => out.set_value(1_i32),
            Self::No => out.set_value(0_i32),
            Self::Cancelled => return Err("the statement was cancelled".into()),
        }
        Ok(serialize::IsNull::No)
    }
}

impl Reader {
    /// Returns the connection to the pool. Must be called after the last statement of the connection has ended.
    pub fn finish(mut self) {
        self.finished = true;
    }
}

impl Deref for Reader {
    type Target = ReadConnection;

    fn deref(&self) -> &Self::Target {
        &self.connection.inner
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection.inner
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.finished {
            self.connection.cancelled.store(true, Ordering::Relaxed);
        }
    }
}
