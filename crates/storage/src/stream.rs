//! The stream of posts and its consumer group: one interface with two backends.
//!
//! Delivery is at least once. A consumer claims entries. A claim is a lease that the consumer must renew while it
//! works; otherwise the claim expires and any consumer may take over the entry. An entry is settled, and leaves the
//! group, when it is acknowledged (for the embedded queue this is part of the store's commit) or moved to the dead
//! letters.

mod depth;
mod entry;
mod error;
pub mod local;
pub mod redis;

use std::time::Duration;

use sentistream_core::domain::{EntryId, EntryKey, PostId, RawFields, Timestamp};
use sentistream_core::telemetry::trace;

pub use depth::{ConsumerInfo, Depth, Memory};
pub use entry::{Consumer, DeadLetter, DeadLetterRequest, DeadLetterSelection, Entry, Release};
pub use error::StreamError;
pub use local::LocalStream;
pub use redis::RedisStream;

/// Names and limits of the stream, for both backends.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The name of the input stream.
    pub name: String,
    /// The name of its consumer group.
    pub group: String,
    /// The name of the stream of dead letters in Redis.
    pub dead_letter: String,
    /// The name of the stream of analysed posts in Redis.
    pub processed: String,
    /// The approximate maximum number of entries in the processed stream.
    pub processed_max_len: u64,
    /// The approximate maximum size of the processed stream in Redis, in bytes. If it is larger than a fifth of
    /// `maxmemory`, a fifth of `maxmemory` is the limit.
    pub processed_max_bytes: u64,
    /// The approximate maximum size of the dead letters, in bytes. In Redis, a fifth of `maxmemory` is the limit if it
    /// is smaller.
    pub dead_letter_max_bytes: u64,
    /// A claim that was not renewed for this time may be taken over.
    pub claim_idle: Duration,
    /// The maximum number of unsettled entries. An append that would exceed this number is refused, except when there
    /// are no unsettled entries.
    pub max_backlog: u64,
    /// The maximum time of a single command.
    pub command_timeout: Duration,
}

/// The stream, on either backend.
#[derive(Clone)]
pub enum Stream {
    /// The embedded queue.
    Local(LocalStream),
    /// A stream in Redis, which several processes share.
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
    /// Appends entries in order. When the method returns, the entries are durable (Redis has acknowledged them, or they
    /// are committed with `synchronous=FULL`).
    ///
    /// # Errors
    /// [`StreamError::Full`] when the entries do not fit into the backlog, and [`StreamError::MemoryFull`] when Redis
    /// is short of memory; nothing was appended then. Otherwise the same errors as [`Self::claim`], after which some of
    /// the entries may have been appended. After [`StreamError::Unavailable`] the caller should append all of them
    /// again, because workers drop duplicates by `post_id`.
    pub async fn append(&self, mut entries: Vec<RawFields>) -> Result<Vec<EntryId>, StreamError> {
        let _span = trace::append(&mut entries);
        on_backend!(self, s => s.append(entries).await)
    }

    /// Claims up to `max` unclaimed entries, oldest first. Waits up to `wait` for the first one.
    ///
    /// # Errors
    /// [`StreamError::Unavailable`] when the backend does not answer in time; [`StreamError::Failed`] when it refuses
    /// the command or its reply is unexpected.
    pub async fn claim(&self, consumer: &Consumer, max: usize, wait: Duration) -> Result<Vec<Entry>, StreamError> {
        on_backend!(self, s => s.claim(consumer, max, wait).await)
    }

    /// Takes over up to `max` entries whose claims, by any consumer, were released or were not renewed for
    /// `claim_idle`.
    ///
    /// # Errors
    /// The same errors as [`Self::claim`].
    pub async fn rescue(&self, consumer: &Consumer, max: usize) -> Result<Vec<Entry>, StreamError> {
        on_backend!(self, s => s.rescue(consumer, max).await)
    }

    /// Renews the claims on entries that are still being processed.
    ///
    /// # Errors
    /// With Redis, the same errors as [`Self::claim`]. Some of the claims may have been renewed. The embedded queue
    /// does not fail.
    pub async fn renew(&self, consumer: &Consumer, keys: &[EntryKey]) -> Result<(), StreamError> {
        match self {
            Self::Local(s) => {
                s.renew(consumer, keys);
                Ok(())
            }
            Self::Redis(s) => s.renew(consumer, keys).await,
        }
    }

    /// Acknowledges entries after the store has committed their changes. With the embedded queue, that commit has
    /// already removed the entries, so this call only ends the claims.
    ///
    /// # Errors
    /// With Redis, the same errors as [`Self::claim`]. Some of the entries may have been acknowledged. The embedded
    /// queue does not fail.
    pub async fn ack(&self, consumer: &Consumer, keys: &[EntryKey]) -> Result<(), StreamError> {
        match self {
            Self::Local(s) => {
                s.ack(keys);
                Ok(())
            }
            Self::Redis(s) => s.ack(consumer, keys).await,
        }
    }

    /// Releases entries. Any consumer may take them over immediately.
    ///
    /// # Errors
    /// The same errors as [`Self::claim`]. With Redis, some of the entries may have been released.
    pub async fn release(&self, consumer: &Consumer, keys: &[EntryKey], how: Release) -> Result<(), StreamError> {
        on_backend!(self, s => s.release(consumer, keys, how).await)
    }

    /// Moves an entry to the dead letters: in one atomic step, the entry is acknowledged, added to the dead letters and
    /// counted. Returns `false` if the entry was already settled.
    ///
    /// # Errors
    /// The same errors as [`Self::claim`].
    pub async fn dead_letter(&self, request: DeadLetterRequest, now: Timestamp) -> Result<bool, StreamError> {
        on_backend!(self, s => s.dead_letter(request, now).await)
    }

    /// The current counts of the stream.
    ///
    /// # Errors
    /// The same errors as [`Self::claim`].
    pub async fn depth(&self) -> Result<Depth, StreamError> {
        on_backend!(self, s => s.depth().await)
    }

    /// The consumers of the group.
    ///
    /// # Errors
    /// With Redis, the same errors as [`Self::claim`]. The embedded queue does not fail.
    pub async fn consumers(&self) -> Result<Vec<ConsumerInfo>, StreamError> {
        match self {
            Self::Local(s) => Ok(s.consumers()),
            Self::Redis(s) => s.consumers().await,
        }
    }

    /// Removes consumers that hold no entries and have been idle for longer than `idle`. Returns the number of removed
    /// consumers.
    ///
    /// # Errors
    /// With Redis, the same errors as [`Self::claim`]. The embedded queue does not fail.
    pub async fn forget_consumers(&self, idle: Duration) -> Result<u64, StreamError> {
        match self {
            Self::Local(s) => Ok(s.forget_consumers(idle)),
            Self::Redis(s) => s.forget_consumers(idle).await,
        }
    }

    /// Up to `limit` dead letters, newest first, older than `before` if it is given.
    ///
    /// # Errors
    /// The same errors as [`Self::claim`].
    pub async fn dead_letters(&self, limit: usize, before: Option<EntryId>) -> Result<Vec<DeadLetter>, StreamError> {
        on_backend!(self, s => s.dead_letters(limit, before).await)
    }

    /// The dead letter with this id.
    ///
    /// # Errors
    /// The same errors as [`Self::claim`].
    pub async fn get_dead_letter(&self, id: EntryId) -> Result<Option<DeadLetter>, StreamError> {
        on_backend!(self, s => s.get_dead_letter(id).await)
    }

    /// Appends dead letters to the stream again, removes them, and returns their number.
    ///
    /// # Errors
    /// [`StreamError::Full`] when the dead letters do not fit into the backlog, and [`StreamError::MemoryFull`] when
    /// Redis is short of memory; otherwise the same errors as [`Self::claim`]. Dead letters that this call appended
    /// before the error are removed; the others remain.
    pub async fn replay_dead_letters(&self, selection: &DeadLetterSelection) -> Result<u64, StreamError> {
        on_backend!(self, s => s.replay_dead_letters(selection).await)
    }

    /// Removes dead letters permanently and returns their number.
    ///
    /// # Errors
    /// The same errors as [`Self::claim`]. Some of the dead letters may have been removed.
    pub async fn purge_dead_letters(&self, selection: &DeadLetterSelection) -> Result<u64, StreamError> {
        on_backend!(self, s => s.purge_dead_letters(selection).await)
    }

    /// Appends analysed posts to `processed_posts_stream` for other consumers. Does nothing with the embedded queue,
    /// which has no such stream.
    ///
    /// # Errors
    /// With Redis, the same errors as [`Self::claim`]. Some of the posts may have been appended. The embedded queue
    /// does not fail.
    pub async fn publish_processed(&self, entries: Vec<RawFields>) -> Result<(), StreamError> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Redis(s) => s.publish_processed(entries).await,
        }
    }

    /// Removes `posts` from the dead letters, and `stored` from the processed stream. `stored` contains those of
    /// `posts` that were stored in the database.
    ///
    /// # Errors
    /// The same errors as [`Self::claim`], and [`StreamError::Unavailable`] when another program keeps changing a
    /// stream in Redis. Some of the posts may have been removed.
    pub async fn forget_posts(&self, posts: &[PostId], stored: &[PostId]) -> Result<(), StreamError> {
        match self {
            Self::Local(s) => s.forget_posts(posts).await,
            Self::Redis(s) => s.forget_posts(posts, stored).await,
        }
    }

    /// Removes entries that every consumer group has settled; the embedded queue has removed them when they were
    /// settled. Returns the lowest id that may still be needed: all entries below it are settled.
    ///
    /// # Errors
    /// The same errors as [`Self::claim`]. With Redis, some of the entries may have been removed.
    pub async fn trim(&self) -> Result<Option<EntryKey>, StreamError> {
        on_backend!(self, s => s.trim().await).map(Some)
    }

    /// Checks that the backend answers.
    ///
    /// # Errors
    /// The same errors as [`Self::claim`].
    pub async fn ping(&self) -> Result<(), StreamError> {
        on_backend!(self, s => s.ping().await)
    }
}

/// Reports dead letters that were deleted to keep their size within the limit.
fn report_dropped(dropped: u64) {
    if dropped > 0 {
        metrics::counter!("sentistream_dead_letters_dropped_total").increment(dropped);
        tracing::warn!(dropped, "dead letters too large, oldest ones dropped (stream.dead_letter_max_bytes)");
    }
}
