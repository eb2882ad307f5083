//! Converts the fields of a record to a post.

use serde_json::Value;

use super::super::date::{self, DayOrder};
use super::RecordError;
use sentistream_core::domain::post::{DraftTime, MAX_AUTHOR_CHARS, MAX_LANG_BYTES, MAX_LINK_BYTES};
use sentistream_core::domain::{FieldError, Post, PostDraft, Timestamp};

/// The names of the fields of a post.
pub const NAMES: [&str; 8] = ["post_id", "source", "content", "author", "created_at", "lang", "url", "reply_to"];
/// The fields that every post must have.
pub const REQUIRED: [&str; 3] = ["post_id", "source", "content"];

/// A record that is not validated yet.
#[derive(Debug, Default)]
pub struct Draft {
    /// The fields of the post, before validation.
    pub post: PostDraft,
    /// Optional fields that were left out because they are not valid: of a wrong type, too long, or not a time.
    pub dropped: Vec<&'static str>,
}

/// An error in a field map or a constant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldMapError {
    /// The text is not an assignment.
    #[error("{0:?} is not of the form FIELD=VALUE (content=body)")]
    Form(String),
    /// The name is not one of [`NAMES`].
    #[error("{0:?} is not a field of a post: expected one of {names}", names = NAMES.join(", "))]
    Unknown(String),
}

/// Splits `FIELD=VALUE`.
fn assignment(text: &str) -> Result<(&'static str, String), FieldMapError> {
    let parts = text.split_once('=').map(|(field, value)| (field.trim(), value.trim()));
    let (field, value) =
        parts.filter(|(_, value)| !value.is_empty()).ok_or_else(|| FieldMapError::Form(text.to_owned()))?;
    let known = NAMES.into_iter().find(|name| *name == field);
    Ok((known.ok_or_else(|| FieldMapError::Unknown(field.to_owned()))?, value.to_owned()))
}

/// The names that a file uses for the fields of a post. A field without an entry has the same name in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldMap(Vec<(&'static str, String)>);

impl FieldMap {
    /// Adds `FIELD=NAME_IN_FILE` (`content=body`).
    ///
    /// # Errors
    /// When `rename` does not have this form, or does not name a field of a post.
    pub fn add(&mut self, rename: &str) -> Result<(), FieldMapError> {
        let (field, name) = assignment(rename)?;
        self.0.retain(|(known, _)| *known != field);
        self.0.push((field, name));
        Ok(())
    }

    /// The name of `field` in the file.
    pub fn name_of<'a>(&'a self, field: &'a str) -> &'a str {
        self.0.iter().find(|(known, _)| *known == field).map_or(field, |(_, name)| name)
    }
}

/// Values for all records of a file. They replace the values in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constants(Vec<(&'static str, String)>);

impl Constants {
    /// Adds `FIELD=VALUE` (`source=web`).
    ///
    /// # Errors
    /// When `constant` does not have this form, or does not name a field of a post.
    pub fn add(&mut self, constant: &str) -> Result<(), FieldMapError> {
        let (field, value) = assignment(constant)?;
        self.0.retain(|(known, _)| *known != field);
        self.0.push((field, value));
        Ok(())
    }

    /// Whether `field` has a constant value.
    pub fn sets(&self, field: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == field)
    }
}

/// Sets the field `name` of `draft`, which must be one of [`NAMES`].
pub fn set(draft: &mut PostDraft, name: &str, value: String) {
    match text_field(draft, name) {
        Some(field) => *field = Some(value),
        None => draft.created_at = Some(DraftTime::Text(value)),
    }
}

/// The text field `name` of the draft; `None` for `created_at`, which is not a text.
fn text_field<'a>(draft: &'a mut PostDraft, name: &str) -> Option<&'a mut Option<String>> {
    match name {
        "post_id" => Some(&mut draft.post_id),
        "source" => Some(&mut draft.source),
        "content" => Some(&mut draft.content),
        "author" => Some(&mut draft.author),
        "lang" => Some(&mut draft.lang),
        "url" => Some(&mut draft.url),
        "reply_to" => Some(&mut draft.reply_to),
        _ => None,
    }
}

/// Parses a JSON object. Numbers are accepted as text, because many files have numeric ids.
pub fn from_json(text: &[u8], map: &FieldMap) -> Result<Draft, RecordError> {
    if map.0.is_empty()
        && let Ok(post) = serde_json::from_slice(text)
    {
        return Ok(Draft { post, dropped: Vec::new() });
    }
    let Value::Object(mut object) = serde_json::from_slice(text)? else { return Err(RecordError::NotObject) };
    let mut draft = Draft::default();
    for field in NAMES {
        match object.remove(map.name_of(field)) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => set(&mut draft.post, field, text),
            Some(Value::Number(number)) => set(&mut draft.post, field, number.to_string()),
            Some(_) if REQUIRED.contains(&field) => {
                let error = FieldError::new(field, "must be a text, found another type");
                return Err(RecordError::Invalid(vec![error]));
            }
            Some(_) => draft.dropped.push(field),
        }
    }
    Ok(draft)
}

/// Converts a draft to a post. Invalid optional fields are left out and added to `dropped`.
pub fn post(draft: &mut Draft, options: &super::ReadOptions, now: Timestamp) -> Result<Post, RecordError> {
    for (field, value) in &options.constants.0 {
        set(&mut draft.post, field, value.clone());
    }
    let Draft { post, dropped } = draft;
    if post.author.as_ref().is_some_and(|author| author.chars().count() > MAX_AUTHOR_CHARS || author.contains('\0')) {
        post.author = None;
        dropped.push("author");
    }
    for (field, bytes) in [("lang", MAX_LANG_BYTES), ("url", MAX_LINK_BYTES), ("reply_to", MAX_LINK_BYTES)] {
        let Some(text) = text_field(post, field) else { continue };
        if text.as_ref().is_some_and(|text| text.len() > bytes || text.contains('\0')) {
            *text = None;
            dropped.push(field);
        }
    }
    if let Some(time) = post.created_at.take() {
        let is_blank = matches!(&time, DraftTime::Text(text) if text.trim().is_empty());
        post.created_at = read_time(&time, options.day_order).map(|at| DraftTime::Text(at.to_string()));
        if post.created_at.is_none() && !is_blank {
            dropped.push("created_at");
        }
    }
    std::mem::take(post).validate(now).map_err(RecordError::Invalid)
}

/// Parses a time in any supported form.
fn read_time(time: &DraftTime, order: Option<DayOrder>) -> Option<Timestamp> {
    match time {
        DraftTime::Whole(number) => Timestamp::from_unix(*number),
        DraftTime::Fraction(number) => Timestamp::from_float(*number),
        DraftTime::Text(text) => text.trim().parse().ok().or_else(|| date::date(text, order).map(Into::into)),
    }
}
