//! Extracts posts from any JSON document by JSONPath (RFC 9535).
//!
//! A [`Path`] is valid and cheap to evaluate: paths whose cost grows faster than the document are rejected.

use std::str::FromStr;

use serde_json::Value;
use serde_json_path::JsonPath;
use sha2::{Digest, Sha256};

use super::Batch;
use super::date;
use super::draft::Found;
use sentistream_core::domain::Timestamp;
use sentistream_core::domain::op::preview;
use sentistream_core::domain::post::MAX_ID_BYTES;

/// The maximum length of a path, in bytes.
const MAX_PATH: usize = 256;
/// The maximum number of commas in a path. Each list of selectors can multiply the number of values.
const MAX_COMMAS: usize = 3;
/// The maximum number of opening parentheses in a path.
const MAX_PARENTHESES: usize = 4;
/// The maximum number of characters of a value in an error message.
const MAX_SHOWN: usize = 100;

/// A JSONPath. The leading `$.` may be left out: `data.text` means `$.data.text`.
#[derive(Clone, Debug, PartialEq)]
pub struct Path(JsonPath);

/// Why a path is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The text is not a JSONPath.
    #[error("expected a JSONPath such as \"$.data.text\": {0}")]
    Syntax(String),
    /// The path is too long, or could take very long to evaluate.
    #[error(
        "too complex: use at most {MAX_PATH} bytes, {MAX_COMMAS} commas, {MAX_PARENTHESES} opening parentheses, \
         and either one \"..\" or one filter; a filter must not contain \"$\""
    )]
    Costly,
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let text = text.trim();
        let full = match text.chars().next() {
            Some('$') => text.to_owned(),
            Some('[' | '.') => format!("${text}"),
            _ => format!("$.{text}"),
        };
        if is_costly(&full) {
            return Err(PathError::Costly);
        }
        JsonPath::parse(&full).map(Self).map_err(|error| PathError::Syntax(error.to_string()))
    }
}

impl Path {
    /// The first value that the path selects, if it is a text.
    pub fn text<'a>(&self, value: &'a Value) -> Option<&'a str> {
        self.0.query(value).first().and_then(Value::as_str)
    }

    /// The values that the path selects, in the order of their selection.
    fn select<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.0.query(value).all()
    }
}

/// Whether the cost of the path may grow faster than the document, or whether the path is nested too deep.
fn is_costly(path: &str) -> bool {
    let count = |part: &str| path.matches(part).count();
    let filters = count("?");
    path.len() > MAX_PATH
        || count(",") > MAX_COMMAS
        || count("(") > MAX_PARENTHESES
        || count("..") + filters > 1
        // A filter must not evaluate the whole document for each item.
        || (filters > 0 && count("$") > 1)
}

/// Where the fields of posts are in a document. Paths other than `items` start at an item.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The path of the items. A selected array is replaced by its elements.
    pub items: Path,
    /// The path of the post's text. Several selected texts are joined by line breaks.
    pub text: Path,
    /// The path of the post's id. Without the path, or without a value at the path, the id is derived from the author,
    /// the time and the text.
    pub id: Option<Path>,
    /// The path of the author.
    pub author: Option<Path>,
    /// The path of the time: RFC 3339, Unix seconds or milliseconds, or another common format. Without the path, or
    /// without a value at the path, a post gets the current time.
    pub time: Option<Path>,
    /// The path of the http(s) URL of the post.
    pub url: Option<Path>,
    /// The path of the language tag.
    pub lang: Option<Path>,
}

/// The parameters for converting the items of a document to posts.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The `source` of the posts, which is also the first part of their ids.
    pub name: &'a str,
    /// The time of posts without a time.
    pub now: Timestamp,
    /// The maximum number of items that are read. Further items are reported as rejected.
    pub max: usize,
}

/// Why an item is not a valid post.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum ItemError {
    #[error("{0}: found no value")]
    Missing(&'static str),
    #[error("{field}: expected a text or a number, found {found}")]
    Type { field: &'static str, found: &'static str },
    #[error("time: expected RFC 3339 or a Unix time, found {0:?}")]
    Time(String),
}

impl Mapping {
    /// Converts all items of `document` to posts.
    pub fn read(&self, document: &Value, reading: Reading<'_>) -> Batch {
        self.read_items(&self.items(document), reading)
    }

    /// Converts the given items of a document to posts.
    pub fn read_items(&self, items: &[&Value], reading: Reading<'_>) -> Batch {
        let Reading { name, now, max } = reading;
        let mut batch = Batch::default();
        for (number, item) in items.iter().enumerate().take(max) {
            match self.found(item, name) {
                Ok(found) => {
                    let known = batch.rejected.len();
                    found.add_to(&mut batch, name, now);
                    for rejected in &mut batch.rejected[known..] {
                        *rejected = format!("item {}: {rejected}", number + 1);
                    }
                }
                Err(error) => batch.rejected.push(format!("item {}: {error}", number + 1)),
            }
        }
        if items.len() > max {
            batch.rejected.push(format!("only the first {max} of {} items are read", items.len()));
        }
        batch
    }

    /// The id of the post that `item` becomes in the source `name`; `None` when the item is not a valid post.
    pub fn post_id(&self, item: &Value, name: &str) -> Option<String> {
        self.found(item, name).ok().map(|found| found.post_id)
    }

    /// The items of `document`.
    pub fn items<'a>(&self, document: &'a Value) -> Vec<&'a Value> {
        let flat = |value: &'a Value| match value {
            Value::Array(values) => values.iter().collect(),
            value => vec![value],
        };
        self.items.select(document).into_iter().flat_map(flat).collect()
    }

    fn found(&self, item: &Value, name: &str) -> Result<Found, ItemError> {
        let optional = |path: &Option<Path>, field| match path {
            Some(path) => first(path, item, field),
            None => Ok(None),
        };
        let content = texts(&self.text, item, "text")?.join("\n");
        let (author, time) = (optional(&self.author, "author")?, optional(&self.time, "time")?);
        let id = optional(&self.id, "id")?.unwrap_or_else(|| {
            let parts = [author.as_deref().unwrap_or_default(), time.as_deref().unwrap_or_default(), &content];
            digest(&parts.join("\n"))
        });
        let id = format!("{name}:{id}");
        Ok(Found {
            post_id: if id.len() <= MAX_ID_BYTES && !id.contains('\0') {
                id
            } else {
                format!("{name}:{}", digest(&id))
            },
            content,
            author,
            created_at: time.map(|text| instant(&text).ok_or_else(|| not_a_time(&text))).transpose()?,
            lang: optional(&self.lang, "lang")?,
            url: optional(&self.url, "url")?,
            ..Found::default()
        })
    }
}

/// The first value at `path` that is neither null nor blank, as text; `None` when there is no such value.
fn first(path: &Path, item: &Value, field: &'static str) -> Result<Option<String>, ItemError> {
    for value in path.select(item) {
        match text_of(value, field)? {
            Some(text) if !text.trim().is_empty() => return Ok(Some(text)),
            _ => {}
        }
    }
    Ok(None)
}

/// All values at `path` as texts.
fn texts(path: &Path, item: &Value, field: &'static str) -> Result<Vec<String>, ItemError> {
    let values = path.select(item);
    if values.is_empty() {
        return Err(ItemError::Missing(field));
    }
    let texts: Vec<Option<String>> = values.into_iter().map(|value| text_of(value, field)).collect::<Result<_, _>>()?;
    Ok(texts.into_iter().flatten().filter(|text| !text.trim().is_empty()).collect())
}

fn text_of(value: &Value, field: &'static str) -> Result<Option<String>, ItemError> {
    let wrong = |found| Err(ItemError::Type { field, found });
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(_) => wrong("true or false"),
        Value::Array(_) => wrong("an array"),
        Value::Object(_) => wrong("an object"),
    }
}

fn not_a_time(text: &str) -> ItemError {
    ItemError::Time(preview(text, MAX_SHOWN).to_owned())
}

fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let number = || text.parse::<f64>().ok().and_then(Timestamp::from_float);
    text.parse().ok().or_else(number).or_else(|| date::date(text, None).map(Into::into))
}

/// A short digest of a text as hexadecimal digits.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> Path {
        text.parse().unwrap()
    }

    fn mapping() -> Mapping {
        Mapping {
            items: path("$.data"),
            text: path("$['title','body']"),
            id: Some(path("id")),
            author: Some(path("user.name")),
            time: Some(path("at")),
            url: Some(path("link")),
            lang: Some(path("lang")),
        }
    }

    fn read(mapping: &Mapping, document: &Value) -> Batch {
        mapping.read(document, Reading { name: "shop", now: Timestamp::EPOCH, max: 3 })
    }

    #[test]
    fn items_become_posts_of_the_named_source() {
        let document = json!({"data": [
            {"id": 7, "title": "Broken", "body": "It stopped.", "user": {"name": "ada"}, "at": 1_772_366_400,
             "link": "https://shop.example/7", "lang": "en"},
            {"id": "b", "title": null, "body": "Fine", "at": "2026-03-01 12:00"},
        ]});
        let batch = read(&mapping(), &document);
        assert_eq!(batch.rejected, [""; 0]);
        let posts: Vec<_> = batch.ops.iter().filter_map(|op| op.post()).collect();
        assert_eq!((posts[0].post_id.as_str(), posts[0].content.as_str()), ("shop:7", "Broken\nIt stopped."));
        assert_eq!(posts[0].author.as_ref().map(sentistream_core::domain::Author::as_str), Some("ada"));
        assert_eq!((posts[0].url.as_deref(), posts[0].lang.as_deref()), (Some("https://shop.example/7"), Some("en")));
        assert_eq!((posts[1].post_id.as_str(), posts[1].source.as_str()), ("shop:b", "shop"));
        assert_eq!(posts[0].created_at, posts[1].created_at);
    }

    #[test]
    fn invalid_items_are_rejected_with_their_number() {
        let document = json!({"data": [
            {"id": 1}, {"id": 2, "body": ["x"]}, {"id": 3, "body": "x", "at": "soon"}, {"id": 4, "body": "x"},
        ]});
        let batch = read(&mapping(), &document);
        assert!(batch.ops.is_empty());
        assert_eq!(
            batch.rejected,
            [
                "item 1: text: found no value",
                "item 2: text: expected a text or a number, found an array",
                "item 3: time: expected RFC 3339 or a Unix time, found \"soon\"",
                "only the first 3 of 4 items are read",
            ]
        );
    }

    #[test]
    fn id_of_an_item_without_an_id_depends_on_its_content() {
        let single = Mapping { items: path("$"), id: None, ..mapping() };
        let id = |document: Value| read(&single, &document).ops[0].post().unwrap().post_id.as_str().to_owned();
        assert_eq!(id(json!({"body": "x"})), id(json!({"body": "x", "noise": 1})));
        assert_ne!(id(json!({"body": "x"})), id(json!({"body": "y"})));
        let long = Mapping { items: path("$"), ..mapping() };
        let batch = read(&long, &json!({"id": "9".repeat(1_000), "body": "x"}));
        assert_eq!(batch.ops.len(), 1, "{:?}", batch.rejected);
    }

    #[test]
    fn syntax_errors_and_costly_paths_are_refused() {
        for text in ["$.a[", "", "a b", "$.a[?match(@.b, 'x')]"] {
            assert!(matches!(text.parse::<Path>(), Err(PathError::Syntax(_))), "{text}");
        }
        let wide = format!("${}", "[*,*]".repeat(4));
        let nested = format!("$[?{}", "(".repeat(200));
        for text in ["$..a..b", &wide, &nested, "$.a[?$.b[*]]", "$..[?@.x]", &"a".repeat(300)] {
            assert_eq!(text.parse::<Path>(), Err(PathError::Costly), "{text}");
        }
        for text in ["$", "$.a", "a.b[0]", "[0].x", "$..text", "$.a[?@.kind == 'review']", "$['a','b']"] {
            assert!(text.parse::<Path>().is_ok(), "{text}");
        }
    }
}
