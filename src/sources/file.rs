//! Posts from NDJSON and CSV, of files of any size or a pipe, in constant memory.
//!
//! Read by `replay` and by the `import` command. A record that is no valid post is told with its
//! line and the reason; the rest goes on.

mod csv;
mod fields;
mod ndjson;
#[cfg(test)]
mod tests;
mod window;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use tokio::task::JoinHandle;

use self::csv::Csv;
use self::window::Window;
use crate::clock::Clock;
use crate::domain::Post;

pub use self::fields::FieldMap;

/// Longest record, in bytes: far above what the longest valid post takes.
pub const MAX_RECORD_BYTES: usize = 1 << 20;
/// A chunk ends when its records are this long together, in bytes.
const MAX_CHUNK_BYTES: u64 = 4 << 20;

/// How posts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    Ndjson,
    /// Comma-separated values with a header row.
    Csv,
}

impl Format {
    /// What the file's name says, if it says anything.
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" | "json" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// How to read posts.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// `None`: told by the first byte, `{` beginning NDJSON.
    pub format: Option<Format>,
    /// Which of their fields become ours.
    pub map: FieldMap,
}

/// A place between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Bytes before it.
    pub offset: u64,
    /// Line breaks before it.
    pub line: u64,
}

/// A record that is no valid post.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LineError {
    /// Where the record begins, from 1.
    pub line: u64,
    /// What was wrong with it.
    pub reason: String,
}

/// Some posts in their order.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Each post and the place behind it.
    pub posts: Vec<(Post, Position)>,
    /// Records among them that are no posts.
    pub rejected: Vec<LineError>,
    /// The place behind all of them.
    pub position: Position,
    /// Whether nothing comes after them.
    pub finished: bool,
}

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Reading failed.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// The header of a CSV does not name what a post needs.
    #[error("{0}")]
    Header(String),
}

/// One step of reading.
enum Step {
    /// A record that begins at this line.
    Record(u64, Result<fields::Draft, String>),
    /// The next record is not here yet.
    Wait,
    /// There is no further record.
    End,
}

/// Reads posts one after the other; blocks as its input does.
pub struct PostReader {
    window: Window<Box<dyn Read + Send>>,
    syntax: Syntax,
    map: FieldMap,
}

enum Syntax {
    Ndjson,
    Csv(Box<Csv>),
}

impl PostReader {
    /// Begins at the present place of `input`, which may be a pipe.
    ///
    /// # Errors
    /// When it cannot be read, or its CSV header lacks what a post needs.
    pub fn new(input: Box<dyn Read + Send>, options: &ReadOptions) -> Result<Self, ReadError> {
        let mut window = Window::new(input, Position::default());
        let syntax = begin(&mut window, options)?;
        Ok(Self { window, syntax, map: options.map.clone() })
    }

    /// Goes on in `file` at `position`, which an earlier reader of it told.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn resume(mut file: File, position: Position, options: &ReadOptions) -> Result<Self, ReadError> {
        file.seek(SeekFrom::Start(0))?;
        let mut head = Window::new(&mut file, Position::default());
        let syntax = begin(&mut head, options)?;
        let position = if position.offset <= head.position().offset { head.position() } else { position };
        file.seek(SeekFrom::Start(position.offset))?;
        Ok(Self { window: Window::new(Box::new(file), position), syntax, map: options.map.clone() })
    }

    /// As [`Self::resume`], and reads no further than the byte `end`, as if the file ended there.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn resume_within(
        mut file: File,
        position: Position,
        end: u64,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        file.seek(SeekFrom::Start(0))?;
        let mut head = Window::new((&mut file).take(end), Position::default());
        let syntax = begin(&mut head, options)?;
        let position = if position.offset <= head.position().offset { head.position() } else { position };
        file.seek(SeekFrom::Start(position.offset))?;
        let input = Box::new(file.take(end.saturating_sub(position.offset)));
        Ok(Self { window: Window::new(input, position), syntax, map: options.map.clone() })
    }

    /// Up to `max` records. Waits for the first; a pipe that has no further one yet ends the chunk.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn chunk(&mut self, max: usize, clock: &Clock) -> io::Result<Chunk> {
        let mut chunk = Chunk::default();
        let begin = self.window.position().offset;
        while chunk.posts.len() + chunk.rejected.len() < max && self.window.position().offset - begin < MAX_CHUNK_BYTES
        {
            let is_empty = chunk.posts.is_empty() && chunk.rejected.is_empty();
            match self.step()? {
                Step::Record(line, draft) => {
                    let post = draft.and_then(|draft| fields::post(draft, clock.now()));
                    match post {
                        Ok(post) => chunk.posts.push((post, self.window.position())),
                        Err(reason) => chunk.rejected.push(LineError { line, reason }),
                    }
                }
                Step::Wait if !is_empty => break,
                Step::Wait => self.window.fill()?,
                Step::End => {
                    chunk.finished = true;
                    break;
                }
            }
        }
        chunk.position = self.window.position();
        Ok(chunk)
    }

    fn step(&mut self) -> io::Result<Step> {
        match &mut self.syntax {
            Syntax::Ndjson => ndjson::step(&mut self.window, &self.map),
            Syntax::Csv(csv) => csv.step(&mut self.window),
        }
    }
}

/// Skips a byte-order mark and a CSV header.
fn begin<R: Read>(window: &mut Window<R>, options: &ReadOptions) -> Result<Syntax, ReadError> {
    window.skip_byte_order_mark()?;
    let format = match options.format {
        Some(format) => format,
        None if window.first_byte()?.is_none_or(|byte| byte == b'{') => Format::Ndjson,
        None => Format::Csv,
    };
    match format {
        Format::Ndjson => Ok(Syntax::Ndjson),
        Format::Csv => Ok(Syntax::Csv(Box::new(Csv::begin(window, &options.map)?))),
    }
}

/// A [`PostReader`] for async code: reads on the runtime's threads for blocking work.
pub struct ChunkReader {
    clock: Clock,
    state: State,
}

enum State {
    Idle(Box<PostReader>),
    Reading(JoinHandle<(Box<PostReader>, io::Result<Chunk>)>),
    /// The reading thread panicked or the runtime ends.
    Gone,
}

impl ChunkReader {
    /// Reads from `reader`.
    pub fn new(reader: PostReader, clock: Clock) -> Self {
        Self { clock, state: State::Idle(Box::new(reader)) }
    }

    /// As [`PostReader::chunk`]. Dropping the future loses nothing: what it read is given by the next call.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub async fn next(&mut self, max: usize) -> io::Result<Chunk> {
        self.state = match std::mem::replace(&mut self.state, State::Gone) {
            State::Idle(mut reader) => {
                let clock = self.clock.clone();
                State::Reading(tokio::task::spawn_blocking(move || {
                    let chunk = reader.chunk(max, &clock);
                    (reader, chunk)
                }))
            }
            other => other,
        };
        match &mut self.state {
            State::Reading(task) => {
                let ended = task.await;
                self.state = State::Gone;
                let (reader, chunk) = ended.map_err(io::Error::other)?;
                self.state = State::Idle(reader);
                chunk
            }
            _ => Err(io::Error::other("the reading thread has ended")),
        }
    }
}
