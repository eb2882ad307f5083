//! Comma-separated values with a header row; quoted fields may hold line breaks.

use std::io::{self, Read};

use csv_core::{ReadRecordResult, Reader};

use super::fields::{self, FieldMap};
use super::window::Window;
use super::{MAX_RECORD_BYTES, ReadError, Step};
use crate::domain::PostDraft;

/// What the header says, and the parser's memory.
pub struct Csv {
    parser: Parser,
    columns: usize,
    /// Our field and the column it stands in.
    fields: Vec<(&'static str, usize)>,
}

impl Csv {
    /// Reads the header.
    pub fn begin<R: Read>(window: &mut Window<R>, map: &FieldMap) -> Result<Self, ReadError> {
        let mut parser = Parser::new();
        loop {
            match parser.record(window)? {
                Parsed::Record(_) => break,
                Parsed::Wait => window.fill()?,
                Parsed::End => return Err(ReadError::Header("is empty: a CSV begins with a header row".to_owned())),
                Parsed::Broken(line, reason) => return Err(ReadError::Header(format!("line {line} {reason}"))),
            }
        }
        let header = parser.texts().map_err(ReadError::Header)?;
        let column = |name: &str| header.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
        let mut found = Vec::new();
        for ours in fields::NAMES {
            let theirs = map.theirs(ours);
            match column(theirs) {
                Some(column) => found.push((ours, column)),
                None if theirs != ours || fields::REQUIRED.contains(&ours) => {
                    return Err(ReadError::Header(format!(
                        "the header has no column {theirs:?} for {ours}; its columns are: {}. \
                         Name the column with {ours}=COLUMN (--map)",
                        header.join(", ")
                    )));
                }
                None => {}
            }
        }
        let columns = header.len();
        Ok(Self { parser, columns, fields: found })
    }

    /// The next record, if it is there.
    pub fn step<R: Read>(&mut self, window: &mut Window<R>) -> io::Result<Step> {
        Ok(match self.parser.record(window)? {
            Parsed::Record(line) => Step::Record(line, self.draft()),
            Parsed::Wait => Step::Wait,
            Parsed::End => Step::End,
            Parsed::Broken(line, reason) => Step::Record(line, Err(reason)),
        })
    }

    fn draft(&self) -> Result<PostDraft, String> {
        let texts = self.parser.texts()?;
        if texts.len() != self.columns {
            return Err(format!("has {} columns, the header has {}", texts.len(), self.columns));
        }
        let mut draft = PostDraft::default();
        for &(name, column) in &self.fields {
            fields::set(&mut draft, name, texts[column].to_owned());
        }
        Ok(draft)
    }
}

enum Parsed {
    /// A record that begins at this line; its fields are in the parser.
    Record(u64),
    /// It is not complete yet.
    Wait,
    End,
    /// What begins at this line is no record.
    Broken(u64, String),
}

/// Splits one record at a time. It begins anew at each record, and again when more of one was
/// read, so that a record that turns out broken can be left at its first line.
struct Parser {
    core: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    text_length: usize,
    fields: usize,
}

enum Split {
    /// The record takes this many bytes.
    Whole(usize),
    Partial,
    /// Its quote is never closed.
    Open,
}

impl Parser {
    fn new() -> Self {
        // Not its default, which lacks the tables that `new` builds.
        Self { core: Reader::new(), text: Vec::new(), ends: Vec::new(), text_length: 0, fields: 0 }
    }

    fn record<R: Read>(&mut self, window: &mut Window<R>) -> io::Result<Parsed> {
        window.skip_blank();
        if window.unread().is_empty() {
            return Ok(if window.ended() { Parsed::End } else { Parsed::Wait });
        }
        let line = window.position().line + 1;
        let reason = match self.split(window.unread(), window.ended()) {
            Split::Whole(length) => {
                window.consume(length);
                return Ok(Parsed::Record(line));
            }
            Split::Partial if !window.is_overlong() => return Ok(Parsed::Wait),
            Split::Partial => format!("is longer than {MAX_RECORD_BYTES} bytes, or its quote is never closed"),
            Split::Open => "has a quote that is never closed".to_owned(),
        };
        window.skip_line()?;
        Ok(Parsed::Broken(line, reason))
    }

    fn split(&mut self, input: &[u8], ended: bool) -> Split {
        self.core.reset();
        (self.text_length, self.fields) = (0, 0);
        let mut used = 0;
        loop {
            // Behind the last byte of the input a line break is read: one that does not end the
            // record stands inside a quote.
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

    /// The fields of the record that was split last.
    fn texts(&self) -> Result<Vec<&str>, String> {
        let mut start = 0;
        self.ends[..self.fields]
            .iter()
            .enumerate()
            .map(|(column, &end)| {
                let bytes = &self.text[start..end];
                start = end;
                std::str::from_utf8(bytes).map_err(|_| format!("column {} is not valid UTF-8", column + 1))
            })
            .collect()
    }
}
