//! Faults of one process with an embedded database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use rand::Rng;
use rand::rngs::StdRng;
use tokio::process::Command;

use super::{Setup, noticed};
use crate::ports::free_port;
use crate::process::Process;

/// Size of the disk that is filled.
const DISK: &str = "size=256m";

/// One process with all roles.
pub struct Embedded {
    settings: Vec<String>,
    process: Option<Process>,
    disk: Disk,
}

/// Where the database lies.
struct Disk {
    folder: tempfile::TempDir,
    /// Whether it is a small disk of its own, which a fault may fill.
    is_small: bool,
}

impl Disk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(folder.path()).output().await;
        let is_small = mounted.is_ok_and(|output| output.status.success());
        if !is_small {
            eprintln!("chaos: no right to mount a tmpfs; the disk is never filled");
        }
        Self { folder, is_small }
    }

    fn filler(&self) -> PathBuf {
        self.folder.path().join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_small {
            let _ = std::process::Command::new("umount").arg("-l").arg(self.folder.path()).status();
        }
    }
}

impl Embedded {
    pub async fn start() -> Self {
        let disk = Disk::new().await;
        let listen = format!("server.listen=[\"127.0.0.1:{}\"]", free_port());
        let settings: Vec<String> =
            [&listen, "ingester.sources=[]", "worker.claim_idle=2s", "worker.batch_size=32", "server.rate_limit=0"]
                .map(str::to_owned)
                .into();
        let process = Process::start(disk.folder.path(), &settings).await;
        Self { settings, process: Some(process), disk }
    }

    fn folder(&self) -> &Path {
        self.disk.folder.path()
    }

    async fn restart(&mut self, kill: bool) {
        let process = self.process.take().expect("it runs");
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

    /// No byte more fits onto the disk, until health reports it.
    async fn fill_disk(&self) {
        let filler = self.disk.filler();
        let filled = Command::new("dd")
            .args(["if=/dev/zero", "bs=64k", &format!("of={}", filler.display())])
            .output()
            .await
            .expect("dd runs");
        assert!(!filled.status.success(), "the disk is full");
        noticed(self.front(), "a full disk").await;
        std::fs::remove_file(filler).expect("the filler is removed");
    }
}

impl Setup for Embedded {
    async fn fault(&mut self, rng: &mut StdRng) -> &'static str {
        let time = Duration::from_millis(rng.random_range(100..6_000));
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
        self.process.as_ref().expect("it runs")
    }

    fn is_lossy(&self) -> bool {
        false
    }
}
