//! Remembers the items of a polled list. Each item is read once, and again after it has changed.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The number of items that are remembered in addition to the items of the last poll.
const REMEMBERED: usize = 500;
/// The maximum number of remembered items. If a forgotten item is read again, workers drop its post as a duplicate.
const MAX_KNOWN: usize = 5_000;

/// Hashes of the ids of known items, with hashes of their versions. They are part of the cursor of a source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Known {
    versions: BTreeMap<u64, u64>,
    /// The items that the current poll has listed.
    #[serde(skip)]
    listed: HashSet<u64>,
    /// The items that were not known before the current poll.
    #[serde(skip)]
    added: HashSet<u64>,
}

/// Whether an item is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// The item is not known.
    New,
    /// The item is known in another version.
    Changed,
    /// The item is known in this version.
    Same,
}

impl Known {
    /// Remembers this version of the item `id`, and returns whether the version is new.
    pub fn meet(&mut self, id: &str, version: &str) -> Novelty {
        let (id, version) = (hash(id), hash(version));
        self.listed.insert(id);
        match self.versions.insert(id, version) {
            None => {
                self.added.insert(id);
                Novelty::New
            }
            Some(before) if before == version => Novelty::Same,
            Some(_) => Novelty::Changed,
        }
    }

    /// Whether any version of the item `id` was known before the current poll. A later page may repeat an item of an
    /// earlier page of the same poll, so this differs from the result of [`Self::meet`].
    pub fn was_known(&self, id: &str) -> bool {
        let id = hash(id);
        self.versions.contains_key(&id) && !self.added.contains(&id)
    }

    /// Whether no item is known.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// Ends a poll. Of the items that the poll did not list, at most [`REMEMBERED`] are kept.
    pub fn end_poll(&mut self) {
        self.added.clear();
        let (listed, mut others) = (std::mem::take(&mut self.listed), 0);
        self.versions.retain(|id, _| {
            let is_listed = listed.contains(id);
            others += usize::from(!is_listed);
            is_listed || others <= REMEMBERED
        });
        while self.versions.len() > MAX_KNOWN {
            self.versions.pop_first();
        }
    }
}

/// A digest of `text` as hexadecimal digits.
pub fn digest(text: &str) -> String {
    format!("{:016x}", hash(text))
}

fn hash(text: &str) -> u64 {
    Sha256::digest(text).iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_items_are_recognised_after_a_restart() {
        let mut known = Known::default();
        assert_eq!(known.meet("1", "a"), Novelty::New);
        assert_eq!(known.meet("1", "b"), Novelty::Changed);
        known.end_poll();
        let mut known: Known = serde_json::from_str(&serde_json::to_string(&known).unwrap()).unwrap();
        assert_eq!(known.meet("1", "b"), Novelty::Same);
    }

    #[test]
    fn was_known_ignores_items_of_the_current_poll() {
        let mut known = Known::default();
        known.meet("1", "a");
        assert!(!known.was_known("1"));
        known.end_poll();
        assert!(known.was_known("1"));
        assert_eq!(known.meet("1", "b"), Novelty::Changed);
        assert!(known.was_known("1") && !known.was_known("2"));
    }

    #[test]
    fn number_of_remembered_items_is_limited() {
        let mut known = Known::default();
        for number in 0..2_000 {
            known.meet(&number.to_string(), "");
        }
        known.end_poll();
        assert_eq!(known.versions.len(), 2_000, "the items of the last poll");
        known.meet("0", "");
        known.end_poll();
        assert!((REMEMBERED..=REMEMBERED + 1).contains(&known.versions.len()), "{}", known.versions.len());
        assert_eq!(known.meet("0", ""), Novelty::Same);
    }
}
