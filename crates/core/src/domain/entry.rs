//! Ids of stream entries, and their outcomes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use super::Timestamp;

/// The id of an entry: the time of its append in milliseconds, and a sequence number. It is written as `ms-seq`, as in
/// Redis. The embedded queue never repeats a `seq`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// The time of the append, in milliseconds since the Unix epoch.
    pub ms: u64,
    /// In Redis the number of the entry within its millisecond; in the embedded queue the number of its row.
    pub seq: u64,
}

impl EntryId {
    /// When the entry was appended; the Unix epoch if [`Timestamp`] does not support the time.
    pub fn appended_at(self) -> Timestamp {
        i64::try_from(self.ms).ok().and_then(Timestamp::from_millis).unwrap_or_default()
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for EntryId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ms, seq) = text.split_once('-').unwrap_or((text, "0"));
        match (ms.parse(), seq.parse()) {
            (Ok(ms), Ok(seq)) => Ok(Self { ms, seq }),
            _ => Err("is not an entry id: expected MILLISECONDS-SEQUENCE"),
        }
    }
}

/// The permanent id of an entry. The ids of entries may repeat after a stream was lost, but an epoch and an id together
/// never repeat.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntryKey {
    /// The epoch of the stream. A new one begins when the stream is lost (`FLUSHALL`).
    pub epoch: Arc<str>,
    /// The id of the entry within its epoch.
    pub id: EntryId,
}

/// The outcome of an entry. Every entry has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The post was stored with its analysis.
    Analysed,
    /// The post was stored without an analysis, because the model does not support its language.
    Unscored,
    /// The post was already stored.
    Duplicate,
    /// The entry had no effect: the post was deleted, is too old to be stored, or a later version is stored.
    Skipped,
    /// The entry deleted a post or an author's posts, or left a tombstone for posts that were not stored.
    Deletion,
    /// The entry stored a later version of a post.
    Replacement,
    /// The entry is a dead letter.
    DeadLettered,
}

impl Outcome {
    /// The outcomes that the store counts; dead letters are counted by the stream.
    pub const STORED: [Self; 6] =
        [Self::Analysed, Self::Unscored, Self::Duplicate, Self::Skipped, Self::Deletion, Self::Replacement];

    /// The name used in tables, metrics and health.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Analysed => "analysed",
            Self::Unscored => "unscored",
            Self::Duplicate => "duplicate",
            Self::Skipped => "skipped",
            Self::Deletion => "deletion",
            Self::Replacement => "replacement",
            Self::DeadLettered => "dead_lettered",
        }
    }
}

/// Why an entry is a dead letter.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    utoipa::ToSchema,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DeadLetterReason {
    /// The entry is not a valid post or operation.
    Invalid,
    /// The model failed on the post.
    AnalysisFailed,
    /// The database rejected the post.
    StoreFailed,
    /// The process crashed too many times in a row while it worked on the entry.
    Crashed,
    /// Another program or a newer version wrote a reason that this version does not know.
    Unknown,
}

impl DeadLetterReason {
    /// The name used in the stream, tables, metrics and the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Parses a stored reason.
    pub fn read(text: &str) -> Self {
        text.parse().unwrap_or(Self::Unknown)
    }
}

/// The numbers of entries in one epoch of the stream: appended entries, entries by outcome, and entries without an
/// outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Books {
    /// The number of entries that were appended in the epoch.
    pub appended: u64,
    /// The number of entries whose posts were stored with an analysis.
    pub analysed: u64,
    /// The number of entries whose posts were stored without an analysis, because of their language.
    pub unscored: u64,
    /// The number of entries whose posts were already stored.
    pub duplicate: u64,
    /// The number of entries without an effect: the post was deleted, is too old to be stored, or a later version is
    /// stored.
    pub skipped: u64,
    /// The number of entries that deleted a post or the posts of an author, or left a tombstone for a post that was not
    /// stored.
    pub deletion: u64,
    /// The number of entries that stored a later version of a post.
    pub replacement: u64,
    /// The number of entries that became dead letters, including those that were replayed or purged since then.
    pub dead_lettered: u64,
    /// The number of entries without an outcome: waiting or claimed.
    pub pending: u64,
}

impl Books {
    /// The number of entries with an outcome.
    pub fn settled(&self) -> u64 {
        self.analysed
            + self.unscored
            + self.duplicate
            + self.skipped
            + self.deletion
            + self.replacement
            + self.dead_lettered
    }

    /// Whether the number of appended entries equals the number of entries with and without an outcome. This must be
    /// true while no entry is being appended or settled.
    pub fn balance(&self) -> bool {
        self.appended == self.settled() + self.pending
    }
}
