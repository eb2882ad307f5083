//! The row of a post: its columns, and the values that are computed when it is written.

use std::collections::BTreeMap;
use std::fmt::Write;

use diesel::prelude::*;
use serde::Deserialize;
use uuid::Uuid;

use super::{StoredAnalysis, StoredPost};
use crate::store::schema::{sentiment_analysis as analysis, social_media_posts as post};
use crate::store::sql::{At, JsonText, MaybeLabel, labels_of};
use sentistream_core::domain::{Emotion, PostId, Scores, Sentiment};

/// The public id of a post in the view `posts`.
pub fn public_id(post_id: &PostId) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, post_id.as_str().as_bytes())
}

/// All class scores as JSON: `{"sentiment": {label: score}, "emotion": {label: score}}`.
pub fn scores_json(scores: &Scores) -> String {
    let mut json = String::with_capacity(256);
    json.push_str("{\"sentiment\":");
    push_object(&mut json, Sentiment::ALL.iter().map(|label| label.as_str()).zip(scores.sentiment));
    json.push_str(",\"emotion\":");
    push_object(&mut json, Emotion::ALL.iter().map(|label| label.as_str()).zip(scores.emotion));
    json.push('}');
    json
}

fn push_object(json: &mut String, scores: impl Iterator<Item = (&'static str, f32)>) {
    json.push('{');
    for (index, (label, score)) in scores.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // JSON cannot represent NaN.
        let score = if score.is_finite() { score } else { 0.0 };
        // Writing to a string cannot fail.
        let _ = write!(json, "{comma}\"{label}\":{score}");
    }
    json.push('}');
}

/// Parses the JSON that [`scores_json`] writes.
pub fn scores_from(json: &str) -> Scores {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Labelled {
        sentiment: BTreeMap<Sentiment, f32>,
        emotion: BTreeMap<Emotion, f32>,
    }
    let labelled: Labelled = serde_json::from_str(json).unwrap_or_default();
    let mut scores = Scores::default();
    for (label, score) in labelled.sentiment {
        scores.sentiment[label.index()] = score;
    }
    for (label, score) in labelled.emotion {
        scores.emotion[label.index()] = score;
    }
    scores
}

/// A post with its analysis, as a query returns it.
#[derive(Queryable, Selectable)]
#[diesel(table_name = post)]
pub struct PostRow {
    id: i64,
    post_id: String,
    source: String,
    content: String,
    author: Option<String>,
    created_at: At,
    ingested_at: At,
    lang: Option<String>,
    url: Option<String>,
    reply_to: Option<String>,
    sentiment_label: MaybeLabel<Sentiment>,
    emotion: MaybeLabel<Emotion>,
    confidence_score: f64,
    #[diesel(embed)]
    analysis: Option<AnalysisRow>,
}

/// The row of an analysis. The labels and the confidence are read from the row of the post.
#[derive(Queryable, Selectable)]
#[diesel(table_name = analysis)]
pub struct AnalysisRow {
    model_name: String,
    analyzed_at: At,
    scores: JsonText,
    truncated: bool,
}

impl From<PostRow> for StoredPost {
    fn from(row: PostRow) -> Self {
        let (labels, confidence) = (labels_of(row.sentiment_label, row.emotion), row.confidence_score);
        let analysis = labels.zip(row.analysis).map(|(labels, analysis)| StoredAnalysis {
            model_name: analysis.model_name,
            sentiment: labels.sentiment,
            confidence,
            emotion: labels.emotion,
            analyzed_at: analysis.analyzed_at.0,
            scores: scores_from(&analysis.scores.0),
            truncated: analysis.truncated,
        });
        Self {
            id: row.id,
            post_id: row.post_id,
            source: row.source,
            content: row.content,
            author: row.author,
            created_at: row.created_at.0,
            ingested_at: row.ingested_at.0,
            lang: row.lang,
            url: row.url,
            reply_to: row.reply_to,
            analysis,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn scores_round_trip_exactly(sentiment: [f32; 3], emotion: [f32; 7]) {
            let keep = |score: f32| if score.is_finite() { score } else { 0.0 };
            let scores = Scores { sentiment: sentiment.map(keep), emotion: emotion.map(keep) };
            prop_assert_eq!(scores_from(&scores_json(&scores)), scores);
        }
    }

    #[test]
    fn public_id_is_uuid_of_url_namespace() {
        let id = PostId::parse("http://example.com/").unwrap();
        assert_eq!(public_id(&id).to_string(), "0a300ee9-f9e4-5697-a51a-efc7fafaba67");
    }
}
