//! Reading posts: filters, keyset paging, one post.

use crate::domain::{Author, Emotion, Scores, Sentiment, Source, Timestamp};

/// Which posts; all conditions hold together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostFilter {
    pub source: Option<Source>,
    pub sentiment: Option<Sentiment>,
    pub emotion: Option<Emotion>,
    pub author: Option<Author>,
    /// All of these words occur, whatever their case.
    pub words: Vec<String>,
    /// In [0, 1].
    pub min_confidence: Option<f64>,
    /// `created_at` at or after.
    pub start: Option<Timestamp>,
    /// `created_at` before.
    pub end: Option<Timestamp>,
    /// `ingested_at` after.
    pub ingested_after: Option<Timestamp>,
}

impl PostFilter {
    /// Whether the number of matches can be read from the totals: nothing is filtered but source, sentiment and emotion.
    pub fn is_counted(&self) -> bool {
        let rolled_up =
            Self { source: self.source.clone(), sentiment: self.sentiment, emotion: self.emotion, ..Self::default() };
        *self == rolled_up
    }
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// After this many posts.
    Offset(i64),
    /// After the post with these keys.
    After(PostCursor),
}

/// The keys of the last post of a page: newest first by `created_at`, then `id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostCursor {
    pub created_at: Timestamp,
    pub id: i64,
}

/// A stored post with its analysis.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPost {
    pub id: i64,
    pub post_id: String,
    pub source: String,
    pub content: String,
    pub author: Option<String>,
    pub created_at: Timestamp,
    pub ingested_at: Timestamp,
    pub lang: Option<String>,
    pub url: Option<String>,
    pub reply_to: Option<String>,
    pub model_name: String,
    pub sentiment: Sentiment,
    pub confidence: f64,
    pub emotion: Emotion,
    pub analyzed_at: Timestamp,
    pub scores: Scores,
    pub truncated: bool,
}

/// A page of posts.
#[derive(Clone, Debug, PartialEq)]
pub struct PostPage {
    pub posts: Vec<StoredPost>,
    /// Where the next page starts; `None` on the last.
    pub next: Option<PostCursor>,
}

/// How many posts match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    pub count: i64,
    /// Whether counting stopped at its limit: there are at least `count`.
    pub capped: bool,
}

/// Counting by scanning stops here.
pub const COUNT_LIMIT: i64 = 10_000;
