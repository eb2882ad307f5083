//! The history of a source: posts from before it was added, read page by page from the newest to the oldest.
//!
//! The ingester runs a history like a source of its own, with its own lease and cursor, so that it continues after a
//! restart and does not delay new posts. Posts that were already read are dropped by their ids. A history ends at a time,
//! after a number of posts, or when the provider has no older posts.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::polled::{Poll, Polled};
use super::{Batch, SourceError, SourceSpec};
use crate::clock::Clock;
use crate::domain::managed_source::HISTORY_SUFFIX;
use crate::domain::{Op, Timestamp};

/// The maximum number of posts of a history.
const MAX_POSTS: u64 = 20_000;
/// The maximum number of pages of one place.
const MAX_PAGES: u32 = 2_000;
/// The number of failed requests in a row after which a place is left out. Answers that ask for a pause do not count.
const MAX_FAILURES: u32 = 5;
/// The time between two pages, so that new posts are not delayed.
const PACE: Duration = Duration::from_secs(1);
/// The delay after the first failed request. It doubles with each further one.
const FIRST_DELAY: Duration = Duration::from_secs(10);
/// The maximum of this delay. A server may ask for a longer pause.
const MAX_DELAY: Duration = Duration::from_secs(3_600);

/// The places that a source reads, such as feeds or tags, and their pages.
pub trait Pages: Send {
    /// A key of each place, which stays the same across restarts.
    fn places(&self) -> Vec<String>;

    /// Reads a page of a place.
    fn page<'a>(&'a mut self, wanted: Wanted<'a>) -> BoxFuture<'a, Result<Page, SourceError>>;
}

/// The page to read.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The index of the place.
    pub place: usize,
    /// [`Page::next`] of the previous page; `None`: the newest page.
    pub position: Option<&'a str>,
    /// The time at which the history begins; older posts are not needed.
    pub since: Timestamp,
    /// When the history was started, or a place was added to it; newer posts are not needed.
    pub began: Timestamp,
}

/// A page of older posts.
#[derive(Debug, Default)]
pub struct Page {
    /// The posts, and the items that are not valid posts.
    pub batch: Batch,
    /// The position of the next older page; `None` when there is none.
    pub next: Option<String>,
    /// How long the server allows no further requests.
    pub pause: Duration,
}

/// The source whose history is read.
pub struct Past<'a> {
    /// The name of the source.
    pub name: &'a str,
    /// The kind of the source.
    pub kind: &'static str,
    /// How far back to read; zero: not at all.
    pub span: Duration,
    /// The clock that the span ends at.
    pub clock: Clock,
}

impl Past<'_> {
    /// The history of a source whose posts have its kind as their source; `None` when it is not wanted.
    pub fn spec(self, open: impl Fn() -> Box<dyn Pages> + Send + Sync + 'static) -> Option<SourceSpec> {
        let kind = self.kind;
        self.spec_of(kind, open)
    }

    /// The history of a source whose posts have `source` as their source; `None` when it is not wanted.
    pub fn spec_of(
        self,
        source: &str,
        open: impl Fn() -> Box<dyn Pages> + Send + Sync + 'static,
    ) -> Option<SourceSpec> {
        let Self { name, kind, span, clock } = self;
        if span.is_zero() {
            return None;
        }
        let source = source.to_owned();
        let spec = SourceSpec::new(kind, &format!("{name}{HISTORY_SUFFIX}"), move |opening| {
            let stored =
                opening.cursor.as_deref().and_then(Progress::read).filter(|stored| stored.span == span.as_secs());
            let announced = stored.as_ref().map(|stored| stored.began);
            let mut progress = stored.unwrap_or_else(|| Progress::new(&source, span, clock.now()));
            let pages = open();
            progress.add_places(pages.places(), clock.now());
            Box::new(Polled::new(History { pages, clock: clock.clone(), announced, progress, failures: 0, errors: 0 }))
        });
        Some(spec)
    }
}

/// How far a history has been read. It is the cursor of the history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// The source of the posts.
    pub source: String,
    /// How far back to read, in seconds.
    span: u64,
    /// When the history was started, or the last place was added to it. Its posts are not newer.
    pub began: Timestamp,
    /// The time at which the history of the current place begins.
    pub since: Timestamp,
    /// The posts that were appended.
    pub posts: u64,
    /// The time of the oldest post of the current place.
    pub until: Option<Timestamp>,
    /// The places, and when each of them was added.
    #[serde(default)]
    starts: BTreeMap<String, Timestamp>,
    /// The places that were read to the end.
    #[serde(default)]
    ended: BTreeSet<String>,
    /// The current place.
    #[serde(default)]
    place: Option<String>,
    /// The next page of the current place.
    #[serde(default)]
    position: Option<String>,
    /// The pages of the current place that were read.
    #[serde(default)]
    pages: u32,
}

impl Progress {
    /// Reads a cursor.
    pub fn read(cursor: &str) -> Option<Self> {
        serde_json::from_str(cursor).ok()
    }

    fn new(source: &str, span: Duration, now: Timestamp) -> Self {
        Self {
            source: source.to_owned(),
            span: span.as_secs(),
            began: now,
            since: now - span,
            posts: 0,
            until: None,
            starts: BTreeMap::new(),
            ended: BTreeSet::new(),
            place: None,
            position: None,
            pages: 0,
        }
    }

    /// A place that is added later has its own span, which ends now. The first places have the time of the history.
    fn add_places(&mut self, places: Vec<String>, now: Timestamp) {
        let start = if self.starts.is_empty() { self.began } else { now };
        for place in places {
            if let Entry::Vacant(entry) = self.starts.entry(place) {
                entry.insert(start);
                self.began = self.began.max(start);
            }
        }
    }

    fn start_place(&mut self, place: String) {
        let start = self.starts.get(&place).copied().unwrap_or(self.began);
        self.since = start - Duration::from_secs(self.span);
        self.place = Some(place);
        (self.position, self.pages, self.until) = (None, 0, None);
    }

    fn end_place(&mut self) {
        self.ended.extend(self.place.take());
        (self.position, self.pages) = (None, 0);
    }
}

/// Reads the pages of one place after the other.
struct History {
    pages: Box<dyn Pages>,
    clock: Clock,
    /// The start of the history in the stored cursor.
    announced: Option<Timestamp>,
    progress: Progress,
    /// Failed requests in a row, from which the delay is computed.
    failures: u32,
    /// Those of them for which the server did not ask for a pause.
    errors: u32,
}

impl History {
    async fn read(&mut self) -> Batch {
        let places = self.pages.places();
        let next = places.iter().position(|key| !self.progress.ended.contains(key));
        let (Some(place), true) = (next, self.progress.posts < MAX_POSTS) else {
            return Batch { finished: true, ..Batch::default() };
        };
        // Alerts are held back from the stored start on, so it is stored before the first posts.
        if self.announced != Some(self.progress.began) {
            self.announced = Some(self.progress.began);
            return Batch { cursor: Some(self.cursor()), must_store: true, ..Batch::default() };
        }
        if self.progress.place.as_deref() != Some(&*places[place]) {
            self.progress.start_place(places[place].clone());
        }
        let Progress { position, since, began, .. } = &self.progress;
        let wanted = Wanted { place, position: position.as_deref(), since: *since, began: *began };
        let mut batch = match self.pages.page(wanted).await {
            Ok(page) => self.take(page),
            Err(error) => self.postpone(&error),
        };
        batch.cursor = Some(self.cursor());
        // The age of the posts says nothing about the lag of the source.
        batch.reached = Some(self.clock.now());
        batch
    }

    fn cursor(&self) -> String {
        // Texts and numbers can always be serialised.
        serde_json::to_string(&self.progress).unwrap_or_default()
    }

    fn take(&mut self, page: Page) -> Batch {
        let Page { mut batch, next, pause } = page;
        (self.failures, self.errors) = (0, 0);
        let progress = &mut self.progress;
        // Pages of posts that are newer than the history are passed over. The first page may have pinned old posts.
        let is_too_old = progress.pages > 0
            && !batch.ops.is_empty()
            && batch.ops.iter().all(|op| written_at(op).is_none_or(|at| at < progress.since));
        batch.ops.retain(|op| written_at(op).is_some_and(|at| at >= progress.since && at <= progress.began));
        batch.ops.truncate(usize::try_from(MAX_POSTS.saturating_sub(progress.posts)).unwrap_or(usize::MAX));
        progress.posts += batch.ops.len() as u64;
        progress.until = batch.ops.iter().filter_map(written_at).chain(progress.until).min();
        progress.pages += 1;
        let is_stuck = next.is_none() || next == progress.position || progress.pages >= MAX_PAGES;
        if is_too_old || is_stuck {
            progress.end_place();
        } else {
            progress.position = next;
        }
        batch.wait = PACE.max(pause);
        batch
    }

    fn postpone(&mut self, error: &SourceError) -> Batch {
        self.failures += 1;
        let mut wait = (FIRST_DELAY * 2_u32.saturating_pow(self.failures - 1)).min(MAX_DELAY);
        let is_left_out = match error {
            SourceError::Busy { after, .. } => {
                // The server may ask for a pause of zero seconds.
                wait = wait.max(*after);
                false
            }
            SourceError::Transient(_) | SourceError::Refused(_) => {
                self.errors += 1;
                self.errors >= MAX_FAILURES
            }
            SourceError::Permanent(_) => true,
        };
        if is_left_out {
            (self.failures, self.errors) = (0, 0);
            wait = PACE;
            self.progress.end_place();
        }
        Batch { troubles: vec![error.to_string()], wait, ..Batch::default() }
    }
}

fn written_at(op: &Op) -> Option<Timestamp> {
    op.post().map(|post| post.created_at)
}

impl Poll for History {
    fn poll(&mut self) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(async move { Ok(self.read().await) })
    }
}

#[cfg(test)]
mod tests;
