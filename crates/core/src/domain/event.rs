//! Events for live clients.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alert::Transition;
use super::{Alert, Analysis, Emotion, Post, PostId, Sentiment, Timestamp, Unscored};

/// The maximum length of the preview of a post's text in an event, in characters.
pub const PREVIEW_CHARS: usize = 200;

/// A post that was stored, replaced by a later version, or analysed again: the JSON of the channel `sentiment_updates`
/// and of the WebSocket message `post`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PostEvent {
    /// The id of the post, unique across all sources.
    pub post_id: String,
    /// The first 200 characters of the post's text.
    pub content: String,
    /// The name of the source.
    pub source: String,
    /// The name of the author; null if the source did not send one.
    pub author: Option<String>,
    /// The language from the source, or the detected one. The field is absent if the language is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// The sentiment of the post; null if the post is unscored.
    pub sentiment_label: Option<Sentiment>,
    /// The probability of `sentiment_label`, in [0, 1]; null if the post is unscored.
    pub confidence_score: Option<f64>,
    /// The emotion of the post; null if the post is unscored.
    pub emotion: Option<Emotion>,
    /// Why the post has no sentiment. The field is absent if the post has a sentiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unscored: Option<Unscored>,
    /// The names of the tracked topics that the post belongs to.
    #[serde(default)]
    pub topics: Vec<String>,
    /// The sentiment towards each topic, by the topic's name. Topics that use the sentiment of the whole post are
    /// absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub topic_sentiments: BTreeMap<String, Sentiment>,
    /// When the author wrote the post.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the post was first stored. A later version of the post does not change it.
    #[schema(value_type = String, format = DateTime)]
    pub ingested_at: Timestamp,
    /// When the post was analysed, or when it was stored without an analysis.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// The W3C trace context. The field is absent if the post is not traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl PostEvent {
    /// The event for `post`, which was analysed at `analyzed_at` and stored at `ingested_at`. Without an `analysis` the
    /// post is unscored.
    pub fn new(post: &Post, analysis: Option<&Analysis>, ingested_at: Timestamp, analyzed_at: Timestamp) -> Self {
        Self {
            post_id: post.post_id.as_str().to_owned(),
            content: super::op::preview(&post.content, PREVIEW_CHARS).to_owned(),
            source: post.source.as_str().to_owned(),
            author: post.author.as_ref().map(|author| author.as_str().to_owned()),
            lang: post.lang.clone(),
            sentiment_label: analysis.map(|analysis| analysis.sentiment),
            confidence_score: analysis.map(|analysis| analysis.confidence),
            emotion: analysis.map(|analysis| analysis.emotion),
            unscored: analysis.is_none().then_some(Unscored::Language),
            topics: Vec::new(),
            topic_sentiments: BTreeMap::new(),
            created_at: post.created_at,
            ingested_at,
            timestamp: analyzed_at,
            traceparent: None,
        }
    }
}

/// An event on the live bus, which connects roles and processes.
#[derive(Clone, Debug, PartialEq)]
pub enum LiveEvent {
    /// A post was stored, replaced by a later version, or analysed again with a new result.
    Post(PostEvent),
    /// An alert fired, is recovering, fires again, was resolved or acknowledged, or has new values or evidence.
    Alert(Alert),
    /// The state of a rule's series changed, with or without an alert.
    AlertState(Transition),
    /// A post was deleted.
    PostDeleted(PostId),
}
