//! The cursor of a replay: the file and the position in it. The cursor detects that the file changed between two runs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::file::Position;

/// The number of bytes at the beginning of a file that identify it.
const HEAD_BYTES: u64 = 4_096;

/// What identifies a file and its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    size: u64,
    /// The time of the last modification, in milliseconds since the Unix epoch.
    modified: u64,
    /// The number of bytes at the beginning of the file whose SHA-256 is `head`.
    head_bytes: u64,
    /// The SHA-256 of the first `head_bytes` bytes, in hex.
    head: String,
}

impl Identity {
    /// The current identity of `file`. `head_bytes` sets the length of its head, so that it can be compared with a
    /// stored identity.
    pub fn of(file: &mut File, head_bytes: Option<u64>) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let head_bytes = head_bytes.unwrap_or(HEAD_BYTES).min(metadata.len());
        let mut head = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.take(head_bytes).read_to_end(&mut head)?;
        let head = Sha256::digest(&head).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { size: metadata.len(), modified: modified.as_millis() as u64, head_bytes, head })
    }
}

/// The cursor of a replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    path: String,
    offset: u64,
    line: u64,
    round: u64,
    #[serde(flatten)]
    identity: Identity,
}

/// The position at which the replay continues.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The byte offset and the line to continue at.
    pub position: Position,
    /// The number of the pass over the file, counted from 0. Only a replay that repeats has more than one pass.
    pub round: u64,
    /// The current identity of the file.
    pub identity: Identity,
}

/// The result of comparing a cursor with the current file.
#[derive(Clone, Debug, PartialEq)]
pub enum Resume {
    /// The file is the same, but may have grown.
    At(Kept),
    /// The content of the file at this path is different.
    Changed { reason: &'static str, round: u64 },
    /// The cursor belongs to another path or kind of source.
    OtherFile,
}

impl Cursor {
    /// Creates the cursor for a position in the file with this identity.
    pub fn new(path: &Path, position: Position, round: u64, identity: &Identity) -> Self {
        let path = path.to_string_lossy().into_owned();
        Self { path, offset: position.offset, line: position.line, round, identity: identity.clone() }
    }

    /// Finds the position of the cursor `text` in `file`, which was opened at `path`.
    pub fn find(text: &str, path: &Path, file: &mut File) -> io::Result<Resume> {
        let Ok(kept) = serde_json::from_str::<Self>(text) else { return Ok(Resume::OtherFile) };
        if kept.path != path.to_string_lossy() {
            return Ok(Resume::OtherFile);
        }
        let now = Identity::of(file, Some(kept.identity.head_bytes))?;
        let changed = |reason| Ok(Resume::Changed { reason, round: kept.round });
        if now.size < kept.identity.size {
            return changed("it is shorter than before");
        }
        if now.head != kept.identity.head {
            return changed("it begins differently");
        }
        if now.size == kept.identity.size && now.modified != kept.identity.modified {
            return changed("it was modified but has the same size");
        }
        let position = Position { offset: kept.offset, line: kept.line };
        Ok(Resume::At(Kept { position, round: kept.round, identity: Identity::of(file, None)? }))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A struct of texts and numbers can always be serialised.
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}
