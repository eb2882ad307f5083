//! Reads values separated by commas, semicolons, tabs or vertical bars, with a header row. Quoted values may contain
//! line breaks.

use std::io::{self, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::fields::{self, Draft};
use super::window::Window;
use super::{ReadError, ReadOptions, RecordError, Step};
use sentistream_core::domain::op::preview;

/// Supported separators, in order of preference.
const SEPARATORS: [u8; 4] = *b",;\t|";

/// The number of characters of a header that the error contains.
const SHOWN: usize = 200;

/// Reads the records of a CSV file.
pub struct Csv {
    parser: Parser,
    width: usize,
    columns: Columns,
}

/// The columns that hold the fields of a post.
pub struct Columns(Vec<Column>);

struct Column {
    field: &'static str,
    index: usize,
}

impl Columns {
    /// Finds the columns of a header that hold fields of a post.
    ///
    /// # Errors
    /// When the header lacks a column that a post needs or that the field map names, or has several columns for one
    /// field.
    pub fn find(header: &[&str], options: &ReadOptions) -> Result<Self, ReadError> {
        let mut found = Vec::new();
        for field in fields::NAMES {
            let name = options.map.name_of(field);
            let is_needed = name != field || (fields::REQUIRED.contains(&field) && !options.constants.sets(field));
            let is_named = |column: &&str| column.trim().eq_ignore_ascii_case(name);
            let mut indexes = (0..header.len()).filter(|index| is_named(&header[*index]));
            match (indexes.next(), indexes.count()) {
                (Some(index), 0) => found.push(Column { field, index }),
                (Some(_), others) => {
                    let columns = others + 1;
                    return Err(ReadError::Header(format!(
                        "the header has {columns} columns {name:?}: rename all but one"
                    )));
                }
                (None, _) if is_needed => {
                    let columns = header.join(", ").replace(char::is_control, "\u{fffd}");
                    return Err(ReadError::Header(format!(
                        "the header has no column {name:?} for {field}; its columns are: {}. \
                         Name the column in the setting map of the source or with --map {field}=COLUMN, or set a \
                         value for all imported records with --constant {field}=VALUE",
                        preview(&columns, SHOWN)
                    )));
                }
                (None, _) => {}
            }
        }
        Ok(Self(found))
    }

    /// The fields and their columns.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.0.iter().map(|column| (column.field, column.index))
    }
}

impl Csv {
    /// Reads the header.
    ///
    /// # Errors
    /// When the input cannot be read or is empty, the header is malformed, or [`Columns::find`] fails.
    pub fn begin<R: Read>(window: &mut Window<R>, options: &ReadOptions) -> Result<Self, ReadError> {
        let mut parser = Parser::new(separator(window)?);
        loop {
            match parser.record(window)? {
                Parsed::Record(_) => break,
                Parsed::Wait => window.fill()?,
                Parsed::End => {
                    return Err(ReadError::Header("the file is empty; a CSV begins with a header row".to_owned()));
                }
                Parsed::Broken(line, error) => return Err(ReadError::Header(format!("line {line}: {error}"))),
            }
        }
        let header = parser.texts().map_err(|error| ReadError::Header(error.to_string()))?;
        let columns = Columns::find(&header, options)?;
        let width = header.len();
        Ok(Self { parser, width, columns })
    }

    /// Reads the next record, if it is complete.
    pub fn step<R: Read>(&mut self, window: &mut Window<R>) -> io::Result<Step> {
        Ok(match self.parser.record(window)? {
            Parsed::Record(line) => Step::Record(line, self.draft()),
            Parsed::Wait => Step::Wait,
            Parsed::End => Step::End,
            Parsed::Broken(line, error) => Step::Record(line, Err(error)),
        })
    }

    fn draft(&self) -> Result<Draft, RecordError> {
        let texts = self.parser.texts()?;
        if texts.len() != self.width {
            return Err(RecordError::Columns { found: texts.len(), expected: self.width });
        }
        let mut draft = Draft::default();
        for (name, column) in self.columns.iter() {
            fields::set(&mut draft.post, name, texts[column].to_owned());
        }
        Ok(draft)
    }
}

/// The supported separator that occurs most often in the header row outside of quotes. Excel may name the separator in
/// a preceding line (`sep=;`), which is consumed.
fn separator<R: Read>(window: &mut Window<R>) -> io::Result<u8> {
    while !window.unread().contains(&b'\n') && !window.ended() && !window.is_overlong() {
        window.fill()?;
    }
    let unread = window.unread();
    let end = unread.iter().position(|byte| *byte == b'\n');
    let line = &unread[..end.unwrap_or(unread.len())];
    if let Some([separator]) = line.trim_ascii_end().strip_prefix(b"sep=") {
        let separator = *separator;
        window.consume(end.map_or(unread.len(), |end| end + 1));
        return Ok(separator);
    }
    let mut counts = [0_usize; SEPARATORS.len()];
    let mut quoted = false;
    for byte in line {
        quoted ^= *byte == b'"';
        if let Some(index) = SEPARATORS.iter().position(|separator| separator == byte).filter(|_| !quoted) {
            counts[index] += 1;
        }
    }
    let most = counts.iter().copied().max().unwrap_or_default();
    let index = counts.iter().position(|count| *count == most).unwrap_or_default();
    Ok(SEPARATORS[index])
}

enum Parsed {
    /// A record that begins at this line. The parser holds its fields.
    Record(u64),
    /// The record is not complete yet.
    Wait,
    End,
    /// The record that begins at this line is malformed.
    Broken(u64, RecordError),
}

/// Splits one record at a time into fields. The parser restarts at each record, and also when more bytes of the same
/// record arrive. A malformed record can therefore be skipped from its first line.
struct Parser {
    core: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    text_length: usize,
    fields: usize,
}

enum Split {
    /// The record is complete and takes this many bytes.
    Whole(usize),
    Partial,
    /// The record contains a quote that is not closed.
    Open,
}

impl Parser {
    fn new(separator: u8) -> Self {
        let core = ReaderBuilder::new().delimiter(separator).build();
        Self { core, text: Vec::new(), ends: Vec::new(), text_length: 0, fields: 0 }
    }

    fn record<R: Read>(&mut self, window: &mut Window<R>) -> io::Result<Parsed> {
        window.skip_blank();
        if window.unread().is_empty() {
            return Ok(if window.ended() { Parsed::End } else { Parsed::Wait });
        }
        let line = window.position().line + 1;
        let error = match self.split(window.unread(), window.ended()) {
            Split::Whole(length) => {
                window.consume(length);
                return Ok(Parsed::Record(line));
            }
            Split::Partial if !window.is_overlong() => return Ok(Parsed::Wait),
            Split::Partial => RecordError::TooLong,
            Split::Open => RecordError::OpenQuote,
        };
        window.skip_line()?;
        Ok(Parsed::Broken(line, error))
    }

    fn split(&mut self, input: &[u8], ended: bool) -> Split {
        self.core.reset();
        (self.text_length, self.fields) = (0, 0);
        let mut used = 0;
        loop {
            // A line break is appended to the input. If the line break does not end the record, a quote is not closed.
            let was_last = used >= input.len();
            let rest = match &input[used.min(input.len())..] {
                [] if !ended => return Split::Partial,
                [] => b"\n",
                rest => rest,
            };
            let (result, read, written, ended_fields) =
                self.core.read_record(rest, &mut self.text[self.text_length..], &mut self.ends[self.fields..]);
            used += read;
            self.text_length += written;
            self.fields += ended_fields;
            match result {
                ReadRecordResult::Record => return Split::Whole(used.min(input.len())),
                ReadRecordResult::OutputFull => self.text.resize((self.text.len() * 2).max(1_024), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize((self.ends.len() * 2).max(32), 0),
                ReadRecordResult::InputEmpty | ReadRecordResult::End if !ended => return Split::Partial,
                ReadRecordResult::InputEmpty | ReadRecordResult::End if was_last => return Split::Open,
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
            }
        }
    }

    /// The fields of the last record.
    fn texts(&self) -> Result<Vec<&str>, RecordError> {
        let mut start = 0;
        self.ends[..self.fields]
            .iter()
            .enumerate()
            .map(|(column, &end)| {
                let bytes = &self.text[start..end];
                start = end;
                std::str::from_utf8(bytes).map_err(|_| RecordError::Encoding { column: column + 1 })
            })
            .collect()
    }
}
