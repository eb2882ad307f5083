//! The lock that allows only one serving process per embedded database.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long [`ServingLock::take`] waits for processes that only check the lock.
const CHECK: Duration = Duration::from_millis(200);

/// The error when another process already serves from the database.
#[derive(Debug, thiserror::Error)]
#[error(
    "another process serves from {database}: stop it, or let this one use another file (--set database.url=sqlite://PATH); \
     to run several processes use Postgres and Redis"
)]
pub struct InUse {
    database: String,
}

/// Whether a process serves from the embedded database at `database`.
pub fn is_held(database: &Path) -> bool {
    let file = File::options().write(true).open(lock_path(database));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn lock_path(database: &Path) -> PathBuf {
    let mut path = resolved(database).into_os_string();
    path.push(".lock");
    path.into()
}

/// The maximum number of symbolic links that are followed, as in Linux.
const LINKS: usize = 40;

/// The path of a database without symbolic links, also if the database does not exist yet.
pub fn resolved(database: &Path) -> PathBuf {
    let mut path = database.to_owned();
    for _ in 0..LINKS {
        let Ok(target) = std::fs::read_link(&path) else { break };
        path = folder_of(&path).join(target);
    }
    match (folder_of(&path).canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The exclusive right to serve from an embedded database; released when it is dropped or the process exits.
pub struct ServingLock(#[expect(dead_code, reason = "held for its lock")] File);

impl ServingLock {
    /// Takes the lock beside `database`.
    ///
    /// # Errors
    /// [`InUse`] when another process holds it, or the lock file cannot be created.
    pub fn take(database: &Path) -> anyhow::Result<Self> {
        if let Some(folder) = database.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::options().create(true).write(true).truncate(false).open(lock_path(database))?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                // [`is_held`] holds the lock for a moment.
                Err(TryLockError::WouldBlock) if since.elapsed() < CHECK => std::thread::sleep(CHECK / 10),
                Err(TryLockError::WouldBlock) => return Err(InUse { database: database.display().to_string() }.into()),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }
}
