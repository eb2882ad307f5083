//! Converts posts and comments of Reddit's API.

use serde::Deserialize;
use serde_json::Value;

use crate::draft::Found;
use crate::lenient::lenient;
use sentistream_core::domain::Timestamp;

/// A post or a comment.
#[derive(Debug, Deserialize)]
pub struct Thing {
    /// The id in base 36, without the prefix of its kind.
    id: String,
    /// The id with the prefix of its kind: `t3_…` or `t1_…`.
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    author: Option<String>,
    /// The time of creation, in Unix seconds.
    #[serde(default, deserialize_with = "lenient")]
    created_utc: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    title: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    selftext: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    body: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    parent_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    permalink: Option<String>,
}

/// Why an item of a listing is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ThingError {
    /// The item does not have the fields of a post or comment.
    #[error("not a post or comment: {0}")]
    Form(#[from] serde_json::Error),
    /// The id is not a number in base 36.
    #[error("{0}: the id is not a number in base 36")]
    Id(String),
}

impl Thing {
    /// Parses an item. Returns the item with its id as a number.
    ///
    /// # Errors
    /// When the item is not a post or comment.
    pub fn read(value: Value) -> Result<(u64, Self), ThingError> {
        let thing: Self = serde_json::from_value(value)?;
        match u64::from_str_radix(&thing.id, 36) {
            Ok(number) => Ok((number, thing)),
            Err(_) => Err(ThingError::Id(thing.name)),
        }
    }

    /// The text and the metadata of the item; `None` if it was deleted or removed.
    pub fn found(self) -> Option<Found> {
        let gone = |text: &Option<String>| matches!(text.as_deref(), Some("[deleted]" | "[removed]"));
        if gone(&self.selftext) || gone(&self.body) {
            return None;
        }
        let parts = [self.title, self.selftext, self.body].into_iter().flatten();
        let parts: Vec<String> = parts.filter(|part| !part.trim().is_empty()).collect();
        Some(Found {
            post_id: format!("reddit:{}", self.name),
            content: parts.join("\n\n"),
            author: self.author.filter(|author| author != "[deleted]"),
            created_at: self.created_utc.and_then(|seconds| Timestamp::from_millis((seconds * 1e3) as i64)),
            url: self.permalink.map(|path| format!("https://www.reddit.com{path}")),
            reply_to: self.parent_id.map(|parent| format!("reddit:{parent}")),
            ..Found::default()
        })
    }
}
