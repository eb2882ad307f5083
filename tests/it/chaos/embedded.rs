//! Faults of one process with an embedded database.

use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::Text;
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use rand::Rng;
use rand::rngs::StdRng;

use super::alerts::{Change, ON_SQLITE};
use super::clock::FakeClock;
use super::disk::Disk;
use super::{ALERTS, LONGEST_STOP, Setup, noticed};
use crate::ports::free_port;
use crate::process::Process;

/// The size of the disk that is filled.
const DISK: &str = "256m";

/// One process with all roles.
pub struct Embedded {
    settings: Vec<String>,
    process: Option<Process>,
    clock: FakeClock,
    clock_jumps: usize,
    longest_stop: Duration,
    disk: Disk,
    folder: tempfile::TempDir,
}

impl Embedded {
    /// Starts a set-up for short runs, with faults that end quickly.
    pub async fn start() -> Self {
        Self::with_stops_up_to(Duration::from_secs(3)).await
    }

    /// Starts a set-up for long runs, with all faults.
    pub async fn with_every_fault() -> Self {
        Self::with_stops_up_to(LONGEST_STOP).await
    }

    async fn with_stops_up_to(longest_stop: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = Disk::on(folder.path(), DISK).await;
        let listen = format!("server.listen=[\"127.0.0.1:{}\"]", free_port());
        let own: [&str; 5] =
            [&listen, "ingester.sources=[]", "worker.claim_idle=2s", "worker.batch_size=32", "server.rate_limit=0"];
        let settings: Vec<String> = own.into_iter().chain(ALERTS).map(str::to_owned).collect();
        let clock = FakeClock::new(&folder.path().join("clock"));
        let process = Process::start_in(folder.path(), &settings, &clock.environment()).await;
        Self { settings, process: Some(process), clock, clock_jumps: 0, longest_stop, disk, folder }
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
        let environment = self.clock.environment();
        self.process = Some(Process::start_in(self.folder(), &self.settings, &environment).await);
    }

    fn database(&self) -> String {
        self.folder().join("data/sentistream.db").display().to_string()
    }

    /// Holds the write lock of the database, as another program could do.
    async fn lock(&self, time: Duration) {
        let path = self.database();
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

    /// Fills the disk, waits until the health report shows the full disk, and clears the disk. The report may show the
    /// full disk only for a moment, because SQLite reuses the space of its log and can then write again.
    async fn fill_disk(&self) {
        self.disk.fill().await;
        noticed(self.front(), "a full disk", Duration::ZERO).await;
        self.disk.clear();
    }
}

impl Setup for Embedded {
    async fn fault(&mut self, rng: &mut StdRng) -> &'static str {
        let time = Duration::from_millis(rng.random_range(100..3_000));
        match rng.random_range(0..7) {
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
                tokio::time::sleep(self.longest_stop.mul_f64(rng.random())).await;
                self.front().signal("-CONT").await;
                "SIGSTOP"
            }
            4 if self.disk.is_small => {
                self.fill_disk().await;
                "disk full"
            }
            5 if self.clock.can_jump() => {
                self.clock_jumps += 1;
                let name = self.clock.jump(rng);
                tokio::time::sleep(time).await;
                // A process may also start with a wrong clock.
                if rng.random_bool(0.3) {
                    self.restart(true).await;
                }
                self.clock.correct();
                name
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

    async fn transitions(&self) -> Vec<Change> {
        let path = self.database();
        let read = move || {
            let mut connection = SqliteConnection::establish(&path).expect("the database opens");
            connection.batch_execute("PRAGMA busy_timeout = 20000").expect("a setting");
            diesel::select(sql::<Text>(ON_SQLITE)).get_result::<String>(&mut connection).expect("the transitions")
        };
        Change::all(&tokio::task::spawn_blocking(read).await.expect("the reader does not panic"))
    }

    fn clock_jumps(&self) -> usize {
        self.clock_jumps
    }

    fn is_lossy(&self) -> bool {
        false
    }
}

/// The set-up [`Embedded`] with a full disk as its only fault.
pub struct FullDisk(pub Embedded);

impl Setup for FullDisk {
    async fn fault(&mut self, _: &mut StdRng) -> &'static str {
        if !self.0.disk.is_small {
            return "none";
        }
        self.0.fill_disk().await;
        "disk full"
    }

    fn front(&self) -> &Process {
        self.0.front()
    }

    async fn transitions(&self) -> Vec<Change> {
        self.0.transitions().await
    }

    fn clock_jumps(&self) -> usize {
        0
    }

    fn is_lossy(&self) -> bool {
        false
    }
}
