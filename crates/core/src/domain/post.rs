//! A post, and the validation of input.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{InvalidValue, Timestamp};

/// The maximum length of `post_id`, in bytes.
pub const MAX_ID_BYTES: usize = 256;
/// The maximum length of `author`, in characters.
pub const MAX_AUTHOR_CHARS: usize = 256;
/// The maximum length of `source`, in characters.
pub const MAX_SOURCE_CHARS: usize = 64;
/// The maximum length of `content`, in characters.
pub const MAX_CONTENT_CHARS: usize = 100_000;
/// The maximum length of `url` and `reply_to`, in bytes.
pub const MAX_LINK_BYTES: usize = 2_048;
/// The maximum length of `lang`, in bytes: the buffer size that RFC 5646 recommends for BCP 47 tags.
pub const MAX_LANG_BYTES: usize = 35;
/// A `created_at` further in the future than this is replaced by the current time. Smaller differences are
/// accepted as clock skew.
pub const MAX_AHEAD: Duration = Duration::from_secs(300);

/// An invalid field of the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// The name of the field in the input.
    pub field: String,
    /// The error, and what is allowed.
    pub message: String,
}

impl FieldError {
    /// An error of `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Parses a value.
            ///
            /// # Errors
            /// When the text is not a valid value.
            pub fn parse(text: &str) -> Result<Self, InvalidValue> {
                let parse: fn(&str) -> Result<String, InvalidValue> = $parse;
                parse(text).map(Self)
            }

            /// The value as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The value as an owned string.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

text_type! {
    /// The id of a post, unique across all sources: 1–256 bytes without U+0000.
    PostId, |text| {
        if text.is_empty() || text.len() > MAX_ID_BYTES {
            return Err(InvalidValue::ByteCount { max: MAX_ID_BYTES, found: text.len() });
        }
        without_nul(text)
    }
}

text_type! {
    /// The source of a post: 1–64 characters of `[a-z0-9_.-]`. Parsing converts it to lower case.
    Source, |text| {
        let lower = text.to_lowercase();
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
        if lower.is_empty() || lower.len() > MAX_SOURCE_CHARS || !lower.chars().all(valid) {
            return Err(InvalidValue::Name { max: MAX_SOURCE_CHARS });
        }
        Ok(lower)
    }
}

text_type! {
    /// The author of a post: 1–256 characters without U+0000, not only white space.
    Author, |text| {
        let length = text.chars().count();
        if text.trim().is_empty() || length > MAX_AUTHOR_CHARS {
            return Err(InvalidValue::CharCount { max: MAX_AUTHOR_CHARS, found: length });
        }
        without_nul(text)
    }
}

fn without_nul(text: &str) -> Result<String, InvalidValue> {
    if text.contains('\0') {
        return Err(InvalidValue::Nul);
    }
    Ok(text.to_owned())
}

/// A valid post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The id of the post, unique across all sources.
    pub post_id: PostId,
    /// The source that the post comes from.
    pub source: Source,
    /// The text: not blank, at most 100,000 characters, without U+0000.
    pub content: String,
    /// The author on the source; `None` if the source did not send one.
    pub author: Option<Author>,
    /// Event time: when the author wrote the post.
    pub created_at: Timestamp,
    /// The BCP 47 tag of the language, as the source sent it or as it was detected; `None` if it is not known.
    pub lang: Option<String>,
    /// The http or https URL of the original post; `None` if the source did not send one.
    pub url: Option<String>,
    /// The id of the post that this one replies to; `None` if the source did not send one.
    pub reply_to: Option<String>,
}

impl Post {
    /// The properties of the post that topics are matched against.
    pub fn subject(&self) -> super::Subject<'_> {
        super::Subject {
            content: &self.content,
            author: self.author.as_ref().map(Author::as_str),
            source: self.source.as_str(),
            lang: self.lang.as_deref(),
            url: self.url.as_deref(),
            is_reply: self.reply_to.is_some(),
        }
    }
}

/// A post before validation, as `POST /api/posts`, `import` and replay receive it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"post_id": "demo-1", "source": "web", "content": "I love this phone", "author": "ada"}))]
pub struct PostDraft {
    /// Required. The id of the post, unique across all sources: 1–256 bytes without U+0000.
    #[serde(default)]
    pub post_id: Option<String>,
    /// Required. The source of the post: 1–64 characters of `[a-z0-9_.-]`. Capital letters become lower case.
    #[serde(default)]
    pub source: Option<String>,
    /// Required. The text: not blank, at most 100,000 characters, without U+0000.
    #[serde(default)]
    pub content: Option<String>,
    /// The name of the author on the source: 1–256 characters. If it is missing or blank, the author is unknown.
    #[serde(default)]
    pub author: Option<String>,
    /// When the author wrote the post: RFC 3339, or Unix seconds or milliseconds. Default: the current time, which also
    /// replaces a time that is more than 5 minutes in the future.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<DraftTime>,
    /// The BCP 47 tag of the post's language: at most 35 bytes. Default: the language is detected, if detection is
    /// enabled and the text is long and clear enough.
    #[serde(default)]
    pub lang: Option<String>,
    /// The URL of the original post: at most 2,048 bytes. A URL that is not http or https is not stored.
    #[serde(default)]
    pub url: Option<String>,
    /// The id of the post that this one replies to: at most 2,048 bytes.
    #[serde(default)]
    pub reply_to: Option<String>,
}

/// A time before validation: in JSON a number or a string.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum DraftTime {
    /// Unix seconds or milliseconds, distinguished by magnitude.
    Whole(i64),
    /// Unix seconds or milliseconds with a fraction, distinguished by magnitude.
    Fraction(f64),
    /// RFC 3339, or a Unix time as text. An empty text is treated as a missing time.
    Text(String),
}

impl DraftTime {
    fn parse(&self) -> Option<Timestamp> {
        match self {
            Self::Whole(number) => Timestamp::from_unix(*number),
            Self::Fraction(number) => Timestamp::from_float(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

impl PostDraft {
    /// Validates the draft. `now` replaces a `created_at` that is missing or too far in the future.
    ///
    /// # Errors
    /// All invalid fields, each with its error.
    pub fn validate(self, now: Timestamp) -> Result<Post, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, error: InvalidValue| errors.push(FieldError::new(field, error));

        let post_id = required(self.post_id, PostId::parse).map_err(|e| keep("post_id", e)).ok();
        let source = required(self.source, Source::parse).map_err(|e| keep("source", e)).ok();
        let content = required(self.content, valid_content).map_err(|e| keep("content", e)).ok();
        let author = optional(self.author, Author::parse).map_err(|e| keep("author", e)).ok();
        let lang = optional(self.lang, |t| bounded(t, MAX_LANG_BYTES)).map_err(|e| keep("lang", e)).ok();
        let url = optional(self.url, |t| bounded(t.trim(), MAX_LINK_BYTES)).map_err(|e| keep("url", e)).ok();
        // Feeds contain URLs of other schemes. These URLs are not stored, so that no mail links to them.
        let url = url.map(|url| url.filter(|url| is_web_url(url)));
        let reply_to = optional(self.reply_to, |t| bounded(t, MAX_LINK_BYTES)).map_err(|e| keep("reply_to", e)).ok();
        let created_at = match self.created_at {
            None => Some(now),
            Some(DraftTime::Text(text)) if text.is_empty() => Some(now),
            Some(time) => {
                let parsed = time.parse();
                if parsed.is_none() {
                    errors.push(FieldError::new("created_at", super::time::TimeError.to_string()));
                }
                parsed
            }
        };
        match (post_id, source, content, author, created_at, lang, url, reply_to) {
            (
                Some(post_id),
                Some(source),
                Some(content),
                Some(author),
                Some(at),
                Some(lang),
                Some(url),
                Some(reply_to),
            ) => {
                let created_at = if at > now + MAX_AHEAD { now } else { at };
                Ok(Post { post_id, source, content, author, created_at, lang, url, reply_to })
            }
            _ => Err(errors),
        }
    }
}

fn required<T>(value: Option<String>, parse: impl Fn(&str) -> Result<T, InvalidValue>) -> Result<T, InvalidValue> {
    value.ok_or(InvalidValue::Missing).and_then(|text| parse(&text))
}

/// Parses an optional text. A blank text is treated as missing, because CSV cannot distinguish an empty value from a
/// missing one.
fn optional<T>(
    value: Option<String>,
    parse: impl Fn(&str) -> Result<T, InvalidValue>,
) -> Result<Option<T>, InvalidValue> {
    value.filter(|text| !text.trim().is_empty()).map(|text| parse(&text)).transpose()
}

fn valid_content(text: &str) -> Result<String, InvalidValue> {
    if text.trim().is_empty() {
        return Err(InvalidValue::Blank);
    }
    let length = text.chars().count();
    if length > MAX_CONTENT_CHARS {
        return Err(InvalidValue::TooManyChars { max: MAX_CONTENT_CHARS, found: length });
    }
    without_nul(text)
}

/// Whether `url` is an http(s) URL without control characters. URLs of other schemes, such as `javascript:`, can run
/// code or open files.
pub fn is_web_url(url: &str) -> bool {
    let has_scheme = |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    (has_scheme("http://") || has_scheme("https://")) && !url.contains(char::is_control)
}

fn bounded(text: &str, max: usize) -> Result<String, InvalidValue> {
    if text.len() > max {
        return Err(InvalidValue::TooManyBytes { max, found: text.len() });
    }
    without_nul(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(content: &str) -> PostDraft {
        PostDraft {
            post_id: Some("a".into()),
            source: Some("Twitter".into()),
            content: Some(content.into()),
            ..PostDraft::default()
        }
    }

    #[test]
    fn valid_draft_becomes_a_post_with_a_lower_case_source() {
        let now = Timestamp::from_millis(5_000).unwrap();
        let post = draft("hello").validate(now).unwrap();
        assert_eq!((post.source.as_str(), post.created_at), ("twitter", now));
    }

    #[test]
    fn error_names_every_invalid_field() {
        let bad = PostDraft {
            source: Some("no spaces".into()),
            content: Some(" \n".into()),
            created_at: Some(DraftTime::Text("soon".into())),
            author: Some("x".repeat(300)),
            ..PostDraft::default()
        };
        let fields: Vec<_> = bad.validate(Timestamp::EPOCH).unwrap_err().into_iter().map(|e| e.field).collect();
        assert_eq!(fields, ["post_id", "source", "content", "author", "created_at"]);
    }

    #[test]
    fn url_of_a_post_is_dropped_unless_http_or_https() {
        let url_of = |url: &str| {
            let draft = PostDraft { url: Some(url.to_owned()), ..draft("x") };
            draft.validate(Timestamp::EPOCH).unwrap().url
        };
        for url in ["https://example.org/a?b=c#d", "HTTP://example.org"] {
            assert_eq!(url_of(url).as_deref(), Some(url));
        }
        assert_eq!(url_of(" https://example.org\n").as_deref(), Some("https://example.org"));
        for url in [
            "javascript:alert(1)",
            "JavaScript://example.org/%0aalert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "/a",
            "java\nscript:x",
            "https://\u{1}x",
        ] {
            assert_eq!(url_of(url), None, "{url}");
        }
    }

    #[test]
    fn long_content_is_rejected_and_future_time_is_clamped() {
        assert!(draft(&"é".repeat(MAX_CONTENT_CHARS)).validate(Timestamp::EPOCH).is_ok());
        assert!(draft(&"é".repeat(MAX_CONTENT_CHARS + 1)).validate(Timestamp::EPOCH).is_err());
        assert!(draft("nul \0").validate(Timestamp::EPOCH).is_err());

        let at = |seconds| PostDraft { created_at: Some(DraftTime::Whole(seconds)), ..draft("x") };
        assert_eq!(at(300).validate(Timestamp::EPOCH).unwrap().created_at.as_seconds(), 300);
        assert_eq!(at(301).validate(Timestamp::EPOCH).unwrap().created_at, Timestamp::EPOCH);
    }
}
