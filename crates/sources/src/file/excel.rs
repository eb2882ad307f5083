//! Reads spreadsheets (xlsx, xls, xlsb, ods): the first sheet that is not empty, with a header row.
//!
//! A spreadsheet is read into memory, because the directory of a zip archive is at the end of the file. Only cells with
//! fields of posts are kept. Sheets of xlsx and xlsb files are never converted to a grid, because a single cell in the
//! last corner would require half a TiB. The size of the grids of ods files is computed before they are created.

mod archive;
mod grid;

use std::fmt::Display;
use std::io::{Cursor, Read};
use std::sync::Arc;
use std::vec;

use calamine::{Data, Reader as _, Sheets, open_workbook_auto_from_rs};

use self::archive::{Excess, Limits};
use super::csv::Columns;
use super::fields::{self, Draft};
use super::{ReadError, ReadOptions, Step};

/// The maximum size of the file, of its decompressed parts, and of the text of its cells, in bytes.
const MAX_BYTES: u64 = 512 << 20;
/// The maximum memory of the cells with fields of posts, in bytes.
const MAX_KEPT_BYTES: u64 = 1 << 30;
/// The maximum number of XML tags of a part that is not a worksheet.
const MAX_TAGS: u64 = 16_000_000;
/// The number of columns that are read, which is the limit of Excel.
const MAX_COLUMNS: usize = 16_384;
/// The first bytes of a zip archive (xlsx, xlsb, ods) and of a compound file (xls).
const SIGNATURES: [&[u8]; 2] = [b"PK\x03\x04", &[0xd0, 0xcf, 0x11, 0xe0]];

/// The rows of a sheet.
pub struct Excel {
    rows: vec::IntoIter<Row>,
    /// The number of the next row, counted from 1.
    line: u64,
}

struct Row {
    /// The line of the row, counted from 1.
    line: u64,
    fields: Vec<Field>,
}

struct Field {
    name: &'static str,
    text: String,
}

/// Whether a file that begins with `head` is a spreadsheet.
pub fn is_spreadsheet(head: &[u8]) -> bool {
    SIGNATURES.iter().any(|signature| head.starts_with(signature))
}

impl Excel {
    /// Reads the first sheet that is not empty.
    ///
    /// # Errors
    /// When the file is not a spreadsheet, is too large, or its header lacks or repeats a column.
    pub fn open(input: impl Read, options: &ReadOptions) -> Result<Self, ReadError> {
        let mut bytes = Vec::new();
        input.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(too_large());
        }
        let bytes: Arc<[u8]> = bytes.into();
        match archive::excess(bytes.clone(), Limits { bytes: MAX_BYTES, tags: MAX_TAGS, grid: MAX_KEPT_BYTES }) {
            Some(Excess::Bytes) => {
                let limit = MAX_BYTES >> 20;
                return Err(ReadError::Spreadsheet(format!("unpacks to more than {limit} MiB: save it as CSV")));
            }
            Some(Excess::Tags) => {
                return Err(ReadError::Spreadsheet(format!(
                    "has a part with more than {MAX_TAGS} XML tags: save it as CSV"
                )));
            }
            Some(Excess::Grid) => {
                let limit = MAX_KEPT_BYTES >> 20;
                return Err(ReadError::Spreadsheet(format!(
                    "has tables that need more than {limit} MiB: delete repeated cells, or save it as CSV"
                )));
            }
            None => {}
        }
        let mut book: Sheets<_> = open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|error| match error {
            calamine::Error::Msg("Cannot detect file format") => ReadError::Spreadsheet(
                "cannot be read: the file is damaged, or an archive of another kind (extract the archive first)"
                    .to_owned(),
            ),
            error => unreadable(error),
        })?;
        for (index, name) in book.sheet_names().iter().enumerate() {
            let mut sheet = Sheet::new(options);
            match &mut book {
                Sheets::Xlsx(book) => {
                    let mut cells = book.worksheet_cells_reader(name).map_err(unreadable)?;
                    while let Some(cell) = cells.next_cell().map_err(unreadable)? {
                        sheet.add(cell.get_position(), &cell.get_value().clone().into())?;
                    }
                }
                Sheets::Xlsb(book) => {
                    let mut cells = book.worksheet_cells_reader(name).map_err(unreadable)?;
                    while let Some(cell) = cells.next_cell().map_err(unreadable)? {
                        sheet.add(cell.get_position(), &cell.get_value().clone().into())?;
                    }
                }
                // Sheets of xls and ods files are read as a grid. An xls grid has at most 16 million cells, and the
                // size of an ods grid was checked.
                book => {
                    let Some(range) = book.worksheet_range_at(index) else { continue };
                    let range = range.map_err(unreadable)?;
                    let (top, left) = range.start().unwrap_or_default();
                    for (row, column, cell) in range.used_cells() {
                        let place = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
                        let position = (top.saturating_add(place(row)), left.saturating_add(place(column)));
                        sheet.add(position, cell)?;
                    }
                }
            }
            if let Some(rows) = sheet.finish()? {
                let line = rows.first().map_or(0, |row| row.line);
                return Ok(Self { rows: rows.into_iter(), line });
            }
        }
        Err(ReadError::Spreadsheet("holds no rows".to_owned()))
    }

    /// The number of the next row, counted from 1.
    pub fn line(&self) -> u64 {
        self.line.max(1)
    }

    /// The next row.
    pub fn step(&mut self) -> Step {
        let Some(row) = self.rows.next() else { return Step::End };
        self.line = row.line + 1;
        let mut draft = Draft::default();
        for field in row.fields {
            fields::set(&mut draft.post, field.name, field.text);
        }
        Step::Record(row.line, Ok(draft))
    }
}

/// The state of a sheet while its cells are read, row by row.
struct Sheet<'a> {
    options: &'a ReadOptions,
    /// The columns with fields of posts. `None`: the header was not read yet.
    columns: Option<Columns>,
    /// The row of the cells that are being added, counted from 0.
    row: Option<u32>,
    header: Vec<String>,
    fields: Vec<Field>,
    rows: Vec<Row>,
    /// The size of the text of all cells so far, in bytes.
    bytes: u64,
    /// The memory of `rows`, in bytes.
    kept: u64,
}

impl<'a> Sheet<'a> {
    fn new(options: &'a ReadOptions) -> Self {
        Self { options, columns: None, row: None, header: vec![], fields: vec![], rows: vec![], bytes: 0, kept: 0 }
    }

    /// Adds the cell at a row and a column, counted from 0.
    fn add(&mut self, (row, column): (u32, u32), cell: &Data) -> Result<(), ReadError> {
        let text = text(cell);
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if text.trim().is_empty() || column >= MAX_COLUMNS {
            return Ok(());
        }
        if self.row.is_some_and(|present| present != row) {
            self.end_row()?;
        }
        self.row = Some(row);
        self.bytes += text.len() as u64;
        if self.bytes > MAX_BYTES {
            return Err(too_large());
        }
        match &self.columns {
            None => {
                self.header.resize(self.header.len().max(column + 1), String::new());
                self.header[column] = text;
            }
            Some(columns) => {
                for (name, _) in columns.iter().filter(|(_, index)| *index == column) {
                    self.kept += (size_of::<Field>() + text.len()) as u64;
                    self.fields.push(Field { name, text: text.clone() });
                }
            }
        }
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), ReadError> {
        let Some(row) = self.row.take() else { return Ok(()) };
        if self.columns.is_none() {
            let header: Vec<&str> = self.header.iter().map(String::as_str).collect();
            self.columns = Some(Columns::find(&header, self.options)?);
        } else {
            let fields = std::mem::take(&mut self.fields);
            self.kept += size_of::<Row>() as u64;
            if self.kept > MAX_KEPT_BYTES {
                return Err(too_large());
            }
            self.rows.push(Row { line: u64::from(row) + 1, fields });
        }
        Ok(())
    }

    /// Ends the last row, and returns the rows after the header. `None`: the sheet is empty.
    fn finish(mut self) -> Result<Option<Vec<Row>>, ReadError> {
        self.end_row()?;
        Ok(self.columns.map(|_| self.rows))
    }
}

fn too_large() -> ReadError {
    ReadError::Spreadsheet(format!(
        "is larger than {} MiB, or its posts need over 1 GiB of memory: save it as CSV",
        MAX_BYTES >> 20
    ))
}

fn unreadable(error: impl Display) -> ReadError {
    ReadError::Spreadsheet(format!("cannot be read: {error}"))
}

/// The text of a cell. Dates become ISO 8601 in UTC.
fn text(cell: &Data) -> String {
    match cell {
        // Spreadsheets store a number such as 17 as 17.0, so ids would otherwise end with `.0`.
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        Data::DateTime(date) if date.is_datetime() => {
            let (year, month, day, hour, minute, second, milli) = date.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
        }
        Data::Error(_) | Data::Empty => String::new(),
        other => other.to_string(),
    }
}
