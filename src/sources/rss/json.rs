//! JSON Feeds with numeric ids.

use std::borrow::Cow;

use serde_json::Value;

/// The document with all ids as text. A reader must treat a number as text
/// (<https://www.jsonfeed.org/version/1.1/#items-a-name-items-a>).
pub fn with_text_ids(document: &[u8]) -> Cow<'_, [u8]> {
    let is_json = document.trim_ascii_start().first() == Some(&b'{');
    let Some(Ok(mut feed)) = is_json.then(|| serde_json::from_slice::<Value>(document)) else {
        return Cow::Borrowed(document);
    };
    let mut changed = false;
    for item in feed["items"].as_array_mut().into_iter().flatten() {
        if let Some(id) = item.get_mut("id").filter(|id| id.is_number()) {
            *id = Value::String(id.to_string());
            changed = true;
        }
    }
    if changed { Cow::Owned(feed.to_string().into_bytes()) } else { Cow::Borrowed(document) }
}
