//! The stream of posts and its consumer group: one contract, two backends.
//!
//! Delivery is at least once. A consumer claims entries; a claim is a lease that it must renew
//! while it works, else any consumer may rescue the entry. An entry leaves the group when it is
//! acknowledged (for the embedded queue: in the store's own commit) or moved to the dead letter.

pub mod local;
pub mod redis;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{DeadLetterReason, EntryId, EntryKey, PostId, RawFields, Timestamp};
use crate::telemetry::trace;

pub use local::LocalStream;
pub use redis::RedisStream;

/// An entry that a consumer claimed.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: EntryKey,
    pub fields: RawFields,
    /// The number of deliveries, including this one. Above 1, an earlier delivery did not finish.
    pub deliveries: u32,
}

/// A consumer's name: stable for a task, different for each task of each instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Consumer(pub Arc<str>);

/// How claimed entries are released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The entry was not at fault (shutdown, unavailable backend): this delivery does not count.
    Untried,
    /// Processing the entry failed: this delivery counts.
    Failed,
}

/// An entry to put into the dead letter.
#[derive(Clone, Debug)]
pub struct DeadLetterRequest {
    pub entry: Entry,
    pub reason: DeadLetterReason,
    /// The error message.
    pub error: String,
}

/// An entry of the dead letter.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Its id in the dead letter.
    pub id: EntryId,
    /// The original fields, byte for byte.
    pub fields: RawFields,
    pub error: String,
    pub reason: DeadLetterReason,
    pub deliveries: u32,
    pub failed_at: Timestamp,
    /// Its id in the stream.
    pub origin_id: EntryId,
}

/// The dead letters that a command applies to.
#[derive(Clone, Debug)]
pub enum DeadLetterSelection {
    All,
    Ids(Vec<EntryId>),
}

/// The stream's numbers at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Depth {
    /// The current epoch of the stream.
    pub epoch: Arc<str>,
    /// Entries ever appended in this epoch.
    pub appended: u64,
    /// Entries that no consumer has claimed yet.
    pub lag: u64,
    /// Whether `lag` is an estimate: other programs deleted entries ahead of the group.
    pub is_estimate: bool,
    /// The memory of Redis, when it is limited (`maxmemory`).
    pub memory: Option<Memory>,
    /// Entries claimed and not settled.
    pub claimed: u64,
    /// Entries moved to the dead letter in this epoch.
    pub dead_lettered: u64,
    /// Entries in the dead letter now.
    pub dead_letters: u64,
    /// Append time of the oldest entry that is not settled.
    pub oldest_unsettled: Option<Timestamp>,
}

impl Depth {
    /// Everything that is not settled.
    pub fn pending(&self) -> u64 {
        self.lag + self.claimed
    }
}

/// The memory of Redis, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub used: u64,
    /// `maxmemory`.
    pub max: u64,
    /// Appends are refused from here on.
    pub limit: u64,
}

impl Memory {
    /// Whether appends are refused.
    pub fn is_full(&self) -> bool {
        self.used >= self.limit
    }
}

/// A consumer of the group as the stream sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerInfo {
    pub name: String,
    /// Entries it holds.
    pub claimed: u64,
    /// Time since it last asked for entries.
    pub idle: Duration,
}

/// Why a stream operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The backlog is at its limit; nothing was appended.
    #[error(
        "the stream is full: {pending} entries wait, the limit is {limit} (stream.max_backlog); add workers or wait"
    )]
    Full { pending: u64, limit: u64 },
    /// Redis runs short of memory; nothing was appended.
    #[error(
        "the stream is full: Redis uses {used} of {max} bytes (maxmemory) and accepts no posts above 80 %; \
         add workers or memory, or wait"
    )]
    MemoryFull { used: u64, max: u64 },
    /// The backend is unavailable, slow or restarting; retry.
    #[error("the stream is not available: {0}")]
    Unavailable(String),
    /// A retry does not help.
    #[error("the stream failed: {0}")]
    Failed(String),
}

impl StreamError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }
}

/// Names and limits, the same for both backends.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The input stream.
    pub name: String,
    /// The consumer group on it.
    pub group: String,
    pub dead_letter: String,
    pub processed: String,
    /// About how many entries the processed stream keeps.
    pub processed_max_len: u64,
    /// About how many bytes of Redis the processed stream takes, at most.
    pub processed_max_bytes: u64,
    /// About how many bytes the dead letter takes, at most.
    pub dead_letter_max_bytes: u64,
    /// A claim not renewed for this long may be rescued.
    pub claim_idle: Duration,
    /// An append is refused while this many entries are unsettled.
    pub max_backlog: u64,
    /// The longest any single command may take.
    pub command_timeout: Duration,
}

/// The stream, on either backend.
#[derive(Clone)]
pub enum Stream {
    Local(LocalStream),
    Redis(RedisStream),
}

macro_rules! on_backend {
    ($self:ident, $backend:ident => $call:expr) => {
        match $self {
            Stream::Local($backend) => $call,
            Stream::Redis($backend) => $call,
        }
    };
}

impl Stream {
    /// Appends entries in their order. When it returns they are durable (Redis has acknowledged
    /// them, or they are committed with `synchronous=FULL`).
    ///
    /// # Errors
    /// [`StreamError::Full`] when the backlog is at its limit. After `Unavailable` some of the
    /// entries may have been appended: append again, workers drop duplicates by `post_id`.
    pub async fn append(&self, mut entries: Vec<RawFields>) -> Result<Vec<EntryId>, StreamError> {
        let _span = trace::append(&mut entries);
        on_backend!(self, s => s.append(entries).await)
    }

    /// Claims up to `max` unclaimed entries, oldest first; waits up to `wait` for the first.
    pub async fn claim(&self, consumer: &Consumer, max: usize, wait: Duration) -> Result<Vec<Entry>, StreamError> {
        on_backend!(self, s => s.claim(consumer, max, wait).await)
    }

    /// Takes over up to `max` entries of any consumer whose claim is idle longer than `claim_idle` or
    /// was released.
    pub async fn rescue(&self, consumer: &Consumer, max: usize) -> Result<Vec<Entry>, StreamError> {
        on_backend!(self, s => s.rescue(consumer, max).await)
    }

    /// Renews the claims on entries that are still being processed.
    pub async fn renew(&self, consumer: &Consumer, keys: &[EntryKey]) -> Result<(), StreamError> {
        match self {
            Self::Local(s) => {
                s.renew(consumer, keys);
                Ok(())
            }
            Self::Redis(s) => s.renew(consumer, keys).await,
        }
    }

    /// Acknowledges entries after the store committed them. (The embedded queue has done so in that
    /// commit; there this call only ends the claims.)
    pub async fn ack(&self, consumer: &Consumer, keys: &[EntryKey]) -> Result<(), StreamError> {
        match self {
            Self::Local(s) => {
                s.ack(keys);
                Ok(())
            }
            Self::Redis(s) => s.ack(consumer, keys).await,
        }
    }

    /// Releases entries. Any consumer may rescue them immediately.
    pub async fn release(&self, consumer: &Consumer, keys: &[EntryKey], how: Release) -> Result<(), StreamError> {
        on_backend!(self, s => s.release(consumer, keys, how).await)
    }

    /// Moves an entry to the dead letter: acknowledged here, added there, counted, once, atomically.
    /// `false` when it had been settled already.
    pub async fn dead_letter(&self, request: DeadLetterRequest, now: Timestamp) -> Result<bool, StreamError> {
        on_backend!(self, s => s.dead_letter(request, now).await)
    }

    /// The stream's numbers.
    pub async fn depth(&self) -> Result<Depth, StreamError> {
        on_backend!(self, s => s.depth().await)
    }

    /// The consumers of the group.
    pub async fn consumers(&self) -> Result<Vec<ConsumerInfo>, StreamError> {
        match self {
            Self::Local(s) => Ok(s.consumers()),
            Self::Redis(s) => s.consumers().await,
        }
    }

    /// Forgets consumers that hold nothing and have been idle longer than `idle`.
    pub async fn forget_consumers(&self, idle: Duration) -> Result<u64, StreamError> {
        match self {
            Self::Local(s) => Ok(s.forget_consumers(idle)),
            Self::Redis(s) => s.forget_consumers(idle).await,
        }
    }

    /// Up to `limit` dead letters, newest first, older than `before` when given.
    pub async fn dead_letters(&self, limit: usize, before: Option<EntryId>) -> Result<Vec<DeadLetter>, StreamError> {
        on_backend!(self, s => s.dead_letters(limit, before).await)
    }

    /// One dead letter.
    pub async fn get_dead_letter(&self, id: EntryId) -> Result<Option<DeadLetter>, StreamError> {
        on_backend!(self, s => s.get_dead_letter(id).await)
    }

    /// Appends dead letters to the stream again and removes them here; the number replayed.
    pub async fn replay_dead_letters(&self, selection: &DeadLetterSelection) -> Result<u64, StreamError> {
        on_backend!(self, s => s.replay_dead_letters(selection).await)
    }

    /// Removes dead letters permanently; the number removed.
    pub async fn purge_dead_letters(&self, selection: &DeadLetterSelection) -> Result<u64, StreamError> {
        on_backend!(self, s => s.purge_dead_letters(selection).await)
    }

    /// Appends analysed posts to `processed_posts_stream` for other consumers. The embedded queue has none.
    pub async fn publish_processed(&self, entries: Vec<RawFields>) -> Result<(), StreamError> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Redis(s) => s.publish_processed(entries).await,
        }
    }

    /// Removes `posts` from the dead letter and `stored`, those of them that were stored, from the processed stream.
    pub async fn forget_posts(&self, posts: &[PostId], stored: &[PostId]) -> Result<(), StreamError> {
        match self {
            Self::Local(s) => s.forget_posts(posts).await,
            Self::Redis(s) => s.forget_posts(posts, stored).await,
        }
    }

    /// Removes entries that every group has settled; the lowest id that is still needed.
    pub async fn trim(&self) -> Result<Option<EntryKey>, StreamError> {
        on_backend!(self, s => s.trim().await).map(Some)
    }

    /// Checks that the backend answers.
    pub async fn ping(&self) -> Result<(), StreamError> {
        on_backend!(self, s => s.ping().await)
    }
}

/// Reports dead letters that were dropped to keep the dead letter within its limit of bytes.
fn report_dropped(dropped: u64) {
    if dropped > 0 {
        metrics::counter!("sentistream_dead_letters_dropped_total").increment(dropped);
        tracing::warn!(dropped, "dead letter too large, oldest entries dropped (stream.dead_letter_max_bytes)");
    }
}
