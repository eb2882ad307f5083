//! Where posts come from.
//!
//! A source is a small async producer that knows its cursor; everything else is the ingester's: it
//! opens the source at its cursor, appends what it yields to the stream, and only then keeps the next
//! cursor, so that a crash repeats items (which workers drop by `post_id`) and loses none. When a source
//! fails or falls silent it is dropped and opened again after a while: a source needs no way to recover.
//!
//! A source that streams waits in [`Source::next`]; one that polls asks once and says in [`Batch::wait`]
//! when to ask again. Those that poll over HTTP do so through [`fetch`]. docs/sources.md shows the smallest one.

pub mod bluesky;
pub mod budget;
mod draft;
pub mod fetch;
pub mod file;
pub mod folder;
pub mod hackernews;
mod html;
pub mod mastodon;
pub mod pace;
#[cfg(test)]
mod raw_input;
pub mod reddit;
pub mod replay;
mod rota;
pub mod rss;
pub mod states;
pub mod stdin;
pub mod synthetic;
pub mod tls;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::clock::Clock;
use crate::domain::{Op, Timestamp};

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
    /// Items that the source's own filters left out.
    pub filtered: u64,
    /// What failed of one that asks several places, while the others went on.
    pub troubles: Vec<String>,
    /// Where to go on once `ops` are in the stream; opaque to everyone but the source.
    pub cursor: Option<String>,
    /// How far this reaches in the source's own time, for its lag; `None`: the newest post in `ops` tells.
    pub reached: Option<Timestamp>,
    /// How long to wait before asking for more; zero for a source that waits by itself.
    pub wait: Duration,
    /// Whether the source has ended and will yield nothing more.
    pub finished: bool,
}

impl Batch {
    /// Cuts it after `max` operations; the rest, with what holds only when all of it is in the stream.
    fn cut(&mut self, max: usize) -> Option<Self> {
        if self.ops.len() <= max {
            return None;
        }
        let ops = self.ops.split_off(max);
        let wait = std::mem::take(&mut self.wait);
        Some(Self {
            ops,
            wait,
            cursor: self.cursor.take(),
            finished: std::mem::take(&mut self.finished),
            ..Self::default()
        })
    }
}

/// Why a source yields nothing. After any of them the source is dropped.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It may work later: opened again after a back-off.
    #[error("{0}")]
    Transient(String),
    /// It asked for backoff: opened again no sooner than this.
    #[error("{reason}")]
    Busy { reason: String, after: Duration },
    /// It will not work without a person: the source stops and says so.
    #[error("{0}")]
    Permanent(String),
}

/// An async producer of posts.
pub trait Source: Send {
    /// Waits until items are there and yields about `max` of them at most. The future is dropped only
    /// together with the source, which another one succeeds at the last cursor.
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>>;
}

/// How a source is opened.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// What the last batch that is in the stream said to keep, in this run or an earlier one.
    pub cursor: Option<String>,
    /// How often the source failed or fell silent in this run: tells which of several hosts is to be tried.
    pub failures: u64,
}

type Open = dyn Fn(Opening) -> Box<dyn Source> + Send + Sync;

/// Who may feed a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// One of all instances at a time.
    One,
    /// Every instance its own.
    Each,
}

/// A source that is not open yet: its name, how it opens, and how the ingester treats it.
#[derive(Clone)]
pub struct SourceSpec {
    name: Arc<str>,
    kind: &'static str,
    readers: Readers,
    idle_limit: Option<Duration>,
    selective: bool,
    open: Arc<Open>,
}

impl SourceSpec {
    /// The source `name` of a `kind`, which one instance at a time reads. `open` does no I/O.
    pub fn new(
        kind: &'static str,
        name: &str,
        open: impl Fn(Opening) -> Box<dyn Source> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            kind,
            readers: Readers::One,
            idle_limit: None,
            selective: false,
            open: Arc::new(open),
        }
    }

    /// Opens the source anew when [`Source::next`] yields nothing for `limit`.
    #[must_use]
    pub fn idle_limit(self, limit: Duration) -> Self {
        Self { idle_limit: Some(limit), ..self }
    }

    /// Marks a source that yields deletions also of posts that its filters left out.
    #[must_use]
    pub fn selective(self, selective: bool) -> Self {
        Self { selective, ..self }
    }

    /// Lets every instance read it: each has its own.
    #[must_use]
    pub fn of_each_instance(self) -> Self {
        Self { readers: Readers::Each, ..self }
    }

    /// Invented posts; they keep no cursor.
    pub fn synthetic(name: &str, options: SyntheticOptions, clock: Clock) -> Self {
        Self::new("synthetic", name, move |_| Box::new(synthetic::Synthetic::new(&options, clock.clone())))
    }

    /// Posts of a file.
    pub fn replay(name: &str, options: ReplayOptions, clock: Clock) -> Self {
        Self::new("replay", name, move |opening| {
            Box::new(replay::Replay::new(options.clone(), opening.cursor, clock.clone()))
        })
    }

    /// Its name in config, metrics and `/api/sources`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What kind of source it is.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Who may feed it.
    pub fn readers(&self) -> Readers {
        self.readers
    }

    /// The longest it may yield nothing.
    pub fn longest_silence(&self) -> Option<Duration> {
        self.idle_limit
    }

    /// Whether it yields deletions of posts that its filters left out.
    pub fn is_selective(&self) -> bool {
        self.selective
    }

    /// Opens it.
    pub fn open(&self, opening: Opening) -> Box<dyn Source> {
        (self.open)(opening)
    }
}
