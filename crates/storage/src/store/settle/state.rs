//! The rows that a plan is computed from, in both databases.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Nullable, Text};

use super::plan::{PostState, Row};
use crate::store::labels::LabelColumns;
use crate::store::sql::{At, Instant};
use sentistream_core::domain::{EntryId, EntryKey};

/// Reads [`StateRow`]s of the posts whose ids are in `$ids`, a table `i (post_id)`.
macro_rules! select_states {
    ($ids:literal) => {
        concat!(
            "SELECT i.post_id, k.deleted_at, k.edited_at, k.earliest_ms, k.earliest_seq, p.entry_epoch, p.entry_ms, \
             p.entry_seq, p.source, p.author, p.created_at, p.ingested_at, a.analyzed_at, p.sentiment_label, \
             p.emotion, p.confidence_score FROM ",
            $ids,
            " LEFT JOIN post_keys k ON k.post_id = i.post_id \
             LEFT JOIN social_media_posts p ON p.post_id = i.post_id \
             LEFT JOIN sentiment_analysis a ON a.post_id = i.post_id"
        )
    };
}
pub(super) use select_states;

/// The columns of [`select_states`].
pub type StateColumns = (
    Text,
    Nullable<Instant>,
    Nullable<Instant>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Instant>,
    Nullable<Instant>,
    Nullable<Instant>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Double>,
);

/// The row of a post in `post_keys`, with the rows of the post and of its analysis if they exist.
#[derive(Queryable)]
pub struct StateRow {
    /// The requested id. Columns of rows that do not exist are null.
    pub post_id: String,
    deleted_at: Option<At>,
    edited_at: Option<At>,
    earliest_ms: Option<i64>,
    earliest_seq: Option<i64>,
    entry_epoch: Option<String>,
    entry_ms: Option<i64>,
    entry_seq: Option<i64>,
    source: Option<String>,
    author: Option<String>,
    created_at: Option<At>,
    ingested_at: Option<At>,
    analyzed_at: Option<At>,
    sentiment: Option<String>,
    emotion: Option<String>,
    confidence: Option<f64>,
}

impl StateRow {
    /// The state of the post, without its topics.
    pub fn into_state(self) -> PostState<'static> {
        let deleted = self.deleted_at.is_some();
        let edited_at = self.edited_at.map(|at| at.0);
        let earliest = self.earliest_ms.zip(self.earliest_seq).map(entry_id);
        PostState { deleted, edited_at, earliest, row: self.into_row() }
    }

    fn into_row(self) -> Option<Row<'static>> {
        Some(Row {
            creator: EntryKey { epoch: self.entry_epoch?.into(), id: entry_id((self.entry_ms?, self.entry_seq?)) },
            source: self.source?.into(),
            author: self.author.map(Into::into),
            created_at: self.created_at?.0,
            ingested_at: self.ingested_at?.0,
            analyzed_at: self.analyzed_at.map(|at| at.0),
            labels: LabelColumns::read(&self.sentiment?, self.emotion?),
            confidence: self.confidence?,
            topics: Vec::new(),
        })
    }
}

/// An entry id from its two columns.
pub fn entry_id((ms, seq): (i64, i64)) -> EntryId {
    EntryId { ms: u64::try_from(ms).unwrap_or_default(), seq: u64::try_from(seq).unwrap_or_default() }
}

/// The two columns of an entry id.
pub fn columns(id: EntryId) -> (i64, i64) {
    (i64::try_from(id.ms).unwrap_or(i64::MAX), i64::try_from(id.seq).unwrap_or(i64::MAX))
}
