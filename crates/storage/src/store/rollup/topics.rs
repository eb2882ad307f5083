//! Counts of all topics.

use std::collections::BTreeMap;

use diesel::sql_types::{BigInt, Double, Text};

use super::{Series, cover};
use crate::store::aggregate::{Aggregate, AggregateQuery, Edges};
use crate::store::backend::read;
use crate::store::posts::PostFilter;
use crate::store::sql::{At, Instant, MaybeLabel, Sql, Value, labels_of, sql};
use crate::store::{AggregateFailure, Store, StoreError};
use sentistream_core::domain::{Counts, Emotion, Sentiment, SentimentOf, Source, TimeRange, TopicId};

type TopicCell = (i64, MaybeLabel<Sentiment>, MaybeLabel<Emotion>, i64, f64);
type TopicColumns = (BigInt, Text, Text, BigInt, Double);
type TopicBucket = (i64, At, MaybeLabel<Sentiment>, MaybeLabel<Emotion>, i64, f64);
type BucketColumns = (BigInt, Instant, Text, Text, BigInt, Double);

impl Store {
    /// Every topic with its counts of all time, without topics that have no posts. Costs O(topics).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored sentiment or
    /// emotion is unknown.
    pub async fn topic_totals(&self) -> Result<BTreeMap<TopicId, Counts>, StoreError> {
        let query = || {
            sql("SELECT topic_id, sentiment, emotion, CAST(sum(count) AS bigint), sum(confidence_sum) \
                 FROM topic_rollups WHERE topic_id IN (SELECT id FROM topics) AND grain = 0 \
                 GROUP BY topic_id, sentiment, emotion")
            .rows::<TopicColumns>()
        };
        Ok(by_topic(read!(self, replica, |c| query().load(c))?))
    }

    /// Counts of the posts that were written in `range`, for each topic with posts in this range.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored sentiment or
    /// emotion is unknown.
    pub async fn topic_windows(
        &self,
        range: TimeRange,
        source: Option<&Source>,
        of: SentimentOf,
    ) -> Result<BTreeMap<TopicId, Counts>, StoreError> {
        let pieces = cover(range, self.retention.usable(self.clock.now()).without_seconds());
        if pieces.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (mut parts, mut values) = (Vec::with_capacity(pieces.len()), Vec::new());
        for piece in pieces {
            let statements = match piece.grain {
                Some(_) => tables(of)
                    .iter()
                    .map(|table| {
                        format!(
                            "SELECT topic_id, sentiment, emotion, count AS n, confidence_sum AS c FROM {table} \
                     WHERE topic_id IN (SELECT id FROM topics) AND grain = ? AND bucket >= ? AND bucket < ?"
                        )
                    })
                    .collect(),
                None => {
                    let (label, confidence) = match of {
                        SentimentOf::Topic => (
                            "coalesce(t.sentiment_label, p.sentiment_label)",
                            "coalesce(t.confidence_score, p.confidence_score)",
                        ),
                        SentimentOf::Post => ("p.sentiment_label", "p.confidence_score"),
                    };
                    vec![format!(
                        "SELECT t.topic_id, {label} AS sentiment, p.emotion, 1 AS n, {confidence} AS c \
                         FROM post_topics t JOIN social_media_posts p ON p.id = t.post \
                         WHERE t.topic_id IN (SELECT id FROM topics) AND t.created_at >= ? AND t.created_at < ?"
                    )]
                }
            };
            for mut part in statements {
                values.extend(piece.grain.map(|grain| Value::Integer(grain.column(Series::Source).into())));
                values.extend([Value::At(piece.range.start()), Value::At(piece.range.end())]);
                if let Some(source) = source {
                    part.push_str(" AND source = ?");
                    values.push(Value::Text(source.as_str().to_owned()));
                }
                parts.push(part);
            }
        }
        let query: Sql<Vec<Value>, TopicColumns> = sql(format!(
            "SELECT topic_id, sentiment, emotion, CAST(sum(n) AS bigint), sum(c) FROM ({}) AS parts \
             GROUP BY topic_id, sentiment, emotion",
            parts.join(" UNION ALL ")
        ))
        .values(values)
        .rows();
        Ok(by_topic(read!(self, replica, |c| query.clone().load(c), query.load(c))?))
    }

    /// Counts by bucket of each topic with posts in the range. Of the filter, only `source` and `sentiment_of` are
    /// used.
    ///
    /// # Errors
    /// [`AggregateFailure::Query`] when there are too many buckets, or the range begins before the retention of counts.
    /// [`AggregateFailure::Store`] when the database does not answer, or a stored sentiment or emotion is unknown.
    pub async fn topic_aggregates(
        &self,
        query: &AggregateQuery,
    ) -> Result<BTreeMap<TopicId, Aggregate>, AggregateFailure> {
        let edges = self.edges(query)?;
        let rows = self.topic_buckets(&edges, &query.filter).await?;
        let mut cells: BTreeMap<TopicId, Vec<_>> = BTreeMap::new();
        for (topic, bucket, sentiment, emotion, count, confidence) in rows {
            cells.entry(TopicId(topic)).or_default().push((bucket, sentiment, emotion, count, confidence));
        }
        Ok(cells.into_iter().map(|(topic, cells)| (topic, edges.clone().fill(cells))).collect())
    }

    async fn topic_buckets(&self, edges: &Edges, filter: &PostFilter) -> Result<Vec<TopicBucket>, StoreError> {
        let (mut parts, mut values) = (Vec::new(), Vec::new());
        for table in tables(filter.sentiment_of) {
            let mut text = format!(
                "SELECT topic_id, bucket, sentiment, emotion, count, confidence_sum FROM {table} \
                 WHERE topic_id IN (SELECT id FROM topics) AND grain = ? AND bucket >= ? AND bucket < ?"
            );
            values.extend([
                Value::Integer(edges.grain.column(Series::Source).into()),
                Value::At(edges.range.start()),
                Value::At(edges.range.end()),
            ]);
            if let Some(source) = &filter.source {
                text.push_str(" AND source = ?");
                values.push(Value::Text(source.as_str().to_owned()));
            }
            parts.push(text);
        }
        let query: Sql<Vec<Value>, BucketColumns> = sql(parts.join(" UNION ALL ")).values(values).rows();
        read!(self, replica, |c| query.clone().load(c), query.load(c))
    }
}

/// The tables whose counts are summed to count posts by the sentiment that `of` selects.
fn tables(of: SentimentOf) -> &'static [&'static str] {
    match of {
        SentimentOf::Topic => &["topic_rollups"],
        SentimentOf::Post => &["topic_rollups", "topic_shifts"],
    }
}

fn by_topic(cells: Vec<TopicCell>) -> BTreeMap<TopicId, Counts> {
    let mut topics: BTreeMap<TopicId, Counts> = BTreeMap::new();
    for (topic, sentiment, emotion, count, confidence) in cells {
        topics.entry(TopicId(topic)).or_default().add(labels_of(sentiment, emotion), count, confidence);
    }
    topics.retain(|_, counts| counts.posts() > 0);
    topics
}
