//! Entries, their consumers, and dead letters.

use std::sync::Arc;

use sentistream_core::domain::{DeadLetterReason, EntryId, EntryKey, RawFields, Timestamp};

/// An entry that a consumer claimed.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The permanent id of the entry.
    pub key: EntryKey,
    /// The fields as they were appended, without validation.
    pub fields: RawFields,
    /// The number of deliveries that count, including this one. Deliveries that ended with [`Release::Untried`] do not
    /// count. A number above 1 means that processing failed or the process ended during an earlier delivery.
    pub deliveries: u32,
}

/// The name of a consumer: constant for a task, and different for each task of each instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Consumer(pub Arc<str>);

/// Whether the delivery of released entries counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The entry did not cause the failure (shutdown, unavailable backend): this delivery does not count.
    Untried,
    /// Processing the entry failed: this delivery counts.
    Failed,
}

/// An entry to move to the dead letters.
#[derive(Clone, Debug)]
pub struct DeadLetterRequest {
    /// The entry, which the caller has claimed.
    pub entry: Entry,
    /// Why the entry cannot be processed.
    pub reason: DeadLetterReason,
    /// The error message.
    pub error: String,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The id of the dead letter, which is not the id of the entry.
    pub id: EntryId,
    /// The original fields, unchanged.
    pub fields: RawFields,
    /// The message of the error; empty if another program added the dead letter.
    pub error: String,
    /// Why the entry was not processed.
    pub reason: DeadLetterReason,
    /// The number of deliveries of the entry; 0 if another program added the dead letter.
    pub deliveries: u32,
    /// When the entry became a dead letter.
    pub failed_at: Timestamp,
    /// The id that the entry had in the stream; `0-0` if another program added the dead letter.
    pub origin_id: EntryId,
}

/// The dead letters that a command applies to.
#[derive(Clone, Debug)]
pub enum DeadLetterSelection {
    /// All dead letters that exist when the command starts.
    All,
    /// The dead letters with these ids. Unknown ids are ignored.
    Ids(Vec<EntryId>),
}
