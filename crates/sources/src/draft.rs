//! Converts an item of a server to an operation on the stream.

use super::Batch;
use sentistream_core::domain::post::{DraftTime, MAX_AUTHOR_CHARS, MAX_CONTENT_CHARS, MAX_LANG_BYTES, MAX_LINK_BYTES};
use sentistream_core::domain::{Op, PostDraft, Timestamp};

/// A post as the source received it.
#[derive(Debug, Default)]
pub struct Found {
    /// The id of the post, which is unique across all sources.
    pub post_id: String,
    /// The text of the post. It is truncated to the maximum length of a post's content.
    pub content: String,
    /// The name of the author; truncated when it is too long.
    pub author: Option<String>,
    /// The time at which the post was written. `None`: the post gets the current time.
    pub created_at: Option<Timestamp>,
    /// The language tag that the server states; left out when it is too long.
    pub lang: Option<String>,
    /// The URL of the post's page; left out when it is too long.
    pub url: Option<String>,
    /// The id of the post that this post answers; left out when it is too long.
    pub reply_to: Option<String>,
    /// When the post was edited. The edited post replaces earlier versions. `None`: the post was not edited.
    pub edited_at: Option<Timestamp>,
}

impl Found {
    /// Adds the item to `batch` as a post of `source`, or to the rejected items with the reason. An item without text,
    /// such as a picture, counts as filtered. The content and the author are truncated if they are too long. Other
    /// optional fields that are too long, or that contain a NUL character, are left out.
    pub fn add_to(self, batch: &mut Batch, source: &str, now: Timestamp) {
        if self.content.trim().is_empty() {
            batch.filtered += 1;
            return;
        }
        let id = self.post_id.clone();
        let short =
            |text: Option<String>, bytes: usize| text.filter(|text| text.len() <= bytes && !text.contains('\0'));
        let cut = |text: &str, chars: usize| text.chars().filter(|c| *c != '\0').take(chars).collect::<String>();
        let draft = PostDraft {
            post_id: Some(self.post_id),
            source: Some(source.to_owned()),
            content: Some(cut(&self.content, MAX_CONTENT_CHARS)),
            author: self.author.map(|author| cut(author.trim(), MAX_AUTHOR_CHARS)),
            created_at: self.created_at.map(|at| DraftTime::Text(at.to_string())),
            lang: short(self.lang, MAX_LANG_BYTES),
            url: short(self.url, MAX_LINK_BYTES),
            reply_to: short(self.reply_to, MAX_LINK_BYTES),
        };
        match (draft.validate(now), self.edited_at) {
            (Ok(post), None) => batch.ops.push(Op::Post(post)),
            (Ok(post), Some(edited_at)) => batch.ops.push(Op::Replace { post, edited_at }),
            (Err(errors), _) => {
                let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
                batch.rejected.push(format!("{id}: {}", errors.join("; ")));
            }
        }
    }
}
