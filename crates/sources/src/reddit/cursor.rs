//! Stores which items were already read.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The number of ids that are stored per listing. The number is larger than a page, so that every known item on a
/// page is recognised.
const MAX_SEEN: usize = 500;

/// The state of each listing, which is stored between runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) posts: Option<Seen>,
    pub(super) comments: Option<Seen>,
}

/// The items of a listing that were already read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub(super) struct Seen {
    /// Items with ids up to this one are treated as read.
    pub(super) floor: u64,
    ids: BTreeSet<u64>,
}

/// A stored cursor: the state that this version stores, or the newest id, which version 1.0 stored.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Newest(u64),
    Seen { floor: u64, ids: BTreeSet<u64> },
}

impl From<Stored> for Seen {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Newest(floor) => Self { floor, ids: BTreeSet::new() },
            Stored::Seen { floor, ids } => Self { floor, ids },
        }
    }
}

impl Seen {
    pub(super) fn holds(&self, id: u64) -> bool {
        id <= self.floor || self.ids.contains(&id)
    }

    pub(super) fn add(&mut self, ids: impl Iterator<Item = u64>) {
        self.ids.extend(ids);
        while self.ids.len() > MAX_SEEN
            && let Some(oldest) = self.ids.pop_first()
        {
            self.floor = self.floor.max(oldest);
        }
    }
}
