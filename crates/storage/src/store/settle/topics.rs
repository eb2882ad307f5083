//! The topics of posts, with the sentiment towards each topic: their columns, and the labels by which they are counted.

use diesel::Queryable;
use diesel::sql_types::{BigInt, Double, Integer, Nullable, Text};

use super::plan::Row;
use crate::store::labels::{LabelColumns, UNSCORED};
use sentistream_core::domain::{Clause, PostTopic, Sentiment, TopicId, TopicSentiment, Towards};

/// Selects [`TopicRow`]s. The caller appends the condition.
pub const SELECT_TOPICS: &str = "SELECT p.post_id, t.topic_id, t.sentiment_label, t.confidence_score, t.clause_start, \
                                 t.clause_end FROM post_topics t JOIN social_media_posts p ON p.id = t.post WHERE ";

/// The columns of [`SELECT_TOPICS`].
pub type TopicColumns = (Text, BigInt, Nullable<Text>, Nullable<Double>, Nullable<Integer>, Nullable<Integer>);

/// A topic of a stored post.
#[derive(Debug, Queryable)]
pub struct TopicRow {
    pub post_id: String,
    topic: i64,
    sentiment: Option<String>,
    confidence: Option<f64>,
    clause_start: Option<i32>,
    clause_end: Option<i32>,
}

impl From<TopicRow> for PostTopic {
    fn from(row: TopicRow) -> Self {
        let own = |sentiment: Sentiment| {
            let clause = row.clause_start.zip(row.clause_end);
            let clause = clause
                .and_then(|(start, end)| Some(Clause { start: start.try_into().ok()?, end: end.try_into().ok()? }));
            TopicSentiment { sentiment, confidence: row.confidence.unwrap_or_default(), clause }
        };
        let towards = match row.sentiment.as_deref() {
            None => Towards::Pending,
            Some(label) => label.parse().map_or(Towards::Post, |sentiment| Towards::Own(own(sentiment))),
        };
        Self { topic: TopicId(row.topic), towards }
    }
}

/// The values of a topic's columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopicValues {
    pub topic: i64,
    pub sentiment: Option<&'static str>,
    pub confidence: Option<f64>,
    pub clause_start: Option<i32>,
    pub clause_end: Option<i32>,
}

impl TopicValues {
    /// The column values of `topic`, which is one of the topics of `row`.
    pub fn of(topic: &PostTopic, row: &Row<'_>) -> Self {
        let label = Effective::of(topic, &row.labels, row.confidence);
        let clause = match &topic.towards {
            Towards::Own(own) => own.clause,
            Towards::Pending | Towards::Post => None,
        };
        let is_known = topic.towards != Towards::Pending;
        let column = |of: fn(Clause) -> u32| clause.and_then(|clause| i32::try_from(of(clause)).ok());
        Self {
            topic: topic.topic.0,
            sentiment: is_known.then_some(label.labels.sentiment),
            confidence: is_known.then_some(label.confidence),
            clause_start: column(|clause| clause.start),
            clause_end: column(|clause| clause.end),
        }
    }
}

/// The label by which a post is counted for a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    pub labels: LabelColumns,
    pub confidence: f64,
}

impl Effective {
    /// The label of `topic` for a post with these labels and this confidence.
    pub fn of(topic: &PostTopic, labels: &LabelColumns, confidence: f64) -> Self {
        match &topic.towards {
            Towards::Own(own) if labels.sentiment != UNSCORED => Self {
                labels: LabelColumns { sentiment: own.sentiment.as_str(), ..labels.clone() },
                confidence: own.confidence,
            },
            _ => Self { labels: labels.clone(), confidence },
        }
    }
}
