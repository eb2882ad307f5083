//! Opens the file to import, and tracks how many of its bytes are read.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;

/// The folders that list the open files of a process.
const DESCRIPTORS: [&str; 2] = ["/dev/fd", "/proc/self/fd"];

/// The content of a file or pipe as bytes.
pub struct Input {
    /// The raw bytes, which may be compressed. Each read advances `position`, except a read of stdin.
    pub bytes: Box<dyn Read + Send>,
    /// The size of the file in bytes, before decompression. `None` for a pipe and for stdin.
    pub size: Option<u64>,
    /// The number of bytes read so far, before decompression; always 0 for stdin.
    pub position: Arc<AtomicU64>,
}

/// Opens the file at `path`, or stdin for `-`.
///
/// # Errors
/// When the file cannot be opened, or is neither a regular file nor an open pipe: reading a device may never end, and
/// opening a named pipe waits for a writer.
pub fn open(path: &Path) -> anyhow::Result<Input> {
    let position = Arc::new(AtomicU64::new(0));
    if path == Path::new("-") {
        return Ok(Input { bytes: Box::new(io::stdin()), size: None, position });
    }
    let cannot_open = || format!("cannot open {}", path.display());
    // Opening a named pipe waits for a writer, so the kind of the file is checked first.
    let metadata = std::fs::metadata(path).with_context(cannot_open)?;
    anyhow::ensure!(
        metadata.is_file() || is_open_pipe(path, &metadata),
        "cannot import {}: it is not a regular file; to import from a pipe, pass `-` and write to stdin",
        path.display()
    );
    let file = File::open(path).with_context(cannot_open)?;
    let size = metadata.is_file().then_some(metadata.len());
    Ok(Input { bytes: Box::new(Counted { file, position: position.clone() }), size, position })
}

/// Whether `path` names a pipe that the shell has opened for this process: `<(command)`.
fn is_open_pipe(path: &Path, metadata: &Metadata) -> bool {
    metadata.file_type().is_fifo() && DESCRIPTORS.iter().any(|folder| path.parent() == Some(Path::new(folder)))
}

struct Counted {
    file: File,
    position: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn pipe_of_a_process_substitution_is_read() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"{}").unwrap();
        drop(writer);
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        let mut input = open(Path::new(&path)).unwrap();
        let mut text = String::new();
        input.bytes.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), input.size, input.position.load(Ordering::Relaxed)), ("{}", None, 2));
    }

    #[test]
    fn devices_named_pipes_and_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.ndjson");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for path in [Path::new("/dev/zero"), pipe.as_path(), folder.path()] {
            let refused = open(path).err().expect("an error").to_string();
            assert!(refused.contains("not a regular file"), "{refused}");
        }
        let file = folder.path().join("posts.ndjson");
        std::fs::write(&file, "{}").unwrap();
        assert_eq!(open(&file).unwrap().size, Some(2));
        assert_eq!(open(Path::new("-")).unwrap().size, None);
    }
}
