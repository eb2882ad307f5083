//! A separate Redis server that a test can stop, freeze and restart, and a proxy that can drop data.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::Config;
use fred::types::{ClusterHash, CustomCommand, FromValue, Value};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::fixture::DEADLINE;
use crate::ports::free_port;

pub struct OwnRedis {
    pub folder: TempDir,
    pub port: u16,
    args: Vec<String>,
    child: Option<Child>,
}

impl OwnRedis {
    /// Starts a server that appends every command to a file, so that no write is lost when the process is killed.
    pub fn start() -> Self {
        Self::start_with(&["--appendonly", "yes"])
    }

    pub fn start_with(args: &[&str]) -> Self {
        let mut server = Self::not_started(args);
        server.run();
        server
    }

    /// Prepares a server without starting it.
    pub fn not_started(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, port: free_port(), args: args.iter().map(|&arg| arg.to_owned()).collect(), child: None }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn run(&mut self) {
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(self.folder.path())
            .args(&self.args)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server must be installed");
        self.child = Some(child);
        let deadline = Instant::now() + DEADLINE;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not listen on port {}", self.port);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Pauses the server process. Connections stay open, but get no answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        // SIGKILL also ends a paused process.
        self.kill();
    }
}

/// A client that simulates another program on the same Redis.
pub struct Outsider(Client);

impl Outsider {
    pub async fn at(url: &str) -> Self {
        let client = Client::new(Config::from_url(url).unwrap(), None, None, None);
        client.init().await.unwrap();
        Self(client)
    }

    /// Runs a command with arguments as bytes.
    pub async fn run<T: FromValue>(&self, name: &'static str, args: &[&[u8]]) -> T {
        let args: Vec<Value> = args.iter().map(|arg| Value::from(*arg)).collect();
        self.0.custom(CustomCommand::new_static(name, ClusterHash::FirstKey, false), args).await.unwrap()
    }
}

/// A proxy between a client and a server. It can drop all data of its open connections.
pub struct Network {
    pub port: u16,
    swallow: watch::Sender<u32>,
}

impl Network {
    pub async fn to(server: &OwnRedis) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let network = Arc::new(Self { port: listener.local_addr().unwrap().port(), swallow: watch::Sender::new(0) });
        let (swallow, target) = (network.swallow.clone(), server.port);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else { continue };
                let mut swallow = swallow.subscribe();
                tokio::spawn(async move {
                    let (mut near, mut far) = (near, far);
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        // Keeps the connection open, but forwards no more data.
                        _ = swallow.changed() => std::future::pending().await,
                    }
                });
            }
        });
        network
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn drop_data_of_open_connections(&self) {
        self.swallow.send_modify(|times| *times += 1);
    }
}
