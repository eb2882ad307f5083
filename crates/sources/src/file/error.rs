//! Errors of reading files and records.

use std::io;

use super::MAX_RECORD_BYTES;
use sentistream_core::domain::FieldError;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Reading failed.
    #[error("cannot read: {0}")]
    Io(io::Error),
    /// The file is of an unsupported type.
    #[error("the file is {0}")]
    Kind(&'static str),
    /// The header row is missing or malformed, or lacks or repeats a column that a post needs.
    #[error("{0}")]
    Header(String),
    /// The spreadsheet cannot be read.
    #[error("the spreadsheet {0}")]
    Spreadsheet(String),
}

impl From<io::Error> for ReadError {
    // `source` stays empty, because the message already contains the message of the I/O error.
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Why a record is rejected.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The record is not valid JSON.
    #[error("is not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The record is valid JSON, but is not an object.
    #[error("is not a JSON object")]
    NotObject,
    /// The row does not have as many columns as the header.
    #[error("has {found} columns, the header has {expected}")]
    Columns {
        /// The number of columns of the row.
        found: usize,
        /// The number of columns of the header.
        expected: usize,
    },
    /// The value of a column is not valid UTF-8.
    #[error("column {column} is not valid UTF-8; import the file with its encoding: --encoding windows-1252")]
    Encoding {
        /// The column, counted from 1.
        column: usize,
    },
    /// The record exceeds the maximum length.
    #[error("is longer than {MAX_RECORD_BYTES} bytes, or contains a quote that is never closed")]
    TooLong,
    /// The file ends inside a JSON array.
    #[error("is the end of the file, but the array is not closed: the file is incomplete")]
    OpenArray,
    /// The file ends inside a quoted value.
    #[error("has a quote that is never closed")]
    OpenQuote,
    /// The fields do not form a valid post.
    #[error("{}", messages(.0))]
    Invalid(Vec<FieldError>),
}

fn messages(errors: &[FieldError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A record that is not a valid post.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LineError {
    /// The line at which the record begins, counted from 1.
    pub line: u64,
    /// Why the record is rejected.
    pub reason: RecordError,
}
