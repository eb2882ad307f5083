//! Connections to Redis. All modules that use Redis share them.
//!
//! Startup does not fail if the server is unavailable: connections are established in the background, and until the
//! server responds, each call fails with [`RedisError::Unavailable`] within the command timeout. A connection that
//! receives no response for a whole command timeout (a stopped server, a network that drops packets) is replaced,
//! because the driver might otherwise wait for a response forever.

mod config;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use fred::clients::{Client, SubscriberClient};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface};
use fred::types::ConnectHandle;
use fred::types::config::Server;
use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// The address of Redis and its timeouts.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// `redis://`, `rediss://`, `redis-sentinel://host?sentinelServiceName=NAME&node=host:port` or
    /// `redis-cluster://host?node=host:port`. `rediss-sentinel://` and `rediss-cluster://` use TLS, like `rediss://`.
    pub url: SecretString,
    /// A PEM file of certificates to trust in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// The maximum time of a single command.
    pub command_timeout: Duration,
}

/// Why a Redis command failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RedisError {
    /// The URL or the certificates are invalid. No connection was established.
    #[error("{0}")]
    Config(String),
    /// Redis is unavailable, slow, starting or failing over. A retry may succeed.
    #[error("{0}")]
    Unavailable(String),
    /// Redis rejected the command. A retry fails again.
    #[error("{0}")]
    Refused(String),
}

/// A client with one connection for commands that do not block. Clones share the connection.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    config: config::Settings,
    command_timeout: Duration,
    /// All connections run on this runtime.
    runtime: Handle,
    line: ArcSwap<Line<Client>>,
    /// Whether the last call got no response. Each change is logged once.
    away: AtomicBool,
}

impl Redis {
    /// Creates a client, which connects in the background on the current runtime.
    ///
    /// # Errors
    /// [`RedisError::Config`] when the URL or the certificate file cannot be used.
    pub fn connect(options: &RedisOptions) -> Result<Self, RedisError> {
        let config = config::Settings::new(options)?;
        let runtime = Handle::current();
        let line = Line::open(config.client(), &runtime);
        Ok(Self(Arc::new(Inner {
            config,
            command_timeout: options.command_timeout,
            runtime,
            line: ArcSwap::from_pointee(line),
            away: AtomicBool::new(false),
        })))
    }

    /// The maximum time of a command.
    pub fn command_timeout(&self) -> Duration {
        self.0.command_timeout
    }

    /// Whether this is a Redis Cluster, in which all keys of a command must share a hash slot.
    pub fn is_cluster(&self) -> bool {
        self.0.config.is_cluster()
    }

    /// The runtime that the connections run on.
    pub fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// Runs commands on the shared connection. They must not block.
    ///
    /// # Errors
    /// [`RedisError::Unavailable`] if Redis does not respond within the command timeout, [`RedisError::Refused`] if it
    /// rejects a command.
    pub async fn run<T, F, W>(&self, work: F) -> Result<T, RedisError>
    where
        F: FnOnce(Client) -> W,
        W: Future<Output = Result<T, Error>>,
    {
        let line = self.line();
        // The driver's futures are large. They are boxed so that the futures of callers are small.
        let result = self.bounded(self.0.command_timeout, Box::pin(work(line.client.clone()))).await;
        match result {
            Ok(value) => {
                line.answered();
                self.report(None);
                Ok(value)
            }
            Err(error) if error.is_refusal() => {
                line.answered();
                Err(error.into())
            }
            Err(error) => {
                let is_stuck = error.is_timeout() && line.is_silent_for(self.0.command_timeout);
                if is_stuck || error.is_wrong_server() {
                    self.replace(&line);
                }
                let error = RedisError::Unavailable(line.explain(&error));
                self.report(Some(&error));
                Err(error)
            }
        }
    }

    /// Opens a separate connection for blocking commands. Drop this connection after an error.
    pub fn open(&self) -> Line<Client> {
        Line::open(self.0.config.client(), &self.0.runtime)
    }

    /// Opens a separate connection for a subscription. The connection does not reconnect, so that the caller notices an
    /// interruption.
    pub fn open_subscriber(&self) -> Line<SubscriberClient> {
        Line::open(self.0.config.subscriber(), &self.0.runtime)
    }

    /// Runs a blocking command on a separate connection. `extra` is the time for which the command may block.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_on<C, T, W>(&self, line: &Line<C>, extra: Duration, work: W) -> Result<T, RedisError>
    where
        C: ClientLike,
        W: Future<Output = Result<T, Error>>,
    {
        match self.bounded(self.0.command_timeout + extra, work).await {
            Ok(value) => {
                self.report(None);
                Ok(value)
            }
            Err(error) if error.is_refusal() => Err(error.into()),
            Err(error) => {
                let error = RedisError::Unavailable(line.explain(&error));
                self.report(Some(&error));
                Err(error)
            }
        }
    }

    async fn bounded<T>(&self, limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        match tokio::time::timeout(limit, work).await {
            Ok(result) => result.map_err(|error| Failure { error, limit }),
            Err(_) => Err(Failure { error: Error::new(ErrorKind::Timeout, "no answer"), limit }),
        }
    }

    fn line(&self) -> Arc<Line<Client>> {
        let line = self.0.line.load_full();
        if line.has_ended() {
            return self.replace(&line);
        }
        line
    }

    fn replace(&self, old: &Arc<Line<Client>>) -> Arc<Line<Client>> {
        let new = Arc::new(Line::open(self.0.config.client(), &self.0.runtime));
        let before = self.0.line.compare_and_swap(old, new.clone());
        // If another call has replaced the connection in the meantime, the connection of that call is used.
        if Arc::ptr_eq(&before, old) { new } else { before.clone() }
    }

    fn report(&self, error: Option<&RedisError>) {
        if self.0.away.swap(error.is_some(), Ordering::Relaxed) == error.is_some() {
            return;
        }
        match error {
            Some(error) => tracing::warn!(%error, "Redis unavailable, retrying"),
            None => tracing::info!("Redis available"),
        }
    }
}

/// One connection. Dropping it closes the connection.
pub struct Line<C> {
    /// The driver's client.
    pub client: C,
    connection: AbortHandle,
    watcher: AbortHandle,
    ended: CancellationToken,
    last_error: Arc<Mutex<Option<String>>>,
    last_answer: Mutex<Instant>,
}

impl<C: ClientLike + EventInterface> Line<C> {
    fn open(client: C, runtime: &Handle) -> Self {
        let _guard = runtime.enter();
        let (last_error, ended) = (Arc::new(Mutex::new(None)), CancellationToken::new());
        let errors = client.error_rx();
        let connection = client.connect();
        Self {
            client,
            connection: connection.abort_handle(),
            watcher: tokio::spawn(watch(connection, errors, last_error.clone(), ended.clone())).abort_handle(),
            ended,
            last_error,
            last_answer: Mutex::new(Instant::now()),
        }
    }
}

/// Records the last error and signals when the connection has ended permanently.
async fn watch(
    mut connection: ConnectHandle,
    mut errors: Receiver<(Error, Option<Server>)>,
    last: Arc<Mutex<Option<String>>>,
    ended: CancellationToken,
) {
    loop {
        tokio::select! {
            biased;
            error = errors.recv() => match error {
                Ok((error, _)) => {
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.details().to_owned());
                }
                // Only the last error is kept, so errors that were missed do not matter.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            },
            _ = &mut connection => break,
        }
    }
    ended.cancel();
}

impl<C> Line<C> {
    /// Whether the connection ended permanently, for example because the URL's scheme does not match the server.
    fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// The result of `work`; `None` if the connection ends first.
    pub async fn unless_ended<F: Future>(&self, work: F) -> Option<F::Output> {
        self.ended.run_until_cancelled(work).await
    }

    fn answered(&self) {
        *self.last_answer.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn is_silent_for(&self, limit: Duration) -> bool {
        self.last_answer.lock().unwrap_or_else(PoisonError::into_inner).elapsed() >= limit
    }

    /// Describes a failure, with the last error of the connection.
    fn explain(&self, failure: &Failure) -> String {
        let what = if failure.is_timeout() {
            format!("Redis did not answer within {:?}", failure.limit)
        } else {
            format!("Redis: {}", failure.error.details())
        };
        match &*self.last_error.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(error) if !what.contains(error.as_str()) => format!("{what} ({error})"),
            _ => what,
        }
    }
}

impl<C> Drop for Line<C> {
    fn drop(&mut self) {
        self.watcher.abort();
        self.connection.abort();
    }
}

/// A failed command and its time limit.
struct Failure {
    error: Error,
    limit: Duration,
}

impl Failure {
    /// Whether a retry would fail in the same way: the command, the key's type or the permissions are wrong, the stream
    /// or its consumer group does not exist, or the answer cannot be parsed.
    fn is_refusal(&self) -> bool {
        let code = self.error.details().split_ascii_whitespace().next().unwrap_or_default();
        matches!(code, "ERR" | "WRONGTYPE" | "NOPERM" | "CROSSSLOT" | "NOGROUP" | "UNBLOCKED")
            || matches!(self.error.kind(), ErrorKind::Parse | ErrorKind::InvalidArgument | ErrorKind::InvalidCommand)
    }

    fn is_timeout(&self) -> bool {
        *self.error.kind() == ErrorKind::Timeout
    }

    /// Whether the server is not the current master. A new connection may reach the master.
    fn is_wrong_server(&self) -> bool {
        let details = self.error.details();
        details.starts_with("READONLY") || details.starts_with("MASTERDOWN")
    }
}

impl From<Failure> for RedisError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure.error.details().to_owned())
    }
}
