//! Accepts JSON Feeds with common deviations: numeric ids, and fields of unexpected types.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Fields of an item that must be strings.
const TEXTS: [&str; 12] = [
    "id",
    "url",
    "external_url",
    "title",
    "content_html",
    "content_text",
    "summary",
    "image",
    "banner_image",
    "date_published",
    "date_modified",
    "language",
];
/// Fields that posts do not need.
const UNUSED: [&str; 2] = ["attachments", "tags"];

/// The document with items that the parser accepts: ids as text
/// (<https://www.jsonfeed.org/version/1.1/#items-a-name-items-a>), and without other fields of a wrong type. Without
/// this an item of an unexpected form would make the whole document unreadable.
pub fn tidied(document: &[u8]) -> Cow<'_, [u8]> {
    let is_json = document.trim_ascii_start().first() == Some(&b'{');
    let Some(Ok(mut feed)) = is_json.then(|| serde_json::from_slice::<Value>(document)) else {
        return Cow::Borrowed(document);
    };
    let Some(items) = feed.get_mut("items").and_then(Value::as_array_mut) else { return Cow::Borrowed(document) };
    items.retain_mut(|item| item.as_object_mut().is_some_and(tidy));
    Cow::Owned(feed.to_string().into_bytes())
}

/// Normalizes an item. Returns whether it has an id.
fn tidy(item: &mut Map<String, Value>) -> bool {
    if let Some(id) = item.get_mut("id").filter(|id| id.is_number()) {
        *id = Value::String(id.to_string());
    }
    item.retain(|name, value| match name.as_str() {
        name if TEXTS.contains(&name) => value.is_string(),
        name if UNUSED.contains(&name) => false,
        "author" => value.is_object(),
        "authors" => value.as_array().is_some_and(|authors| authors.iter().all(Value::is_object)),
        _ => true,
    });
    if !item.contains_key("id")
        && let Some(url) = item.get("url").cloned()
    {
        item.insert("id".to_owned(), url);
    }
    item.contains_key("id")
}
