//! Writes files that survive a crash or a power loss.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::Builder;

/// The mode of new files. The umask of the process restricts it.
const MODE: u32 = 0o666;

/// Replaces or creates a file atomically: after a crash, the file has either the old or the new content. The temporary
/// file is in `scratch`, which must be on the file system of `path`.
pub fn replace(path: &Path, content: &[u8], scratch: &Path) -> io::Result<()> {
    let mut file = Builder::new().permissions(Permissions::from_mode(MODE)).tempfile_in(scratch)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_entry(path);
    Ok(())
}

/// Writes the folder entry of `path` to the disk, so that a power loss does not undo a rename.
pub fn sync_entry(path: &Path) {
    // An error is ignored, because some network file systems cannot sync a folder, and the file itself is synced.
    let _ = File::open(folder_of(path)).and_then(|folder| folder.sync_all());
}

/// The folder that contains `path`.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
