//! The history of a source: posts from before the source was added, read page by page from the newest to the oldest.
//!
//! The ingester runs a history as a separate source, with its own lease and cursor. A history therefore continues after
//! a restart and does not delay new posts. Workers recognise posts that were read before by their ids, and drop them.
//!
//! A history covers a span, which is the time that the setting `history` selects. A place, such as a feed, ends at the
//! start of the span, after 2,000 pages, after repeated failures, or when the provider has no older posts. The history
//! ends after its last place, or after 20,000 posts.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::polled::{Poll, Polled};
use super::{Batch, SourceError, SourceSpec};
use sentistream_core::clock::Clock;
use sentistream_core::domain::managed_source::HISTORY_SUFFIX;
use sentistream_core::domain::{Op, Timestamp};

/// The maximum number of posts of a history.
const MAX_POSTS: u64 = 20_000;
/// The maximum number of pages per place, such as a feed or a tag.
const MAX_PAGES: u32 = 2_000;
/// The number of consecutive failed requests after which the rest of a place is not read. Responses that ask for a
/// pause do not count.
const MAX_FAILURES: u32 = 5;
/// The pause between two pages, so that new posts are not delayed.
const PACE: Duration = Duration::from_secs(1);
/// The delay after the first failed request. It doubles with each further failure.
const FIRST_DELAY: Duration = Duration::from_secs(10);
/// The maximum delay after failed requests. A server may request a longer pause.
const MAX_DELAY: Duration = Duration::from_secs(3_600);

/// Reads older posts of a source from its places, such as feeds or tags, page by page.
pub trait Pages: Send {
    /// The keys of all places. A key stays the same across restarts.
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
    /// The start of the span of the history. Older posts are not needed.
    pub since: Timestamp,
    /// When the history was started, or when the place was added to it. Newer posts are not needed.
    pub began: Timestamp,
}

/// A page of older posts.
#[derive(Debug, Default)]
pub struct Page {
    /// The posts of the page, and the items that are not valid posts.
    pub batch: Batch,
    /// The position of the next older page; `None` when there are no older posts.
    pub next: Option<String>,
    /// The shortest time until the next page may be requested; at least a second passes in any case.
    pub pause: Duration,
}

/// The source whose history is read.
pub struct Past<'a> {
    /// The name of the source.
    pub name: &'a str,
    /// The kind of the source.
    pub kind: &'static str,
    /// How far back to read; zero: no history.
    pub span: Duration,
    /// The clock that gives the end of the span.
    pub clock: Clock,
}

impl Past<'_> {
    /// The history of a source whose posts have the kind of the source in the field `source`; `None` if the span is
    /// zero.
    pub fn spec(self, open: impl Fn() -> Box<dyn Pages> + Send + Sync + 'static) -> Option<SourceSpec> {
        let kind = self.kind;
        self.spec_of(kind, open)
    }

    /// The history of a source whose posts have this `source` in the field `source`; `None` if the span is zero.
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

/// How far a history was read, which is the cursor of the history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// The value of the field `source` in the posts of the history.
    pub source: String,
    /// The span of the history, in seconds.
    span: u64,
    /// When the history was started, or when the last place was added to it. The history contains no newer posts.
    pub began: Timestamp,
    /// The start of the span of the current place. Older posts are not read.
    pub since: Timestamp,
    /// The number of posts that were appended.
    pub posts: u64,
    /// The time of the oldest post that was read of the current place; `None` before the first post.
    pub until: Option<Timestamp>,
    /// The places, and when each of them was added.
    #[serde(default)]
    starts: BTreeMap<String, Timestamp>,
    /// The places whose history was read completely.
    #[serde(default)]
    ended: BTreeSet<String>,
    /// The key of the current place.
    #[serde(default)]
    place: Option<String>,
    /// The position of the next page of the current place.
    #[serde(default)]
    position: Option<String>,
    /// The number of pages that were read of the current place.
    #[serde(default)]
    pages: u32,
}

impl Progress {
    /// Parses a cursor.
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

    /// Adds places. A place that is added later has its own span, which ends at `now`. The spans of the first places
    /// end when the history began.
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

/// Reads the pages of all places, one place after the other.
struct History {
    pages: Box<dyn Pages>,
    clock: Clock,
    /// The value of `began` in the stored cursor.
    announced: Option<Timestamp>,
    progress: Progress,
    /// The number of consecutive failed requests, from which the delay is computed.
    failures: u32,
    /// The number of `failures` in which the server did not ask for a pause.
    errors: u32,
}

impl History {
    async fn read(&mut self) -> Batch {
        let places = self.pages.places();
        let next = places.iter().position(|key| !self.progress.ended.contains(key));
        let (Some(place), true) = (next, self.progress.posts < MAX_POSTS) else {
            return Batch { finished: true, ..Batch::default() };
        };
        // Alerts are suppressed from the stored start on, so the start is stored before the first posts.
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
        // The lag of the source must not be computed from the age of old posts.
        batch.reached = Some(self.clock.now());
        batch
    }

    fn cursor(&self) -> String {
        // A struct of texts and numbers can always be serialised.
        serde_json::to_string(&self.progress).unwrap_or_default()
    }

    fn take(&mut self, page: Page) -> Batch {
        let Page { mut batch, next, pause } = page;
        (self.failures, self.errors) = (0, 0);
        let progress = &mut self.progress;
        // A page whose posts are all older than the span ends the place. The first page is excluded, because it may
        // consist of old pinned posts.
        let is_too_old = progress.pages > 0
            && !batch.ops.is_empty()
            && batch.ops.iter().all(|op| written_at(op).is_none_or(|at| at < progress.since));
        batch.ops.retain(|op| written_at(op).is_some_and(|at| at >= progress.since && at <= progress.began));
        batch.ops.truncate(usize::try_from(MAX_POSTS.saturating_sub(progress.posts)).unwrap_or(usize::MAX));
        progress.posts += batch.ops.len() as u64;
        progress.until = batch.ops.iter().filter_map(written_at).chain(progress.until).min();
        progress.pages += 1;
        let is_last = is_too_old || next.is_none() || next == progress.position;
        let is_cut = !is_last && progress.pages >= MAX_PAGES;
        if is_cut {
            let pages = format!("{MAX_PAGES} pages");
            batch.troubles.push(format!("the history has more than {pages}; older posts were not read"));
        }
        if is_last || is_cut {
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
                // The server may request a pause of zero seconds, so the delay is the minimum.
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
