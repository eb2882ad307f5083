//! Converts comments to posts.

use serde::Deserialize;
use serde_json::Value;

use super::super::draft::Found;
use super::super::lenient::lenient;
use sentistream_core::domain::Timestamp;

/// A comment with some of its replies (<https://developers.google.com/youtube/v3/docs/commentThreads>).
pub struct Thread {
    pub top: Comment,
    pub replies: Vec<Comment>,
    /// The number of all replies, including those that this thread does not contain.
    pub reply_count: u64,
}

/// A comment (<https://developers.google.com/youtube/v3/docs/comments>).
pub struct Comment {
    pub id: String,
    pub published_at: Timestamp,
    pub updated_at: Timestamp,
    text: String,
    author: Option<String>,
    video: Option<String>,
    parent: Option<String>,
}

#[derive(Deserialize)]
struct RawThread {
    snippet: ThreadSnippet,
    #[serde(default, deserialize_with = "lenient")]
    replies: Option<Replies>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThreadSnippet {
    top_level_comment: Value,
    #[serde(default, deserialize_with = "lenient")]
    total_reply_count: Option<u64>,
}

#[derive(Default, Deserialize)]
struct Replies {
    #[serde(default)]
    comments: Vec<Value>,
}

#[derive(Deserialize)]
struct RawComment {
    id: String,
    snippet: Snippet,
}

/// The content of a comment. Optional fields of unexpected types count as missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snippet {
    #[serde(default, deserialize_with = "lenient")]
    text_display: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    author_display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    video_id: Option<String>,
    published_at: Timestamp,
    #[serde(default, deserialize_with = "lenient")]
    updated_at: Option<Timestamp>,
}

impl Thread {
    /// Parses an item of a list of threads. Replies that cannot be parsed are left out.
    ///
    /// # Errors
    /// When the item is not a thread.
    pub fn read(item: Value) -> Result<Self, serde_json::Error> {
        let raw: RawThread = serde_json::from_value(item)?;
        let top = Comment::read(raw.snippet.top_level_comment, None)?;
        let replies = raw.replies.unwrap_or_default().comments.into_iter();
        let replies = replies.filter_map(|reply| Comment::read(reply, Some(&top.id)).ok()).collect();
        Ok(Self { top, replies, reply_count: raw.snippet.total_reply_count.unwrap_or_default() })
    }
}

impl Comment {
    /// Parses a comment. `parent`: the comment that it replies to.
    ///
    /// # Errors
    /// When the item is not a comment.
    pub fn read(item: Value, parent: Option<&str>) -> Result<Self, serde_json::Error> {
        let RawComment { id, snippet } = serde_json::from_value(item)?;
        Ok(Self {
            id,
            published_at: snippet.published_at,
            updated_at: snippet.updated_at.unwrap_or(snippet.published_at),
            text: snippet.text_display.unwrap_or_default(),
            author: snippet.author_display_name,
            video: snippet.video_id,
            parent: parent.map(str::to_owned),
        })
    }

    /// Whether the comment is a reply to another comment.
    pub fn is_reply(&self) -> bool {
        self.parent.is_some()
    }

    /// Converts the comment to a post. Its URL is the URL of the video, with a parameter that shows the comment at
    /// the top.
    pub fn found(self) -> Found {
        let Self { id, published_at, updated_at, text, author, video, parent } = self;
        Found {
            url: video.map(|video| format!("https://www.youtube.com/watch?v={video}&lc={id}")),
            post_id: format!("youtube:{id}"),
            content: text,
            author: author.map(|name| name.trim_start_matches('@').to_owned()),
            created_at: Some(published_at),
            reply_to: parent.map(|parent| format!("youtube:{parent}")),
            edited_at: Some(updated_at).filter(|updated| *updated > published_at),
            ..Found::default()
        }
    }
}
