//! Ids of stream entries, and their outcomes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use super::Timestamp;

/// The id of an entry: the time of its append in milliseconds, and a number that orders entries within it.
/// Written `ms-seq`, as Redis does. The embedded queue's `seq` never repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    pub ms: u64,
    pub seq: u64,
}

impl EntryId {
    /// When the entry was appended.
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

/// The permanent id of an entry. Ids may repeat after a stream was lost, but `(epoch, id)` never does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntryKey {
    /// The epoch of the stream; a new one begins when the stream is lost (`FLUSHALL`).
    pub epoch: Arc<str>,
    pub id: EntryId,
}

/// The outcome of an entry. Every entry has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its post was stored with its analysis.
    Analysed,
    /// Its post was stored without an analysis: the model does not know its language.
    Unscored,
    /// Its post was stored before.
    Duplicate,
    /// It had no effect: the post is deleted, or a later version is stored.
    Skipped,
    /// It deleted a post, or an author's posts, or left a tombstone.
    Deletion,
    /// It stored a later version of a post.
    Replacement,
    /// It is in the dead letter.
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

/// Why an entry is in the dead letter.
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
    /// The database refused the post.
    StoreFailed,
    /// The process crashed while it worked on the entry, too often in a row.
    Crashed,
    /// Another program or a newer version wrote a reason that this version does not know.
    Unknown,
}

impl DeadLetterReason {
    /// The name used in the stream, tables, metrics and the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads a stored reason.
    pub fn read(text: &str) -> Self {
        text.parse().unwrap_or(Self::Unknown)
    }
}

/// The books of one epoch: the number of appended entries, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Books {
    pub appended: u64,
    pub analysed: u64,
    pub unscored: u64,
    pub duplicate: u64,
    pub skipped: u64,
    pub deletion: u64,
    pub replacement: u64,
    pub dead_lettered: u64,
    /// Entries without an outcome yet: waiting or claimed.
    pub pending: u64,
}

impl Books {
    /// Entries with an outcome.
    pub fn settled(&self) -> u64 {
        self.analysed
            + self.unscored
            + self.duplicate
            + self.skipped
            + self.deletion
            + self.replacement
            + self.dead_lettered
    }

    /// Whether every entry is accounted for. Always true while nothing is appended or settled.
    pub fn balance(&self) -> bool {
        self.appended == self.settled() + self.pending
    }
}
