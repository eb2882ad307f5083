//! Backups of the embedded database that administrators make while the server runs: files in one folder.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::sqlite;

/// The beginning of the name of each backup.
const PREFIX: &str = "sentistream-";
/// The end of the name of each backup.
const SUFFIX: &str = ".db";
/// The end of the name of an incomplete backup.
const PART: &str = ".part";
/// The end of the name of the lock file of an incomplete backup, after [`PART`].
const LOCK: &str = ".lock";
/// The free space that a backup leaves for the server, in bytes.
const RESERVE: u64 = 64 << 20;
/// The mode of the folder: only the owner has access.
const OWNER_ONLY: u32 = 0o700;

/// Where backups are stored, and how many are kept.
#[derive(Clone, Debug)]
pub struct BackupOptions {
    /// The file of the embedded database.
    pub database: PathBuf,
    /// The folder of the backups. It is created if it is missing.
    pub folder: PathBuf,
    /// The number of backups that are kept.
    pub keep: usize,
}

/// A backup.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Backup {
    /// The name of the file.
    #[schema(example = "sentistream-20260301T123000Z.db")]
    pub name: String,
    /// The size in bytes.
    pub bytes: u64,
    /// When the backup was complete.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A backup in progress.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct BackupProgress {
    /// The name that the backup will have.
    pub name: String,
    /// When the backup was started.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// The number of bytes that were written so far.
    pub written_bytes: u64,
    /// The size of the database. The backup is compacted and may be smaller.
    pub expected_bytes: u64,
}

/// The failure of the last backup, or of the deletion of old backups after it.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct BackupFailure {
    /// The name of the backup. If the copy failed, there is no file with this name.
    pub name: String,
    /// When the copy or the deletion failed.
    #[schema(value_type = String, format = DateTime)]
    pub failed_at: Timestamp,
    /// Why the copy or the deletion failed.
    pub reason: String,
}

/// The backups and their state.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// The backups, newest first.
    pub backups: Vec<Backup>,
    /// The backup in progress.
    pub running: Option<BackupProgress>,
    /// The failure of the last backup since the process started, or of the deletion of old backups after it.
    pub failed: Option<BackupFailure>,
    /// The free space of the folder in bytes, if it is known.
    pub free_bytes: Option<u64>,
}

/// Why a backup cannot be made, read or deleted.
#[derive(Debug, thiserror::Error)]
pub enum BackupsError {
    /// A backup is in progress.
    #[error("a backup is in progress: start another one after it")]
    Busy,
    /// The disk is too full.
    #[error(
        "a backup needs {needed} bytes in {folder}, and {free} are free: free some space, or set database.backup_folder"
    )]
    NoSpace {
        /// The folder of the backups.
        folder: PathBuf,
        /// The required bytes: the size of the database and a reserve.
        needed: u64,
        /// The free bytes.
        free: u64,
    },
    /// No backup has this name.
    #[error("there is no backup with this name")]
    Unknown,
    /// The folder or a file cannot be used.
    #[error("{path} cannot be used: {reason}")]
    Folder {
        /// The folder or the file.
        path: PathBuf,
        /// The error of the system.
        reason: io::Error,
    },
}

/// The backups of the embedded database. Clones share their state. All methods do blocking I/O.
#[derive(Clone)]
pub struct Backups(Arc<Inner>);

struct Inner {
    options: BackupOptions,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Name, start and expected size of the backup in progress.
    running: Option<BackupProgress>,
    failed: Option<BackupFailure>,
}

impl Backups {
    /// The backups in the folder of `options`.
    pub fn new(options: BackupOptions, clock: Clock) -> Self {
        Self(Arc::new(Inner { options, clock, state: Mutex::default() }))
    }

    /// The database, the folder of the backups, and the number of backups that are kept.
    pub fn options(&self) -> &BackupOptions {
        &self.0.options
    }

    /// The backups, the backup in progress, and the last failure.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn overview(&self) -> Result<Overview, BackupsError> {
        let backups = self.list()?;
        let (running, failed) = {
            let state = self.state();
            (state.running.clone(), state.failed.clone())
        };
        let running = running.map(|progress| {
            let part = self.path(&format!("{}{PART}", progress.name));
            let written_bytes = fs::metadata(part).map_or(0, |file| file.len());
            BackupProgress { written_bytes, ..progress }
        });
        Ok(Overview { backups, running, failed, free_bytes: self.free() })
    }

    /// Starts a backup on its own thread.
    ///
    /// # Errors
    /// When a backup is in progress, the disk has too little space, or the folder cannot be used.
    pub fn start(&self) -> Result<BackupProgress, BackupsError> {
        let folder = &self.0.options.folder;
        DirBuilder::new().recursive(true).mode(OWNER_ONLY).create(folder).map_err(|e| self.unusable(folder, e))?;
        let mut state = self.state();
        if state.running.is_some() {
            return Err(BackupsError::Busy);
        }
        self.remove_parts()?;
        let expected_bytes = self.database_bytes();
        let needed = expected_bytes + RESERVE;
        if let Some(free) = self.free().filter(|free| *free < needed) {
            return Err(BackupsError::NoSpace { folder: folder.clone(), needed, free });
        }
        let started_at = self.0.clock.now();
        let progress = BackupProgress { name: self.new_name(started_at), started_at, written_bytes: 0, expected_bytes };
        let (this, name) = (self.clone(), progress.name.clone());
        std::thread::Builder::new()
            .name("backup".to_owned())
            .spawn(move || this.run(name))
            .map_err(|e| self.unusable(folder, e))?;
        state.running = Some(progress.clone());
        Ok(progress)
    }

    /// Opens a backup, and returns its size in bytes.
    ///
    /// # Errors
    /// When there is no such backup, or it cannot be opened.
    pub fn open(&self, name: &str) -> Result<(File, u64), BackupsError> {
        let path = self.existing(name)?;
        // A symbolic link is not followed, because it could lead out of the folder.
        let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let opened = fs::OpenOptions::new().read(true).custom_flags(flags).open(&path);
        let file = opened.map_err(|e| self.unusable(&path, e))?;
        let size = file.metadata().map_err(|e| self.unusable(&path, e))?.len();
        Ok((file, size))
    }

    /// Deletes a backup.
    ///
    /// # Errors
    /// When there is no such backup, or it cannot be deleted.
    pub fn delete(&self, name: &str) -> Result<(), BackupsError> {
        let path = self.existing(name)?;
        fs::remove_file(&path).map_err(|e| self.unusable(&path, e))
    }

    fn run(&self, name: String) {
        let copied = sqlite::back_up(&self.0.options.database, &self.path(&name));
        // The oldest backups are removed only after a new one is complete.
        let pruned = if copied.is_ok() { self.prune() } else { Ok(()) };
        let failed = match (copied, pruned) {
            (Ok(bytes), Ok(())) => {
                tracing::info!(name, bytes, "backup complete");
                None
            }
            (Err(error), _) => Some(error.to_string()),
            (Ok(_), Err(error)) => Some(format!("the backup is complete, but old ones remain: {error}")),
        };
        if let Some(reason) = &failed {
            tracing::error!(name, reason, "backup or deletion of old backups failed");
        }
        let mut state = self.state();
        state.running = None;
        state.failed = failed.map(|reason| BackupFailure { name, failed_at: self.0.clock.now(), reason });
    }

    /// The backups, newest first; empty if the folder does not exist.
    fn list(&self) -> Result<Vec<Backup>, BackupsError> {
        let mut backups: Vec<Backup> = Vec::new();
        for entry in self.entries()? {
            let Ok(name) = entry.file_name().into_string() else { continue };
            // A file that was deleted during the listing is left out.
            let Ok(file) = entry.metadata() else { continue };
            if !is_name(&name) || !file.is_file() {
                continue;
            }
            let micros = file.mtime().saturating_mul(1_000_000).saturating_add(file.mtime_nsec() / 1_000);
            let created_at = Timestamp::from_micros(micros).unwrap_or_default();
            backups.push(Backup { name, bytes: file.len(), created_at });
        }
        backups.sort_by(|a, b| (b.created_at, &b.name).cmp(&(a.created_at, &a.name)));
        Ok(backups)
    }

    fn prune(&self) -> Result<(), BackupsError> {
        for old in self.list()?.into_iter().skip(self.0.options.keep) {
            self.delete(&old.name)?;
        }
        Ok(())
    }

    /// Removes incomplete files, which remain when the process is killed during a backup.
    fn remove_parts(&self) -> Result<(), BackupsError> {
        for entry in self.entries()? {
            let name = entry.file_name().into_string().unwrap_or_default();
            let part = name.strip_suffix(LOCK).unwrap_or(&name);
            if !part.strip_suffix(PART).is_some_and(is_name) {
                continue;
            }
            match sqlite::remove_incomplete(&self.path(part)) {
                Ok(_) => {}
                // The file of another user stays. It does not prevent a backup, which has another name.
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {}
                Err(e) => return Err(self.unusable(&entry.path(), e)),
            }
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<fs::DirEntry>, BackupsError> {
        let folder = &self.0.options.folder;
        match fs::read_dir(folder) {
            Ok(entries) => entries.collect::<io::Result<_>>().map_err(|e| self.unusable(folder, e)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(self.unusable(folder, e)),
        }
    }

    /// An unused name for a backup that starts at `now`.
    fn new_name(&self, now: Timestamp) -> String {
        let time = now.to_jiff().strftime("%Y%m%dT%H%M%SZ");
        let numbered = (2..).map(|number| format!("{PREFIX}{time}-{number}{SUFFIX}"));
        let mut names = std::iter::once(format!("{PREFIX}{time}{SUFFIX}")).chain(numbered);
        names.find(|name| !self.path(name).exists()).unwrap_or_default()
    }

    /// The size of the database and its write-ahead log.
    fn database_bytes(&self) -> u64 {
        let database = &self.0.options.database;
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        size(database) + size(Path::new(&log))
    }

    fn free(&self) -> Option<u64> {
        let room = rustix::fs::statvfs(&self.0.options.folder).ok()?;
        Some(room.f_bavail.saturating_mul(room.f_frsize))
    }

    /// The path of a backup that exists. Only names that this module gives are accepted, so a name cannot leave the
    /// folder.
    fn existing(&self, name: &str) -> Result<PathBuf, BackupsError> {
        let path = self.path(name);
        let exists = is_name(name) && fs::symlink_metadata(&path).is_ok_and(|file| file.is_file());
        if exists { Ok(path) } else { Err(BackupsError::Unknown) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.options.folder.join(name)
    }

    fn unusable(&self, path: &Path, reason: io::Error) -> BackupsError {
        BackupsError::Folder { path: path.to_owned(), reason }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_name(name: &str) -> bool {
    let inner = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
    inner.is_some_and(|inner| {
        !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z' | b'-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backups(folder: &Path, keep: usize) -> Backups {
        let options = BackupOptions { database: folder.join("test.db"), folder: folder.join("backups"), keep };
        Backups::new(options, Clock::system())
    }

    #[test]
    fn only_names_of_backups_are_accepted() {
        assert!(is_name("sentistream-20260301T123000Z.db") && is_name("sentistream-20260301T123000Z-2.db"));
        for name in
            ["", "sentistream-.db", "sentistream-../x.db", "../sentistream-1.db", "sentistream-1.db.part", "x.db"]
        {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn list_leaves_out_links_and_other_files() {
        let folder = tempfile::tempdir().unwrap();
        let backups = backups(folder.path(), 1);
        assert_eq!(backups.overview().unwrap().backups, []);
        fs::create_dir(folder.path().join("backups")).unwrap();
        fs::write(folder.path().join("secret"), "s").unwrap();
        fs::write(backups.path("note.txt"), "n").unwrap();
        let link = "sentistream-1.db";
        std::os::unix::fs::symlink(folder.path().join("secret"), backups.path(link)).unwrap();
        assert_eq!(backups.overview().unwrap().backups, []);
        for name in [link, "note.txt", "../secret"] {
            assert!(matches!(backups.open(name), Err(BackupsError::Unknown)), "{name}");
            assert!(matches!(backups.delete(name), Err(BackupsError::Unknown)), "{name}");
        }
    }
}
