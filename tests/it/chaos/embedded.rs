//! Faults of one process with an embedded database.

use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use rand::Rng;
use rand::rngs::StdRng;

use super::disk::Disk;
use super::{Setup, noticed};
use crate::ports::free_port;
use crate::process::Process;

/// Size of the disk that is filled.
const DISK: &str = "256m";

/// One process with all roles.
pub struct Embedded {
    settings: Vec<String>,
    process: Option<Process>,
    disk: Disk,
    folder: tempfile::TempDir,
}

impl Embedded {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = Disk::on(folder.path(), DISK).await;
        let listen = format!("server.listen=[\"127.0.0.1:{}\"]", free_port());
        let settings: Vec<String> =
            [&listen, "ingester.sources=[]", "worker.claim_idle=2s", "worker.batch_size=32", "server.rate_limit=0"]
                .map(str::to_owned)
                .into();
        let process = Process::start(folder.path(), &settings).await;
        Self { settings, process: Some(process), disk, folder }
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    async fn restart(&mut self, kill: bool) {
        let process = self.process.take().expect("the process runs");
        if kill {
            process.kill().await;
        } else {
            assert_eq!(process.terminate().await.code(), Some(0));
        }
        self.process = Some(Process::start(self.folder(), &self.settings).await);
    }

    /// Another program holds the write lock of the database.
    async fn lock(&self, time: Duration) {
        let path = self.folder().join("data/sentistream.db").display().to_string();
        let (begun, ready) = tokio::sync::oneshot::channel();
        let held = tokio::task::spawn_blocking(move || {
            let mut connection = SqliteConnection::establish(&path).expect("the database opens");
            let locked = connection.batch_execute("PRAGMA busy_timeout = 20000; BEGIN IMMEDIATE");
            let _ = begun.send(());
            std::thread::sleep(time);
            if locked.is_ok() {
                connection.batch_execute("ROLLBACK").expect("the lock is released");
            }
        });
        let _ = ready.await;
        held.await.expect("the lock is held");
    }

    /// Fills the disk until health reports that.
    async fn fill_disk(&self) {
        self.disk.fill().await;
        noticed(self.front(), "a full disk").await;
        self.disk.clear();
    }
}

impl Setup for Embedded {
    async fn fault(&mut self, rng: &mut StdRng) -> &'static str {
        let time = Duration::from_millis(rng.random_range(100..3_000));
        match rng.random_range(0..6) {
            0 | 1 => {
                self.restart(true).await;
                "kill -9"
            }
            2 => {
                self.restart(false).await;
                "restart"
            }
            3 => {
                self.front().signal("-STOP").await;
                tokio::time::sleep(time).await;
                self.front().signal("-CONT").await;
                "SIGSTOP"
            }
            4 if self.disk.is_small => {
                self.fill_disk().await;
                "disk full"
            }
            _ => {
                self.lock(time).await;
                "database locked"
            }
        }
    }

    fn front(&self) -> &Process {
        self.process.as_ref().expect("the process runs")
    }

    fn is_lossy(&self) -> bool {
        false
    }
}
