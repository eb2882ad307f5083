//! A claimed entry and the operation in it.

use crate::clock::Clock;
use crate::domain::{EntryKey, Op};
use crate::stream::Entry;

/// A valid entry and its operation.
#[derive(Clone)]
pub struct Task {
    pub entry: Entry,
    pub op: Op,
}

/// An entry that is not a valid operation.
pub struct InvalidEntry {
    pub entry: Entry,
    /// Why it is invalid.
    pub error: String,
}

/// Claimed entries, parsed.
#[derive(Default)]
pub struct Parsed {
    pub tasks: Vec<Task>,
    pub invalid: Vec<InvalidEntry>,
}

impl Parsed {
    /// Parses `entries`.
    pub fn read(entries: Vec<Entry>, clock: &Clock) -> Self {
        let now = clock.now();
        let mut parsed = Self::default();
        for entry in entries {
            // If the time is missing, it is the time of the append, so that another delivery reads the same post.
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
