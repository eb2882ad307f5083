//! Limits the size to which a zipped spreadsheet decompresses. The library reads the parts of an archive into memory
//! without a limit.

use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;

use zip::ZipArchive;

use super::grid;

/// The part of an OpenDocument spreadsheet that contains its tables.
const TABLES: &str = "content.xml";

/// The limits for the content of an archive.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The maximum size of all parts, in bytes after decompression.
    pub bytes: u64,
    /// The maximum number of XML tags of a part that is not a worksheet. Each of these tags may become a value in
    /// memory. The cells of a worksheet are read one by one, so their tags need no limit.
    pub tags: u64,
    /// The maximum memory for the tables of an OpenDocument spreadsheet, in bytes.
    pub grid: u64,
}

/// The limit that an archive exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// The parts are too large.
    Bytes,
    /// A part has too many tags.
    Tags,
    /// The tables are too large in memory.
    Grid,
}

/// The limit that the archive exceeds. `None` if it exceeds none, or if the file is not an archive. The sizes that the
/// archive declares are checked first, and no part is read beyond its declared size. Then each part is decompressed
/// once to count its tags, and the tables of an OpenDocument spreadsheet are measured.
pub fn excess(bytes: Arc<[u8]>, limits: Limits) -> Option<Excess> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let (mut declared, mut total) = (0_u64, 0_u64);
    for index in 0..archive.len() {
        // The library cannot read a part that fails here, so the part needs no memory.
        let Ok(part) = archive.by_index(index) else { continue };
        declared = declared.saturating_add(part.size());
        if declared > limits.bytes {
            return Some(Excess::Bytes);
        }
    }
    for index in 0..archive.len() {
        let Ok(part) = archive.by_index(index) else { continue };
        let is_worksheet = part.name().is_ok_and(|name| name.starts_with("xl/worksheets/"));
        let mut counter = Counter::default();
        // Tags of a damaged part are counted up to the damage.
        let _ = io::copy(&mut part.take(limits.bytes - total + 1), &mut counter);
        total += counter.bytes;
        if total > limits.bytes {
            return Some(Excess::Bytes);
        }
        if !is_worksheet && counter.tags > limits.tags {
            return Some(Excess::Tags);
        }
    }
    let tables = archive.by_name(TABLES).ok()?;
    let size = tables.size();
    grid::exceeds(BufReader::new(tables.take(size)), limits.grid).then_some(Excess::Grid)
}

/// Counts the XML tags in the bytes that are written to it.
#[derive(Default)]
struct Counter {
    bytes: u64,
    tags: u64,
}

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        let starts = bytes.windows(2).filter(|pair| pair[0] == b'<' && pair[1] != b'/').count();
        self.tags += starts as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(parts: &[(&str, Vec<u8>)]) -> Arc<[u8]> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in parts {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner().into()
    }

    #[test]
    fn parts_of_a_spreadsheet_are_limited() {
        let limits = Limits { bytes: 100_000, tags: 1_000, grid: 100_000 };
        let of = |parts: &[(&str, Vec<u8>)]| excess(archive(parts), limits);
        assert_eq!(of(&[("xl/sharedStrings.xml", vec![b'a'; 90_000])]), None);
        assert_eq!(of(&[("xl/sharedStrings.xml", vec![b'a'; 110_000])]), Some(Excess::Bytes));
        let half = || vec![b'a'; 60_000];
        assert_eq!(of(&[("a.xml", half()), ("b.xml", half())]), Some(Excess::Bytes));
        assert_eq!(of(&[("xl/sharedStrings.xml", b"<si/>".repeat(2_000))]), Some(Excess::Tags));
        assert_eq!(of(&[("xl/worksheets/sheet1.xml", b"<c/>".repeat(2_000))]), None);
        let cell = b"<table:table-row><table:table-cell table:number-columns-repeated=\"9999\">x</table:table-cell></table:table-row>";
        assert_eq!(of(&[("content.xml", cell.to_vec())]), Some(Excess::Grid));
        assert_eq!(excess(vec![0xd0, 0xcf, 0x11, 0xe0].into(), limits), None);
    }

    #[test]
    fn part_is_not_read_beyond_its_declared_size() {
        let mut bytes = archive(&[("xl/sharedStrings.xml", vec![b'a'; 500_000])]).to_vec();
        // Both headers declare 5 bytes.
        let declared = 500_000_u32.to_le_bytes();
        let places: Vec<usize> =
            bytes.windows(4).enumerate().filter(|(_, window)| *window == declared).map(|(place, _)| place).collect();
        assert!(!places.is_empty());
        for place in places {
            bytes[place..place + 4].copy_from_slice(&5_u32.to_le_bytes());
        }
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut counter = Counter::default();
        let _ = io::copy(&mut archive.by_index(0).unwrap(), &mut counter);
        assert!(counter.bytes <= 64 * 1_024, "{} bytes", counter.bytes);
    }
}
