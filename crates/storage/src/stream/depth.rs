//! The counts of the stream and of its consumers.

use std::sync::Arc;
use std::time::Duration;

use sentistream_core::domain::Timestamp;

/// The counts of the stream at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Depth {
    /// The id of the current epoch. A new epoch, with new counts, starts when the stream is lost or replaced.
    pub epoch: Arc<str>,
    /// The number of entries of this epoch: those that were appended in it, and those that were unsettled when it
    /// started. Claimed entries that another program deleted do not count.
    pub appended: u64,
    /// The number of entries that no consumer has claimed yet.
    pub lag: u64,
    /// Whether `lag` is an estimate, because other programs deleted entries that the group has not read.
    pub is_estimate: bool,
    /// The memory of Redis, if it is limited (`maxmemory`).
    pub memory: Option<Memory>,
    /// The number of entries that were claimed at least once and are not settled, including entries that were released.
    pub claimed: u64,
    /// The number of entries moved to the dead letters in this epoch.
    pub dead_lettered: u64,
    /// The current number of dead letters.
    pub dead_letters: u64,
    /// The append time of the oldest entry that is not settled.
    pub oldest_unsettled: Option<Timestamp>,
}

impl Depth {
    /// The number of entries that are not settled.
    pub fn pending(&self) -> u64 {
        self.lag + self.claimed
    }
}

/// The memory of Redis, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The memory in use.
    pub used: u64,
    /// `maxmemory`.
    pub max: u64,
    /// The memory above which appends are refused.
    pub limit: u64,
}

impl Memory {
    /// Whether appends are refused.
    pub fn is_full(&self) -> bool {
        self.used >= self.limit
    }
}

/// A consumer of the group.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerInfo {
    /// The name of the consumer.
    pub name: String,
    /// The number of entries that the consumer has claimed and not settled.
    pub claimed: u64,
    /// The time since the consumer last requested entries. With Redis, renewing or releasing claims also counts as a
    /// request.
    pub idle: Duration,
}
