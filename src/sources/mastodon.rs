//! Mastodon: public and tag time lines of any number of instances.
//!
//! Polling needs no token: `min_id` gives what came right after it, a page at a time, so that nothing is left out
//! however long the last look is ago. With a token of its user an instance also streams: what was missed is polled
//! first, then its WebSocket tells new posts, edits and deletions as they happen. An instance that fails or asks for
//! backoff waits by itself and stops no other.
//! API: <https://docs.joinmastodon.org/methods/timelines/>, <https://docs.joinmastodon.org/methods/streaming/>.

mod status;
mod streaming;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;
use url::Url;

use super::fetch::{Fetcher, json, place};
use super::rota::Rota;
use super::{Batch, Source, SourceError, SourceSpec};
use crate::clock::Clock;

use streaming::{Heard, Streaming};

pub use status::Status;

/// Posts of a page: the most that servers give.
const PAGE: usize = 40;
/// A page of so many may have another behind it: servers that do not care for what is asked give this many.
const FULL: usize = 20;
/// A subscription holds after less: what came before it did is polled then.
const SETTLE: Duration = Duration::from_secs(5);
/// The longest that an exhausted budget is waited for.
const LONGEST_HOLD: Duration = Duration::from_secs(3_600);

/// Where to read.
#[derive(Clone, Debug)]
pub struct MastodonOptions {
    /// The instances' bases, at least one: `https://mastodon.social/`.
    pub instances: Vec<Url>,
    /// Tags in lower case without `#`; none: the public time line.
    pub tags: Vec<String>,
    /// Whether only posts written at the instance itself are read, which keeps several instances from telling the
    /// same post twice.
    pub local: bool,
    /// Between two looks at a time line.
    pub interval: Duration,
    /// A user's token at the only instance, whose posts then are streamed.
    pub token: Option<SecretString>,
    /// A stream that is silent for this long is dead.
    pub idle_limit: Duration,
}

/// A time line of an instance.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    instance: Url,
    tag: Option<String>,
}

impl Line {
    /// Its name in the cursor.
    fn key(&self) -> String {
        let host = place(&self.instance);
        self.tag.as_ref().map_or_else(|| host.to_owned(), |tag| format!("{host}#{tag}"))
    }

    fn url(&self, options: &MastodonOptions, min_id: Option<&str>) -> Result<Url, SourceError> {
        let wrong = |e: &dyn std::fmt::Display| SourceError::Permanent(format!("instances: {}: {e}", self.instance));
        let mut url = self.instance.join("api/v1/timelines/public").map_err(|e| wrong(&e))?;
        if let Some(tag) = &self.tag {
            let mut path = url.path_segments_mut().map_err(|()| wrong(&"is no base of a URL"))?;
            path.pop().push("tag").push(tag);
        }
        url.query_pairs_mut().append_pair("limit", &PAGE.to_string());
        if options.local {
            url.query_pairs_mut().append_pair("local", "true");
        }
        if let Some(id) = min_id {
            url.query_pairs_mut().append_pair("min_id", id);
        }
        Ok(url)
    }
}

/// The newest id that was seen of each time line.
type Cursor = BTreeMap<String, String>;

/// What all openings of the source share.
struct Shared {
    options: MastodonOptions,
    lines: Vec<Line>,
    /// By host.
    fetchers: HashMap<String, Fetcher>,
    rota: Rota,
}

/// The source of Mastodon's posts.
pub struct Mastodon {
    shared: Arc<Shared>,
    clock: Clock,
    cursor: Cursor,
    streaming: Option<Streaming>,
    /// When its subscriptions surely hold; `None` once that is past.
    settles: Option<Instant>,
}

/// A page of a time line.
struct Page {
    statuses: Vec<serde_json::Value>,
    /// How long the instance wants to be left alone.
    pause: Duration,
}

/// The source `name`; `fetcher` makes one for each instance.
pub fn spec(name: &str, options: MastodonOptions, fetcher: impl Fn() -> Fetcher, clock: Clock) -> SourceSpec {
    let fetchers = options.instances.iter().map(|instance| (place(instance).to_owned(), fetcher())).collect();
    let tags: Vec<Option<String>> = match options.tags.as_slice() {
        [] => vec![None],
        tags => tags.iter().cloned().map(Some).collect(),
    };
    let of = |instance: &Url| tags.iter().map(|tag| Line { instance: instance.clone(), tag: tag.clone() }).collect();
    let lines: Vec<Line> = options.instances.iter().flat_map::<Vec<_>, _>(of).collect();
    let silence = options.token.is_some().then_some(options.idle_limit);
    let shared = Arc::new(Shared { rota: Rota::new(lines.len()), options, lines, fetchers });
    let spec = SourceSpec::new("mastodon", name, move |opening| {
        let cursor = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Box::new(Mastodon { shared: shared.clone(), clock: clock.clone(), cursor, streaming: None, settles: None })
    });
    match silence {
        Some(limit) => spec.idle_limit(limit),
        None => spec,
    }
}

impl Mastodon {
    async fn batch(&mut self, max: usize) -> Result<Batch, SourceError> {
        let mut batch = Batch::default();
        match &mut self.streaming {
            Some(streaming) => {
                let heard = streaming.hear(max, self.settles).await?;
                self.take_heard(heard, &mut batch);
                if self.settles.is_some_and(|settles| settles <= Instant::now()) {
                    self.poll_all(&mut batch).await?;
                    self.settles = None;
                }
            }
            None if self.shared.options.token.is_some() => self.begin_to_listen(&mut batch).await?,
            None => self.poll_next(&mut batch).await?,
        }
        // Texts always have a JSON form.
        batch.cursor = Some(serde_json::to_string(&self.cursor).unwrap_or_default());
        Ok(batch)
    }

    /// Polls the time line whose turn it is.
    async fn poll_next(&mut self, batch: &mut Batch) -> Result<(), SourceError> {
        let shared = self.shared.clone();
        let Shared { options, lines, rota, .. } = &*shared;
        let due = rota.due(1).first().and_then(|turn| Some((*turn, lines.get(*turn)?)));
        match due {
            None => rota.verdict()?,
            Some((turn, line)) => match self.poll(line, batch).await {
                Ok((full, pause)) => {
                    let wait = if full { Duration::ZERO } else { options.interval };
                    rota.answered(turn, wait);
                    shared.pause(line, pause);
                }
                Err(error) => {
                    if rota.failed(turn, &error, options.interval) {
                        let instance = place(&line.instance);
                        tracing::warn!(instance, %error, "a time line cannot be read; it is asked again later");
                    }
                    if let SourceError::Busy { after, .. } = &error {
                        shared.pause(line, *after);
                    }
                    rota.verdict()?;
                    batch.troubles.push(error.to_string());
                }
            },
        }
        batch.wait = rota.wait();
        Ok(())
    }

    /// Polls what was missed; once there is nothing more, connects.
    async fn begin_to_listen(&mut self, batch: &mut Batch) -> Result<(), SourceError> {
        let shared = self.shared.clone();
        for line in &shared.lines {
            let (full, _) = self.poll(line, batch).await?;
            if full {
                // What there is goes into the stream before more is asked for.
                return Ok(());
            }
        }
        self.streaming = Streaming::open(&shared.options).await?;
        self.settles = Some(Instant::now() + SETTLE);
        Ok(())
    }

    async fn poll_all(&mut self, batch: &mut Batch) -> Result<(), SourceError> {
        let shared = self.shared.clone();
        for line in &shared.lines {
            while self.poll(line, batch).await?.0 {}
        }
        Ok(())
    }

    /// Adds a page of `line`; whether there may be more, and how long to leave the instance alone.
    async fn poll(&mut self, line: &Line, batch: &mut Batch) -> Result<(bool, Duration), SourceError> {
        let seen = self.cursor.get(&line.key()).cloned();
        let page = self.shared.page(line, seen.as_deref(), &self.clock).await?;
        let full = seen.is_some() && page.statuses.len() >= FULL;
        if seen.is_none() && page.statuses.is_empty() {
            // All that comes is new, however much it is by the next look.
            self.cursor.insert(line.key(), "0".to_owned());
        }
        // Newest first within a page.
        for status in page.statuses.into_iter().rev() {
            if let Some(id) = status["id"].as_str() {
                self.cursor.insert(line.key(), id.to_owned());
            }
            match serde_json::from_value::<Status>(status) {
                Ok(status) => status.found(place(&line.instance)).add_to(batch, "mastodon", self.clock.now()),
                Err(error) => batch.rejected.push(format!("a status of {}: {error}", line.key())),
            }
        }
        Ok((full, page.pause))
    }

    fn take_heard(&mut self, heard: Vec<Heard>, batch: &mut Batch) {
        let Some(first) = self.shared.options.instances.first() else { return };
        let (host, now) = (place(first), self.clock.now());
        for item in heard {
            match item {
                Heard::New { tag, status } => {
                    let line = Line { instance: first.clone(), tag };
                    // What came before the subscription held is not there yet.
                    if self.settles.is_none() && self.shared.lines.contains(&line) {
                        self.cursor.insert(line.key(), status.id.clone());
                    }
                    status.found(host).add_to(batch, "mastodon", now);
                }
                Heard::Edited(status) => status.edited(host, now).add_to(batch, "mastodon", now),
                Heard::Deleted(id) => match status::delete(host, &id) {
                    Some(op) => batch.ops.push(op),
                    None => batch.rejected.push(format!("the deletion of {id:?}: no status has such an id")),
                },
                Heard::Malformed(reason) => batch.rejected.push(reason),
                Heard::Other => batch.filtered += 1,
            }
        }
    }
}

impl Shared {
    async fn page(&self, line: &Line, min_id: Option<&str>, clock: &Clock) -> Result<Page, SourceError> {
        let host = place(&line.instance);
        let fetcher = self.fetchers.get(host);
        let fetcher = fetcher.ok_or_else(|| SourceError::Permanent(format!("{host} has no fetcher")))?;
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.options.token {
            headers.insert(AUTHORIZATION, bearer(token)?);
        }
        let answer = fetcher.get(&line.url(&self.options, min_id)?, headers).await?;
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY => {
                let help = match &self.options.token {
                    Some(_) => "it refuses the token; make a new one",
                    None => "it shows this time line to its users only; set a token, or read another instance",
                };
                Err(SourceError::Permanent(format!("{host} answered {}: {help}", answer.status)))
            }
            _ => {
                let pause = pause(&answer.headers, clock);
                fetcher.budget().hold(pause).await;
                Ok(Page { statuses: json(&answer)?, pause })
            }
        }
    }

    /// Leaves all time lines of an instance alone.
    fn pause(&self, line: &Line, time: Duration) {
        for (turn, other) in self.lines.iter().enumerate() {
            if place(&other.instance) == place(&line.instance) {
                self.rota.not_before(turn, time);
            }
        }
    }
}

/// How long to wait when the present period allows no more requests.
fn pause(headers: &HeaderMap, clock: &Clock) -> Duration {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let left = text("x-ratelimit-remaining").and_then(|left| left.trim().parse::<u32>().ok());
    let reset = text("x-ratelimit-reset").and_then(|at| at.trim().parse::<crate::domain::Timestamp>().ok());
    match (left, reset) {
        (Some(0), Some(reset)) => reset.since(clock.now()).min(LONGEST_HOLD),
        _ => Duration::ZERO,
    }
}

impl Source for Mastodon {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.batch(max.max(1)))
    }
}

/// The header that carries `token`, not to be logged.
fn bearer(token: &SecretString) -> Result<HeaderValue, SourceError> {
    let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_| SourceError::Permanent("token holds characters that no header may".to_owned()))?;
    header.set_sensitive(true);
    Ok(header)
}
