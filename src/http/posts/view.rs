//! The API's representation of a stored post.

use serde::Serialize;

use crate::domain::{Emotion, Sentiment, Timestamp, Unscored};
use crate::store::posts::{StoredAnalysis, StoredPost};

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
    /// `null` for an unscored post.
    #[schema(required = true)]
    sentiment: Option<SentimentView>,
    /// Why the post has no sentiment: `language` if no model in use supports its language. Absent if it has a
    /// sentiment.
    #[serde(skip_serializing_if = "Option::is_none")]
    unscored: Option<Unscored>,
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
    /// The score of every class; `null` for an unscored post.
    scores: Option<AllScores>,
    /// Whether the text exceeded the length limit of the model and was cut.
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
            unscored: post.analysis.is_none().then_some(Unscored::Language),
            sentiment: post.analysis.map(SentimentView::from),
        }
    }
}

impl From<StoredAnalysis> for SentimentView {
    fn from(analysis: StoredAnalysis) -> Self {
        Self {
            label: analysis.sentiment,
            confidence: analysis.confidence,
            emotion: analysis.emotion,
            model_name: analysis.model_name,
            analyzed_at: analysis.analyzed_at,
        }
    }
}

impl From<StoredPost> for PostDetail {
    fn from(post: StoredPost) -> Self {
        Self {
            scores: post.analysis.as_ref().map(|analysis| analysis.scores.into()),
            truncated: post.analysis.as_ref().is_some_and(|analysis| analysis.truncated),
            post: post.into(),
        }
    }
}
