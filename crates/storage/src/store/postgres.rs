//! Connections to Postgres: pools, time limits, and transactions that are retried and cannot be interrupted by their
//! caller.

mod tls;
mod url;

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use deadpool::managed::Timeouts;
use diesel::result::{ConnectionError, ConnectionResult, DatabaseErrorKind, Error as DieselError, QueryResult};
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::connections::{Connections, Target};
use super::{PostgresOptions, StoreError};

/// A connection for reading. If it is dropped before [`Self::finish`], the server is asked to cancel its statement. The
/// pool tests a connection before each use. A cancellation that arrives late can therefore only end that test, and not
/// a later statement.
pub struct Reader {
    connection: Object<AsyncPgConnection>,
    connector: Arc<Connector>,
    finished: bool,
}

impl Reader {
    /// Returns the connection to the pool. Must be called after the last statement of the connection has ended.
    pub fn finish(mut self) {
        self.finished = true;
    }
}

impl Deref for Reader {
    type Target = AsyncPgConnection;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let (token, connector) = (self.connection.cancel_token(), self.connector.clone());
        let runtime = connector.runtime.clone();
        runtime.spawn(async move {
            // If the server does not answer the request, its statement timeout ends the statement.
            let _ = timeout(connector.connect_timeout, connector.tls.cancel(&token)).await;
        });
    }
}

/// The maximum number of retries of a transaction after a serialisation failure or a deadlock.
const RETRIES: usize = 8;

/// Access to Postgres. Clones share the connections.
#[derive(Clone)]
pub struct Postgres {
    connector: Arc<Connector>,
    /// The connector to the replica; without a replica it is the same as `connector`.
    reader: Arc<Connector>,
    primary: Pool<AsyncPgConnection>,
    replica: Pool<AsyncPgConnection>,
}

impl Postgres {
    /// Reads the URLs and certificates. Connections are opened when they are needed, on the current async runtime.
    ///
    /// # Errors
    /// When a URL or certificate file is malformed, or there is no runtime.
    pub fn new(options: &PostgresOptions) -> Result<Self, StoreError> {
        let runtime = Handle::try_current()
            .map_err(|_| StoreError::Failed("the store must be created inside an async runtime".to_owned()))?;
        let connector = Arc::new(Connector::new(&options.url, options, runtime.clone())?);
        let primary = pool(&connector, options)?;
        let (reader, replica) = match &options.read_url {
            Some(url) => {
                let reader = Arc::new(Connector::new(url, options, runtime)?);
                let replica = pool(&reader, options)?;
                (reader, replica)
            }
            None => (connector.clone(), primary.clone()),
        };
        Ok(Self { connector, reader, primary, replica })
    }

    /// A connection to the primary database.
    pub async fn primary(&self) -> Result<Reader, StoreError> {
        let connection = self.primary.get().await.map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(Reader { connection, connector: self.connector.clone(), finished: false })
    }

    /// A connection to the database for the API's read queries. It may lag behind the primary database.
    pub async fn replica(&self) -> Result<Reader, StoreError> {
        let connection = self.replica.get().await.map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(Reader { connection, connector: self.reader.clone(), finished: false })
    }

    /// The usage of the connections to the primary, and to a replica if there is one.
    pub fn connections(&self) -> Vec<Connections> {
        let primary = Connections::of(Target::Primary, &self.primary.status());
        let replica = (!Arc::ptr_eq(&self.connector, &self.reader))
            .then(|| Connections::of(Target::Replica, &self.replica.status()));
        std::iter::once(primary).chain(replica).collect()
    }

    /// A new connection for migrations, without a limit on the duration of statements.
    pub async fn migrator(&self) -> Result<AsyncPgConnection, StoreError> {
        let mut connection =
            self.connector.clone().connect().await.map_err(|e| StoreError::Unavailable(e.to_string()))?;
        // Statements of migrations may take long on large tables, and may wait for locks that other instances hold.
        connection.batch_execute("SET statement_timeout = 0; SET lock_timeout = '10min'").await?;
        Ok(connection)
    }

    /// The result of `query`, or `None` if it takes longer than twice the statement timeout. The client needs its own
    /// timeout, because a server that hangs does not enforce `statement_timeout`.
    pub async fn in_time<T>(&self, query: impl Future<Output = T>) -> Option<T> {
        timeout(self.connector.limit, query).await.ok()
    }

    /// The error for a query that took too long.
    pub fn silent(&self) -> StoreError {
        self.connector.silent()
    }

    /// Runs `work` in a transaction, and retries it after a serialisation failure or a deadlock. The transaction is
    /// completed even if the caller drops the future.
    pub async fn transact<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut AsyncPgConnection) -> BoxFuture<'c, QueryResult<T>> + Send + Sync + 'static,
    {
        let this = self.clone();
        let task = self.connector.runtime.spawn(async move {
            let attempt = || this.attempt(&work);
            attempt.retry(backoff()).when(Attempt::lost).await.map_err(|Attempt(error)| match error {
                Some(error) => error.into(),
                None => this.connector.silent(),
            })
        });
        match task.await {
            Ok(result) => result,
            Err(e) => Err(StoreError::Unavailable(format!("the transaction was interrupted: {e}"))),
        }
    }

    async fn attempt<T, F>(&self, work: &F) -> Result<T, Attempt>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut AsyncPgConnection) -> BoxFuture<'c, QueryResult<T>> + Send + Sync + 'static,
    {
        let unreachable =
            |e: String| Attempt(Some(DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(e))));
        let mut connection = self.primary.get().await.map_err(|e| unreachable(e.to_string()))?;
        let mut transaction = connection.build_transaction().read_committed();
        match timeout(self.connector.limit, transaction.run(async |c| work(c).await)).await {
            Ok(result) => result.map_err(|error| Attempt(Some(error))),
            Err(_) => {
                // The state of the connection is unknown, so it is closed, which makes the server roll back.
                drop(Object::take(connection));
                Err(Attempt(None))
            }
        }
    }
}

/// A failed attempt to run a transaction, with its error. `None`: the server did not answer.
struct Attempt(Option<DieselError>);

impl Attempt {
    /// Whether the transaction failed with a serialisation failure or a deadlock (SQLSTATE 40001, 40P01).
    fn lost(&self) -> bool {
        match &self.0 {
            Some(DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) => true,
            // Diesel has no error kind for 40P01, so the message is compared.
            Some(DieselError::DatabaseError(_, information)) => information.message().contains("deadlock detected"),
            _ => false,
        }
    }
}

/// Switches the server's messages to English, because Diesel provides the message of an error, but not its SQLSTATE.
/// The database role needs permission for this: a superuser has it, and since Postgres 15 also a role with `GRANT SET
/// ON PARAMETER lc_messages`. The command `doctor` reports a server whose messages are in another language.
const ENGLISH: &str = "DO $$ BEGIN PERFORM set_config('lc_messages', 'C', false); \
                       EXCEPTION WHEN insufficient_privilege THEN NULL; END $$";

/// Informs the triggers of the migration `topic_sentiment` that this release counts posts by the sentiment towards
/// topics.
const KNOWS_TOPIC_SENTIMENTS: &str = "SET sentistream.topic_sentiments = 'on'";

fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(5))
        .with_max_delay(Duration::from_millis(200))
        .with_max_times(RETRIES)
        .with_jitter()
}

fn pool(connector: &Arc<Connector>, options: &PostgresOptions) -> Result<Pool<AsyncPgConnection>, StoreError> {
    let shared = connector.clone();
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(move |_| Box::pin(shared.clone().connect()));
    let wait = Some(options.connect_timeout);
    Pool::builder(AsyncDieselConnectionManager::new_with_config("", config))
        .max_size(options.max_connections.max(1))
        .timeouts(Timeouts { wait, create: wait, recycle: wait })
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .map_err(|e| StoreError::Failed(e.to_string()))
}

/// Establishes the connections of a pool, and cancels their statements.
struct Connector {
    config: tokio_postgres::Config,
    tls: tls::Tls,
    runtime: Handle,
    connect_timeout: Duration,
    statement_timeout: Duration,
    /// The maximum time of a query or transaction before its connection is closed.
    limit: Duration,
}

impl Connector {
    fn new(url: &SecretString, options: &PostgresOptions, runtime: Handle) -> Result<Self, StoreError> {
        let target = url::Target::parse(url.expose_secret()).map_err(|e| StoreError::Failed(e.to_string()))?;
        let mut config = target.config;
        config.connect_timeout(options.connect_timeout).keepalives(true).keepalives_idle(Duration::from_secs(15));
        if config.get_application_name().is_none() {
            config.application_name("sentistream");
        }
        Ok(Self {
            config,
            tls: tls::Tls::new(&target.security).map_err(|e| StoreError::Failed(e.to_string()))?,
            runtime,
            connect_timeout: options.connect_timeout,
            statement_timeout: options.statement_timeout,
            limit: options.statement_timeout * 2,
        })
    }

    fn silent(&self) -> StoreError {
        StoreError::Unavailable(format!("no answer within {} s", self.limit.as_secs_f64()))
    }

    /// Connects on the runtime of the store and not on that of the caller. The task that drives the connection ends
    /// with its runtime, but other callers use the connection later.
    async fn connect(self: Arc<Self>) -> ConnectionResult<AsyncPgConnection> {
        let bad = ConnectionError::BadConnection;
        let runtime = self.runtime.clone();
        let connecting = runtime.spawn(async move {
            match timeout(self.connect_timeout, self.establish()).await {
                Ok(connection) => connection,
                Err(_) => Err(bad(format!("no connection within {} s", self.connect_timeout.as_secs_f64()))),
            }
        });
        connecting.await.map_err(|e| bad(e.to_string()))?
    }

    async fn establish(&self) -> ConnectionResult<AsyncPgConnection> {
        let mut connection = self.tls.connect(&self.config).await?;
        let milliseconds = self.statement_timeout.as_millis();
        connection
            .batch_execute(&format!(
                "SET statement_timeout = {milliseconds}; SET idle_in_transaction_session_timeout = {}; \
                 {KNOWS_TOPIC_SENTIMENTS}; {ENGLISH}",
                self.limit.as_millis()
            ))
            .await
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }
}
