//! Documents whose encoding only the `Content-Type` header names.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use reqwest::header::{CONTENT_TYPE, HeaderMap};

/// Bytes of a document in which its own declaration is searched for.
const PROLOG: usize = 256;

/// The document in UTF-8, if the header names another encoding and the document names none. A byte-order mark and the
/// document's own declaration have precedence: many servers send a wrong header.
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
