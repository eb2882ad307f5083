//! Where posts come from.
//!
//! A source is an async producer that knows its cursor. The ingester asks it for the next batch,
//! appends that to the stream, and only then keeps the cursor: a crash repeats posts (which
//! workers drop by `post_id`) and loses none.

pub mod file;
pub mod pace;
pub mod replay;
pub mod states;
pub mod synthetic;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::clock::Clock;
use crate::domain::Op;

pub use replay::ReplayOptions;
pub use states::{SourceState, SourceStates};
pub use synthetic::SyntheticOptions;

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

type Open = dyn Fn(Option<String>) -> Box<dyn Source> + Send + Sync;

/// A source that is not open yet: its name, and how it opens at the cursor that was kept for that name.
#[derive(Clone)]
pub struct SourceSpec {
    name: Arc<str>,
    open: Arc<Open>,
}

impl SourceSpec {
    /// A source of any kind. `open` does no I/O; it is given what the source's last batch said to keep, if any.
    pub fn new(name: &str, open: impl Fn(Option<String>) -> Box<dyn Source> + Send + Sync + 'static) -> Self {
        Self { name: name.into(), open: Arc::new(open) }
    }

    /// Invented posts; they keep no cursor.
    pub fn synthetic(options: SyntheticOptions, clock: Clock) -> Self {
        Self::new("synthetic", move |_| Box::new(synthetic::Synthetic::new(&options, clock.clone())))
    }

    /// Posts of a file.
    pub fn replay(options: ReplayOptions, clock: Clock) -> Self {
        Self::new("replay", move |cursor| Box::new(replay::Replay::new(options.clone(), cursor, clock.clone())))
    }

    /// Its name in config, metrics and `/api/sources`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens it at `cursor`, or at its beginning.
    pub fn open(&self, cursor: Option<String>) -> Box<dyn Source> {
        (self.open)(cursor)
    }
}
