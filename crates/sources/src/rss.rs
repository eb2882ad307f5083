//! RSS, Atom and JSON feeds, each polled at an interval that adapts to its changes.
//!
//! A request sends the `ETag` and `Last-Modified` of the feed's last response, so that an unchanged feed causes little
//! traffic. The interval of a feed decreases after new entries and increases without them. The interval stays between
//! two limits, and within these limits is not shorter than the interval that the feed requests. A failing feed does not
//! delay the others. When a host asks for a pause, all feeds of that host wait.

mod charset;
mod discourse;
mod discovery;
mod entry;
mod error;
mod history;
mod json;
pub(super) mod limits;
mod opml;
mod repair;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use reqwest::StatusCode;
use reqwest::header::{
    ACCEPT, CACHE_CONTROL, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use url::Url;

use super::fetch::{self, Fetcher};
use super::history::Past;
use super::polled::{Poll, Polled};
use super::schedule::{PollSchedule, Report};
use super::{Batch, SourceError, SourceSpec};
use sentistream_core::clock::Clock;
use sentistream_core::domain::Timestamp;
use sentistream_core::outbound::Answer;

use history::OlderEntries;

pub use entry::{Entry, Parsed, parse};
pub use error::FeedError;
pub use opml::{FeedList, OpmlError, feeds_of};

/// The value of the `Accept` header.
const TYPES: &str =
    "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5";
/// The maximum number of concurrent requests, each to a different host.
const AT_ONCE: usize = 8;
/// A document with more bytes is large. Large documents take much memory, so [`Shared::large`] limits how many are
/// parsed at once.
const LARGE_BYTES: usize = 1 << 20;
const LARGE_AT_ONCE: usize = 2;
/// The maximum delay that is kept across a restart.
const MAX_DELAY: Duration = Duration::from_secs(7 * 86_400);
/// The number of entries that are remembered per feed, in addition to the entries of its current document.
const REMEMBERED: usize = 50;

/// The feeds to read, and how often.
#[derive(Clone, Debug)]
pub struct RssOptions {
    /// The feeds: at least one, without duplicates.
    pub feeds: Vec<Url>,
    /// The shortest time between two polls of a feed.
    pub min_interval: Duration,
    /// The longest time between two polls of a feed that does not fail.
    pub max_interval: Duration,
    /// How far back to read when the source is added; zero: only the current documents.
    pub history: Duration,
}

/// The state of a feed, which is stored between runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Memory {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    /// Known entries, by a hash of their identity, and when each was last edited, in Unix seconds.
    #[serde(default)]
    seen: BTreeMap<u64, i64>,
    /// The current time between two polls, in seconds; 0: not known yet.
    #[serde(default)]
    interval: u64,
    /// When the next poll is due, in Unix seconds. A restart therefore does not poll a feed too early.
    #[serde(default)]
    due: i64,
    /// The URL of the feed, if the configured URL is a page that links to the feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    discovered: Option<Url>,
}

/// The state that is kept when the source is opened again.
struct Shared {
    options: RssOptions,
    /// One fetcher per host, so that a host that asks for a pause does not delay the others.
    fetchers: HashMap<String, Fetcher>,
    schedule: PollSchedule,
    /// Permits for parsing large documents.
    large: Arc<Semaphore>,
}

/// The source of feed entries.
struct Rss {
    shared: Arc<Shared>,
    clock: Clock,
    /// The state of each feed, in the order of the options.
    memories: Vec<Memory>,
}

/// The response of a feed.
enum FeedAnswer {
    /// The feed has not changed.
    Unchanged(HeaderMap),
    Document(Box<Document>),
    /// The response is a web page that links to this feed.
    Page(Url),
}

struct Document {
    parsed: Parsed,
    headers: HeaderMap,
    /// The URL of the feed, if the configured URL is a page.
    discovered: Option<Url>,
}

/// Creates the source `name`. `fetcher` creates one fetcher for each host.
pub fn spec(name: &str, options: RssOptions, fetcher: impl Fn() -> Fetcher, clock: Clock) -> SourceSpec {
    let fetchers = options.feeds.iter().map(|url| (fetch::place(url).to_owned(), fetcher())).collect();
    let schedule = PollSchedule::new(options.feeds.len());
    let large = Arc::new(Semaphore::new(LARGE_AT_ONCE));
    let shared = Arc::new(Shared { options, fetchers, schedule, large });
    let older = (shared.clone(), clock.clone());
    let history = Past { name, kind: "rss", span: shared.options.history, clock: clock.clone() }
        .spec(move || Box::new(OlderEntries { shared: older.0.clone(), clock: older.1.clone() }));
    let spec = SourceSpec::new("rss", name, move |opening| {
        let memories = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Box::new(Polled::new(Rss::new(shared.clone(), clock.clone(), memories)))
    });
    spec.with_history(history)
}

impl Rss {
    fn new(shared: Arc<Shared>, clock: Clock, mut memories: BTreeMap<String, Memory>) -> Self {
        let now = clock.now();
        let feeds = shared.options.feeds.iter();
        let memories: Vec<Memory> = feeds.map(|url| memories.remove(&entry::label(url)).unwrap_or_default()).collect();
        for (place, memory) in memories.iter().enumerate() {
            let due = Timestamp::from_millis(memory.due.saturating_mul(1_000)).unwrap_or_default();
            shared.schedule.postpone(place, due.since(now).min(MAX_DELAY));
        }
        Self { shared, clock, memories }
    }

    /// Requests the feeds that are due.
    async fn read_due(&mut self) -> Result<Batch, SourceError> {
        let Shared { options, schedule, .. } = &*self.shared;
        let mut hosts = HashSet::new();
        // Only one feed per host is requested at a time. When the host asks for a pause, its other feeds are not
        // requested.
        let mut due = schedule.due(options.feeds.len());
        due.retain(|place| hosts.len() < AT_ONCE && hosts.insert(fetch::place(&options.feeds[*place])));
        if due.is_empty() {
            schedule.check()?;
            return Ok(Batch { wait: schedule.next_due_in(), ..Batch::default() });
        }
        let this: &Self = self;
        let asked = stream::iter(due).map(|place| async move { (place, this.ask(place).await) });
        let answers: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
        let mut batch = Batch::default();
        for (place, answer) in answers {
            match answer {
                Ok(answer) => self.take(place, answer, &mut batch),
                Err(error) => self.postpone(place, &error, &mut batch),
            }
        }
        self.shared.schedule.check()?;
        let feeds = self.shared.options.feeds.iter();
        let memories: BTreeMap<String, &Memory> = feeds.map(entry::label).zip(&self.memories).collect();
        // A map of texts and numbers can always be serialised.
        batch.cursor = Some(serde_json::to_string(&memories).unwrap_or_default());
        batch.wait = self.shared.schedule.next_due_in();
        Ok(batch)
    }

    /// Requests a feed. If the response is a page, requests the feed that the page links to.
    async fn ask(&self, place: usize) -> Result<FeedAnswer, SourceError> {
        let (url, memory) = (&self.shared.options.feeds[place], &self.memories[place]);
        let asked = memory.discovered.as_ref().unwrap_or(url);
        let answer = self.request(place, asked, conditions(memory)).await?;
        let page = fetch::shown(asked);
        let feed = match answer {
            FeedAnswer::Page(feed) if memory.discovered.is_none() => feed,
            FeedAnswer::Page(feed) => return Err(SourceError::Transient(format!("{page}: {}", FeedError::Page(feed)))),
            answer => return Ok(answer),
        };
        let shown = fetch::shown(&feed);
        match self.request(place, &feed, conditions(&Memory::default())).await? {
            FeedAnswer::Document(document) => {
                tracing::info!(page, feed = shown, "feed discovered");
                Ok(FeedAnswer::Document(Box::new(Document { discovered: Some(feed), ..*document })))
            }
            _ => Err(SourceError::Transient(format!("{page} links to {shown}, which is not a feed"))),
        }
    }

    async fn request(&self, place: usize, url: &Url, headers: HeaderMap) -> Result<FeedAnswer, SourceError> {
        let configured = &self.shared.options.feeds[place];
        let host = fetch::place(configured);
        let fetcher = self.shared.fetchers.get(host);
        let fetcher = fetcher.ok_or_else(|| SourceError::Permanent(format!("{host} has no fetcher")))?;
        let shown = fetch::shown(url);
        let answer = fetcher.get(url, headers).await?;
        match answer.status {
            StatusCode::NOT_MODIFIED => Ok(FeedAnswer::Unchanged(answer.headers)),
            StatusCode::GONE => {
                let help = "the feed no longer exists; remove it from this source";
                Err(SourceError::Permanent(format!("{shown} answered {}: {help}", answer.status)))
            }
            status if !status.is_success() => Err(SourceError::Transient(format!("{shown} answered {status}"))),
            _ => {
                let (headers, feed) = (answer.headers.clone(), configured.clone());
                let permit = match answer.body.len() > LARGE_BYTES {
                    // The semaphore is never closed.
                    true => self.shared.large.clone().acquire_owned().await.ok(),
                    false => None,
                };
                // A large document takes long to parse, so it is parsed on a blocking thread.
                let read = tokio::task::spawn_blocking(move || {
                    let _permit = permit;
                    document(&answer, &feed)
                });
                let read = read.await;
                let failed = |reason: &dyn std::fmt::Display| SourceError::Transient(format!("{shown}: {reason}"));
                match read.map_err(|error| failed(&error))? {
                    Ok(parsed) => Ok(FeedAnswer::Document(Box::new(Document { parsed, headers, discovered: None }))),
                    Err(FeedError::Page(feed)) => Ok(FeedAnswer::Page(feed)),
                    Err(error) => Err(failed(&error)),
                }
            }
        }
    }

    fn take(&mut self, place: usize, answer: FeedAnswer, batch: &mut Batch) {
        let (now, options) = (self.clock.now(), &self.shared.options);
        let memory = &mut self.memories[place];
        let (fresh, asked) = match answer {
            FeedAnswer::Unchanged(headers) => (0, max_age(&headers)),
            FeedAnswer::Document(document) => {
                let Document { parsed, headers, discovered } = *document;
                memory.discovered = discovered.or(memory.discovered.take());
                let asked = parsed.ttl.max(max_age(&headers));
                memory.validators(&headers);
                let (feed, left_out, too_old) = (fetch::shown(&options.feeds[place]), parsed.left_out, parsed.too_old);
                let is_new = |oldest: &Entry| !memory.seen.contains_key(&oldest.key);
                // If the oldest entry that was kept is known, the older entries were read or reported before, except
                // those that were published later with an old date.
                let is_cut = too_old > 0 && parsed.entries.first().is_some_and(is_new);
                let fresh = memory.take(parsed, batch, now);
                if left_out > 0 {
                    batch.troubles.push(format!(
                        "{feed} has too many entries: {left_out} in the middle were not parsed, and only the newest of \
                         the others were read; use a shorter feed"
                    ));
                } else if is_cut {
                    let read = entry::MAX_ENTRIES;
                    let all = read + too_old;
                    batch.troubles.push(format!(
                        "{feed} has {all} entries: the newest {read} were read; some of the {too_old} older ones may be \
                         missing"
                    ));
                }
                (fresh, asked)
            }
            // `ask` has already followed the link of a page.
            FeedAnswer::Page(_) => return,
        };
        let (least, most) = (options.min_interval, options.max_interval.max(options.min_interval));
        let present = Duration::from_secs(memory.interval).clamp(least, most);
        let wanted = if fresh > 0 { present / 2 } else { present.mul_f64(1.5) };
        let interval = wanted.max(asked.unwrap_or_default()).clamp(least, most);
        memory.interval = interval.as_secs();
        memory.due = (now + interval).as_seconds();
        self.shared.schedule.succeeded(place, interval);
    }

    fn postpone(&mut self, place: usize, error: &SourceError, batch: &mut Batch) {
        let Shared { options, schedule, .. } = &*self.shared;
        let host = fetch::place(&options.feeds[place]);
        let report = schedule.failed(place, error, options.min_interval);
        if let SourceError::Busy { after, .. } = error {
            let of_host = options.feeds.iter().enumerate().filter(|(_, url)| fetch::place(url) == host);
            for (other, _) in of_host {
                schedule.postpone(other, *after);
                // The delay is stored, so that it also applies after a restart.
                let memory = &mut self.memories[other];
                memory.due = memory.due.max((self.clock.now() + *after).as_seconds());
            }
        } else {
            // The page may now link to another feed, and the stored validators belong to the old feed.
            let memory = &mut self.memories[place];
            if memory.discovered.take().is_some() {
                (memory.etag, memory.last_modified) = (None, None);
            }
        }
        if report == Report::Log {
            tracing::warn!(host, %error, "feed failed, retrying later");
        }
        batch.troubles.push(error.to_string());
    }
}

fn document(answer: &Answer, feed: &Url) -> Result<Parsed, FeedError> {
    if answer.truncated {
        return Err(FeedError::TooLarge(answer.body.len() / 1_024));
    }
    parse(&charset::decoded(&answer.body, &answer.headers), feed, &answer.url)
}

impl Memory {
    /// Stores the validators of a response for the next request.
    fn validators(&mut self, headers: &HeaderMap) {
        let header = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
        self.etag = header(ETAG);
        self.last_modified = header(LAST_MODIFIED);
    }

    /// Adds new and edited entries, oldest first. Returns their number.
    fn take(&mut self, parsed: Parsed, batch: &mut Batch, now: Timestamp) -> usize {
        let (mut fresh, mut shown) = (0, HashSet::new());
        for mut entry in parsed.entries {
            let edited = entry.edited_at.map_or(0, Timestamp::as_seconds);
            if !shown.insert(entry.key) {
                continue;
            }
            match self.seen.insert(entry.key, edited) {
                Some(before) if before >= edited => continue,
                Some(_) => entry.found.edited_at = entry.edited_at,
                None => {}
            }
            fresh += 1;
            entry.found.add_to(batch, "rss", now);
        }
        let mut gone = 0;
        self.seen.retain(|key, _| {
            let is_shown = shown.contains(key);
            gone += usize::from(!is_shown);
            is_shown || gone <= REMEMBERED
        });
        fresh
    }
}

/// The conditional headers with both validators (RFC 9110).
fn conditions(memory: &Memory) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(TYPES))]);
    for (name, value) in [(IF_NONE_MATCH, &memory.etag), (IF_MODIFIED_SINCE, &memory.last_modified)] {
        if let Some(value) = value.as_ref().and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    headers
}

/// How long the response may be cached.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get(CACHE_CONTROL)?.to_str().ok()?.split(',');
    let seconds = directives.filter_map(|directive| directive.trim().strip_prefix("max-age=")?.parse().ok()).next()?;
    Some(Duration::from_secs(seconds))
}

impl Poll for Rss {
    fn poll(&mut self) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.read_due())
    }
}
