//! Limits the number of elements in a document, because a parsed element takes hundreds of times the memory of its
//! text.

use std::borrow::Cow;

use super::error::{FeedError, MAX_ELEMENTS};

/// The maximum number of entries that are parsed; an even number. If a document has more, its first and its last
/// entries are parsed. The newest entries are then included in either order.
pub const MAX_ENTRIES: usize = 20_000;

/// The XML `document` with at most [`MAX_ENTRIES`] entries, and the number of entries that were left out. Elements in
/// comments and CDATA sections count too, so that no form of quoting hides elements.
///
/// # Errors
/// When the document has too many elements.
pub fn of_xml(document: &[u8]) -> Result<(Cow<'_, [u8]>, usize), FeedError> {
    if document.contains(&0) {
        // In UTF-16 zeros separate the bytes of ASCII characters. A UTF-16 document is only measured, because this
        // function cannot shorten it.
        let bytes: Vec<u8> = document.iter().copied().filter(|byte| *byte != 0).collect();
        let is_within = entries(&bytes).len() <= MAX_ENTRIES && elements(&bytes) <= MAX_ELEMENTS;
        return if is_within { Ok((Cow::Borrowed(document), 0)) } else { Err(FeedError::TooManyElements) };
    }
    let (entries, half) = (entries(document), MAX_ENTRIES / 2);
    let left_out = entries.len().saturating_sub(MAX_ENTRIES);
    let document = match (entries.get(half), entries.get(half + left_out)) {
        (Some(from), Some(to)) if left_out > 0 => Cow::Owned([&document[..*from], &document[*to..]].concat()),
        _ => Cow::Borrowed(document),
    };
    if elements(&document) > MAX_ELEMENTS {
        return Err(FeedError::TooManyElements);
    }
    Ok((document, left_out))
}

/// Checks that a JSON document does not have too many values.
///
/// # Errors
/// When the document has too many values.
pub fn of_json(document: &[u8]) -> Result<(), FeedError> {
    let (mut values, mut in_string, mut is_escaped) = (0_usize, false, false);
    for byte in document {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_string,
            b'"' => in_string = !in_string,
            // Each value follows one of these characters.
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    if values > MAX_ELEMENTS { Err(FeedError::TooManyElements) } else { Ok(()) }
}

/// The number of start tags.
fn elements(document: &[u8]) -> usize {
    tags(document).count()
}

/// The positions at which entries begin.
fn entries(document: &[u8]) -> Vec<usize> {
    let is_entry = |place: &usize| {
        let name = &document[place + 1..];
        // The search also stops at the next `<`. Otherwise a document without ends of names would be searched again for
        // each of its tags.
        let end = name.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'<'));
        let name = &name[..end.unwrap_or(name.len())];
        let local = name.rsplit(|byte| *byte == b':').next().unwrap_or(name);
        matches!(local, b"item" | b"entry")
    };
    tags(document).filter(is_entry).collect()
}

/// The positions at which start tags begin.
fn tags(document: &[u8]) -> impl Iterator<Item = usize> {
    let pairs = document.windows(2).enumerate();
    pairs.filter(|(_, pair)| pair[0] == b'<' && !matches!(pair[1], b'/' | b'!' | b'?')).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn tags_without_an_end_are_counted_in_linear_time() {
        let start = Instant::now();
        for tag in ["<", "<a"] {
            let document = tag.repeat(300_000);
            let is_within = of_xml(document.as_bytes()).is_ok_and(|(_, left_out)| left_out == 0);
            assert!(is_within, "{tag}");
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
}
