//! RSS, Atom and JSON feeds: many of them, each asked as rarely as it changes.
//!
//! A feed is asked with the `ETag` and `Last-Modified` of its last answer, so that one without news costs nothing.
//! Its interval shrinks when it had something new and grows when it had not, within bounds and never below what the
//! feed asks for. A feed that fails waits by itself and stops no other.

mod entry;
mod opml;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::{
    ACCEPT, CACHE_CONTROL, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::fetch::Fetcher;
use super::{Batch, Source, SourceError, SourceSpec};
use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::outbound::Answer;

pub use opml::{OpmlError, feeds_of};

/// What feeds are served as.
const TYPES: &str =
    "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5";
/// The longest that one failing feed waits.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3_600);
/// Entries that are remembered of a feed beyond those that it shows now.
const REMEMBERED: usize = 500;

/// Which feeds, and how often.
#[derive(Clone, Debug)]
pub struct RssOptions {
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
    /// In seconds; 0: not known yet.
    #[serde(default)]
    interval: u64,
}

struct Feed {
    url: Url,
    memory: Memory,
    due: Timestamp,
    /// Failures since it last answered.
    failures: u32,
}

/// The source of feeds' entries.
pub struct Rss {
    options: RssOptions,
    /// By host, so that a host that asks for patience holds up no other.
    fetchers: Arc<HashMap<String, Fetcher>>,
    clock: Clock,
    feeds: Vec<Feed>,
}

/// The source `name`; `fetcher` makes one for each host.
pub fn spec(name: &str, options: RssOptions, fetcher: impl Fn() -> Fetcher, clock: Clock) -> SourceSpec {
    let fetchers: HashMap<String, Fetcher> =
        options.feeds.iter().map(|url| (url.authority().to_owned(), fetcher())).collect();
    let fetchers = Arc::new(fetchers);
    SourceSpec::new("rss", name, move |opening| {
        let memories = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Box::new(Rss::new(options.clone(), fetchers.clone(), clock.clone(), memories))
    })
}

impl Rss {
    fn new(
        options: RssOptions,
        fetchers: Arc<HashMap<String, Fetcher>>,
        clock: Clock,
        mut memories: BTreeMap<String, Memory>,
    ) -> Self {
        let now = clock.now();
        let feed = |url: &Url| Feed {
            url: url.clone(),
            memory: memories.remove(url.as_str()).unwrap_or_default(),
            due: now,
            failures: 0,
        };
        let feeds = options.feeds.iter().map(feed).collect();
        Self { options, fetchers, clock, feeds }
    }

    async fn batch(&mut self) -> Result<Batch, SourceError> {
        let now = self.clock.now();
        let Some(index) = (0..self.feeds.len()).min_by_key(|index| self.feeds[*index].due) else {
            return Err(SourceError::Permanent("feeds: at least one is required".to_owned()));
        };
        let due = self.feeds[index].due;
        if due > now {
            return Ok(Batch { wait: due.since(now), ..Batch::default() });
        }
        let mut batch = Batch::default();
        if let Err(error) = self.look(index, &mut batch).await {
            self.put_off(index, &error);
            // When none of them answers, it is not they who are away.
            if self.feeds.iter().all(|feed| feed.failures > 0) {
                return Err(error);
            }
            batch.rejected.push(format!("{}: {error}", self.feeds[index].url.authority()));
        }
        // Texts and numbers always have a JSON form.
        let memories: BTreeMap<&str, &Memory> =
            self.feeds.iter().map(|feed| (feed.url.as_str(), &feed.memory)).collect();
        batch.cursor = Some(serde_json::to_string(&memories).unwrap_or_default());
        Ok(batch)
    }

    async fn look(&mut self, index: usize, batch: &mut Batch) -> Result<(), SourceError> {
        let feed = &self.feeds[index];
        let fetcher = self.fetchers.get(feed.url.authority());
        let fetcher = fetcher.ok_or_else(|| SourceError::Permanent(format!("{} has no fetcher", feed.url)))?;
        let answer = fetcher.get(&feed.url, headers(&feed.memory)).await?;
        let now = self.clock.now();
        let (bounds, feed) = (self.options.min_interval..=self.options.max_interval, &mut self.feeds[index]);
        let (fresh, asked) = match answer.status {
            StatusCode::NOT_MODIFIED => (0, max_age(&answer.headers)),
            status if !status.is_success() => {
                return Err(SourceError::Transient(format!("{} answered {status}", feed.url.authority())));
            }
            _ => {
                let parsed = entry::parse(&answer).map_err(SourceError::Transient)?;
                let asked = parsed.ttl.max(max_age(&answer.headers));
                let fresh = feed.take(parsed, &answer, batch, now);
                (fresh, asked)
            }
        };
        feed.failures = 0;
        let present = Duration::from_secs(feed.memory.interval).clamp(*bounds.start(), *bounds.end());
        let wanted = if fresh > 0 { present / 2 } else { present.mul_f64(1.5) };
        let interval = wanted.max(asked.unwrap_or_default()).clamp(*bounds.start(), *bounds.end());
        feed.memory.interval = interval.as_secs();
        feed.due = now + interval;
        Ok(())
    }

    fn put_off(&mut self, index: usize, error: &SourceError) {
        let now = self.clock.now();
        let feed = &mut self.feeds[index];
        feed.failures = feed.failures.saturating_add(1);
        let wait = match error {
            SourceError::Busy { after, .. } => *after,
            _ => self.options.min_interval.saturating_mul(1 << feed.failures.min(10)),
        };
        feed.due = now + wait.min(LONGEST_WAIT);
        // At the first failure and then ever more rarely.
        if feed.failures.is_power_of_two() {
            let (host, failures) = (feed.url.authority(), feed.failures);
            tracing::warn!(feed = host, failures, %error, "a feed cannot be read; it is asked again later");
        }
    }
}

impl Feed {
    /// Adds what is new or edited, oldest first; how many they are.
    fn take(&mut self, parsed: entry::Parsed, answer: &Answer, batch: &mut Batch, now: Timestamp) -> usize {
        let header = |name: HeaderName| Some(answer.headers.get(name)?.to_str().ok()?.to_owned());
        self.memory.etag = header(ETAG);
        self.memory.last_modified = header(LAST_MODIFIED);
        let mut entries = parsed.entries;
        entries.sort_by_key(|entry| entry.found.created_at);
        let (mut fresh, mut shown) = (0, Vec::new());
        for mut entry in entries {
            let edited = entry.edited_at.map_or(0, Timestamp::as_seconds);
            shown.push(entry.key);
            match self.memory.seen.insert(entry.key, edited) {
                Some(before) if before >= edited => continue,
                Some(_) => entry.found.edited_at = entry.edited_at,
                None => {}
            }
            fresh += 1;
            entry.found.add_to(batch, "rss", now);
        }
        let mut room = REMEMBERED;
        self.memory.seen.retain(|key, _| {
            let keep = shown.contains(key) || room > 0;
            room -= usize::from(keep && room > 0 && !shown.contains(key));
            keep
        });
        fresh
    }
}

/// Both validators go back to the letter (RFC 9110).
fn headers(memory: &Memory) -> HeaderMap {
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
    fn next(&mut self, _max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.batch())
    }
}
