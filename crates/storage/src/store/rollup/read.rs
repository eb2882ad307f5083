//! The statements that read counts.

use diesel::deserialize::FromSqlRow;
use diesel::pg::Pg;
use diesel::sql_types::{BigInt, Double, Text};
use diesel::sqlite::Sqlite;

use super::{Grain, Piece, Series};
use crate::store::labels::UNSCORED;
use crate::store::sql::{At, Instant, MaybeLabel, Sql, Value, labels_of, sql};
use sentistream_core::domain::{Counts, Emotion, Sentiment, SentimentFilter, SentimentOf, Source, TimeRange, TopicId};

/// Selects counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cells<'a> {
    /// Only posts of this topic.
    pub topic: Option<TopicId>,
    /// The sentiment by which posts of a topic are counted.
    pub of: SentimentOf,
    /// Only posts of this source.
    pub source: Option<&'a Source>,
    /// Only posts with this sentiment, or posts without one.
    pub sentiment: Option<SentimentFilter>,
    /// Only posts with this emotion.
    pub emotion: Option<Emotion>,
}

/// The count of one source, sentiment and emotion, with the sum of the confidences.
pub type Cell = (String, MaybeLabel<Sentiment>, MaybeLabel<Emotion>, i64, f64);
/// The SQL types of [`Cell`].
pub type CellColumns = (Text, Text, Text, BigInt, Double);

/// The same as [`Cell`], but with the label columns as text.
pub type LanguageCell = (String, String, String, i64, f64);

/// A type that can be read from rows of [`CellColumns`] on both databases.
pub trait CellRow: FromSqlRow<CellColumns, Sqlite> + FromSqlRow<CellColumns, Pg> + Send + 'static {}

impl<T: FromSqlRow<CellColumns, Sqlite> + FromSqlRow<CellColumns, Pg> + Send + 'static> CellRow for T {}

/// The count of one bucket, sentiment and emotion, with the sum of the confidences.
pub type BucketCell = (At, MaybeLabel<Sentiment>, MaybeLabel<Emotion>, i64, f64);
type BucketColumns = (Instant, Text, Text, BigInt, Double);

const ROLLUP: &str = "SELECT source, sentiment, emotion, count AS n, confidence_sum AS c FROM post_rollups \
                      WHERE grain = ? AND bucket >= ? AND bucket < ?";
const TOPIC_ROLLUP: &str = "SELECT source, sentiment, emotion, count AS n, confidence_sum AS c FROM topic_rollups \
                            WHERE topic_id = ? AND grain = ? AND bucket >= ? AND bucket < ?";
const TOPIC_SHIFT: &str = "SELECT source, sentiment, emotion, count AS n, confidence_sum AS c FROM topic_shifts \
                           WHERE topic_id = ? AND grain = ? AND bucket >= ? AND bucket < ?";
const TOPIC_POSTS: &str = "SELECT source, sentiment, emotion, 1 AS n, c FROM (SELECT p.source, p.emotion, \
                           coalesce(t.sentiment_label, p.sentiment_label) AS sentiment, \
                           coalesce(t.confidence_score, p.confidence_score) AS c \
                           FROM post_topics t JOIN social_media_posts p ON p.id = t.post \
                           WHERE t.topic_id = ? AND t.created_at >= ? AND t.created_at < ?) AS matches WHERE true";
const WHOLE_POSTS: &str = "SELECT source, sentiment, emotion, 1 AS n, c FROM (SELECT p.source, p.emotion, \
                           p.sentiment_label AS sentiment, p.confidence_score AS c \
                           FROM post_topics t JOIN social_media_posts p ON p.id = t.post \
                           WHERE t.topic_id = ? AND t.created_at >= ? AND t.created_at < ?) AS matches WHERE true";
const POSTS: &str = "SELECT source, sentiment_label AS sentiment, emotion, 1 AS n, confidence_score AS c \
                     FROM social_media_posts WHERE created_at >= ? AND created_at < ?";

/// Counts all pieces in one statement, so that the counts are consistent. [`Series::Together`] reads fewer rows, but
/// does not distinguish sources.
pub fn cells(pieces: &[Piece], series: Series, filter: Cells<'_>) -> Sql<Vec<Value>, CellColumns> {
    let mut parts = Vec::with_capacity(pieces.len());
    let mut values = Vec::new();
    let (rollups, posts, series, label) = match (filter.topic, filter.of) {
        (None, _) => (&[ROLLUP][..], POSTS, series, "sentiment_label"),
        (Some(_), SentimentOf::Topic) => (&[TOPIC_ROLLUP][..], TOPIC_POSTS, Series::Source, "sentiment"),
        (Some(_), SentimentOf::Post) => (&[TOPIC_ROLLUP, TOPIC_SHIFT][..], WHOLE_POSTS, Series::Source, "sentiment"),
    };
    for piece in pieces {
        let statements = if piece.grain.is_some() { rollups } else { &[posts] };
        for statement in statements {
            values.extend(filter.topic.map(|topic| Value::Integer(topic.0)));
            values.extend(piece.grain.map(|grain| Value::Integer(grain.column(series).into())));
            values.extend([Value::At(piece.range.start()), Value::At(piece.range.end())]);
            let mut part = (*statement).to_owned();
            filter.add(if piece.grain.is_some() { "sentiment" } else { label }, &mut part, &mut values);
            parts.push(part);
        }
    }
    grouped(&parts, values)
}

/// Counts the posts of all time, including posts that retention has removed.
pub fn totals(filter: Cells<'_>) -> Sql<Vec<Value>, CellColumns> {
    let rollups = match (filter.topic, filter.of) {
        (None, _) => &[ROLLUP][..],
        (Some(_), SentimentOf::Topic) => &[TOPIC_ROLLUP],
        (Some(_), SentimentOf::Post) => &[TOPIC_ROLLUP, TOPIC_SHIFT],
    };
    let (mut parts, mut values) = (Vec::new(), Vec::new());
    for rollup in rollups {
        let mut part = rollup.replace(" AND bucket >= ? AND bucket < ?", "");
        values.extend(filter.topic.map(|topic| Value::Integer(topic.0)));
        values.push(Value::Integer(Grain::Total.column(Series::Source).into()));
        filter.add("sentiment", &mut part, &mut values);
        parts.push(part);
    }
    grouped(&parts, values)
}

fn grouped(parts: &[String], values: Vec<Value>) -> Sql<Vec<Value>, CellColumns> {
    let parts = parts.join(" UNION ALL ");
    sql(format!(
        "SELECT source, sentiment, emotion, CAST(sum(n) AS bigint), sum(c) FROM ({parts}) AS parts \
         GROUP BY source, sentiment, emotion"
    ))
    .values(values)
    .rows()
}

/// Counts by bucket of `grain`.
pub fn buckets(grain: Grain, range: TimeRange, filter: Cells<'_>) -> Sql<Vec<Value>, BucketColumns> {
    let by_source = filter.source.is_some() || filter.topic.is_some();
    let series = if by_source { Series::Source } else { Series::Together };
    let tables = match (filter.topic, filter.of) {
        (None, _) => &["post_rollups WHERE"][..],
        (Some(_), SentimentOf::Topic) => &["topic_rollups WHERE topic_id = ? AND"],
        (Some(_), SentimentOf::Post) => {
            &["topic_rollups WHERE topic_id = ? AND", "topic_shifts WHERE topic_id = ? AND"]
        }
    };
    let (mut parts, mut values) = (Vec::new(), Vec::new());
    for table in tables {
        let mut text = format!(
            "SELECT bucket, sentiment, emotion, count, confidence_sum FROM {table} \
             grain = ? AND bucket >= ? AND bucket < ?"
        );
        values.extend(filter.topic.map(|topic| Value::Integer(topic.0)));
        values.extend([Value::Integer(grain.column(series).into()), Value::At(range.start()), Value::At(range.end())]);
        filter.add("sentiment", &mut text, &mut values);
        parts.push(text);
    }
    sql(parts.join(" UNION ALL ")).values(values).rows()
}

/// The count of one bucket, source, sentiment and emotion.
type SeriesColumns = (Instant, Text, Text, Text, BigInt);

/// Counts by bucket of `grain` and by source, of all posts or of the posts of one topic.
pub fn series(grain: Grain, range: TimeRange, topic: Option<TopicId>) -> Sql<Vec<Value>, SeriesColumns> {
    let table = if topic.is_some() { "topic_rollups WHERE topic_id = ? AND" } else { "post_rollups WHERE" };
    let mut values: Vec<Value> = topic.map(|topic| Value::Integer(topic.0)).into_iter().collect();
    let grain = Value::Integer(grain.column(Series::Source).into());
    values.extend([grain, Value::At(range.start()), Value::At(range.end())]);
    sql(format!(
        "SELECT bucket, source, sentiment, emotion, count FROM {table} \
         grain = ? AND bucket >= ? AND bucket < ? AND count <> 0"
    ))
    .values(values)
    .rows()
}

impl Cells<'_> {
    /// Adds the conditions to `text`, in which the sentiment column is called `sentiment`.
    fn add(self, sentiment: &str, text: &mut String, values: &mut Vec<Value>) {
        let conditions = [
            ("source", self.source.map(Source::as_str)),
            (sentiment, self.sentiment.map(sentiment_column)),
            ("emotion", self.emotion.map(Emotion::as_str)),
        ];
        for (column, value) in conditions {
            if let Some(value) = value {
                text.push_str(&format!(" AND {column} = ?"));
                values.push(Value::Text(value.to_owned()));
            }
        }
    }
}

/// The value of the sentiment column for the posts of a filter.
pub fn sentiment_column(filter: SentimentFilter) -> &'static str {
    match filter {
        SentimentFilter::Unscored => UNSCORED,
        label => label.as_str(),
    }
}

/// The sum of `cells`.
pub fn sum(cells: impl IntoIterator<Item = Cell>) -> Counts {
    let mut counts = Counts::default();
    for (_, sentiment, emotion, count, confidence) in cells {
        counts.add(labels_of(sentiment, emotion), count, confidence);
    }
    counts
}
