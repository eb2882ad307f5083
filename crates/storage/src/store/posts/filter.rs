//! The conditions that select posts.

use crate::store::rollup::read::Cells;
use sentistream_core::domain::{Author, Emotion, SentimentFilter, SentimentOf, Source, Timestamp, TopicId};

/// Selects posts. All conditions must hold; a condition that is `None` or empty holds for every post.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostFilter {
    /// Posts that belong to this topic.
    pub topic: Option<TopicId>,
    /// With a topic: whether `sentiment` and `min_confidence`, and the counts of posts, refer to the sentiment of the
    /// post or to its sentiment towards the topic.
    pub sentiment_of: SentimentOf,
    /// Posts of this source.
    pub source: Option<Source>,
    /// Posts with this sentiment, or posts without one.
    pub sentiment: Option<SentimentFilter>,
    /// Posts with this emotion.
    pub emotion: Option<Emotion>,
    /// Posts of authors with this name.
    pub author: Option<Author>,
    /// Posts in this language or a regional form of it: `en` also finds `en-US`. The tag must be in lower case.
    pub lang: Option<String>,
    /// The text contains all of these words, also as parts of longer words, ignoring case.
    pub words: Vec<String>,
    /// The text contains all of these words as whole words, ignoring case.
    pub whole_words: Vec<String>,
    /// The confidence is at least this, in [0, 1]. Unscored posts do not match.
    pub min_confidence: Option<f64>,
    /// `created_at` is at or after this time.
    pub start: Option<Timestamp>,
    /// `created_at` is before this time.
    pub end: Option<Timestamp>,
    /// `ingested_at` is after this time.
    pub ingested_after: Option<Timestamp>,
}

impl PostFilter {
    /// Whether the number of matches can be read from the totals: only topic, source, sentiment and emotion are
    /// filtered.
    pub fn is_counted(&self) -> bool {
        *self == Self { start: None, end: None, ..self.widened() }
    }

    /// The tables from which the counts over time can be read.
    pub fn counted_from(&self) -> CountedFrom {
        if *self == self.widened() { CountedFrom::Rollups } else { CountedFrom::Posts }
    }

    /// The filter without the conditions that rollups cannot answer. It selects at least the posts that this filter
    /// selects.
    pub(in crate::store) fn widened(&self) -> Self {
        Self {
            topic: self.topic,
            sentiment_of: self.sentiment_of,
            source: self.source.clone(),
            sentiment: self.sentiment,
            emotion: self.emotion,
            start: self.start,
            end: self.end,
            ..Self::default()
        }
    }

    /// The conditions of the filter that rollups can answer.
    pub(in crate::store) fn rolled_up(&self) -> Cells<'_> {
        Cells {
            topic: self.topic,
            of: self.sentiment_of,
            source: self.source.as_ref(),
            sentiment: self.sentiment,
            emotion: self.emotion,
        }
    }
}

/// The tables from which counts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CountedFrom {
    /// The rollups, which include posts that retention has removed. Rollups have their own retention
    /// (`retention.minute_rollups` and `retention.rollups`).
    Rollups,
    /// The posts. The counts include only stored posts, and at most 100,000 posts are read for one answer.
    Posts,
}
