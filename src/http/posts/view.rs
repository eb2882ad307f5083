//! The API's representation of a stored post.

use serde::Serialize;

use crate::domain::{Clause, Emotion, PostTopic, Sentiment, SentimentOf, Timestamp, Towards, Unscored};
use crate::store::posts::{StoredAnalysis, StoredPost};
use crate::topics::Tracked;

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
    /// When the post was written.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the post was stored.
    #[schema(value_type = String, format = DateTime)]
    ingested_at: Timestamp,
    url: Option<String>,
    lang: Option<String>,
    reply_to: Option<String>,
    /// The sentiment of the post; `null` for an unscored post.
    #[schema(required = true)]
    sentiment: Option<SentimentView>,
    /// Why the post has no sentiment: `language` if no model in use supports its language, or the model for its
    /// language has not analysed the post yet. Absent if the post has a sentiment.
    #[serde(skip_serializing_if = "Option::is_none")]
    unscored: Option<Unscored>,
    /// In `GET /api/posts` with `topic`: the sentiment towards this topic. Absent in other responses, with
    /// `sentiment_of=post`, and until the sentiment towards the topic is determined.
    #[serde(skip_serializing_if = "Option::is_none")]
    topic_sentiment: Option<TowardsView>,
}

/// The sentiment towards a topic.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TowardsView {
    label: Sentiment,
    /// The probability of `label`.
    confidence: f64,
}

/// A topic that a post matches, and the sentiment of the post towards this topic.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PostTopicView {
    topic: String,
    /// The sentiment towards the topic; `null` for an unscored post.
    #[schema(required = true)]
    label: Option<Sentiment>,
    /// The probability of `label`; `null` for an unscored post.
    #[schema(required = true)]
    confidence: Option<f64>,
    /// Whether `label` is the sentiment towards the topic (`topic`) or the sentiment of the whole post (`post`), which
    /// applies until the sentiment towards the topic is determined.
    sentiment_of: SentimentOf,
    /// The position of the clause that contributes most to the label, in characters (Unicode code points) of the
    /// content; `null` for the whole text.
    #[schema(required = true)]
    clause: Option<Clause>,
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
    /// The tracked topics that the post matches, by name.
    topics: Vec<PostTopicView>,
}

impl PostTopicView {
    fn new(topic: PostTopic, post: &StoredPost, tracked: &Tracked) -> Option<Self> {
        let name = tracked.get(topic.topic)?.name.to_string();
        let of_post = |sentiment_of| Self {
            topic: name.clone(),
            label: post.labels().map(|labels| labels.sentiment),
            confidence: post.analysis.as_ref().map(|analysis| analysis.confidence),
            sentiment_of,
            clause: None,
        };
        Some(match topic.towards {
            Towards::Pending => of_post(SentimentOf::Post),
            Towards::Post => of_post(SentimentOf::Topic),
            Towards::Own(own) => Self {
                label: Some(own.sentiment),
                confidence: Some(own.confidence),
                clause: own.clause,
                ..of_post(SentimentOf::Topic)
            },
        })
    }
}

impl PostView {
    /// A post in a list of posts of one topic, with the sentiment towards this topic.
    pub fn towards(post: StoredPost, sentiment: Option<(Sentiment, f64)>) -> Self {
        let topic_sentiment = sentiment.map(|(label, confidence)| TowardsView { label, confidence });
        Self { topic_sentiment, ..post.into() }
    }
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
            topic_sentiment: None,
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

impl PostDetail {
    /// A post with its topics.
    pub fn new(post: StoredPost, topics: Vec<PostTopic>, tracked: &Tracked) -> Self {
        let mut topics: Vec<PostTopicView> =
            topics.into_iter().filter_map(|topic| PostTopicView::new(topic, &post, tracked)).collect();
        topics.sort_unstable_by(|one, other| one.topic.cmp(&other.topic));
        Self {
            topics,
            scores: post.analysis.as_ref().map(|analysis| analysis.scores.into()),
            truncated: post.analysis.as_ref().is_some_and(|analysis| analysis.truncated),
            post: post.into(),
        }
    }
}
