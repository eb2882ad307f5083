//! Tracks how far each file of a folder was read, and reads the new records.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::FolderOptions;
use crate::file::{Format, LineError, Position, PostReader, ReadError, ReadOptions};
use sentistream_core::clock::Clock;
use sentistream_core::domain::Op;

/// The maximum number of files in a folder, because the cursor contains the positions of all files.
const MAX_FILES: usize = 2_000;
/// The number of bytes at the beginning of a file that identify it in addition to its inode.
const HEAD_BYTES: u64 = 1_024;
/// A last line without a line break counts as complete when the file has not changed for this long.
const SETTLED: Duration = Duration::from_secs(30);
/// The maximum number of bytes that are searched for line breaks at a time. Valid records are shorter.
const MAX_SEARCH: u64 = 8 << 20;

/// How far each file was read. The keys are the results of [`identity`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files(BTreeMap<String, Progress>);

/// How far a file was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    offset: u64,
    line: u64,
    /// The number of bytes at the beginning of the file whose SHA-256 is `head`.
    head_bytes: u64,
    head: String,
}

/// The state of one poll of the folder.
pub struct Poll<'a> {
    options: &'a FolderOptions,
    clock: &'a Clock,
    /// The maximum number of records to read.
    max: usize,
    /// The result so far.
    pub found: Found,
}

/// The result of a poll.
#[derive(Default)]
pub struct Found {
    /// The operations to append, in the order of the records.
    pub ops: Vec<Op>,
    /// Records that are not valid posts.
    pub rejected: Vec<String>,
    /// Files that cannot be read, each with the reason.
    pub unreadable: BTreeSet<String>,
    /// How far the files were read, after this poll.
    pub files: Files,
}

impl Files {
    /// Parses the cursor of an earlier run.
    pub fn of_cursor(cursor: Option<&str>) -> Self {
        cursor.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The cursor that stores this progress.
    pub fn cursor(&self) -> String {
        // A map of texts and numbers can always be serialised.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads about `max` new records, file by file in the order of their names. The progress of removed files is
    /// deleted.
    ///
    /// # Errors
    /// When the folder cannot be read, or holds too many files.
    pub fn poll(&self, options: &FolderOptions, max: usize, clock: &Clock) -> io::Result<Found> {
        let mut poll = Poll { options, clock, max, found: Found::default() };
        let Listing { files, outside } = list(&options.path)?;
        poll.found.unreadable = outside;
        for (path, format) in files {
            // An unreadable file does not stop the poll of the other files.
            if let Err(error) = poll.at(self, &path, format) {
                poll.found.unreadable.insert(format!("{}: {error}", path.display()));
            }
        }
        Ok(poll.found)
    }
}

impl Poll<'_> {
    fn at(&mut self, known: &Files, path: &Path, format: Format) -> Result<(), ReadError> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let identity = identity(path, &metadata);
        let mut progress = known.0.get(&identity).cloned().unwrap_or_default();
        let begins_as_before = head(&mut file, progress.head_bytes)? == progress.head;
        if progress.head_bytes > 0 && (metadata.len() < progress.offset || !begins_as_before) {
            tracing::info!(path = %path.display(), "file replaced or truncated, reading from its beginning");
            progress = Progress::default();
        }
        let end = self.whole_until(&mut file, &metadata, (progress.offset, format))?;
        if end > progress.offset && self.room() > 0 {
            progress = self.read(path, file, (progress, end), format)?;
        }
        self.found.files.0.insert(identity, progress);
        Ok(())
    }

    fn room(&self) -> usize {
        self.max.saturating_sub(self.found.ops.len() + self.found.rejected.len())
    }

    /// The end of the last complete record after `offset`, in the bytes that are searched.
    fn whole_until(&self, file: &mut File, metadata: &Metadata, (offset, format): (u64, Format)) -> io::Result<u64> {
        if metadata.len() <= offset {
            return Ok(offset);
        }
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let age = Duration::from_micros(self.clock.now().as_micros().unsigned_abs()).saturating_sub(modified);
        let is_searched_whole = metadata.len() - offset <= MAX_SEARCH;
        if age >= SETTLED && is_searched_whole {
            return Ok(metadata.len());
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset))?;
        file.take(MAX_SEARCH).read_to_end(&mut bytes)?;
        let (mut quoted, mut end) = (false, 0);
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                // A line break inside quotes is part of a value.
                b'"' if format == Format::Csv => quoted = !quoted,
                b'\n' if !quoted => end = at + 1,
                _ => {}
            }
        }
        // If no line break was found, the reader rejects the record as too long.
        Ok(offset + if end == 0 && !is_searched_whole { MAX_SEARCH } else { end as u64 })
    }

    fn read(
        &mut self,
        path: &Path,
        mut file: File,
        (from, end): (Progress, u64),
        format: Format,
    ) -> Result<Progress, ReadError> {
        let head_bytes = end.min(HEAD_BYTES);
        let head = head(&mut file, head_bytes)?;
        let position = Position { offset: from.offset, line: from.line };
        let options = ReadOptions { format: Some(format), map: self.options.map.clone(), ..ReadOptions::default() };
        let mut reader = PostReader::resume_within(file, position, end, &options)?;
        let chunk = reader.chunk(self.room(), self.clock)?;
        self.found.ops.extend(chunk.posts.into_iter().map(|(post, _)| Op::Post(post)));
        let located = |error: &LineError| format!("{}:{}: {}", path.display(), error.line, error.reason);
        self.found.rejected.extend(chunk.rejected.iter().map(located));
        Ok(Progress { offset: chunk.position.offset, line: chunk.position.line, head_bytes, head })
    }
}

/// The contents of the folder.
#[derive(Default)]
struct Listing {
    /// The files with posts, sorted by name.
    files: Vec<(PathBuf, Format)>,
    /// Links to files outside the folder, each with the reason why the file is not read. A user who may write to the
    /// folder must not be able to read other files through links.
    outside: BTreeSet<String>,
}

fn list(folder: &Path) -> io::Result<Listing> {
    let root = folder.canonicalize()?;
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        let Some(format) = Format::of_path(&path).filter(|_| !hidden && path.is_file()) else { continue };
        match is_inside(&root, &path) {
            true => listing.files.push((path, format)),
            false => {
                let reason = "is a link to a file outside the folder, so it is not read: copy the file into the folder";
                listing.outside.insert(format!("{}: {reason}", path.display()));
            }
        }
    }
    let count = listing.files.len() + listing.outside.len();
    if count > MAX_FILES {
        let message = format!("contains {count} files, more than the limit of {MAX_FILES}: move processed files away");
        return Err(io::Error::other(message));
    }
    listing.files.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(listing)
}

/// Whether a file, or the target of a link, is in the folder `root`. A link in the folder may lead through other links,
/// as in volumes of Kubernetes.
fn is_inside(root: &Path, path: &Path) -> bool {
    path.canonicalize().is_ok_and(|target| target.starts_with(root))
}

/// The device and inode of a file, which stay the same when the file is renamed.
#[cfg(unix)]
fn identity(_: &Path, metadata: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!("{}:{}", metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(path: &Path, _: &Metadata) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The SHA-256 of the first `bytes` bytes of `file`; empty if `bytes` is 0.
fn head(file: &mut File, bytes: u64) -> io::Result<String> {
    if bytes == 0 {
        return Ok(String::new());
    }
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(bytes).read_to_end(&mut head)?;
    Ok(Sha256::digest(&head).iter().map(|byte| format!("{byte:02x}")).collect())
}
