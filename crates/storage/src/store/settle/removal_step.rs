//! The input and the result of a step that removes posts.

use diesel::Queryable;
use diesel::sql_types::{BigInt, Text};

use super::RemovedPost;
use crate::store::sql::{At, Instant};
use sentistream_core::domain::{Author, EntryKey, Source, Timestamp};

/// The posts of an author that one step processes.
#[derive(Clone, Debug)]
pub struct AuthorStep {
    /// The source of the posts.
    pub source: Source,
    /// The author whose posts are removed.
    pub author: Author,
    /// The entry of the deletion. Only posts with an entry that was appended before this one are removed. `None`: all
    /// posts.
    pub deletion: Option<EntryKey>,
    /// The last post that was processed.
    pub after: Position,
    /// The maximum number of posts to process.
    pub limit: i64,
}

/// A position in the order in which the posts of an author are processed.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// When the author wrote the last processed post.
    pub created_at: Timestamp,
    /// The row id of the last processed post.
    pub id: i64,
}

/// A post that a step processes.
#[derive(Queryable)]
pub struct Candidate {
    /// The id of the post.
    pub post_id: String,
    created_at: At,
    id: i64,
}

impl Candidate {
    /// The position of the post in the order of processing.
    pub fn position(&self) -> Position {
        Position { created_at: self.created_at.0, id: self.id }
    }
}

/// The columns of [`Candidate`].
pub type CandidateColumns = (Text, Instant, BigInt);

/// The result of a step.
#[derive(Debug, Default)]
pub struct Removal {
    /// The posts that the step removed.
    pub posts: Vec<RemovedPost>,
    /// How often alerts cited these posts.
    pub evidence: i64,
    /// The start of the next step; `None` after the last one.
    pub next: Option<Position>,
}

/// Old posts that a step removes. Their counts remain.
#[derive(Clone, Debug)]
pub struct OldPosts {
    /// Only posts written before this time.
    pub before: Timestamp,
    /// The first entry that may be delivered again. With Postgres, posts that this entry or later entries created are
    /// not removed, because the rows of the posts show that these entries are settled; `None`: no posts are removed.
    /// SQLite ignores this field, because a settled entry leaves the embedded queue.
    pub needed: Option<EntryKey>,
    /// The maximum number of posts to remove.
    pub limit: i64,
}
