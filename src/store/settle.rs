//! Settling entries: what a worker asks for, and what became of it.

use crate::domain::{Analysis, Author, EntryKey, Outcome, Post, PostId, Source, Timestamp};

/// One entry's change, to be made in the batch's transaction.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The entry that asks for it.
    pub key: EntryKey,
    pub change: Change,
}

/// What to change.
#[derive(Clone, Debug)]
pub enum Change {
    /// Store a post, unless it is there, or deleted.
    Insert { post: Post, analysis: Analysis },
    /// Store a later version, unless one at least as late is there, or the post is deleted.
    Replace { post: Post, analysis: Analysis, edited_at: Timestamp },
    /// Delete a post and keep a tombstone.
    Delete { post_id: PostId },
    /// Delete all posts of an author whose entries were appended before this one, now or later.
    DeleteAuthor { source: Source, author: Author },
    /// The post was found to be there already, before it was analysed.
    Known { post_id: PostId },
    /// Nothing: only settle the entry.
    Skip,
}

/// What became of a [`Settlement`], after the commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// How the entry ended, if this transaction settled it; `None` for a redelivery of one that was settled before.
    pub outcome: Option<Outcome>,
    /// For a stored post, also one stored by an earlier delivery of this entry: when.
    pub stored: Option<Stored>,
    /// Posts that are gone because of it.
    pub removed: Vec<PostId>,
}

/// When a post was stored and analysed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    pub ingested_at: Timestamp,
    pub analyzed_at: Timestamp,
}
