//! Accepts JSON Feeds with common deviations: numeric and missing ids, and fields and items of unexpected types.

use std::collections::VecDeque;
use std::fmt;

use feed_rs::parser::ParseFeedError;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::error::FeedError;
use super::limits::{self, MAX_ENTRIES};

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
/// Fields that are removed because posts do not use them.
const UNUSED: [&str; 2] = ["attachments", "tags"];

/// A document whose entries are limited during parsing.
#[derive(Deserialize)]
struct Document {
    items: Option<Items>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// The first and the last items of a document, at most [`MAX_ENTRIES`] in total.
#[derive(Default)]
struct Items {
    first: Vec<Value>,
    last: VecDeque<Value>,
    /// The number of items between the first and the last ones, which are left out.
    left_out: usize,
}

impl Items {
    fn push(&mut self, item: Value) {
        if self.first.len() < MAX_ENTRIES / 2 {
            self.first.push(item);
            return;
        }
        if self.last.len() == MAX_ENTRIES / 2 {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(item);
    }
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ItemsVisitor)
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Items, A::Error> {
        let mut items = Items::default();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(items)
    }
}

/// Normalizes a document so that the parser accepts its items: ids become text
/// (<https://www.jsonfeed.org/version/1.1/#items-a-name-items-a>), and other fields of a wrong type are removed.
/// Otherwise an unexpected item would make the whole document unreadable. Returns the document and the number of items
/// that were left out. `None`: the document is not JSON.
///
/// # Errors
/// When the document is malformed, or has too many values.
pub fn tidied(document: &[u8]) -> Result<Option<(Vec<u8>, usize)>, FeedError> {
    if document.trim_ascii_start().first() != Some(&b'{') {
        return Ok(None);
    }
    limits::of_json(document)?;
    let Document { items, rest: mut feed } = serde_json::from_slice(document).map_err(ParseFeedError::from)?;
    let Some(Items { first, last, left_out }) = items else {
        return Ok(Some((Value::Object(feed).to_string().into_bytes(), 0)));
    };
    let mut items: Vec<Value> = first.into_iter().chain(last).collect();
    for item in &mut items {
        match item.as_object_mut() {
            Some(item) => tidy(item),
            // The replacement has no text, so the item is later counted as filtered.
            None => *item = json!({"id": item.to_string()}),
        }
    }
    feed.insert("items".to_owned(), Value::Array(items));
    Ok(Some((Value::Object(feed).to_string().into_bytes(), left_out)))
}

/// Normalizes an item. If the item has neither an id nor a URL, its id becomes empty, and its text identifies it.
fn tidy(item: &mut Map<String, Value>) {
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
    if !item.contains_key("id") {
        let url = item.get("url").cloned().unwrap_or_else(|| json!(""));
        item.insert("id".to_owned(), url);
    }
}
