//! Recognises file types that do not contain posts.

/// The first bytes of each type, the name of the type, and what the user can do instead.
const KINDS: [(&[u8], &str); 6] = [
    (b"\xfd7zXZ\0", "xz data: decompress it first (xz -dc FILE | sentistream import -)"),
    (b"BZh", "bzip2 data: decompress it first (bzip2 -dc FILE | sentistream import -)"),
    (b"\x1f\x8b", "compressed twice: decompress it once first"),
    (b"PAR1", "Parquet: export it as CSV or NDJSON"),
    (b"SQLite", "an SQLite database: export it as CSV or NDJSON"),
    (b"%PDF", "a PDF: export its table as CSV"),
];

/// The name of the type of a file that begins with `head`, with advice for the user. `None` if the file may be
/// readable.
pub fn unreadable(head: &[u8]) -> Option<&'static str> {
    KINDS.iter().find(|(signature, _)| head.starts_with(signature)).map(|(_, kind)| *kind)
}
