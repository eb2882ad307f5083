//! Writes key files atomically.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::NamedTempFile;

use super::KEY_BYTES;

/// A random key as base64.
pub fn new_key() -> String {
    let mut bytes = [0; KEY_BYTES];
    rand::Rng::fill(&mut rand::rng(), &mut bytes);
    STANDARD.encode(bytes)
}

/// Creates a key file with a new key, unless another process creates the file first. The file never exists without its
/// key, not even after a crash.
pub fn create(path: &Path) -> io::Result<()> {
    // Only the owner can read the temporary file.
    let mut file = NamedTempFile::new_in(folder_of(path))?;
    writeln!(file, "{}", new_key())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
        created => _ = created?,
    }
    fs::File::open(folder_of(path))?.sync_all()
}

/// Replaces an existing file atomically: a crash leaves either the old or the new file. The new file has the mode and
/// the group of the old file, and its owner if this process may set the owner. If this process may not set the group,
/// only the owner can read the new file. Only one process may call this at a time.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let old = fs::metadata(path)?;
    let mut new = path.as_os_str().to_owned();
    new.push(".rotation");
    let new = PathBuf::from(new);
    // A process that was killed may have left the file, which contains keys.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write_like(&new, text, &old).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written?;
    fs::File::open(folder_of(path))?.sync_all()
}

/// Writes a new file that is accessible to the same users as a file with the metadata `old`.
fn write_like(new: &Path, text: &str, old: &fs::Metadata) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    file.write_all(text.as_bytes())?;
    let group = Some(old.gid());
    if fchown(&file, Some(old.uid()), group).or_else(|_| fchown(&file, None, group)).is_ok() {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()
}

/// The folder of a file.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
