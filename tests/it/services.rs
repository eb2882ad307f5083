//! Redis and Postgres for tests. A test gets its own database and stream names on the shared servers, or its own
//! servers, which it can stop and restart.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::ports::free_port;
use crate::process::within;

/// The value of an environment variable. Panics with a hint if `make test` did not set it.
pub fn required(variable: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the environment names the services of tests")]
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run the tests with `make test`"))
}

/// The database of a test on the shared Postgres server, and its names on the shared Redis server.
pub struct Shared {
    pub postgres_url: String,
    pub redis_url: String,
    /// The prefix of all names in Redis.
    pub prefix: String,
}

impl Shared {
    /// Creates an empty database and a unique prefix.
    pub async fn create() -> Self {
        let admin = required("SENTISTREAM_TEST_POSTGRES_URL");
        let redis_url = required("SENTISTREAM_TEST_REDIS_URL");
        let prefix = format!("t{}", uuid::Uuid::new_v4().simple());
        execute(&admin, &format!("CREATE DATABASE {prefix}")).await;
        let mut url = url::Url::parse(&admin).expect("the admin URL is a URL");
        url.set_path(&prefix);
        Self { postgres_url: url.into(), redis_url, prefix }
    }

    /// The settings with which SentiStream uses this database and these names.
    pub fn settings(&self) -> Vec<String> {
        let Self { postgres_url, redis_url, prefix } = self;
        vec![
            format!("database.url={postgres_url}"),
            format!("stream.url={redis_url}"),
            format!("stream.name={prefix}_posts"),
            format!("stream.dead_letter={prefix}_dead"),
            format!("stream.processed={prefix}_processed"),
            format!("stream.updates_channel={prefix}_updates"),
            format!("stream.events_channel={prefix}_events"),
            format!("cache.prefix={prefix}_cache:"),
        ]
    }
}

/// Runs one SQL statement.
pub async fn execute(url: &str, statement: &str) {
    let client = postgres(url).await;
    client.batch_execute(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
}

/// The number that an SQL query returns.
pub async fn number(url: &str, query: &str) -> i64 {
    postgres(url).await.query_one(query, &[]).await.unwrap_or_else(|e| panic!("{query}: {e}")).get(0)
}

/// The text that an SQL query returns.
pub async fn text(url: &str, query: &str) -> String {
    postgres(url).await.query_one(query, &[]).await.unwrap_or_else(|e| panic!("{query}: {e}")).get(0)
}

async fn postgres(url: &str) -> tokio_postgres::Client {
    // After a crash, a server listens before it accepts sessions, so connecting is retried.
    let connect = async || tokio_postgres::connect(url, tokio_postgres::NoTls).await.ok();
    let (client, connection) = within("Postgres accepts a session", connect).await;
    tokio::spawn(connection);
    client
}

/// A server that a test can kill, and start again with the same port and data.
pub struct Server {
    program: PathBuf,
    arguments: Vec<String>,
    port: u16,
    child: Option<Child>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts a Redis server that keeps its data across restarts.
    pub async fn redis() -> Self {
        Self::redis_in(tempfile::tempdir().expect("a temporary folder"), &[]).await
    }

    /// Starts a Redis server that keeps its data in `folder`, with additional `options`.
    pub async fn redis_in(folder: tempfile::TempDir, options: &[&str]) -> Self {
        own(&folder).await;
        let port = free_port();
        let arguments = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir", &path(&folder), "--save", ""]
            .into_iter()
            .chain(["--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning"])
            .chain(options.iter().copied())
            .map(str::to_owned)
            .collect();
        let program = required("SENTISTREAM_TEST_REDIS_SERVER").into();
        let mut server = Self { program, arguments, port, child: None, _folder: folder };
        server.start().await;
        server
    }

    /// Starts a Sentinel that monitors the Redis server on the port `master` under the name `main`.
    pub async fn sentinel(master: u16) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (port, file) = (free_port(), folder.path().join("sentinel.conf"));
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor main 127.0.0.1 {master} 1\n\
             sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n",
            path(&folder)
        );
        std::fs::write(&file, text).expect("a file");
        own(&folder).await;
        let program = required("SENTISTREAM_TEST_REDIS_SERVER").into();
        let arguments = vec![file.display().to_string(), "--sentinel".to_owned()];
        let mut server = Self { program, arguments, port, child: None, _folder: folder };
        server.start().await;
        server
    }

    /// Starts a Postgres server with an empty database `postgres`.
    pub async fn postgres() -> Self {
        let bin = PathBuf::from(required("SENTISTREAM_TEST_POSTGRES_BIN"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        own(&folder).await;
        let initdb = unprivileged(&bin.join("initdb"))
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .arg(format!("--pgdata={}", data.display()))
            .stdout(Stdio::null())
            .status()
            .await
            .expect("initdb runs");
        assert!(initdb.success(), "initdb failed");
        let port = free_port();
        let arguments = ["-D", &data.display().to_string(), "-p", &port.to_string(), "-k", &path(&folder)]
            .into_iter()
            .chain(["-c", "listen_addresses=127.0.0.1", "-c", "log_min_messages=fatal"])
            .map(str::to_owned)
            .collect();
        let mut server = Self { program: bin.join("postgres"), arguments, port, child: None, _folder: folder };
        server.start().await;
        server
    }

    /// The URL of a Redis server.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port on which the server listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server, and waits until it accepts connections.
    pub async fn start(&mut self) {
        let mut child = self.spawn();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut poll = tokio::time::interval(Duration::from_millis(20));
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(Instant::now() < deadline, "{} does not listen", self.program.display());
            poll.tick().await;
            // Postgres ends immediately while sessions of the killed server still use its shared memory, so it is
            // restarted.
            if child.try_wait().is_ok_and(|status| status.is_some()) {
                child = self.spawn();
            }
        }
        self.child = Some(child);
    }

    fn spawn(&self) -> Child {
        let mut command = unprivileged(&self.program);
        command.args(&self.arguments).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        command.spawn().expect("the server starts")
    }

    /// Kills the server with SIGKILL.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("the server can be killed");
        }
    }
}

fn path(folder: &tempfile::TempDir) -> String {
    folder.path().display().to_string()
}

/// A command that runs `program` as an unprivileged user, because Postgres does not run as root.
fn unprivileged(program: &std::path::Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=KILL", "--"]).arg(program);
    command
}

async fn own(folder: &tempfile::TempDir) {
    if is_root() {
        let status =
            Command::new("chown").args(["-R", "postgres"]).arg(folder.path()).status().await.expect("chown runs");
        assert!(status.success(), "chown failed");
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}
