//! The changes of counters by a batch. They are summed first, so that each row is written once, in the order of its
//! key.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Settled;
use super::plan::{Plan, Row};
use crate::domain::{EntryKey, Timestamp, TopicId};
use crate::store::Retention;
use crate::store::labels::LabelColumns;
use crate::store::rollup::{Grain, INGEST_BUCKET, INGEST_KEPT, Kept, Series};

/// The key of a rollup row: grain, bucket, source, sentiment, emotion. It has the same order as the table's primary
/// key.
type RollupKey = (i32, Timestamp, String, &'static str, Cow<'static, str>);

/// Topic, minute, source and labels.
type TopicCell = (TopicId, Timestamp, String, LabelColumns);

/// Changes of counters.
#[derive(Debug)]
pub struct Tally {
    now: Timestamp,
    kept: Kept,
    seconds: BTreeMap<(Timestamp, String, LabelColumns), (i64, f64)>,
    topics: BTreeMap<TopicCell, (i64, f64)>,
    ingested: BTreeMap<Timestamp, i64>,
    outcomes: BTreeMap<(Arc<str>, &'static str), i64>,
}

impl Tally {
    /// A tally without changes.
    pub fn new(now: Timestamp, retention: &Retention) -> Self {
        Self {
            now,
            kept: retention.kept(now),
            seconds: BTreeMap::new(),
            topics: BTreeMap::new(),
            ingested: BTreeMap::new(),
            outcomes: BTreeMap::new(),
        }
    }

    /// Adds the changes that `plan` makes to its posts.
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

    /// Adds one post (`sign` 1) or subtracts it (-1).
    pub fn add_row(&mut self, row: &Row<'_>, sign: i64) {
        let second = row.created_at.floor(Grain::Second.width());
        let cell = self.seconds.entry((second, row.source.clone().into_owned(), row.labels.clone()));
        let (count, confidence) = cell.or_default();
        *count += sign;
        *confidence += sign as f64 * row.confidence;
        if row.ingested_at > self.now - INGEST_KEPT {
            *self.ingested.entry(row.ingested_at.floor(INGEST_BUCKET)).or_default() += sign;
        }
        for &topic in &row.topics {
            self.add_topic(topic, (row.created_at, &row.source, &row.labels), (sign, row.confidence));
        }
    }

    /// Adds one post to a topic (`sign` 1) or subtracts it (-1): its time, source, labels and confidence.
    pub fn add_topic(
        &mut self,
        topic: TopicId,
        (created_at, source, labels): (Timestamp, &str, &LabelColumns),
        (sign, confidence): (i64, f64),
    ) {
        let minute = created_at.floor(Grain::Minute.width());
        let cell = self.topics.entry((topic, minute, source.to_owned(), labels.clone())).or_default();
        cell.0 += sign;
        cell.1 += sign as f64 * confidence;
    }

    /// The changes of `topic_rollups`, in key order.
    pub fn topic_rollups(&self) -> BTreeMap<(TopicId, RollupKey), (i64, f64)> {
        let mut rows: BTreeMap<(TopicId, RollupKey), (i64, f64)> = BTreeMap::new();
        for ((topic, minute, source, labels), &(count, confidence)) in &self.topics {
            for grain in [Grain::Total, Grain::Day, Grain::Quarter, Grain::Minute] {
                let bucket = grain.floor(*minute);
                if bucket >= self.kept.from(grain) {
                    let column = grain.column(Series::Source);
                    let key = (column, bucket, source.clone(), labels.sentiment, labels.emotion.clone());
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
    pub fn rollups(&self) -> BTreeMap<RollupKey, (i64, f64)> {
        let mut rows: BTreeMap<RollupKey, (i64, f64)> = BTreeMap::new();
        for ((second, source, labels), &(count, confidence)) in &self.seconds {
            let kept = Grain::ALL.into_iter().filter(|grain| grain.floor(*second) >= self.kept.from(*grain));
            for grain in kept {
                let mut add = |series: Series, source: &str| {
                    let bucket = grain.floor(*second);
                    let (sentiment, emotion) = (labels.sentiment, labels.emotion.clone());
                    let key = (grain.column(series), bucket, source.to_owned(), sentiment, emotion);
                    let cell = rows.entry(key).or_default();
                    cell.0 += count;
                    cell.1 += confidence;
                };
                add(Series::Source, source);
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
