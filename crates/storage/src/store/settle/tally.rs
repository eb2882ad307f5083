//! The changes of counters by a batch. The changes are summed in memory, so that each row is written once, in the order
//! of the keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Settled;
use super::plan::{Plan, Row};
use super::topics::Effective;
use crate::store::Retention;
use crate::store::labels::LabelColumns;
use crate::store::rollup::{Grain, INGEST_BUCKET, INGEST_KEPT, Kept, Series};
use sentistream_core::domain::{EntryKey, PostTopic, Timestamp, TopicId};

/// The key of a rollup row: grain, bucket, source, sentiment, emotion. It has the same order as the table's primary
/// key.
type RollupKey<'t> = (i32, Timestamp, &'t str, &'static str, &'t str);

/// The key of the count of a topic: topic, minute, source and labels.
type TopicCell = (TopicId, Timestamp, String, LabelColumns);

/// Changes of the counts of topics, by topic and key.
type TopicRollups<'t> = BTreeMap<(TopicId, RollupKey<'t>), (i64, f64)>;

/// The values of a post that are needed to count it for its topics.
#[derive(Clone, Copy, Debug)]
pub struct TopicPost<'a> {
    pub created_at: Timestamp,
    pub source: &'a str,
    pub labels: &'a LabelColumns,
    pub confidence: f64,
}

/// Changes of counters.
#[derive(Debug)]
pub struct Tally {
    now: Timestamp,
    kept: Kept,
    seconds: BTreeMap<(Timestamp, String, LabelColumns), (i64, f64)>,
    /// Changes of counts by the sentiment towards the topic.
    topics: BTreeMap<TopicCell, (i64, f64)>,
    /// Changes of the differences between counts by the sentiment of the posts and counts by the sentiment towards the
    /// topic.
    shifts: BTreeMap<TopicCell, (i64, f64)>,
    ingested: BTreeMap<Timestamp, i64>,
    outcomes: BTreeMap<(Arc<str>, &'static str), i64>,
}

impl Tally {
    /// Creates a tally without changes.
    pub fn new(now: Timestamp, retention: &Retention) -> Self {
        Self {
            now,
            kept: retention.kept(now),
            seconds: BTreeMap::new(),
            topics: BTreeMap::new(),
            shifts: BTreeMap::new(),
            ingested: BTreeMap::new(),
            outcomes: BTreeMap::new(),
        }
    }

    /// The time of the changes.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Adds the changes of the counts that follow from the changes of `plan` to its posts.
    pub fn add_posts(&mut self, plan: &Plan<'_>) {
        for slot in &plan.slots {
            if slot.content.is_none() && slot.before.row.is_some() == slot.after.row.is_some() {
                continue;
            }
            if let Some(row) = &slot.before.row {
                self.add_row(row, -1);
            }
            if let Some(row) = &slot.after.row {
                self.add_row(row, 1);
            }
        }
    }

    /// Adds one post to the counts if `sign` is 1, or subtracts it if `sign` is -1.
    pub fn add_row(&mut self, row: &Row<'_>, sign: i64) {
        let second = row.created_at.floor(Grain::Second.width());
        let cell = self.seconds.entry((second, row.source.clone().into_owned(), row.labels.clone()));
        let (count, confidence) = cell.or_default();
        *count += sign;
        *confidence += sign as f64 * row.confidence;
        if row.ingested_at > self.now - INGEST_KEPT {
            *self.ingested.entry(row.ingested_at.floor(INGEST_BUCKET)).or_default() += sign;
        }
        self.add_topics(row, sign);
    }

    /// Adds one post to the counts of all its topics if `sign` is 1, or subtracts it if `sign` is -1.
    pub fn add_topics(&mut self, row: &Row<'_>, sign: i64) {
        let post = TopicPost {
            created_at: row.created_at,
            source: &row.source,
            labels: &row.labels,
            confidence: row.confidence,
        };
        for topic in &row.topics {
            self.add_topic(topic, &post, sign);
        }
    }

    /// Adds one post to the counts of a topic if `sign` is 1, or subtracts it if `sign` is -1.
    pub fn add_topic(&mut self, topic: &PostTopic, post: &TopicPost<'_>, sign: i64) {
        let minute = post.created_at.floor(Grain::Minute.width());
        let key = |labels: &LabelColumns| (topic.topic, minute, post.source.to_owned(), labels.clone());
        let add = |cells: &mut BTreeMap<TopicCell, (i64, f64)>, key: TopicCell, sign: i64, confidence: f64| {
            let cell = cells.entry(key).or_default();
            cell.0 += sign;
            cell.1 += sign as f64 * confidence;
        };
        let own = Effective::of(topic, post.labels, post.confidence);
        add(&mut self.topics, key(&own.labels), sign, own.confidence);
        if (&own.labels, own.confidence) != (post.labels, post.confidence) {
            add(&mut self.shifts, key(post.labels), sign, post.confidence);
            add(&mut self.shifts, key(&own.labels), -sign, own.confidence);
        }
    }

    /// The changes of `topic_rollups`, in key order.
    pub fn topic_rollups(&self) -> TopicRollups<'_> {
        self.rolled_up(&self.topics)
    }

    /// The changes of `topic_shifts`, in key order.
    pub fn topic_shifts(&self) -> TopicRollups<'_> {
        self.rolled_up(&self.shifts)
    }

    fn rolled_up<'t>(&self, cells: &'t BTreeMap<TopicCell, (i64, f64)>) -> TopicRollups<'t> {
        let mut rows = TopicRollups::new();
        for ((topic, minute, source, labels), &(count, confidence)) in cells {
            for grain in [Grain::Total, Grain::Day, Grain::Quarter, Grain::Minute] {
                let bucket = grain.floor(*minute);
                if bucket >= self.kept.from(grain) {
                    let column = grain.column(Series::Source);
                    let key = (column, bucket, source.as_str(), labels.sentiment, &*labels.emotion);
                    let cell = rows.entry((*topic, key)).or_default();
                    cell.0 += count;
                    cell.1 += confidence;
                }
            }
        }
        rows
    }

    /// Counts the outcome of an entry that was settled now.
    pub fn add_outcome(&mut self, key: &EntryKey, settled: &Settled) {
        if let Some(outcome) = settled.outcome {
            *self.outcomes.entry((key.epoch.clone(), outcome.as_str())).or_default() += 1;
        }
    }

    /// The changes of `post_rollups`, in key order.
    pub fn rollups(&self) -> BTreeMap<RollupKey<'_>, (i64, f64)> {
        let mut rows: BTreeMap<RollupKey<'_>, (i64, f64)> = BTreeMap::new();
        for ((second, source, labels), &(count, confidence)) in &self.seconds {
            let kept = Grain::ALL.into_iter().filter(|grain| grain.floor(*second) >= self.kept.from(*grain));
            for grain in kept {
                let bucket = grain.floor(*second);
                let mut add = |series: Series, source| {
                    let key = (grain.column(series), bucket, source, labels.sentiment, &*labels.emotion);
                    let cell = rows.entry(key).or_default();
                    cell.0 += count;
                    cell.1 += confidence;
                };
                add(Series::Source, source.as_str());
                if grain != Grain::Total {
                    add(Series::Together, "");
                }
            }
        }
        rows
    }

    /// The changes of `ingest_counters`, in key order.
    pub fn ingested(&self) -> impl Iterator<Item = (Timestamp, i64)> + '_ {
        self.ingested.iter().map(|(&bucket, &count)| (bucket, count)).filter(|&(_, count)| count != 0)
    }

    /// The changes of `stream_outcomes`, in key order.
    pub fn outcomes(&self) -> impl Iterator<Item = (&str, &'static str, i64)> + '_ {
        self.outcomes.iter().map(|((epoch, outcome), &count)| (&**epoch, *outcome, count))
    }
}
