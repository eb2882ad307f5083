//! The file to import, with its size and the position in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;

/// The bytes of a file or pipe.
pub struct Input {
    /// The raw bytes, which may be compressed. Each read advances `position`.
    pub bytes: Box<dyn Read + Send>,
    /// The size of the file in bytes, before decompression. `None` for a pipe.
    pub size: Option<u64>,
    /// The number of bytes read so far, before decompression.
    pub position: Arc<AtomicU64>,
}

/// Opens the file at `path`, or stdin for `-`.
///
/// # Errors
/// When the file cannot be opened.
pub fn open(path: &Path) -> anyhow::Result<Input> {
    let position = Arc::new(AtomicU64::new(0));
    if path == Path::new("-") {
        return Ok(Input { bytes: Box::new(io::stdin()), size: None, position });
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
    Ok(Input { bytes: Box::new(Counted { file, position: position.clone() }), size, position })
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
