//! Computes the memory of the tables of an OpenDocument spreadsheet (`content.xml` of an ods file).
//!
//! The library converts each table to a grid. A file of a few KiB may repeat one cell in all 16,384 columns of a
//! million rows, so the size of the grid is computed before the library reads the file.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The memory of a cell in the grids of values and formulas, without its text, in bytes.
const CELL: u64 = 56;
/// The tags of cells. A covered cell is hidden behind a merged cell.
const CELL_TAG: &str = "table:table-cell";
const COVERED_TAG: &str = "table:covered-table-cell";
/// The maximum numbers of columns and rows that the library creates.
const MAX_COLUMNS: u64 = 16_384;
const MAX_ROWS: u64 = 1_048_576;

/// Whether the tables in `content` need more than `limit` bytes. Content that is not well-formed is measured up to its
/// first error, because the library stops there too.
pub fn exceeds(content: impl BufRead, limit: u64) -> bool {
    let mut reader = Reader::from_reader(content);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.expand_empty_elements = true;
    let (mut tables, mut buffer) = (Tables::default(), Vec::new());
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) => tables.start(&tag),
            Ok(Event::End(tag)) if matches!(tag.name().as_ref(), CELL_TAG | COVERED_TAG) => tables.end_cell(),
            Ok(Event::Text(text)) => tables.add_text(text.len() as u64),
            Ok(Event::CData(text)) => tables.add_text(text.len() as u64),
            Ok(Event::GeneralRef(name)) => tables.add_text(name.len() as u64),
            Ok(Event::Eof) | Err(_) => {
                tables.end_row();
                return tables.bytes() > limit;
            }
            Ok(_) => {}
        }
        if tables.bytes() > limit {
            return true;
        }
    }
}

/// The state of the measurement of all tables. An empty cell or row counts only if a cell or row with a value follows,
/// because the library drops empty cells and rows at the end.
#[derive(Default)]
struct Tables {
    /// The size of the tables before the current one, in bytes.
    before: u64,
    table: Table,
    row: Row,
    cell: Cell,
}

#[derive(Default)]
struct Table {
    rows: u64,
    empty_rows: u64,
    /// The number of cells in the widest row of the table.
    width: u64,
    /// The number of cells in the rows of the table. A repeated row counts once.
    cells: u64,
    text: u64,
}

#[derive(Default)]
struct Row {
    repeats: u64,
    cells: u64,
    empty_cells: u64,
    text: u64,
}

#[derive(Default)]
struct Cell {
    repeats: u64,
    text: u64,
}

impl Tables {
    fn start(&mut self, tag: &BytesStart<'_>) {
        match tag.name().as_ref() {
            "table:table" => {
                self.end_row();
                self.before = self.bytes();
                self.table = Table::default();
            }
            "table:table-row" => {
                self.end_row();
                self.row.repeats = count(tag, "table:number-rows-repeated").min(MAX_ROWS);
            }
            CELL_TAG | COVERED_TAG => {
                self.end_cell();
                let values = tag.attributes().filter_map(Result::ok).filter(|attribute| {
                    attribute.key.as_ref().starts_with("office:") || attribute.key.as_ref() == "table:formula"
                });
                let repeats = count(tag, "table:number-columns-repeated").min(MAX_COLUMNS);
                self.cell = Cell { repeats, text: values.map(|attribute| attribute.value.len() as u64).sum() };
            }
            "text:s" => self.add_text(count(tag, "text:c")),
            _ => {}
        }
    }

    fn add_text(&mut self, bytes: u64) {
        self.cell.text = self.cell.text.saturating_add(bytes);
    }

    fn end_cell(&mut self) {
        let (cell, row) = (std::mem::take(&mut self.cell), &mut self.row);
        if cell.repeats == 0 {
            return;
        }
        if cell.text == 0 {
            row.empty_cells = (row.empty_cells + cell.repeats).min(MAX_COLUMNS);
            return;
        }
        row.cells = (row.cells + std::mem::take(&mut row.empty_cells) + cell.repeats).min(MAX_COLUMNS);
        row.text = row.text.saturating_add(cell.text.saturating_mul(cell.repeats));
    }

    fn end_row(&mut self) {
        self.end_cell();
        let (row, table) = (std::mem::take(&mut self.row), &mut self.table);
        if row.cells == 0 {
            table.empty_rows = (table.empty_rows + row.repeats).min(MAX_ROWS);
            return;
        }
        table.rows += std::mem::take(&mut table.empty_rows) + row.repeats;
        table.width = table.width.max(row.cells);
        table.cells += row.cells;
        // The library holds the row and its repetitions in memory at the same time.
        table.text = table.text.saturating_add(row.text.saturating_mul(row.repeats.saturating_add(1)));
    }

    /// The size of all tables in bytes, without the repetitions of the current row.
    fn bytes(&self) -> u64 {
        let Table { rows, width, cells, text, .. } = self.table;
        let cells = rows.saturating_mul(width).saturating_add(cells).saturating_add(self.row.cells);
        let current = self.row.text.saturating_add(self.cell.text.saturating_mul(self.cell.repeats));
        let bytes = cells.saturating_mul(CELL).saturating_add(text).saturating_add(current);
        bytes.saturating_add(self.before)
    }
}

/// The number in the attribute `name`, by default 1.
fn count(tag: &BytesStart<'_>, name: &str) -> u64 {
    let attribute = tag.attributes().filter_map(Result::ok).find(|attribute| attribute.key.as_ref() == name);
    // The library rejects other values, so the largest number is safe.
    attribute.map_or(1, |attribute| attribute.value.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    const LIMIT: u64 = 1 << 20;

    fn exceeds(rows: &str) -> bool {
        let content = format!("<office:document-content><table:table>{rows}</table:table></office:document-content>");
        super::exceeds(content.as_bytes(), LIMIT)
    }

    fn row(repeats: u64, cells: &str) -> String {
        format!("<table:table-row table:number-rows-repeated=\"{repeats}\">{cells}</table:table-row>")
    }

    fn cell(repeats: u64, content: &str) -> String {
        format!("<table:table-cell table:number-columns-repeated=\"{repeats}\">{content}</table:table-cell>")
    }

    #[test]
    fn repeated_cells_and_rows_are_measured() {
        assert!(!exceeds(&row(1_000, &cell(2, "<text:p>a</text:p>"))));
        assert!(exceeds(&row(1_000_000, &cell(1, "<text:p>a</text:p>"))));
        assert!(exceeds(&row(100, &cell(16_384, "<text:p>a</text:p>"))));
        assert!(exceeds(&row(1, &cell(16_384, &format!("<text:p>{}</text:p>", "a".repeat(1_000))))));
        assert!(exceeds(&row(1, &cell(1, "<text:p><text:s text:c=\"9000000\"/></text:p>"))));
        let value = "<table:table-cell office:value=\"1\" table:number-columns-repeated=\"16384\"/>";
        assert!(exceeds(&row(100, value)));
        assert!(exceeds(&row(99, &cell(16_384, "")).repeat(2).replace("</table:table-cell>", "x</table:table-cell>")));
    }

    #[test]
    fn empty_cells_count_only_before_cells_with_values() {
        let (empty, text) = (cell(16_384, ""), cell(1, "<text:p>a</text:p>"));
        let end = format!("{}{}", row(1, &format!("{text}{empty}")), row(1_048_576, &empty));
        assert!(!exceeds(&end));
        assert!(!exceeds(&end.replace("><", ">\n <").replace(
            "<table:table-cell table:number-columns-repeated=\"16384\">\n ",
            "<table:table-cell table:number-columns-repeated=\"16384\">"
        )));
        assert!(exceeds(&format!("{end}{}", row(1, &text))), "the empty rows count");
        let gap = row(50, &format!("{}{text}", cell(16_000, "")));
        assert!(exceeds(&gap), "the empty columns count");
    }

    #[test]
    fn all_tables_count_together() {
        let one = row(6_000, &cell(2, "<text:p>a</text:p>"));
        assert!(!exceeds(&one));
        assert!(exceeds(&format!("{one}</table:table><table:table>{one}")));
    }
}
