//! A stored post as the API shows it.

use serde::Serialize;

use crate::domain::{Emotion, Sentiment, Timestamp};
use crate::store::posts::StoredPost;

use super::super::shape::AllScores;

/// A post with its analysis.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "post_id": "demo-1", "source": "web", "content": "I love this phone", "author": "ada",
    "created_at": "2026-01-31T12:00:00.000Z", "ingested_at": "2026-01-31T12:00:01.000Z",
    "url": null, "lang": "en", "reply_to": null,
    "sentiment": {
        "label": "positive", "confidence": 0.98, "emotion": "joy", "model_name": "builtin",
        "analyzed_at": "2026-01-31T12:00:01.000Z"
    }
}))]
pub struct PostView {
    post_id: String,
    source: String,
    content: String,
    author: Option<String>,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was stored.
    #[schema(value_type = String, format = DateTime)]
    ingested_at: Timestamp,
    url: Option<String>,
    lang: Option<String>,
    reply_to: Option<String>,
    sentiment: SentimentView,
}

/// The analysis of a post.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SentimentView {
    label: Sentiment,
    /// The probability of `label`.
    confidence: f64,
    emotion: Emotion,
    model_name: String,
    #[schema(value_type = String, format = DateTime)]
    analyzed_at: Timestamp,
}

/// A post with all its details.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PostDetail {
    #[serde(flatten)]
    post: PostView,
    /// The score of every class.
    scores: AllScores,
    /// Whether the text was longer than the model reads.
    truncated: bool,
}

impl From<StoredPost> for PostView {
    fn from(post: StoredPost) -> Self {
        Self {
            post_id: post.post_id,
            source: post.source,
            content: post.content,
            author: post.author,
            created_at: post.created_at,
            ingested_at: post.ingested_at,
            url: post.url,
            lang: post.lang,
            reply_to: post.reply_to,
            sentiment: SentimentView {
                label: post.sentiment,
                confidence: post.confidence,
                emotion: post.emotion,
                model_name: post.model_name,
                analyzed_at: post.analyzed_at,
            },
        }
    }
}

impl From<StoredPost> for PostDetail {
    fn from(post: StoredPost) -> Self {
        Self { scores: post.scores.into(), truncated: post.truncated, post: post.into() }
    }
}
