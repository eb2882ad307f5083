//! RSS, Atom and JSON feeds: many of them, each asked as rarely as it changes.
//!
//! A feed is asked with the `ETag` and `Last-Modified` of its last answer, so that one without news costs nothing.
//! Its interval shrinks when it had something new and grows when it had not, within bounds and never below what the
//! feed asks for. A feed that fails waits by itself and stops no other; a host that asks for backoff gets it for all
//! of its feeds.

mod date;
mod entry;
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
use url::Url;

use super::fetch::{self, Fetcher};
use super::rota::Rota;
use super::{Batch, Source, SourceError, SourceSpec};
use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::outbound::Answer;

pub use entry::{Entry, Parsed, parse};
pub use opml::{OpmlError, feeds_of};

/// What feeds are served as.
const TYPES: &str =
    "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5";
/// Feeds that are asked at the same time, each of another host.
const AT_ONCE: usize = 8;
/// Entries that are remembered of a feed beyond those that it shows now.
const REMEMBERED: usize = 50;

/// Which feeds, and how often.
#[derive(Clone, Debug)]
pub struct RssOptions {
    /// At least one, each once.
    pub feeds: Vec<Url>,
    /// Bounds of the time between two looks at a feed.
    pub min_interval: Duration,
    pub max_interval: Duration,
}

/// What is kept of a feed between runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Memory {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    /// Entries that were seen, by a hash of their identity, and when each was last edited (Unix seconds).
    #[serde(default)]
    seen: BTreeMap<u64, i64>,
    /// Between two looks, in seconds; 0: not known yet.
    #[serde(default)]
    interval: u64,
    /// When the next look is due, in Unix seconds: a restart asks nobody too early.
    #[serde(default)]
    due: i64,
}

/// What all openings of the source share.
struct Shared {
    options: RssOptions,
    /// By host, so that a host that asks for backoff holds up no other.
    fetchers: HashMap<String, Fetcher>,
    rota: Rota,
}

/// The source of feeds' entries.
pub struct Rss {
    shared: Arc<Shared>,
    clock: Clock,
    /// Of each feed, in the order of the options.
    memories: Vec<Memory>,
    /// What did not fit into the last batch.
    rest: Option<Batch>,
}

/// What a feed had to say.
enum News {
    Nothing(HeaderMap),
    Document(Parsed, HeaderMap),
}

/// The source `name`; `fetcher` makes one for each host.
pub fn spec(name: &str, options: RssOptions, fetcher: impl Fn() -> Fetcher, clock: Clock) -> SourceSpec {
    let fetchers = options.feeds.iter().map(|url| (fetch::place(url).to_owned(), fetcher())).collect();
    let rota = Rota::new(options.feeds.len());
    let shared = Arc::new(Shared { options, fetchers, rota });
    SourceSpec::new("rss", name, move |opening| {
        let memories = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Box::new(Rss::new(shared.clone(), clock.clone(), memories))
    })
}

impl Rss {
    fn new(shared: Arc<Shared>, clock: Clock, mut memories: BTreeMap<String, Memory>) -> Self {
        let now = clock.now();
        let feeds = shared.options.feeds.iter();
        let memories: Vec<Memory> = feeds.map(|url| memories.remove(&entry::label(url)).unwrap_or_default()).collect();
        for (place, memory) in memories.iter().enumerate() {
            let due = Timestamp::from_millis(memory.due.saturating_mul(1_000)).unwrap_or_default();
            shared.rota.not_before(place, due.since(now).min(shared.options.max_interval));
        }
        Self { shared, clock, memories, rest: None }
    }

    async fn batch(&mut self, max: usize) -> Result<Batch, SourceError> {
        let mut batch = match self.rest.take() {
            Some(rest) => rest,
            None => self.look().await?,
        };
        self.rest = batch.cut(max);
        Ok(batch)
    }

    /// Asks the feeds that are due.
    async fn look(&mut self) -> Result<Batch, SourceError> {
        let Shared { options, rota, .. } = &*self.shared;
        let mut hosts = HashSet::new();
        // One of a host: when it asks for backoff, the others need not wait for it.
        let mut due = rota.due(options.feeds.len());
        due.retain(|place| hosts.len() < AT_ONCE && hosts.insert(fetch::place(&options.feeds[*place])));
        if due.is_empty() {
            rota.verdict()?;
            return Ok(Batch { wait: rota.wait(), ..Batch::default() });
        }
        let this: &Self = self;
        let asked = stream::iter(due).map(|place| async move { (place, this.ask(place).await) });
        let answers: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
        let mut batch = Batch::default();
        for (place, answer) in answers {
            match answer {
                Ok(news) => self.take(place, news, &mut batch),
                Err(error) => self.put_off(place, &error, &mut batch),
            }
        }
        self.shared.rota.verdict()?;
        let feeds = self.shared.options.feeds.iter();
        let memories: BTreeMap<String, &Memory> = feeds.map(entry::label).zip(&self.memories).collect();
        // Texts and numbers always have a JSON form.
        batch.cursor = Some(serde_json::to_string(&memories).unwrap_or_default());
        batch.wait = self.shared.rota.wait();
        Ok(batch)
    }

    async fn ask(&self, place: usize) -> Result<News, SourceError> {
        let url = &self.shared.options.feeds[place];
        let host = fetch::place(url);
        let fetcher = self.shared.fetchers.get(host);
        let fetcher = fetcher.ok_or_else(|| SourceError::Permanent(format!("{host} has no fetcher")))?;
        let answer = fetcher.get(url, conditions(&self.memories[place])).await?;
        match answer.status {
            StatusCode::NOT_MODIFIED => Ok(News::Nothing(answer.headers)),
            StatusCode::GONE => {
                let help = "the feed is gone; take it out of the configuration";
                Err(SourceError::Permanent(format!("{host} answered {}: {help}", answer.status)))
            }
            status if !status.is_success() => Err(SourceError::Transient(format!("{host} answered {status}"))),
            _ => {
                let (headers, feed) = (answer.headers.clone(), url.clone());
                // A large document takes a while.
                let read = tokio::task::spawn_blocking(move || document(&answer, &feed)).await;
                let parsed = read.map_err(|e| e.to_string()).and_then(|parsed| parsed);
                let parsed = parsed.map_err(|reason| SourceError::Transient(format!("{host}: {reason}")))?;
                Ok(News::Document(parsed, headers))
            }
        }
    }

    fn take(&mut self, place: usize, news: News, batch: &mut Batch) {
        let (now, options) = (self.clock.now(), &self.shared.options);
        let memory = &mut self.memories[place];
        let (fresh, asked) = match news {
            News::Nothing(headers) => (0, max_age(&headers)),
            News::Document(parsed, headers) => {
                let asked = parsed.ttl.max(max_age(&headers));
                (memory.take(parsed, &headers, (batch, now)), asked)
            }
        };
        let (least, most) = (options.min_interval, options.max_interval.max(options.min_interval));
        let present = Duration::from_secs(memory.interval).clamp(least, most);
        let wanted = if fresh > 0 { present / 2 } else { present.mul_f64(1.5) };
        let interval = wanted.max(asked.unwrap_or_default()).clamp(least, most);
        memory.interval = interval.as_secs();
        memory.due = (now + interval).as_seconds();
        self.shared.rota.answered(place, interval);
    }

    fn put_off(&self, place: usize, error: &SourceError, batch: &mut Batch) {
        let Shared { options, rota, .. } = &*self.shared;
        let host = fetch::place(&options.feeds[place]);
        let told = rota.failed(place, error, options.min_interval);
        if let SourceError::Busy { after, .. } = error {
            let of_host = options.feeds.iter().enumerate().filter(|(_, url)| fetch::place(url) == host);
            of_host.for_each(|(other, _)| rota.not_before(other, *after));
        }
        if told {
            tracing::warn!(host, %error, "a feed cannot be read; it is asked again later");
        }
        batch.troubles.push(error.to_string());
    }
}

/// Reads a document; one that is not well-formed as far as it can be repaired.
fn document(answer: &Answer, feed: &Url) -> Result<Parsed, String> {
    if answer.truncated {
        return Err(format!("the feed is larger than {} KiB", answer.body.len() / 1024));
    }
    parse(&answer.body, feed, &answer.url)
}

impl Memory {
    /// Adds what is new or edited, oldest first; how many they are.
    fn take(&mut self, parsed: Parsed, headers: &HeaderMap, to: (&mut Batch, Timestamp)) -> usize {
        let (batch, now) = to;
        let header = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
        self.etag = header(ETAG);
        self.last_modified = header(LAST_MODIFIED);
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

/// Both validators go back to the letter (RFC 9110).
fn conditions(memory: &Memory) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(TYPES))]);
    for (name, value) in [(IF_NONE_MATCH, &memory.etag), (IF_MODIFIED_SINCE, &memory.last_modified)] {
        if let Some(value) = value.as_ref().and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    headers
}

/// How long the answer may be kept: nothing new is there before.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get(CACHE_CONTROL)?.to_str().ok()?.split(',');
    let seconds = directives.filter_map(|directive| directive.trim().strip_prefix("max-age=")?.parse().ok()).next()?;
    Some(Duration::from_secs(seconds))
}

impl Source for Rss {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.batch(max.max(1)))
    }
}
