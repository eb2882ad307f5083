//! Posts as clients send them, before validation. Parsing keeps only the known fields, and at most as many posts as a
//! request may contain, so that a hostile body cannot use more memory than its own size.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::post::DraftTime;
use crate::domain::time::TimeError;
use crate::domain::{FieldError, PostDraft};

/// A JSON body: one post or an array of posts.
#[derive(Debug)]
pub struct RawBody {
    /// The posts, up to the requested maximum.
    pub posts: Vec<Candidate>,
    /// Number of elements in the body.
    pub total: usize,
    /// Whether the body is a single post and not an array.
    pub alone: bool,
}

/// Parses `text`. Keeps at most `max` posts and counts the rest.
///
/// # Errors
/// When `text` is not JSON.
pub fn parse(text: &str, max: usize) -> serde_json::Result<RawBody> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let body = parser.deserialize_any(BodyVisitor { max })?;
    parser.end()?;
    Ok(body)
}

/// An element of a request.
#[derive(Debug)]
pub enum Candidate {
    /// A JSON object.
    Post(Box<RawPost>),
    /// Anything else.
    Invalid {
        /// What is invalid: `body` or `line`.
        field: &'static str,
        /// Why the element is invalid.
        message: String,
    },
}

/// The fields of a post, of any JSON type.
#[derive(Debug, Default)]
pub struct RawPost {
    post_id: Field,
    source: Field,
    content: Field,
    author: Field,
    lang: Field,
    url: Field,
    reply_to: Field,
    created_at: Field,
}

/// The value of a field.
#[derive(Debug, Default)]
enum Field {
    /// Absent or null.
    #[default]
    Missing,
    Text(String),
    Whole(i64),
    Fraction(f64),
    /// A boolean, a list or an object.
    Other,
}

impl Candidate {
    /// The `post_id`, if it is a text.
    pub fn post_id(&self) -> Option<&str> {
        match self {
            Self::Post(post) => match &post.post_id {
                Field::Text(id) => Some(id),
                _ => None,
            },
            Self::Invalid { .. } => None,
        }
    }

    /// The post to validate.
    ///
    /// # Errors
    /// An error for each field of a wrong type.
    pub fn draft(self) -> Result<PostDraft, Vec<FieldError>> {
        let post = match self {
            Self::Post(post) => *post,
            Self::Invalid { field, message } => return Err(vec![FieldError::new(field, message)]),
        };
        let mut errors = Vec::new();
        let mut text = |name: &str, field: Field| match field {
            Field::Missing => None,
            Field::Text(text) => Some(text),
            _ => {
                errors.push(FieldError::new(name, "must be a text"));
                None
            }
        };
        let draft = PostDraft {
            post_id: text("post_id", post.post_id),
            source: text("source", post.source),
            content: text("content", post.content),
            author: text("author", post.author),
            lang: text("lang", post.lang),
            url: text("url", post.url),
            reply_to: text("reply_to", post.reply_to),
            created_at: None,
        };
        let created_at = match post.created_at {
            Field::Missing => None,
            Field::Text(text) => Some(DraftTime::Text(text)),
            Field::Whole(number) => Some(DraftTime::Whole(number)),
            Field::Fraction(number) => Some(DraftTime::Fraction(number)),
            Field::Other => {
                errors.push(FieldError::new("created_at", TimeError.to_string()));
                None
            }
        };
        if errors.is_empty() { Ok(PostDraft { created_at, ..draft }) } else { Err(errors) }
    }
}

struct BodyVisitor {
    max: usize,
}

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = RawBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a post or an array of posts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<RawBody, A::Error> {
        let (mut posts, mut total) = (Vec::new(), 0);
        while total < self.max {
            let Some(post) = elements.next_element()? else { return Ok(RawBody { posts, total, alone: false }) };
            posts.push(post);
            total += 1;
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {
            total += 1;
        }
        Ok(RawBody { posts, total, alone: false })
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<RawBody, A::Error> {
        Ok(alone(CandidateVisitor.visit_map(fields)?))
    }

    fn visit_bool<E>(self, _: bool) -> Result<RawBody, E> {
        Ok(alone(not_an_object()))
    }

    fn visit_i64<E>(self, _: i64) -> Result<RawBody, E> {
        Ok(alone(not_an_object()))
    }

    fn visit_u64<E>(self, _: u64) -> Result<RawBody, E> {
        Ok(alone(not_an_object()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<RawBody, E> {
        Ok(alone(not_an_object()))
    }

    fn visit_str<E>(self, _: &str) -> Result<RawBody, E> {
        Ok(alone(not_an_object()))
    }

    fn visit_unit<E>(self) -> Result<RawBody, E> {
        Ok(alone(not_an_object()))
    }
}

fn alone(post: Candidate) -> RawBody {
    RawBody { posts: vec![post], total: 1, alone: true }
}

fn not_an_object() -> Candidate {
    Candidate::Invalid { field: "body", message: "must be a JSON object with the fields of a post".to_owned() }
}

impl<'de> Deserialize<'de> for Candidate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CandidateVisitor)
    }
}

struct CandidateVisitor;

/// The names of the fields of a post.
#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    PostId,
    Source,
    Content,
    Author,
    Lang,
    Url,
    ReplyTo,
    CreatedAt,
    #[serde(other)]
    Unknown,
}

impl<'de> Visitor<'de> for CandidateVisitor {
    type Value = Candidate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a post")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Candidate, A::Error> {
        let mut post = RawPost::default();
        while let Some(name) = fields.next_key()? {
            let field = match name {
                Name::PostId => &mut post.post_id,
                Name::Source => &mut post.source,
                Name::Content => &mut post.content,
                Name::Author => &mut post.author,
                Name::Lang => &mut post.lang,
                Name::Url => &mut post.url,
                Name::ReplyTo => &mut post.reply_to,
                Name::CreatedAt => &mut post.created_at,
                Name::Unknown => {
                    fields.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *field = fields.next_value()?;
        }
        Ok(Candidate::Post(Box::new(post)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Candidate, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(not_an_object())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Candidate, E> {
        Ok(not_an_object())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Candidate, E> {
        Ok(not_an_object())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Candidate, E> {
        Ok(not_an_object())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Candidate, E> {
        Ok(not_an_object())
    }

    fn visit_str<E>(self, _: &str) -> Result<Candidate, E> {
        Ok(not_an_object())
    }

    fn visit_unit<E>(self) -> Result<Candidate, E> {
        Ok(not_an_object())
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of a field")
    }

    fn visit_str<E>(self, text: &str) -> Result<Field, E> {
        Ok(Field::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Field, E> {
        Ok(Field::Text(text))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field, E> {
        Ok(Field::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field, E> {
        Ok(i64::try_from(number).map_or(Field::Fraction(number as f64), Field::Whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Field, E> {
        Ok(Field::Fraction(number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Field, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Field, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_wrong_type_are_listed() {
        let body = parse(r#"{"post_id": 1, "source": [], "content": "x", "created_at": {}}"#, 1).unwrap();
        let errors = body.posts.into_iter().next().unwrap().draft().unwrap_err();
        let fields: Vec<_> = errors.into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["post_id", "source", "created_at"]);
    }

    #[test]
    fn posts_above_the_limit_are_counted_but_not_kept() {
        let text = format!("[{}{{}}]", "{\"\": 0},".repeat(99));
        let body = parse(&text, 3).unwrap();
        assert_eq!((body.posts.len(), body.total, body.alone), (3, 100, false));
    }
}
