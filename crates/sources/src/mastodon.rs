//! Mastodon: public and tag timelines of any number of instances.
//!
//! Polling needs no token. `min_id` returns the posts directly after the last known post, page by page, so no post is
//! missed even if the last poll was long ago. With a user's token, one instance is streamed instead: the source first
//! polls the posts that it missed, and then the WebSocket delivers new posts, edits and deletions. A failing instance
//! does not delay the others. API: <https://docs.joinmastodon.org/methods/timelines/>,
//! <https://docs.joinmastodon.org/methods/streaming/>.

mod history;
mod status;
mod streaming;
mod timeline;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;
use url::Url;

use super::fetch::{Fetcher, json, place, refusal};
use super::history::Past;
use super::schedule::{PollSchedule, Report};
use super::{Batch, Source, SourceError, SourceSpec};
use sentistream_core::clock::Clock;

use history::OlderPosts;
use streaming::{StreamEvent, Streaming};
use timeline::{Part, Positions, Rewinds, Timeline, advance};

pub use status::Status;

/// A page with at least this many posts may be followed by another page: servers that ignore `limit` return 20 posts.
const FULL: usize = 20;
/// The time after which a new subscription is active. Posts from before this time are polled.
const SETTLE: Duration = Duration::from_secs(5);
/// The maximum pause after an exhausted rate limit.
const MAX_PAUSE: Duration = Duration::from_secs(3_600);

/// The timelines to read.
#[derive(Clone, Debug)]
pub struct MastodonOptions {
    /// The instances' base URLs, at least one: `https://mastodon.social/`.
    pub instances: Vec<Url>,
    /// Tags in lower case without `#`; empty: the public timeline.
    pub tags: Vec<String>,
    /// Whether to read only posts that were written on the instance itself.
    pub local: bool,
    /// The time between two polls of a timeline.
    pub interval: Duration,
    /// How far back to search for late posts of other servers, if `local` is false.
    pub rewind: Duration,
    /// How far back to read when the source is added; zero: only the newest page of each timeline.
    pub history: Duration,
    /// A user's token for the only instance. With a token, the instance is streamed.
    pub token: Option<SecretString>,
    /// A stream that receives no data for this long is reconnected.
    pub idle_limit: Duration,
}

/// The state that is kept when the source is opened again.
struct Shared {
    options: MastodonOptions,
    lines: Vec<Timeline>,
    /// The fetcher of each host.
    fetchers: HashMap<String, Fetcher>,
    schedule: PollSchedule,
}

/// The source of Mastodon posts.
struct Mastodon {
    shared: Arc<Shared>,
    clock: Clock,
    positions: Positions,
    /// Finds late posts of other servers; `None` if `local` is true.
    rewinds: Option<Rewinds>,
    streaming: Option<Streaming>,
    /// When the subscriptions become active; `None` after that time.
    settles: Option<Instant>,
    /// The error that occurred after the events of the last batch. The next call returns it.
    broken: Option<SourceError>,
}

/// A page of a timeline, newest first.
struct Page {
    statuses: Vec<serde_json::Value>,
    /// How long the instance accepts no further requests.
    pause: Duration,
}

/// The result of polling one page.
#[derive(Clone, Copy)]
struct Polled {
    more: bool,
    pause: Duration,
}

/// Creates the source `name`. `fetcher` creates one fetcher for each instance.
pub fn spec(name: &str, options: MastodonOptions, fetcher: impl Fn() -> Fetcher, clock: Clock) -> SourceSpec {
    let fetchers = options.instances.iter().map(|instance| (place(instance).to_owned(), fetcher())).collect();
    let tags: Vec<Option<String>> = match options.tags.as_slice() {
        [] => vec![None],
        tags => tags.iter().cloned().map(Some).collect(),
    };
    let line = |instance: &Url, tag: &Option<String>| Timeline { instance: instance.clone(), tag: tag.clone() };
    let lines: Vec<Timeline> =
        options.instances.iter().flat_map(|instance| tags.iter().map(move |tag| line(instance, tag))).collect();
    let silence = options.token.is_some().then_some(options.idle_limit);
    let shared = Arc::new(Shared { schedule: PollSchedule::new(lines.len()), options, lines, fetchers });
    let older = (shared.clone(), clock.clone());
    let history = Past { name, kind: "mastodon", span: shared.options.history, clock: clock.clone() }
        .spec(move || Box::new(OlderPosts { shared: older.0.clone(), clock: older.1.clone() }));
    let spec = SourceSpec::new("mastodon", name, move |opening| {
        let positions = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let options = &shared.options;
        Box::new(Mastodon {
            clock: clock.clone(),
            positions,
            rewinds: (!options.local).then(|| Rewinds::new(options.rewind)),
            shared: shared.clone(),
            streaming: None,
            settles: None,
            broken: None,
        })
    });
    let spec = spec.with_history(history);
    match silence {
        Some(limit) => spec.idle_limit(limit),
        None => spec,
    }
}

impl Mastodon {
    async fn batch(&mut self, max: usize) -> Result<Batch, SourceError> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let mut batch = Batch::default();
        match &mut self.streaming {
            Some(streaming) => {
                let events = streaming.next(max, self.settles).await?;
                self.take(events, &mut batch);
                if self.settles.is_some_and(|settles| settles <= Instant::now()) {
                    self.poll_all(&mut batch).await?;
                    self.settles = None;
                }
            }
            None if self.shared.options.token.is_some() => self.catch_up(&mut batch).await?,
            None => self.poll_next(&mut batch).await?,
        }
        // A map of texts can always be serialised.
        batch.cursor = Some(serde_json::to_string(&self.positions).unwrap_or_default());
        Ok(batch)
    }

    /// Polls the timeline that is due next.
    async fn poll_next(&mut self, batch: &mut Batch) -> Result<(), SourceError> {
        let shared = self.shared.clone();
        let Shared { options, lines, schedule, .. } = &*shared;
        let due = schedule.due(1).first().and_then(|index| Some((*index, lines.get(*index)?)));
        match due {
            None => schedule.check()?,
            Some((index, line)) => match self.poll(line, batch).await {
                Ok(polled) => {
                    schedule.succeeded(index, if polled.more { Duration::ZERO } else { options.interval });
                    shared.pause(line, polled.pause);
                }
                Err(error) => {
                    if schedule.failed(index, &error, options.interval) == Report::Log {
                        let instance = place(&line.instance);
                        tracing::warn!(instance, %error, "Mastodon timeline failed, retrying later");
                    }
                    if let SourceError::Busy { after, .. } = &error {
                        shared.pause(line, *after);
                    }
                    schedule.check()?;
                    batch.troubles.push(error.to_string());
                }
            },
        }
        batch.wait = schedule.next_due_in();
        Ok(())
    }

    /// Polls posts that were missed. Opens the stream when no missed posts are left.
    async fn catch_up(&mut self, batch: &mut Batch) -> Result<(), SourceError> {
        let shared = self.shared.clone();
        for line in &shared.lines {
            if self.poll(line, batch).await?.more {
                // These posts must be appended to the stream before the next page is read.
                return Ok(());
            }
        }
        let Some(line) = shared.lines.first() else { return Ok(()) };
        self.streaming = Streaming::open(&shared.options, shared.fetcher(line)?).await?;
        self.settles = Some(Instant::now() + SETTLE);
        Ok(())
    }

    async fn poll_all(&mut self, batch: &mut Batch) -> Result<(), SourceError> {
        let shared = self.shared.clone();
        for line in &shared.lines {
            while self.poll(line, batch).await?.more {}
        }
        Ok(())
    }

    /// Adds one page of the timeline `line`.
    async fn poll(&mut self, line: &Timeline, batch: &mut Batch) -> Result<Polled, SourceError> {
        let key = line.key();
        let seen = self.positions.get(&key).cloned();
        let rewound = match (&mut self.rewinds, &seen) {
            (Some(rewinds), Some(seen)) => rewinds.position(&key, seen),
            _ => None,
        };
        let part = rewound.as_deref().or(seen.as_deref()).map_or(Part::Newest, Part::After);
        let page = self.shared.page(line, part, &self.clock).await?;
        let is_full = page.statuses.len() >= FULL;
        if seen.is_none() && page.statuses.is_empty() {
            // The timeline is empty, so all posts that the next poll finds are new.
            self.positions.insert(key.clone(), "0".to_owned());
        }
        if let (Some(rewinds), Some(_)) = (&mut self.rewinds, &rewound) {
            rewinds.read_page(&key, page.statuses.first().filter(|_| is_full).and_then(|newest| newest["id"].as_str()));
        }
        for status in page.statuses.into_iter().rev() {
            if let Some(id) = status["id"].as_str() {
                advance(&mut self.positions, &key, id);
                if let Some(rewinds) = &mut self.rewinds
                    && !rewinds.is_new(&key, id)
                {
                    continue;
                }
            }
            match serde_json::from_value::<Status>(status) {
                Ok(status) => status.found(place(&line.instance)).add_to(batch, "mastodon", self.clock.now()),
                Err(error) => batch.rejected.push(format!("status of {key}: {error}")),
            }
        }
        // After a rewind, the newest page is still unread.
        let more = seen.is_some() && (is_full || rewound.is_some());
        Ok(Polled { more, pause: page.pause })
    }

    fn take(&mut self, events: Vec<StreamEvent>, batch: &mut Batch) {
        let Some(first) = self.shared.options.instances.first() else { return };
        let (host, now) = (place(first), self.clock.now());
        for event in events {
            match event {
                StreamEvent::New { tag, status } => {
                    let line = Timeline { instance: first.clone(), tag };
                    // Until the subscription becomes active, positions are not advanced, because posts from before that
                    // time are polled.
                    if self.settles.is_none() && self.shared.lines.contains(&line) {
                        advance(&mut self.positions, &line.key(), &status.id);
                    }
                    if let Some(rewinds) = &mut self.rewinds {
                        rewinds.is_new(&line.key(), &status.id);
                    }
                    status.found(host).add_to(batch, "mastodon", now);
                }
                StreamEvent::Edited(status) => status.edited(host, now).add_to(batch, "mastodon", now),
                StreamEvent::Deleted(id) => match status::delete(host, &id) {
                    Some(op) => batch.ops.push(op),
                    None => batch.rejected.push(format!("deletion of {id:?}: not the id of a status")),
                },
                StreamEvent::Refused(error) => self.broken = Some(error),
                StreamEvent::Malformed(reason) => batch.rejected.push(reason),
                StreamEvent::Other => batch.filtered += 1,
            }
        }
    }
}

impl Shared {
    fn fetcher(&self, line: &Timeline) -> Result<&Fetcher, SourceError> {
        let host = place(&line.instance);
        self.fetchers.get(host).ok_or_else(|| SourceError::Permanent(format!("{host} has no fetcher")))
    }

    async fn page(&self, line: &Timeline, part: Part<'_>, clock: &Clock) -> Result<Page, SourceError> {
        let fetcher = self.fetcher(line)?;
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.options.token {
            headers.insert(AUTHORIZATION, bearer(token)?);
        }
        let answer = fetcher.get(&line.url(&self.options, part)?, headers).await?;
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY => {
                let help = match &self.options.token {
                    Some(_) => "the instance does not accept the token; create a new token",
                    None => "only signed-in users can see this timeline; set a token, or read another instance",
                };
                Err(refusal(&answer, help))
            }
            _ => {
                let pause = pause(&answer.headers, clock);
                fetcher.budget().hold(pause).await;
                Ok(Page { statuses: json(&answer)?, pause })
            }
        }
    }

    /// Postpones the polls of all timelines of an instance.
    fn pause(&self, line: &Timeline, time: Duration) {
        for (index, other) in self.lines.iter().enumerate() {
            if place(&other.instance) == place(&line.instance) {
                self.schedule.postpone(index, time);
            }
        }
    }
}

/// The time until the rate limit is reset if no requests are left; otherwise zero.
fn pause(headers: &HeaderMap, clock: &Clock) -> Duration {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let left = text("x-ratelimit-remaining").and_then(|left| left.trim().parse::<u32>().ok());
    let reset = text("x-ratelimit-reset").and_then(|at| at.trim().parse::<sentistream_core::domain::Timestamp>().ok());
    match (left, reset) {
        (Some(0), Some(reset)) => reset.since(clock.now()).min(MAX_PAUSE),
        _ => Duration::ZERO,
    }
}

impl Source for Mastodon {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.batch(max.max(1)))
    }
}

/// The `Authorization` header with `token`. It is marked as sensitive, so that logs leave it out.
fn bearer(token: &SecretString) -> Result<HeaderValue, SourceError> {
    let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).map_err(|_| {
        SourceError::Permanent("token: contains characters that are not allowed in a header".to_owned())
    })?;
    header.set_sensitive(true);
    Ok(header)
}
