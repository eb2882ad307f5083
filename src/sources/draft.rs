//! From what a server said of a post to an operation on the stream.

use super::Batch;
use crate::domain::post::{DraftTime, MAX_CONTENT_CHARS};
use crate::domain::{Op, PostDraft, Timestamp};

/// A post as a source understood it.
#[derive(Debug, Default)]
pub struct Found {
    pub post_id: String,
    /// Cut at the longest content a post may have.
    pub content: String,
    pub author: Option<String>,
    /// `None`: now.
    pub created_at: Option<Timestamp>,
    pub lang: Option<String>,
    pub url: Option<String>,
    pub reply_to: Option<String>,
    /// It replaces an earlier version that was written before.
    pub edited_at: Option<Timestamp>,
}

impl Found {
    /// Adds it to `batch` as a post of `source`: to its operations, or to what was rejected with the reason.
    /// One without any text, such as a picture alone, is left out.
    pub fn add_to(self, batch: &mut Batch, source: &str, now: Timestamp) {
        if self.content.trim().is_empty() {
            batch.filtered += 1;
            return;
        }
        let id = self.post_id.clone();
        let draft = PostDraft {
            post_id: Some(self.post_id),
            source: Some(source.to_owned()),
            content: Some(self.content.chars().take(MAX_CONTENT_CHARS).collect()),
            author: self.author.filter(|author| !author.trim().is_empty()),
            created_at: self.created_at.map(|at| DraftTime::Text(at.to_string())),
            lang: self.lang.filter(|lang| !lang.is_empty()),
            url: self.url,
            reply_to: self.reply_to,
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
