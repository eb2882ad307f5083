//! Output to stdout, as text and as JSON.

use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;

/// A failure to write to stdout.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to stdout: {0}")]
pub struct OutputError(pub io::Error);

/// Buffered output to stdout.
pub struct Output(BufWriter<Stdout>);

impl Output {
    /// Creates the output to stdout of this process.
    pub fn new() -> Self {
        Self(BufWriter::new(io::stdout()))
    }

    /// Writes `text` as a line.
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<(), OutputError> {
        writeln!(self.0, "{}", text.as_ref()).map_err(OutputError)
    }

    /// Writes `value` as JSON on one line.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), OutputError> {
        serde_json::to_writer(&mut self.0, value).map_err(|e| OutputError(e.into()))?;
        self.line("")
    }

    /// Writes `value` as indented JSON.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), OutputError> {
        serde_json::to_writer_pretty(&mut self.0, value).map_err(|e| OutputError(e.into()))?;
        self.line("")
    }

    /// Writes rows in aligned columns; the first row holds the headings. The last column is not padded.
    pub fn table<const N: usize>(&mut self, rows: &[[String; N]]) -> Result<(), OutputError> {
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..N).map(width).collect();
        for row in rows {
            let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            self.line(cells.join("  ").trim_end())?;
        }
        Ok(())
    }

    /// Writes the buffered output.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        self.0.flush().map_err(OutputError)
    }
}

/// `text` as one line of at most `max` characters, followed by an ellipsis if the text is longer. Control characters
/// are replaced by spaces.
pub fn one_line(text: &str, max: usize) -> String {
    let mut line: String = text.chars().take(max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(max).is_some() {
        line.push('…');
    }
    line
}
