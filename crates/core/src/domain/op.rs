//! The operation that a stream entry requests.

use super::post::DraftTime;
use super::{Author, InvalidValue, Post, PostDraft, PostId, RawFields, Source, Timestamp};

/// The meaning of a valid stream entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A new post.
    Post(Post),
    /// A later version of a post. The version with the latest `edited_at` is kept.
    Replace {
        /// The complete later version.
        post: Post,
        /// When the post was edited.
        edited_at: Timestamp,
    },
    /// Removes a post and leaves a tombstone.
    Delete {
        /// The id of the post to remove.
        post_id: PostId,
    },
    /// Removes all posts of an author on a source.
    DeleteAuthor {
        /// The source of the posts.
        source: Source,
        /// The author of the posts.
        author: Author,
    },
}

/// Why an entry is not valid. The message is stored with the dead letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Rejection(pub String);

impl Op {
    /// The post in the operation, if it has one.
    pub fn post(&self) -> Option<&Post> {
        match self {
            Self::Post(post) | Self::Replace { post, .. } => Some(post),
            Self::Delete { .. } | Self::DeleteAuthor { .. } => None,
        }
    }

    /// Parses an entry. `now` replaces a `created_at` that is missing or too far in the future.
    ///
    /// # Errors
    /// A message that names the missing or invalid fields.
    pub fn parse(fields: &RawFields, now: Timestamp) -> Result<Self, Rejection> {
        let reader = Reader(fields);
        match reader.text("op")?.as_deref() {
            None | Some("" | "post") => Ok(Self::Post(reader.post(now)?)),
            Some("replace") => {
                let edited_at =
                    reader.text("edited_at")?.ok_or_else(|| reject("edited_at", "is required for op=replace"))?;
                let edited_at = edited_at.parse().map_err(|e| reject("edited_at", e))?;
                Ok(Self::Replace { post: reader.post(now)?, edited_at })
            }
            Some("delete") => Ok(Self::Delete { post_id: reader.required("post_id", PostId::parse)? }),
            Some("delete_author") => Ok(Self::DeleteAuthor {
                source: reader.required("source", Source::parse)?,
                author: reader.required("author", Author::parse)?,
            }),
            Some(other) => Err(reject(
                "op",
                format!("must be absent, post, replace, delete or delete_author, but is {:?}", preview(other, 40)),
            )),
        }
    }

    /// The fields of the entry, in the format that [`Self::parse`] reads.
    pub fn to_fields(&self) -> RawFields {
        let mut fields = RawFields::default();
        match self {
            Self::Post(post) => push_post(&mut fields, post),
            Self::Replace { post, edited_at } => {
                fields.push("op", "replace");
                push_post(&mut fields, post);
                fields.push("edited_at", edited_at.to_string());
            }
            Self::Delete { post_id } => {
                fields.push("op", "delete");
                fields.push("post_id", post_id.as_str());
            }
            Self::DeleteAuthor { source, author } => {
                fields.push("op", "delete_author");
                fields.push("source", source.as_str());
                fields.push("author", author.as_str());
            }
        }
        fields
    }
}

fn push_post(fields: &mut RawFields, post: &Post) {
    fields.push("post_id", post.post_id.as_str());
    fields.push("source", post.source.as_str());
    fields.push("content", post.content.as_str());
    fields.push("created_at", post.created_at.to_string());
    let optional = [
        ("author", post.author.as_ref().map(Author::as_str)),
        ("lang", post.lang.as_deref()),
        ("url", post.url.as_deref()),
        ("reply_to", post.reply_to.as_deref()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            fields.push(name, value);
        }
    }
}

struct Reader<'a>(&'a RawFields);

impl Reader<'_> {
    fn text(&self, name: &str) -> Result<Option<String>, Rejection> {
        let Some(bytes) = self.0.get(name) else { return Ok(None) };
        std::str::from_utf8(bytes).map(|text| Some(text.to_owned())).map_err(|_| reject(name, "is not valid UTF-8"))
    }

    fn required<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, InvalidValue>) -> Result<T, Rejection> {
        let text = self.text(name)?.ok_or_else(|| reject(name, "is required"))?;
        parse(&text).map_err(|error| reject(name, error))
    }

    fn post(&self, now: Timestamp) -> Result<Post, Rejection> {
        let draft = PostDraft {
            post_id: self.text("post_id")?,
            source: self.text("source")?,
            content: self.text("content")?,
            author: self.text("author")?,
            created_at: self.text("created_at")?.map(DraftTime::Text),
            lang: self.text("lang")?,
            url: self.text("url")?,
            reply_to: self.text("reply_to")?,
        };
        draft.validate(now).map_err(|errors| {
            let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
            Rejection(messages.join("; "))
        })
    }
}

fn reject(field: &str, message: impl std::fmt::Display) -> Rejection {
    Rejection(format!("{field}: {message}"))
}

/// The first `max` characters of `text`.
pub fn preview(text: &str, max: usize) -> &str {
    match text.char_indices().nth(max) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> RawFields {
        let mut fields = RawFields::default();
        for (name, value) in pairs {
            fields.push(name, *value);
        }
        fields
    }

    #[test]
    fn each_operation_round_trips_through_fields() {
        let entries = [
            fields(&[("post_id", "1"), ("source", "x"), ("content", "hi"), ("created_at", "1767225600")]),
            fields(&[("op", "delete"), ("post_id", "1")]),
            fields(&[("op", "delete_author"), ("source", "x"), ("author", "a")]),
            fields(&[
                ("op", "replace"),
                ("post_id", "1"),
                ("source", "x"),
                ("content", "b"),
                ("edited_at", "1767225601"),
            ]),
        ];
        for entry in entries {
            let op = Op::parse(&entry, Timestamp::EPOCH).unwrap();
            assert_eq!(Op::parse(&op.to_fields(), Timestamp::EPOCH).unwrap(), op);
        }
    }

    #[test]
    fn rejection_names_the_field() {
        let mut invalid = fields(&[("post_id", "1"), ("source", "x")]);
        invalid.push("content", vec![0xff]);
        assert_eq!(Op::parse(&invalid, Timestamp::EPOCH).unwrap_err().0, "content: is not valid UTF-8");
        for (entry, field) in [
            (fields(&[]), "post_id"),
            (fields(&[("op", "explode")]), "op"),
            (fields(&[("op", "replace"), ("post_id", "1")]), "edited_at"),
            (fields(&[("op", "delete")]), "post_id"),
        ] {
            let message = Op::parse(&entry, Timestamp::EPOCH).unwrap_err().0;
            assert!(message.starts_with(field), "{message}");
        }
    }

    proptest! {
        #[test]
        fn any_entry_is_parsed_or_rejected(pairs: Vec<(Vec<u8>, Vec<u8>)>) {
            let _ = Op::parse(&RawFields(pairs), Timestamp::EPOCH);
        }

        #[test]
        fn any_valid_content_round_trips_unchanged(content in "\\PC{1,300}") {
            prop_assume!(!content.trim().is_empty());
            let entry = fields(&[("post_id", "1"), ("source", "x"), ("content", &content)]);
            let Op::Post(post) = Op::parse(&entry, Timestamp::EPOCH).unwrap() else { panic!("not a post") };
            prop_assert_eq!(post.content, content);
        }

        #[test]
        fn preview_never_splits_a_character(text: String, max in 0usize..50) {
            let cut = preview(&text, max);
            prop_assert!(text.starts_with(cut) && cut.chars().count() <= max);
        }
    }
}
