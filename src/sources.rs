//! Where posts come from.
//!
//! A source is an async producer that knows its cursor. The ingester asks it for the next batch,
//! appends that to the stream, and only then keeps the cursor: a crash repeats posts (which
//! workers drop by `post_id`) and loses none.

use futures_util::future::BoxFuture;

use crate::domain::Op;

/// What a source yields at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// What to append, in order.
    pub ops: Vec<Op>,
    /// Items that were no valid posts: where they stood and what was wrong.
    pub rejected: Vec<String>,
    /// Where to go on once `ops` are in the stream; opaque to everyone but the source.
    pub cursor: Option<String>,
    /// Whether the source has ended and will yield nothing more.
    pub finished: bool,
}

/// Why a source yields nothing.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It may work later: retried with back-off.
    #[error("{0}")]
    Transient(String),
    /// It will not work without a person: the source stops and says so.
    #[error("{0}")]
    Permanent(String),
}

/// An async producer of posts.
pub trait Source: Send {
    /// Its name in config, metrics and `/api/sources`.
    fn name(&self) -> &str;

    /// Waits until posts are due and yields at most `max` of them. Dropping the future loses nothing.
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>>;
}
