//! From the fields of a record to a post.

use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;

use crate::domain::{Post, PostDraft, Timestamp};

/// The fields of a post, in the order of [`set`].
pub const NAMES: [&str; 8] = ["post_id", "source", "content", "author", "created_at", "lang", "url", "reply_to"];
/// Those without which no post is valid.
pub const REQUIRED: [&str; 3] = ["post_id", "source", "content"];

/// A record's fields as a draft.
pub type Draft = PostDraft;

/// Which of their fields become ours; those not named keep their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldMap(Vec<(&'static str, String)>);

impl FieldMap {
    /// Adds `OURS=THEIRS` (`content=body`).
    ///
    /// # Errors
    /// When it is not of this form, or names no field of a post.
    pub fn add(&mut self, rename: &str) -> Result<(), String> {
        let (ours, theirs) = rename
            .split_once('=')
            .map(|(ours, theirs)| (ours.trim(), theirs.trim()))
            .filter(|(_, theirs)| !theirs.is_empty())
            .ok_or_else(|| format!("{rename:?} is not of the form FIELD=THEIR_FIELD (content=body)"))?;
        let ours = NAMES
            .into_iter()
            .find(|name| *name == ours)
            .ok_or_else(|| format!("{ours:?} is no field of a post: expected one of {}", NAMES.join(", ")))?;
        self.0.retain(|(name, _)| *name != ours);
        self.0.push((ours, theirs.to_owned()));
        Ok(())
    }

    /// What they call our field `ours`.
    pub fn theirs<'a>(&'a self, ours: &'a str) -> &'a str {
        self.0.iter().find(|(name, _)| *name == ours).map_or(ours, |(_, theirs)| theirs)
    }
}

impl FromStr for FieldMap {
    type Err = String;

    /// Renames separated by commas; as a single one it is a value of `--map`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut map = Self::default();
        text.split(',').filter(|rename| !rename.trim().is_empty()).try_for_each(|rename| map.add(rename))?;
        Ok(map)
    }
}

/// Sets the field `name` of `draft`.
pub fn set(draft: &mut PostDraft, name: &str, value: String) {
    let field = match name {
        "post_id" => &mut draft.post_id,
        "source" => &mut draft.source,
        "content" => &mut draft.content,
        "author" => &mut draft.author,
        "lang" => &mut draft.lang,
        "url" => &mut draft.url,
        "reply_to" => &mut draft.reply_to,
        _ => {
            draft.created_at = Some(crate::domain::post::DraftTime::Text(value));
            return;
        }
    };
    *field = Some(value);
}

/// Reads a JSON object. Numbers are taken where a text is expected: many ids are numbers.
pub fn from_json(text: &[u8], map: &FieldMap) -> Result<PostDraft, String> {
    if map.0.is_empty()
        && let Ok(draft) = serde_json::from_slice(text)
    {
        return Ok(draft);
    }
    let value: Value = serde_json::from_slice(text).map_err(|error| format!("is not valid JSON: {error}"))?;
    let Value::Object(mut object) = value else {
        return Err("is not a JSON object; one object per line is expected".to_owned());
    };
    let mut picked = serde_json::Map::new();
    for ours in NAMES {
        if let Some(value) = object.remove(map.theirs(ours)) {
            let value = match value {
                Value::Number(number) if ours != "created_at" => Value::String(number.to_string()),
                other => other,
            };
            picked.insert(ours.to_owned(), value);
        }
    }
    PostDraft::deserialize(Value::Object(picked)).map_err(|error| error.to_string())
}

/// The post of a draft, or everything that is wrong with it.
pub fn post(draft: PostDraft, now: Timestamp) -> Result<Post, String> {
    draft.validate(now).map_err(|errors| {
        let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
        messages.join("; ")
    })
}
