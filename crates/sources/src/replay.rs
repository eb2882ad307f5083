//! Replays the posts of an NDJSON or CSV file. A restart continues at the last position.
//!
//! With `retime` each post gets the time at which it is appended, so charts, alerts and the live feed show the replay
//! as if it happened now. The intervals between posts follow from `rate`, not from the times in the file.

mod cursor;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use self::cursor::{Cursor, Identity, Resume};
use super::file::{ChunkReader, FieldMap, Format, Position, PostReader, ReadError, ReadOptions};
use super::pace::Pace;
use super::{Batch, Source, SourceError};
use sentistream_core::clock::Clock;
use sentistream_core::domain::{Op, Post, PostId};

/// The file to replay, and how to replay it.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// An NDJSON or CSV file.
    pub path: PathBuf,
    /// Posts per second. `None`: as fast as the stream accepts them.
    pub rate: Option<f64>,
    /// Whether each post gets the time at which it is appended.
    pub retime: bool,
    /// Whether the file is read again from its beginning after its end. The ids of the second pass end in `.1`, those
    /// of the third in `.2`, and so on.
    pub repeat: bool,
    /// The names of the post's fields in the file.
    pub map: FieldMap,
}

/// The source of posts in a file.
pub struct Replay {
    options: ReplayOptions,
    clock: Clock,
    /// The cursor of an earlier run, or of the last read before an error. The cursor is used when the file is opened.
    kept: Option<String>,
    open: Option<OpenFile>,
    pace: Option<Pace>,
}

struct OpenFile {
    chunks: ChunkReader,
    identity: Identity,
    /// How many times the file was read to its end.
    round: u64,
    /// Posts that were read but not yielded, each with the position after it.
    ready: VecDeque<(Post, Position)>,
    /// Errors of records that are not valid posts. The next batch reports them.
    rejected: Vec<String>,
    /// The position after the last record that was read.
    position: Position,
    finished: bool,
    /// Whether any post was yielded in the current pass over the file.
    yielded: bool,
}

impl Replay {
    /// Creates a replay that continues at the `cursor` of an earlier run. The first read opens the file.
    pub fn new(options: ReplayOptions, cursor: Option<String>, clock: Clock) -> Self {
        Self { options, clock, kept: cursor, open: None, pace: None }
    }

    async fn batch(&mut self, max: usize) -> Result<Batch, SourceError> {
        loop {
            self.ensure_open().await?;
            let Some(file) = &mut self.open else { continue };
            if !file.ready.is_empty() {
                let count = wait_for_turn(&mut self.pace, &self.options, file.ready.len().min(max)).await;
                return Ok(self.take(count));
            }
            if !file.finished {
                if let Err(error) = file.read(max, &self.options).await {
                    // The next call opens the file again, after the last yielded post.
                    self.kept = Some(file.cursor(&self.options, file.position).to_string());
                    self.open = None;
                    return Err(error);
                }
                if !file.rejected.is_empty() && file.ready.is_empty() {
                    return Ok(self.take(0));
                }
            } else if !self.options.repeat {
                return Ok(self.take(0));
            } else if !file.yielded {
                let path = self.options.path.display();
                return Err(SourceError::Permanent(format!("{path}: contains no valid post, so it is not repeated")));
            } else {
                let round = file.round + 1;
                self.open = Some(open(&self.options, &self.clock, Begin::Round(round)).await?);
            }
        }
    }

    async fn ensure_open(&mut self) -> Result<(), SourceError> {
        if self.open.is_none() {
            let begin = Begin::Kept(self.kept.clone());
            self.open = Some(open(&self.options, &self.clock, begin).await?);
        }
        Ok(())
    }

    /// Takes the first `count` posts that are ready. With `retime` the posts get the current time. From the second
    /// pass over the file on, the number of the pass is appended to the ids.
    fn take(&mut self, count: usize) -> Batch {
        let Some(file) = &mut self.open else { return Batch::default() };
        let mut batch = Batch { rejected: std::mem::take(&mut file.rejected), ..Batch::default() };
        let mut position = file.position;
        for (mut post, behind) in file.ready.drain(..count) {
            position = behind;
            if self.options.retime {
                post.created_at = self.clock.now();
            }
            if file.round > 0 {
                match PostId::parse(&format!("{}.{}", post.post_id, file.round)) {
                    Ok(id) => post.post_id = id,
                    Err(reason) => {
                        batch
                            .rejected
                            .push(format!("{}: post_id with the number of the pass appended: {reason}", post.post_id));
                        continue;
                    }
                }
            }
            file.yielded = true;
            batch.ops.push(Op::Post(post));
        }
        if file.ready.is_empty() {
            position = file.position;
        }
        batch.finished = file.finished && file.ready.is_empty() && !self.options.repeat;
        batch.cursor = Some(file.cursor(&self.options, position).to_string());
        batch
    }
}

impl Source for Replay {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.batch(max.max(1)))
    }
}

impl OpenFile {
    fn cursor(&self, options: &ReplayOptions, position: Position) -> Cursor {
        Cursor::new(&options.path, position, self.round, &self.identity)
    }

    async fn read(&mut self, max: usize, options: &ReplayOptions) -> Result<(), SourceError> {
        let chunk = self.chunks.next(max).await.map_err(|error| failure(options, &error.into()))?;
        self.ready.extend(chunk.posts);
        let path = options.path.display();
        let located = |e: super::file::LineError| format!("{path}:{}: {}", e.line, e.reason);
        self.rejected.extend(chunk.rejected.into_iter().map(located));
        self.position = chunk.position;
        self.finished = chunk.finished;
        Ok(())
    }
}

/// The position at which a file is opened.
enum Begin {
    /// Open the file at the position of an earlier run.
    Kept(Option<String>),
    /// Open the file at its beginning, for the pass with this number.
    Round(u64),
}

async fn open(options: &ReplayOptions, clock: &Clock, begin: Begin) -> Result<OpenFile, SourceError> {
    let (options, clock) = (options.clone(), clock.clone());
    tokio::task::spawn_blocking(move || open_blocking(&options, clock, begin).map_err(|e| failure(&options, &e)))
        .await
        .map_err(|error| SourceError::Transient(error.to_string()))?
}

fn open_blocking(options: &ReplayOptions, clock: Clock, begin: Begin) -> Result<OpenFile, ReadError> {
    let mut file = File::open(&options.path)?;
    let path = options.path.display();
    let mut identity = Identity::of(&mut file, None)?;
    let (mut position, mut round) = (Position::default(), 0);
    match begin {
        Begin::Round(next) => round = next,
        Begin::Kept(None) => {}
        Begin::Kept(Some(text)) => match Cursor::find(&text, &options.path, &mut file)? {
            Resume::At(kept) => {
                tracing::info!(%path, line = kept.position.line, round = kept.round, "replay resumed");
                (position, round) = (kept.position, kept.round);
                identity = kept.identity;
            }
            Resume::Changed { reason, round: kept } => {
                tracing::warn!(%path, reason, "file changed, replaying from its beginning");
                round = if options.repeat { kept + 1 } else { kept };
            }
            Resume::OtherFile => {
                tracing::info!(%path, "new file, replaying from its beginning");
            }
        },
    }
    let read =
        ReadOptions { format: Format::of_path(&options.path), map: options.map.clone(), ..ReadOptions::default() };
    let reader = PostReader::resume(file, position, &read)?;
    Ok(OpenFile {
        chunks: ChunkReader::new(reader, clock),
        identity,
        round,
        ready: VecDeque::new(),
        rejected: Vec::new(),
        position,
        finished: false,
        yielded: position.offset > 0,
    })
}

async fn wait_for_turn(pace: &mut Option<Pace>, options: &ReplayOptions, max: usize) -> usize {
    match options.rate {
        None => max,
        Some(rate) => pace.get_or_insert_with(|| Pace::new(rate, Instant::now())).wait(max).await,
    }
}

fn failure(options: &ReplayOptions, error: &ReadError) -> SourceError {
    use io::ErrorKind::{IsADirectory, NotFound, PermissionDenied};
    let message = format!("{}: {error}", options.path.display());
    match error {
        ReadError::Header(_) | ReadError::Spreadsheet(_) | ReadError::Kind(_) => SourceError::Permanent(message),
        ReadError::Io(error) if matches!(error.kind(), NotFound | PermissionDenied | IsADirectory) => {
            SourceError::Permanent(format!("{message}; check sources.replay.path and restart"))
        }
        ReadError::Io(_) => SourceError::Transient(message),
    }
}
