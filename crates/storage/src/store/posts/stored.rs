//! Posts and analyses as they are stored in the database.

use sentistream_core::domain::{Emotion, PostLabels, Scores, Sentiment, Timestamp};

/// A stored post.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPost {
    /// The row id, by which posts with equal sort keys are ordered.
    pub id: i64,
    /// The id of the post, unique across all sources.
    pub post_id: String,
    /// The name of the source.
    pub source: String,
    /// The complete text.
    pub content: String,
    /// The name of the author; `None` if the source did not send one.
    pub author: Option<String>,
    /// When the author wrote the post.
    pub created_at: Timestamp,
    /// When the post was first stored.
    pub ingested_at: Timestamp,
    /// The BCP 47 tag that the source sent, or the detected language; `None` if neither is known.
    pub lang: Option<String>,
    /// The URL of the original post; `None` if it is not known.
    pub url: Option<String>,
    /// The id of the post that this one replies to; `None` if the source did not send one.
    pub reply_to: Option<String>,
    /// `None`: the post is unscored.
    pub analysis: Option<StoredAnalysis>,
}

impl StoredPost {
    /// The labels, if the post is scored.
    pub fn labels(&self) -> Option<PostLabels> {
        self.analysis.as_ref().map(|analysis| PostLabels { sentiment: analysis.sentiment, emotion: analysis.emotion })
    }

    /// The confidence; 0 if the post is unscored.
    pub fn confidence(&self) -> f64 {
        self.analysis.as_ref().map_or(0.0, |analysis| analysis.confidence)
    }
}

/// The analysis of a stored post by a model.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAnalysis {
    /// The name of the model.
    pub model_name: String,
    /// The sentiment with the largest score.
    pub sentiment: Sentiment,
    /// The probability of `sentiment`, in [0, 1].
    pub confidence: f64,
    /// The emotion with the largest score.
    pub emotion: Emotion,
    /// When the analysis was stored.
    pub analyzed_at: Timestamp,
    /// The scores of all classes.
    pub scores: Scores,
    /// Whether the model read only the beginning of the text, because of its limit.
    pub truncated: bool,
}
