//! Reads files that are added to a folder or appended to: NDJSON (`.ndjson`, `.jsonl`, `.json`) and CSV (`.csv`).
//!
//! The folder is polled instead of watched, because polling works on every file system. Each file is read from its last
//! position. A last line without a line break is read when the line is complete, or when the file has not changed for
//! half a minute. A file is identified by its inode and its first bytes, so it may be renamed, or replaced by another
//! file of the same name.

mod files;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;

use self::files::Files;
use super::file::FieldMap;
use super::{Batch, Source, SourceError, SourceSpec};
use sentistream_core::clock::Clock;

/// Which folder to read, and how often.
#[derive(Clone, Debug)]
pub struct FolderOptions {
    /// The folder whose files are read, without its subfolders.
    pub path: PathBuf,
    /// The time between two polls when there are no new records.
    pub interval: Duration,
    /// The names of the post's fields in the files.
    pub map: FieldMap,
}

/// The source of the posts in the files of a folder.
pub struct Folder {
    options: FolderOptions,
    clock: Clock,
    files: Files,
    /// Files that were already reported as unreadable.
    unreadable: BTreeSet<String>,
}

/// Creates the source `name`.
pub fn spec(name: &str, options: FolderOptions, clock: Clock) -> SourceSpec {
    SourceSpec::new("folder", name, move |opening| {
        let files = Files::of_cursor(opening.cursor.as_deref());
        Box::new(Folder { options: options.clone(), clock: clock.clone(), files, unreadable: BTreeSet::new() })
    })
}

impl Folder {
    async fn batch(&mut self, max: usize) -> Result<Batch, SourceError> {
        let (files, options, clock) = (self.files.clone(), self.options.clone(), self.clock.clone());
        let polling = tokio::task::spawn_blocking(move || files.poll(&options, max, &clock));
        let found = polling.await.map_err(|error| SourceError::Transient(error.to_string()))?;
        let found = found
            .map_err(|error| SourceError::Transient(format!("folder {}: {error}", self.options.path.display())))?;
        let is_empty = found.ops.is_empty() && found.rejected.is_empty();
        let cursor = (found.files != self.files).then(|| found.files.cursor());
        let mut rejected = found.rejected;
        rejected.extend(found.unreadable.difference(&self.unreadable).cloned());
        (self.files, self.unreadable) = (found.files, found.unreadable);
        let wait = if is_empty { self.options.interval } else { Duration::ZERO };
        Ok(Batch { ops: found.ops, rejected, cursor, wait, ..Batch::default() })
    }
}

impl Source for Folder {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.batch(max.max(1)))
    }
}
