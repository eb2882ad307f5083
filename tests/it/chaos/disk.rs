//! Small disks that a fault fills.

use std::path::{Path, PathBuf};

use tokio::process::Command;

/// A folder on which a small tmpfs is mounted, if this process has the permission.
pub struct Disk {
    folder: PathBuf,
    /// Whether the tmpfs is mounted. If not, no fault fills the disk, because the folder is on a disk of this machine.
    pub is_small: bool,
}

impl Disk {
    /// Mounts a disk of `size`, such as `64m`, on `folder`.
    pub async fn on(folder: &Path, size: &str) -> Self {
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).output().await;
        let is_small = mounted.is_ok_and(|output| output.status.success());
        if !is_small {
            eprintln!("chaos: this user cannot mount a tmpfs, so no fault fills the disk");
        }
        Self { folder: folder.to_owned(), is_small }
    }

    /// Fills the disk completely.
    pub async fn fill(&self) {
        let file = format!("of={}", self.filler().display());
        let filled = Command::new("dd").args(["if=/dev/zero", "bs=64k", &file]).output().await.expect("dd runs");
        assert!(!filled.status.success(), "the disk is full");
    }

    /// Removes the file that [`Self::fill`] wrote.
    pub fn clear(&self) {
        std::fs::remove_file(self.filler()).expect("the filler is removed");
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_small {
            let _ = std::process::Command::new("umount").arg("-l").arg(&self.folder).status();
        }
    }
}
