//! Encodes and decodes names of mailboxes in the modified UTF-7 of IMAP (RFC 3501, section 5.1.3). Servers that
//! implement RFC 9051 still accept this encoding for the names that they list.

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// Encodes `name` for commands.
pub fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut units: Vec<u8> = Vec::new();
    for letter in name.chars() {
        if letter.is_ascii_graphic() || letter == ' ' {
            shift(&mut out, &mut units);
            out.push(letter);
            if letter == '&' {
                out.push('-');
            }
        } else {
            units.extend(letter.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    shift(&mut out, &mut units);
    out
}

/// Appends the collected non-ASCII characters in `units` to `out` as one encoded run.
fn shift(out: &mut String, units: &mut Vec<u8>) {
    if !units.is_empty() {
        out.push('&');
        out.push_str(&BASE64.encode(std::mem::take(units)));
        out.push('-');
    }
}

/// Decodes a name that the server listed, for display. A malformed name is returned unchanged.
pub fn decoded(name: &str) -> String {
    readable(name).unwrap_or_else(|| name.to_owned())
}

fn readable(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((plain, shifted)) = rest.split_once('&') {
        out.push_str(plain);
        let (letters, after) = shifted.split_once('-')?;
        if letters.is_empty() {
            out.push('&');
        } else {
            let bytes = BASE64.decode(letters).ok()?;
            let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            out.push_str(&String::from_utf16(&units).ok()?);
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sent_in_modified_utf_7() {
        for (name, sent) in [
            ("INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("R&D", "R&-D"),
            // This is the example of RFC 3501.
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("😀", "&2D3eAA-"),
        ] {
            assert_eq!((encoded(name), decoded(sent)), (sent.to_owned(), name.to_owned()));
        }
        assert_eq!(decoded("&broken"), "&broken");
    }
}
