//! Reddit: new posts and comments of subreddits, through an OAuth application (`client_credentials`).
//!
//! Listings are sorted newest first. Each poll reads pages until it finds a known item. The source stores several
//! hundred ids instead of the newest one, because an item that moderators approve late appears below newer ones, and
//! because the newest item may be deleted. API: <https://www.reddit.com/dev/api>.

mod history;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::draft::Found;
use super::fetch::{Fetcher, json, refusal};
use super::history::Past;
use super::lenient::lenient;
use super::polled::{Poll, Polled};
use super::{Batch, SourceError, SourceSpec};
use crate::clock::Clock;
use crate::domain::Timestamp;

use history::OlderItems;

/// Items per page.
const PAGE: usize = 100;
/// The maximum number of pages: Reddit lists the newest thousand items.
const MAX_PAGES: usize = 10;
/// The number of ids that are stored per listing. It is larger than a page, so that every known item of a page is
/// recognised.
const MAX_SEEN: usize = 500;
/// How long before its expiry a token is renewed.
const MARGIN: Duration = Duration::from_secs(60);

/// The subreddits to read, and the application to read them with.
#[derive(Clone, Debug)]
pub struct RedditOptions {
    /// `https://oauth.reddit.com/`
    pub base: Url,
    /// `https://www.reddit.com/api/v1/access_token`
    pub token_url: Url,
    /// The id of the OAuth application.
    pub client_id: String,
    /// `platform:app:version (by /u/name)`, as Reddit requires. `None`: the name of this program.
    pub user_agent: Option<String>,
    /// The secret of the OAuth application.
    pub client_secret: SecretString,
    /// Names without `r/`.
    pub subreddits: Vec<String>,
    /// Whether comments are read too.
    pub comments: bool,
    /// The time between two polls.
    pub interval: Duration,
    /// How far back to read when the source is added; zero: only new items.
    pub history: Duration,
}

/// The state of each listing that is stored between runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cursor {
    posts: Option<Seen>,
    comments: Option<Seen>,
}

/// The items of a listing that were already read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Stored")]
struct Seen {
    /// Items up to this id are treated as read.
    floor: u64,
    ids: BTreeSet<u64>,
}

/// A cursor of this version, or the newest id, which version 1.0 stored.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Newest(u64),
    Seen { floor: u64, ids: BTreeSet<u64> },
}

impl From<Stored> for Seen {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Newest(floor) => Self { floor, ids: BTreeSet::new() },
            Stored::Seen { floor, ids } => Self { floor, ids },
        }
    }
}

impl Seen {
    fn holds(&self, id: u64) -> bool {
        id <= self.floor || self.ids.contains(&id)
    }

    fn add(&mut self, ids: impl Iterator<Item = u64>) {
        self.ids.extend(ids);
        while self.ids.len() > MAX_SEEN
            && let Some(oldest) = self.ids.pop_first()
        {
            self.floor = self.floor.max(oldest);
        }
    }
}

struct Token {
    header: HeaderValue,
    expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

#[derive(Deserialize)]
struct Listing {
    data: ListingData,
}

#[derive(Deserialize)]
struct ListingData {
    after: Option<String>,
    children: Vec<Value>,
}

/// A post or a comment.
#[derive(Debug, Deserialize)]
pub struct Thing {
    /// The id in base 36, without the prefix of its kind.
    id: String,
    /// The id with the prefix of its kind: `t3_…` or `t1_…`.
    name: String,
    #[serde(default, deserialize_with = "lenient")]
    author: Option<String>,
    /// Unix seconds.
    #[serde(default, deserialize_with = "lenient")]
    created_utc: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    title: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    selftext: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    body: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    parent_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    permalink: Option<String>,
}

/// Why an item of a listing is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ThingError {
    /// The item does not have the fields of a post or comment.
    #[error("not a post or comment: {0}")]
    Form(#[from] serde_json::Error),
    /// The id is not a number in base 36.
    #[error("{0}: the id is not a number in base 36")]
    Id(String),
}

/// The source of Reddit posts.
struct Reddit {
    options: RedditOptions,
    fetcher: Arc<Fetcher>,
    clock: Clock,
    cursor: Cursor,
    /// Shared by all openings, so that a reopened source keeps its token.
    token: Arc<Mutex<Option<Token>>>,
    /// Items that were already reported as rejected.
    malformed: BTreeSet<String>,
}

/// The source `name`.
pub fn spec(name: &str, options: RedditOptions, fetcher: Fetcher, clock: Clock) -> SourceSpec {
    let (fetcher, token) = (Arc::new(fetcher), Arc::new(Mutex::new(None)));
    let past = Past { name, kind: "reddit", span: options.history, clock: clock.clone() };
    let open = move |cursor: Cursor| Reddit {
        options: options.clone(),
        fetcher: fetcher.clone(),
        clock: clock.clone(),
        cursor,
        token: token.clone(),
        malformed: BTreeSet::new(),
    };
    let older = open.clone();
    let spec = SourceSpec::new("reddit", name, move |opening| {
        let cursor = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Box::new(Polled::new(open(cursor)))
    });
    spec.with_history(past.spec(move || Box::new(OlderItems(older(Cursor::default())))))
}

impl Reddit {
    async fn read_new(&mut self) -> Result<Batch, SourceError> {
        let mut batch = Batch { wait: self.options.interval, ..Batch::default() };
        let listings = self.listings();
        let seen = self.cursor.posts.take();
        self.cursor.posts = Some(self.listing(&listings[0], seen, &mut batch).await?);
        if let Some(comments) = listings.get(1) {
            let seen = self.cursor.comments.take();
            self.cursor.comments = Some(self.listing(comments, seen, &mut batch).await?);
        }
        // Numbers can always be serialised.
        batch.cursor = Some(serde_json::to_string(&self.cursor).unwrap_or_default());
        Ok(batch)
    }

    /// The paths of the listings: posts, then comments if they are read.
    fn listings(&self) -> Vec<String> {
        let names = self.options.subreddits.join("+");
        let comments = self.options.comments.then(|| format!("r/{names}/comments"));
        [Some(format!("r/{names}/new")), comments].into_iter().flatten().collect()
    }

    /// Adds the items of a listing that are not in `seen`, oldest first. The first poll reads one page.
    async fn listing(&mut self, path: &str, seen: Option<Seen>, batch: &mut Batch) -> Result<Seen, SourceError> {
        let is_first = seen.is_none();
        let mut seen = seen.unwrap_or_default();
        let mut things: Vec<(u64, Thing)> = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let page = self.page(path, after.as_deref()).await?;
            let before = things.len();
            let mut met = false;
            for mut child in page.children {
                match Thing::read(child.get_mut("data").map_or(Value::Null, Value::take)) {
                    Ok((id, _)) if seen.holds(id) => met = true,
                    Ok(thing) => things.push(thing),
                    // The item may stay in the listing for some time, but it is reported only once.
                    Err(error) if self.malformed.insert(error.to_string()) => batch.rejected.push(error.to_string()),
                    Err(_) => {}
                }
            }
            after = page.after;
            if met || is_first || after.is_none() || things.len() == before {
                break;
            }
        }
        things.sort_by_key(|(id, _)| *id);
        things.dedup_by_key(|(id, _)| *id);
        if let (true, true, Some((oldest, _))) = (is_first, things.len() >= PAGE, things.first()) {
            // Items after the first page must not be read later, when deletions move them up.
            seen.floor = oldest.saturating_sub(1);
        }
        seen.add(things.iter().map(|(id, _)| *id));
        for (_, thing) in things {
            self.add(thing, batch);
        }
        Ok(seen)
    }

    async fn page(&mut self, path: &str, after: Option<&str>) -> Result<ListingData, SourceError> {
        let mut url = self.options.base.join(path).map_err(|e| SourceError::Permanent(format!("base: {e}")))?;
        url.query_pairs_mut().append_pair("limit", &PAGE.to_string()).append_pair("raw_json", "1");
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", after);
        }
        // A token may be revoked before it expires. It is then renewed once.
        for renewed in [false, true] {
            let token = self.token().await?;
            let answer = self.fetcher.get(&url, self.headers(token)?).await?;
            self.pause_if_exhausted(&answer.headers).await;
            match answer.status {
                StatusCode::UNAUTHORIZED if !renewed => *self.token.lock().await = None,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                    return Err(refusal(&answer, "check subreddits, and that the application may read them"));
                }
                _ => return Ok(json::<Listing>(&answer)?.data),
            }
        }
        Err(SourceError::Transient("Reddit does not accept a new token".to_owned()))
    }

    fn headers(&self, authorization: HeaderValue) -> Result<HeaderMap, SourceError> {
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
        if let Some(agent) = &self.options.user_agent {
            let agent = HeaderValue::from_str(agent);
            let wrong = |_| {
                SourceError::Permanent("user_agent: contains characters that are not allowed in a header".to_owned())
            };
            headers.insert(USER_AGENT, agent.map_err(wrong)?);
        }
        Ok(headers)
    }

    async fn token(&self) -> Result<HeaderValue, SourceError> {
        let now = self.clock.now();
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.expires_at > now + MARGIN) {
            return Ok(token.header.clone());
        }
        let login = format!("{}:{}", self.options.client_id, self.options.client_secret.expose_secret());
        let login = base64::engine::general_purpose::STANDARD.encode(login);
        let mut headers = self.headers(secret(&format!("Basic {login}"))?)?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let body = b"grant_type=client_credentials".to_vec();
        let answer = self.fetcher.post(&self.options.token_url, headers, body).await?;
        if answer.status.is_client_error() {
            return Err(refusal(&answer, "Reddit does not accept the application; check client_id and client_secret"));
        }
        let granted: Granted = json(&answer)?;
        let header = secret(&format!("Bearer {}", granted.access_token))?;
        *held = Some(Token { header: header.clone(), expires_at: now + Duration::from_secs(granted.expires_in) });
        Ok(header)
    }

    /// Pauses requests when the rate limit allows no more in the current period.
    async fn pause_if_exhausted(&self, headers: &HeaderMap) {
        if let Some(pause) = pause(headers) {
            self.fetcher.budget().hold(pause).await;
        }
    }

    fn add(&self, thing: Thing, batch: &mut Batch) {
        match thing.found() {
            Some(found) => found.add_to(batch, "reddit", self.clock.now()),
            None => batch.filtered += 1,
        }
    }
}

/// The time until the rate limit is reset, at most an hour, if no requests are left.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let (left, reset) = (number("x-ratelimit-remaining")?, number("x-ratelimit-reset")?);
    (left < 1.0 && !reset.is_nan()).then(|| Duration::from_secs_f64(reset.clamp(0.0, 3_600.0)))
}

impl Thing {
    /// Reads an item and its id as a number.
    ///
    /// # Errors
    /// When it is not a post or comment.
    pub fn read(value: Value) -> Result<(u64, Self), ThingError> {
        let thing: Self = serde_json::from_value(value)?;
        match u64::from_str_radix(&thing.id, 36) {
            Ok(number) => Ok((number, thing)),
            Err(_) => Err(ThingError::Id(thing.name)),
        }
    }

    /// The text and the metadata of the item; `None` if it was deleted or removed.
    pub fn found(self) -> Option<Found> {
        let gone = |text: &Option<String>| matches!(text.as_deref(), Some("[deleted]" | "[removed]"));
        if gone(&self.selftext) || gone(&self.body) {
            return None;
        }
        let parts = [self.title, self.selftext, self.body].into_iter().flatten();
        let parts: Vec<String> = parts.filter(|part| !part.trim().is_empty()).collect();
        Some(Found {
            post_id: format!("reddit:{}", self.name),
            content: parts.join("\n\n"),
            author: self.author.filter(|author| author != "[deleted]"),
            created_at: self.created_utc.and_then(|seconds| Timestamp::from_millis((seconds * 1e3) as i64)),
            url: self.permalink.map(|path| format!("https://www.reddit.com{path}")),
            reply_to: self.parent_id.map(|parent| format!("reddit:{parent}")),
            ..Found::default()
        })
    }
}

impl Poll for Reddit {
    fn poll(&mut self) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.read_new())
    }
}

/// A header that is marked as sensitive, so that logs leave it out.
fn secret(value: &str) -> Result<HeaderValue, SourceError> {
    let mut header = HeaderValue::from_str(value).map_err(|_| {
        SourceError::Permanent(
            "client_id or client_secret: contains characters that are not allowed in a header".to_owned(),
        )
    })?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;

    #[test]
    fn pause_ignores_headers_that_are_not_durations() {
        for (left, reset, seconds) in [
            ("0", "300", Some(300)),
            ("0.0", "1e9", Some(3_600)),
            ("0", "nan", None),
            ("nan", "5", None),
            ("7", "5", None),
        ] {
            let headers = [("x-ratelimit-remaining", left), ("x-ratelimit-reset", reset)];
            let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            assert_eq!(pause(&HeaderMap::from_iter(headers)), seconds.map(Duration::from_secs), "{left} {reset}");
        }
    }
}
