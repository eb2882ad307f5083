//! A claimed entry and the operation in it.

use crate::clock::Clock;
use crate::domain::{EntryKey, Op};
use crate::stream::Entry;

/// A valid entry and its operation.
#[derive(Clone)]
pub struct Task {
    /// The claimed entry, with its key in the stream.
    pub entry: Entry,
    /// The operation that the entry contains.
    pub op: Op,
}

/// An entry that is not a valid operation.
pub struct InvalidEntry {
    /// The claimed entry, which becomes a dead letter.
    pub entry: Entry,
    /// Why the entry is invalid.
    pub error: String,
}

/// Parsed entries that a consumer has claimed.
#[derive(Default)]
pub struct Parsed {
    /// The entries with a valid operation, in their order.
    pub tasks: Vec<Task>,
    /// The entries without a valid operation, in their order.
    pub invalid: Vec<InvalidEntry>,
}

impl Parsed {
    /// Parses `entries`.
    pub fn read(entries: Vec<Entry>, clock: &Clock) -> Self {
        let now = clock.now();
        let mut parsed = Self::default();
        for entry in entries {
            // A post without a time gets the time of the append, so that each delivery of the entry results in the same
            // post.
            let appended = entry.key.id.appended_at().min(now);
            match Op::parse(&entry.fields, appended) {
                Ok(op) => parsed.tasks.push(Task { entry, op }),
                Err(rejection) => parsed.invalid.push(InvalidEntry { entry, error: rejection.0 }),
            }
        }
        parsed
    }
}

/// The keys of the tasks' entries.
pub fn keys(tasks: &[Task]) -> Vec<EntryKey> {
    tasks.iter().map(|task| task.entry.key.clone()).collect()
}
