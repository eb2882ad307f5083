//! Spreadsheets (xlsx, xls, xlsb, ods): the first sheet, with a header row.
//!
//! A spreadsheet is read into memory, because its directory is at its end.

use std::io::{Cursor, Read};
use std::sync::Arc;
use std::vec;

use calamine::{Data, Reader as _, Sheets, open_workbook_auto_from_rs};

use super::csv::Columns;
use super::fields::{self, Draft};
use super::{ReadError, ReadOptions, RecordError, Step};

/// Largest file, in bytes.
const MAX_BYTES: u64 = 512 << 20;
/// First bytes of a zip archive (xlsx, xlsb, ods) and of a compound file (xls).
const SIGNATURES: [&[u8]; 2] = [b"PK\x03\x04", &[0xd0, 0xcf, 0x11, 0xe0]];

/// The rows of a sheet.
pub struct Excel {
    rows: vec::IntoIter<Vec<String>>,
    columns: Columns,
    /// The number of the next row, from 1.
    line: u64,
}

/// Whether a file that begins with `head` is a spreadsheet.
pub fn is_spreadsheet(head: &[u8]) -> bool {
    SIGNATURES.iter().any(|signature| head.starts_with(signature))
}

impl Excel {
    /// Reads the first sheet that is not empty.
    ///
    /// # Errors
    /// When the file is not a spreadsheet, or its header lacks a column.
    pub fn open(input: impl Read, options: &ReadOptions) -> Result<Self, ReadError> {
        let mut bytes = Vec::new();
        input.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(ReadError::Spreadsheet(format!("is larger than {} MiB: save it as CSV", MAX_BYTES >> 20)));
        }
        let bytes: Arc<[u8]> = bytes.into();
        let unreadable = |error: calamine::Error| ReadError::Spreadsheet(format!("cannot be read: {error}"));
        let mut book: Sheets<_> = open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(unreadable)?;
        for sheet in 0..book.sheet_names().len() {
            let Some(range) = book.worksheet_range_at(sheet) else { continue };
            let range = range.map_err(unreadable)?;
            let first = range.start().map_or(0, |(row, _)| row);
            let rows: Vec<Vec<String>> = range.rows().map(|row| row.iter().map(text).collect()).collect();
            let mut rows = rows.into_iter();
            if let Some(header) = rows.next() {
                let header: Vec<&str> = header.iter().map(String::as_str).collect();
                let columns = Columns::find(&header, options)?;
                return Ok(Self { rows, columns, line: u64::from(first) + 2 });
            }
        }
        Err(ReadError::Spreadsheet("holds no rows".to_owned()))
    }

    /// The number of the next row, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next row.
    pub fn step(&mut self) -> Step {
        loop {
            let Some(row) = self.rows.next() else { return Step::End };
            let line = self.line;
            self.line += 1;
            if row.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            return Step::Record(line, Ok::<Draft, RecordError>(self.draft(&row)));
        }
    }

    fn draft(&self, row: &[String]) -> Draft {
        let mut draft = Draft::default();
        for (name, column) in self.columns.iter() {
            if let Some(cell) = row.get(column).filter(|cell| !cell.is_empty()) {
                fields::set(&mut draft.post, name, cell.clone());
            }
        }
        draft
    }
}

/// The text of a cell. Dates become ISO 8601 in UTC.
fn text(cell: &Data) -> String {
    match cell {
        // Spreadsheets store an id such as 17 as 17.0.
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        Data::DateTime(date) if date.is_datetime() => {
            let (year, month, day, hour, minute, second, milli) = date.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
        }
        Data::Error(_) | Data::Empty => String::new(),
        other => other.to_string(),
    }
}
