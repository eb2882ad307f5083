//! Mastodon: public and tag time lines of any number of instances.
//!
//! Polling needs no token: `min_id` gives what came right after it, a page at a time, so that nothing is left out
//! however long the last look is ago. With a token an instance also streams: what was missed is polled first, then
//! its WebSocket tells new posts, edits and deletions as they happen.
//! API: <https://docs.joinmastodon.org/methods/timelines/>, <https://docs.joinmastodon.org/methods/streaming/>.

mod status;
mod streaming;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp as Instant;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::fetch::{Fetcher, json};
use super::{Batch, Source, SourceError, SourceSpec};
use crate::clock::Clock;

use status::Status;
use streaming::{Heard, Streaming};

/// Posts of a page: the most that servers give.
const PAGE: usize = 40;

/// Where to read.
#[derive(Clone, Debug)]
pub struct MastodonOptions {
    /// The instances' bases: `https://mastodon.social/`.
    pub instances: Vec<Url>,
    /// Tags without `#`; none: the public time line.
    pub tags: Vec<String>,
    /// Whether only posts written at the instance itself are read, which keeps several instances from telling the
    /// same post twice.
    pub local: bool,
    /// Between two looks at a time line.
    pub interval: Duration,
    /// A user's token at the first instance, whose posts then are streamed.
    pub token: Option<SecretString>,
    /// A stream that is silent for this long is dead.
    pub idle_limit: Duration,
}

/// A time line of an instance.
#[derive(Clone, Debug)]
struct Line {
    instance: Url,
    tag: Option<String>,
}

impl Line {
    /// Its name in the cursor.
    fn key(&self) -> String {
        let host = self.instance.authority();
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

/// The source of Mastodon's posts.
pub struct Mastodon {
    options: Arc<MastodonOptions>,
    fetcher: Arc<Fetcher>,
    clock: Clock,
    lines: Vec<Line>,
    /// Whose turn it is.
    turn: usize,
    cursor: Cursor,
    streaming: Option<Streaming>,
}

/// The source `name`.
pub fn spec(name: &str, options: MastodonOptions, fetcher: Fetcher, clock: Clock) -> SourceSpec {
    let (options, fetcher) = (Arc::new(options), Arc::new(fetcher));
    let silence = options.token.is_some().then_some(options.idle_limit);
    let spec = SourceSpec::new("mastodon", name, move |opening| {
        let cursor = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Box::new(Mastodon::new(options.clone(), fetcher.clone(), clock.clone(), cursor))
    });
    match silence {
        Some(limit) => spec.idle_limit(limit),
        None => spec,
    }
}

impl Mastodon {
    fn new(options: Arc<MastodonOptions>, fetcher: Arc<Fetcher>, clock: Clock, cursor: Cursor) -> Self {
        let tags = || {
            let tags: Vec<Option<String>> = options.tags.iter().cloned().map(Some).collect();
            if tags.is_empty() { vec![None] } else { tags }
        };
        let lines = options
            .instances
            .iter()
            .flat_map(|instance| tags().into_iter().map(|tag| Line { instance: instance.clone(), tag }))
            .collect();
        Self { options, fetcher, clock, lines, turn: 0, cursor, streaming: None }
    }

    async fn batch(&mut self, max: usize) -> Result<Batch, SourceError> {
        if let Some(streaming) = &mut self.streaming {
            let heard = streaming.hear(max).await?;
            return Ok(self.heard(heard));
        }
        let Some(line) = self.lines.get(self.turn).cloned() else {
            return Err(SourceError::Permanent("instances: at least one is required".to_owned()));
        };
        let mut batch = Batch::default();
        let full = self.poll(&line, &mut batch).await?;
        if !full {
            self.turn = (self.turn + 1) % self.lines.len();
            if self.turn == 0 {
                batch.wait = self.options.interval;
                // Everything that was missed is there: from here on it can be listened to.
                self.streaming = Streaming::open(&self.options).await?;
                if self.streaming.is_some() {
                    batch.wait = Duration::ZERO;
                    // What came between the last page and the stream's beginning.
                    for line in self.lines.clone() {
                        while self.poll(&line, &mut batch).await? {}
                    }
                }
            }
        }
        // Texts always have a JSON form.
        batch.cursor = Some(serde_json::to_string(&self.cursor).unwrap_or_default());
        Ok(batch)
    }

    /// Adds a page of `line`; whether there may be more.
    async fn poll(&mut self, line: &Line, batch: &mut Batch) -> Result<bool, SourceError> {
        let seen = self.cursor.get(&line.key()).cloned();
        let url = line.url(&self.options, seen.as_deref())?;
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.options.token
            && self.options.instances.first() == Some(&line.instance)
        {
            headers.insert(AUTHORIZATION, bearer(token)?);
        }
        let answer = self.fetcher.get(&url, headers).await?;
        self.heed(&answer.headers).await;
        let host = line.instance.authority();
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY)
        {
            let help = "it shows this time line to its users only; set a token, or read another instance";
            return Err(SourceError::Permanent(format!("{host} answered {}: {help}", answer.status)));
        }
        let statuses: Vec<Status> = json(&answer)?;
        let full = seen.is_some() && statuses.len() >= PAGE;
        // Newest first within a page.
        for status in statuses.into_iter().rev() {
            self.cursor.insert(line.key(), status.id.clone());
            status.found(host, false).add_to(batch, "mastodon", self.clock.now());
        }
        Ok(full)
    }

    fn heard(&mut self, heard: Vec<Heard>) -> Batch {
        let mut batch = Batch::default();
        let Some(first) = self.options.instances.first() else { return batch };
        let host = first.authority();
        for item in heard {
            match item {
                Heard::New { tag, status } => {
                    let key = Line { instance: first.clone(), tag }.key();
                    self.cursor.insert(key, status.id.clone());
                    status.found(host, false).add_to(&mut batch, "mastodon", self.clock.now());
                }
                Heard::Edited(status) => status.found(host, true).add_to(&mut batch, "mastodon", self.clock.now()),
                Heard::Deleted(id) => batch.ops.extend(status::delete(host, &id)),
                Heard::Malformed(reason) => batch.rejected.push(reason),
                Heard::Other => batch.filtered += 1,
            }
        }
        batch.cursor = Some(serde_json::to_string(&self.cursor).unwrap_or_default());
        batch
    }

    /// Holds further requests when the present period has none left.
    async fn heed(&self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let left = text("x-ratelimit-remaining").and_then(|left| left.parse::<u32>().ok());
        let reset = text("x-ratelimit-reset").and_then(|at| at.parse::<Instant>().ok());
        if let (Some(0), Some(reset)) = (left, reset) {
            let wait = reset.duration_since(self.clock.now().to_jiff());
            let wait = Duration::try_from(wait).unwrap_or_default();
            self.fetcher.budget().hold(wait.min(Duration::from_secs(3_600))).await;
        }
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
