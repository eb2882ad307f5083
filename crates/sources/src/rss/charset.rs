//! Decodes documents whose encoding is named only in the `Content-Type` header.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use reqwest::header::{CONTENT_TYPE, HeaderMap};

/// The number of bytes at the start of a document that are searched for the declaration of an encoding.
const PROLOG: usize = 256;

/// Converts the document to UTF-8 if the header specifies another encoding. A document that is valid UTF-8, has a
/// byte-order mark, or declares an encoding is not converted, because many servers send a wrong header.
pub fn decoded<'a>(document: &'a [u8], headers: &HeaderMap) -> Cow<'a, [u8]> {
    let prolog = &document[..document.len().min(PROLOG)];
    let declares = prolog.windows(b"encoding".len()).any(|window| window.eq_ignore_ascii_case(b"encoding"));
    if declares || Encoding::for_bom(document).is_some() || std::str::from_utf8(document).is_ok() {
        return Cow::Borrowed(document);
    }
    match charset(headers).filter(|encoding| *encoding != UTF_8) {
        Some(encoding) => Cow::Owned(encoding.decode_without_bom_handling(document).0.into_owned().into_bytes()),
        None => Cow::Borrowed(document),
    }
}

fn charset(headers: &HeaderMap) -> Option<&'static Encoding> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let label = kind.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })?;
    Encoding::for_label(label.as_bytes())
}
