//! Sources of posts.
//!
//! A source is a small async producer with a cursor. The ingester does everything else: it opens the source at its
//! cursor, appends the posts that the source yields to the stream, and then stores the next cursor. If the process
//! crashes before the cursor is stored, the posts are appended again. Workers then drop the duplicates by `post_id`,
//! and no post is lost. When a source fails or yields nothing for too long, the ingester drops it and opens it again
//! later, so a source needs no code to recover.
//!
//! A streaming source waits for new posts in [`Source::next`]. A polling source sends one request and returns the time
//! until the next request in [`Batch::wait`]. HTTP requests go through [`fetch`]. docs/sources.md shows a minimal
//! source.

pub mod bluesky;
pub mod budget;
pub mod date;
mod draft;
pub mod fetch;
pub mod file;
pub mod folder;
pub mod github;
pub mod guard;
pub mod hackernews;
pub mod history;
mod html;
pub mod imap;
pub mod json;
mod known;
mod lenient;
pub mod managed;
pub mod mapping;
pub mod mastodon;
pub mod pace;
mod paging;
mod polled;
#[cfg(test)]
mod raw_input;
pub mod recognize;
pub mod reddit;
pub mod replay;
pub mod rss;
mod schedule;
pub mod states;
pub mod stdin;
pub mod steam;
pub mod synthetic;
pub mod tls;
pub mod webhook;
pub mod youtube;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use sentistream_core::clock::Clock;
use sentistream_core::domain::{Op, Timestamp};

pub use replay::ReplayOptions;
pub use states::{SourceState, SourceStates};
pub use synthetic::SyntheticOptions;

/// The result of one call of [`Source::next`].
#[derive(Debug, Default)]
pub struct Batch {
    /// The operations to append, in order.
    pub ops: Vec<Op>,
    /// One text per item that is not a valid post: the origin of the item, and the error.
    pub rejected: Vec<String>,
    /// The number of items that the filters of the source excluded, or that have no text.
    pub filtered: u64,
    /// Errors of individual feeds or hosts, if the source reads several, and messages about items that were left out
    /// because of a limit.
    pub troubles: Vec<String>,
    /// The position after `ops`, in a format that the source defines.
    pub cursor: Option<String>,
    /// The event time up to which the source has been read. The lag of the source is computed from this time. `None`:
    /// the time of the newest post in `ops`.
    pub reached: Option<Timestamp>,
    /// How long to wait before the next call; zero for a source that waits in [`Source::next`].
    pub wait: Duration,
    /// Whether the source has ended.
    pub finished: bool,
    /// Whether the cursor must be stored before the source is read again.
    pub must_store: bool,
}

impl Batch {
    /// Splits off the operations after the first `max`, and returns them as a second batch. The cursor, `wait`,
    /// `finished` and `must_store` move to the second batch. `None` if there are at most `max` operations.
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
            must_store: std::mem::take(&mut self.must_store),
            ..Self::default()
        })
    }
}

/// Why a source failed. The ingester drops the source after any error.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A temporary error: the source is opened again after a delay that grows from half a second to the longest delay
    /// of the ingester, by default 30 seconds.
    #[error("{0}")]
    Transient(String),
    /// The server asked for a pause: the source is opened again after `after` or after the delay of a temporary error,
    /// whichever is longer.
    #[error("{reason}")]
    Busy {
        /// The server's response, or the error that caused the pause.
        reason: String,
        /// How long to wait before the source is opened again.
        after: Duration,
    },
    /// The server refuses requests, perhaps temporarily: the source is opened again after a delay that grows up to six
    /// hours.
    #[error("{0}")]
    Refused(String),
    /// The error persists until the settings change: the source is not opened again until it is paused and resumed,
    /// another instance takes it over, or the process restarts.
    #[error("{0}")]
    Permanent(String),
}

/// An async producer of posts.
pub trait Source: Send {
    /// Waits for items and returns at most about `max` of them. The ingester drops the future only together with the
    /// source, and then opens the source again at the last cursor.
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>>;
}

/// The state from which a source is opened.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// The cursor of the last batch that this process appended to the stream, or else the stored cursor of an earlier
    /// process or another instance. `None`: no cursor is known, as when the source is read for the first time.
    pub cursor: Option<String>,
    /// The number of failures of the source since this process started it. A source with several hosts selects the
    /// host by this number.
    pub failures: u64,
}

type Open = dyn Fn(Opening) -> Box<dyn Source> + Send + Sync;

/// Which instances read a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Only one instance at a time.
    One,
    /// Every instance.
    Each,
}

/// A configured source: its name, how it is opened, and how the ingester treats it.
#[derive(Clone)]
pub struct SourceSpec {
    name: Arc<str>,
    kind: &'static str,
    readers: Readers,
    idle_limit: Option<Duration>,
    selective: bool,
    open: Arc<Open>,
    history: Option<Arc<SourceSpec>>,
}

impl SourceSpec {
    /// Creates a source `name` of the kind `kind`, which only one instance reads at a time. `open` must not do I/O.
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
            history: None,
        }
    }

    /// Opens the source again when [`Source::next`] returns nothing for `limit`.
    #[must_use]
    pub fn idle_limit(self, limit: Duration) -> Self {
        Self { idle_limit: Some(limit), ..self }
    }

    /// Adds a second source, which reads the posts from before the source was added. `None`: no such posts are read.
    #[must_use]
    pub fn with_history(self, history: Option<Self>) -> Self {
        Self { history: history.map(Arc::new), ..self }
    }

    /// Sets whether the source may also yield deletions of posts that its filters excluded.
    #[must_use]
    pub fn selective(self, selective: bool) -> Self {
        Self { selective, ..self }
    }

    /// Makes every instance read the source independently.
    #[must_use]
    pub fn of_each_instance(self) -> Self {
        Self { readers: Readers::Each, ..self }
    }

    /// A source of generated posts, which has no cursor.
    pub fn synthetic(name: &str, options: SyntheticOptions, clock: Clock) -> Self {
        Self::new("synthetic", name, move |_| Box::new(synthetic::Synthetic::new(&options, clock.clone())))
    }

    /// A source that reads the posts of a file.
    pub fn replay(name: &str, options: ReplayOptions, clock: Clock) -> Self {
        Self::new("replay", name, move |opening| {
            Box::new(replay::Replay::new(options.clone(), opening.cursor, clock.clone()))
        })
    }

    /// The name in the configuration, in metrics and in `/api/sources`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind of the source.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Which instances read the source.
    pub fn readers(&self) -> Readers {
        self.readers
    }

    /// The maximum duration of a call of [`Source::next`], after which the source is opened again. `None`: no maximum.
    pub fn longest_silence(&self) -> Option<Duration> {
        self.idle_limit
    }

    /// Whether the source may yield deletions of posts that its filters excluded.
    pub fn is_selective(&self) -> bool {
        self.selective
    }

    /// The source that reads the posts from before this one was added, if a history is configured.
    pub fn history(&self) -> Option<&Self> {
        self.history.as_deref()
    }

    /// Opens the source at the cursor in `opening`.
    pub fn open(&self, opening: Opening) -> Box<dyn Source> {
        (self.open)(opening)
    }
}
