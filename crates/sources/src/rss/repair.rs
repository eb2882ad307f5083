//! Repairs malformed XML if its meaning is unambiguous.

/// The maximum length of the name or number of an entity.
const MAX_ENTITY: usize = 32;
const CDATA: (&[u8], &[u8]) = (b"<![CDATA[", b"]]>");

/// Escapes ampersands, removes control characters and the text before the first tag, and closes a truncated document
/// after its last complete entry. `None`: the document is not XML.
pub fn repaired(document: &[u8]) -> Option<Vec<u8>> {
    let start = document.iter().position(|byte| *byte == b'<')?;
    let mut fixed = clean(&document[start..]);
    let whole = [b"</rss>".as_slice(), b"</feed>", b"</rdf:RDF>"].iter().any(|end| find(&fixed, end).is_some());
    if !whole {
        let root: &[&str] = match () {
            () if find(&fixed, b"<rss").is_some() => &["channel", "rss"],
            () if find(&fixed, b"<rdf:RDF").is_some() => &["rdf:RDF"],
            () => &["feed"],
        };
        let end = |tag: &[u8]| fixed.windows(tag.len()).rposition(|window| window == tag).map(|at| at + tag.len());
        fixed.truncate(end(b"</item>").max(end(b"</entry>"))?);
        for name in root {
            fixed.extend_from_slice(format!("</{name}>").as_bytes());
        }
    }
    Some(fixed)
}

/// Removes characters that XML 1.0 does not allow, and escapes every ampersand that does not begin an entity.
fn clean(document: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(document.len() + 64);
    let mut rest = document;
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'<' if rest.starts_with(CDATA.0) => {
                let length = find(rest, CDATA.1).map_or(rest.len(), |end| end + CDATA.1.len());
                out.extend(rest[..length].iter().filter(|byte| is_allowed(**byte)));
                rest = &rest[length..];
                continue;
            }
            b'&' if is_entity(after) => out.push(b'&'),
            // HTML entities are resolved later, with the rest of the markup.
            b'&' => out.extend_from_slice(b"&amp;"),
            byte if is_allowed(*byte) => out.push(*byte),
            _ => {}
        }
        rest = after;
    }
    out
}

fn is_allowed(byte: u8) -> bool {
    byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r')
}

/// Whether the text after an ampersand is one of XML's five entities or a character reference.
fn is_entity(after: &[u8]) -> bool {
    let Some(end) = after.iter().take(MAX_ENTITY).position(|byte| *byte == b';') else { return false };
    match &after[..end] {
        b"amp" | b"lt" | b"gt" | b"quot" | b"apos" => true,
        [b'#', b'x', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit),
        [b'#', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn find(document: &[u8], wanted: &[u8]) -> Option<usize> {
    document.windows(wanted.len()).position(|window| window == wanted)
}
