//! Copies the embedded database while a server uses it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::{OWNER_ONLY, OpenError};

/// The maximum time to wait for a database lock that the server holds, in milliseconds.
const BUSY_MS: u32 = 10_000;

/// Why the copy failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database file does not exist.
    #[error("{0} does not exist: check database.url, or start the server once")]
    NoDatabase(PathBuf),
    /// The destination already exists, and is not overwritten.
    #[error("{0} already exists; use another file name or move the file")]
    Exists(PathBuf),
    /// Another process writes a copy with the same name.
    #[error("another process is writing {0}: wait until it has finished, or use another file name")]
    Busy(PathBuf),
    /// SQLite cannot copy the database.
    #[error("cannot copy the database to {path}: {reason}")]
    Copy {
        /// The destination, or the `.part` file that becomes the destination after the check.
        path: PathBuf,
        /// The underlying error.
        reason: OpenError,
    },
    /// SQLite cannot run its integrity check on the copy.
    #[error("SQLite cannot check the copy, which was removed: {0}")]
    Unreadable(OpenError),
    /// The integrity check of the copy failed, with this message of SQLite.
    #[error("the copy failed SQLite's check and was removed: {0}")]
    Damaged(String),
}

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    quick_check: String,
}

/// Copies the database at `from` to the new file `to`, in the state of its last commit, and checks the copy. Readers
/// and the writer of `from` are not blocked. This function blocks, and returns the size of the copy in bytes.
///
/// # Errors
/// When `from` does not exist or is not a database, `to` already exists or cannot be written, or the copy is damaged. A
/// file that already exists at `to` stays unchanged; otherwise the incomplete copy is removed.
pub fn back_up(from: &Path, to: &Path) -> Result<u64, BackupError> {
    if !from.is_file() {
        return Err(BackupError::NoDatabase(from.to_owned()));
    }
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let part = with_suffix(to, ".part");
    let failed = |e: io::Error| BackupError::Copy { path: part.clone(), reason: e.into() };
    let _claim = claim(&part).map_err(failed)?.ok_or_else(|| BackupError::Busy(part.clone()))?;
    remove(&part).map_err(failed)?;
    // Only the owner may read posts and encrypted secrets. SQLite writes into the empty file and keeps its mode.
    let file = File::options().create_new(true).write(true).mode(OWNER_ONLY).open(&part).map_err(failed)?;
    let copied = copy(from, &part).and_then(|()| check(&part)).and_then(|()| keep(&file, &part, to));
    if copied.is_err() {
        // An incomplete copy is useless. An error is ignored, because the next copy with this name removes the file.
        let _ = remove(&part);
    }
    copied
}

/// Removes the incomplete copy of a process that was killed. Returns whether it was removed: a copy that a process is
/// writing stays.
///
/// # Errors
/// When the file cannot be locked or removed.
pub fn remove_incomplete(part: &Path) -> io::Result<bool> {
    match claim(part)? {
        Some(_claim) => remove(part),
        None => Ok(false),
    }
}

/// The right to write an incomplete copy. It is a lock on a file beside the copy: on NFS, a lock on the copy would
/// conflict with the locks of SQLite.
struct Claim {
    path: PathBuf,
    _lock: File,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // An error is ignored, because a lock file without a lock is harmless.
        let _ = fs::remove_file(&self.path);
    }
}

/// Claims an incomplete copy; `None` while another process has it.
fn claim(part: &Path) -> io::Result<Option<Claim>> {
    let path = with_suffix(part, ".lock");
    let lock = File::options().create(true).write(true).truncate(false).mode(OWNER_ONLY).open(&path)?;
    match lock.try_lock() {
        // Another process may have removed the lock file before it was locked.
        Ok(()) if is_at(&lock, &path)? => Ok(Some(Claim { path, _lock: lock })),
        Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes a file, and returns whether it existed.
fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether `path` is the path of `file`.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let id = |file: fs::Metadata| (file.dev(), file.ino());
    match fs::metadata(path) {
        Ok(found) => Ok(id(found) == id(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn copy(from: &Path, part: &Path) -> Result<(), BackupError> {
    let failed = |reason: OpenError| BackupError::Copy { path: part.to_owned(), reason };
    let target = part.to_str().ok_or_else(|| failed(OpenError::Path))?;
    let mut connection = open(from).map_err(failed)?;
    diesel::sql_query("VACUUM INTO ?")
        .bind::<Text, _>(target)
        .execute(&mut connection)
        .map_err(|e| failed(e.into()))?;
    Ok(())
}

fn check(part: &Path) -> Result<(), BackupError> {
    let mut connection = open(part).map_err(BackupError::Unreadable)?;
    let findings: Vec<Finding> =
        diesel::sql_query("PRAGMA quick_check").load(&mut connection).map_err(|e| BackupError::Unreadable(e.into()))?;
    match findings.first() {
        Some(finding) if finding.quick_check != "ok" => Err(BackupError::Damaged(finding.quick_check.clone())),
        _ => Ok(()),
    }
}

/// Makes the copy durable and gives it its final name. `file` is the open file of `part`.
fn keep(file: &File, part: &Path, to: &Path) -> Result<u64, BackupError> {
    let failed = |e: io::Error| BackupError::Copy { path: to.to_owned(), reason: e.into() };
    file.sync_all().map_err(failed)?;
    // SQLite would have checked a new, empty file if the copy had been removed.
    if !is_at(file, part).map_err(failed)? {
        return Err(failed(io::Error::other("the incomplete copy was removed or replaced")));
    }
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let size = file.metadata().map_err(failed)?.len();
    fs::rename(part, to).map_err(failed)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(size)
}

fn open(path: &Path) -> Result<SqliteConnection, OpenError> {
    let url = path.to_str().ok_or(OpenError::Path)?;
    let mut connection = SqliteConnection::establish(url)?;
    connection.batch_execute(&format!("PRAGMA busy_timeout = {BUSY_MS}"))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(folder: &Path) -> PathBuf {
        let path = folder.join("test.db");
        let mut connection = open(&path).unwrap();
        connection.batch_execute("CREATE TABLE t (n integer); INSERT INTO t VALUES (1)").unwrap();
        path
    }

    #[test]
    fn only_one_process_writes_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to, part) =
            (database(folder.path()), folder.path().join("copy.db"), folder.path().join("copy.db.part"));
        fs::write(&part, "half a database").unwrap();
        let other = claim(&part).unwrap().unwrap();
        assert!(matches!(back_up(&from, &to), Err(BackupError::Busy(_))));
        assert!(!remove_incomplete(&part).unwrap() && part.exists() && !to.exists());
        drop(other);
        assert!(remove_incomplete(&part).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the database is left");
    }

    #[test]
    fn concurrent_copies_leave_one_complete_file() {
        let folder = tempfile::tempdir().unwrap();
        let from = database(folder.path());
        for round in 0..20 {
            let to = folder.path().join(format!("{round}.db"));
            let results: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| back_up(&from, &to))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
            assert!(fs::metadata(&to).unwrap().len() > 0);
            check(&to).unwrap();
        }
    }

    #[test]
    fn copy_replaces_the_rest_of_a_killed_process() {
        let folder = tempfile::tempdir().unwrap();
        let (from, part, victim) =
            (database(folder.path()), folder.path().join("copy.db.part"), folder.path().join("victim"));
        fs::write(&victim, "not a database").unwrap();
        let rests: [&dyn Fn(); 3] = [
            &|| fs::write(&part, "half a database").unwrap(),
            &|| std::os::unix::fs::symlink(&victim, &part).unwrap(),
            &|| fs::hard_link(&victim, &part).unwrap(),
        ];
        for rest in rests {
            rest();
            let to = folder.path().join("copy.db");
            assert!(back_up(&from, &to).unwrap() > 0);
            check(&to).unwrap();
            let copy = fs::symlink_metadata(&to).unwrap();
            assert!(copy.is_file() && copy.mode() & 0o777 == OWNER_ONLY, "{:o}", copy.mode());
            assert_eq!(fs::read_to_string(&victim).unwrap(), "not a database");
            fs::remove_file(to).unwrap();
        }
    }
}
