//! Copies the embedded database while a server uses it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::OpenError;

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
    /// SQLite cannot copy the database.
    #[error("cannot copy the database to {path}: {source}")]
    Copy {
        /// The destination, or the `.part` file that becomes the destination after the check.
        path: PathBuf,
        /// The underlying error.
        source: OpenError,
    },
    /// SQLite cannot run its integrity check on the copy.
    #[error("SQLite cannot check the copy, which was removed: {0}")]
    Unreadable(#[source] OpenError),
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
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let copied = copy(from, &part).and_then(|()| check(&part)).and_then(|()| keep(&part, to));
    if copied.is_err() {
        // An incomplete copy is useless, so it is removed.
        let _ = fs::remove_file(&part);
    }
    copied
}

fn copy(from: &Path, part: &Path) -> Result<(), BackupError> {
    let failed = |source: OpenError| BackupError::Copy { path: part.to_owned(), source };
    // Removes the incomplete copy of an earlier attempt whose process was killed.
    match fs::remove_file(part) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e.into())),
        _ => {}
    }
    // Only the owner may read posts and encrypted secrets. The empty file is created first with this mode, and SQLite
    // writes into it.
    super::protect(part).map_err(|e| failed(e.into()))?;
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

/// Makes the copy durable and gives it its final name.
fn keep(part: &Path, to: &Path) -> Result<u64, BackupError> {
    let failed = |e: io::Error| BackupError::Copy { path: to.to_owned(), source: e.into() };
    let file = File::open(part).map_err(failed)?;
    file.sync_all().map_err(failed)?;
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
