//! Reads posts from NDJSON, JSON arrays, CSV and spreadsheets, from a file or a pipe. All formats except spreadsheets
//! are read in constant memory.
//!
//! The sources `replay`, `folder` and `stdin` and the command `import` use this reader. A record that is not a valid
//! post is reported with its line and the reason.

mod csv;
mod decode;
mod error;
mod excel;
mod fields;
mod json;
mod signature;
#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use encoding_rs::Encoding;
use tokio::task::JoinHandle;

use self::csv::Csv;
use self::excel::Excel;
use self::fields::Draft;
use self::json::Json;
use self::window::Window;
use sentistream_core::clock::Clock;
use sentistream_core::domain::Post;

pub use self::error::{LineError, ReadError, RecordError};
pub use self::fields::{Constants, FieldMap, FieldMapError};
pub use super::date::DayOrder;

/// The number of bytes at the start of a file that identify file types other than text.
const HEAD_BYTES: usize = 6;
/// The maximum length of a record, in bytes. Valid posts are much shorter.
pub const MAX_RECORD_BYTES: usize = 1 << 20;
/// The number of bytes after which a chunk ends.
const MAX_CHUNK_BYTES: u64 = 4 << 20;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    Ndjson,
    /// An array of JSON objects, or a sequence of JSON objects that span several lines each.
    Json,
    /// Values separated by commas, semicolons, tabs or vertical bars, with a header row.
    Csv,
    /// A spreadsheet with a header row.
    Excel,
}

impl Format {
    /// The format that the extension of the file name implies; `.json` implies NDJSON. `None`: the extension implies no
    /// format.
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
    /// The format of the file. `None`: detected from the first bytes. A file that begins like a spreadsheet is always
    /// read as one.
    pub format: Option<Format>,
    /// The names of the post's fields in the file.
    pub map: FieldMap,
    /// Values that are set in all records.
    pub constants: Constants,
    /// The order of day and month in dates such as 01/02/2026; `None`: such dates are not valid.
    pub day_order: Option<DayOrder>,
    /// The encoding of the file. `None`: UTF-8, or UTF-16 if the first bytes indicate it.
    pub encoding: Option<&'static Encoding>,
}

/// A position between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The number of bytes before the position.
    pub offset: u64,
    /// The number of line breaks before the position.
    pub line: u64,
}

/// Consecutive posts of the input, with the errors between them.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The posts, each with the position after it.
    pub posts: Vec<(Post, Position)>,
    /// Records of this chunk that are not valid posts.
    pub rejected: Vec<LineError>,
    /// How often each optional field was left out because it was not valid.
    pub dropped: BTreeMap<&'static str, u64>,
    /// The position after the last record of this chunk.
    pub position: Position,
    /// Whether the input has ended.
    pub finished: bool,
}

/// The result of reading one step.
#[expect(clippy::large_enum_variant, reason = "only one step exists at a time")]
enum Step {
    /// A record that begins at this line, or why it is rejected.
    Record(u64, Result<Draft, RecordError>),
    /// The next record is not complete yet. More input is needed.
    Wait,
    /// The input has ended.
    End,
}

/// Reads posts from an input. A read blocks until the input delivers data.
pub struct PostReader {
    window: Window<Box<dyn Read + Send>>,
    syntax: Syntax,
    options: ReadOptions,
}

enum Syntax {
    Ndjson,
    Json(Json),
    Csv(Box<Csv>),
    Excel(Box<Excel>),
}

impl PostReader {
    /// Reads `input` from its current position. The input may be a pipe, may be compressed with gzip or zstd, and may
    /// have an encoding other than UTF-8.
    ///
    /// # Errors
    /// When the input cannot be read, is of a type without posts, or has a header that lacks or repeats a column that a
    /// post needs.
    pub fn new(input: Box<dyn Read + Send>, options: &ReadOptions) -> Result<Self, ReadError> {
        let mut window = Window::new(decode::utf8(input, options.encoding)?, Position::default());
        while window.unread().len() < HEAD_BYTES && !window.ended() {
            window.fill()?;
        }
        if let Some(kind) = signature::unreadable(window.unread()) {
            return Err(ReadError::Kind(kind));
        }
        let is_excel = excel::is_spreadsheet(window.unread()) || options.format == Some(Format::Excel);
        let syntax = match is_excel {
            true => Syntax::Excel(Box::new(Excel::open(window.rest(), options)?)),
            false => begin(&mut window, options)?,
        };
        Ok(Self { window, syntax, options: options.clone() })
    }

    /// Continues in `file` at `position`, which an earlier reader has returned. The file must be uncompressed UTF-8.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn resume(mut file: File, position: Position, options: &ReadOptions) -> Result<Self, ReadError> {
        file.seek(SeekFrom::Start(0))?;
        let mut head = Window::new(&mut file, Position::default());
        let syntax = begin(&mut head, options)?;
        let position = if position.offset <= head.position().offset { head.position() } else { position };
        file.seek(SeekFrom::Start(position.offset))?;
        Ok(Self { window: Window::new(Box::new(file), position), syntax, options: options.clone() })
    }

    /// Does the same as [`Self::resume`], but treats the byte `end` as the end of the file.
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
        Ok(Self { window: Window::new(input, position), syntax, options: options.clone() })
    }

    /// Reads up to `max` records. Waits for the first record. The chunk ends early after 4 MiB, or when the next record
    /// was not received completely yet.
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
                    let post = draft.and_then(|mut draft| {
                        let post = fields::post(&mut draft, &self.options, clock.now())?;
                        draft.dropped.iter().for_each(|field| *chunk.dropped.entry(field).or_default() += 1);
                        Ok(post)
                    });
                    match post {
                        Ok(post) => chunk.posts.push((post, self.position())),
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
        chunk.position = self.position();
        Ok(chunk)
    }

    fn position(&self) -> Position {
        match &self.syntax {
            Syntax::Excel(excel) => Position { offset: 0, line: excel.line() - 1 },
            _ => self.window.position(),
        }
    }

    fn step(&mut self) -> io::Result<Step> {
        match &mut self.syntax {
            Syntax::Ndjson => json::line(&mut self.window, &self.options.map),
            Syntax::Json(json) => json.step(&mut self.window, &self.options.map),
            Syntax::Csv(csv) => csv.step(&mut self.window),
            Syntax::Excel(excel) => Ok(excel.step()),
        }
    }
}

/// Detects the format. Skips a byte-order mark and a header row.
fn begin<R: Read>(window: &mut Window<R>, options: &ReadOptions) -> Result<Syntax, ReadError> {
    window.skip_byte_order_mark()?;
    let format = match options.format {
        Some(format) => format,
        None => match window.first_byte()? {
            Some(b'{') if json::is_formatted(window.unread()) => Format::Json,
            None | Some(b'{') => Format::Ndjson,
            Some(b'[') => Format::Json,
            Some(_) => Format::Csv,
        },
    };
    match format {
        Format::Ndjson => Ok(Syntax::Ndjson),
        Format::Json => Ok(Syntax::Json(Json::begin(window)?)),
        Format::Csv => Ok(Syntax::Csv(Box::new(Csv::begin(window, options)?))),
        Format::Excel => Err(ReadError::Spreadsheet("can only be read by `import`".to_owned())),
    }
}

/// A [`PostReader`] for async code, which reads on a blocking thread of the runtime.
pub struct ChunkReader {
    clock: Clock,
    state: State,
}

enum State {
    Idle(Box<PostReader>),
    Reading(JoinHandle<(Box<PostReader>, io::Result<Chunk>)>),
    /// The reading thread panicked, or the runtime is shutting down.
    Gone,
}

impl ChunkReader {
    /// Wraps `reader`.
    pub fn new(reader: PostReader, clock: Clock) -> Self {
        Self { clock, state: State::Idle(Box::new(reader)) }
    }

    /// The next chunk, as from [`PostReader::chunk`]. If the future is dropped, the next call returns the chunk.
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
