//! Reddit: new posts and comments of subreddits, through an OAuth application (`client_credentials`).
//!
//! Listings come newest first. Ids are numbers in base 36 that only grow, so each poll walks back until it meets
//! what it had: also when the post at the cursor is gone. API: <https://www.reddit.com/dev/api>.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use super::draft::Found;
use super::fetch::{Fetcher, json};
use super::{Batch, Source, SourceError, SourceSpec};
use crate::clock::Clock;
use crate::domain::Timestamp;

/// Items of a page.
const PAGE: usize = 100;
/// Reddit lists the newest thousand and no more.
const MAX_PAGES: usize = 10;
/// A token is renewed this long before it expires.
const MARGIN: Duration = Duration::from_secs(60);

/// Where to read, and with which application.
#[derive(Clone, Debug)]
pub struct RedditOptions {
    /// `https://oauth.reddit.com/`
    pub base: Url,
    /// `https://www.reddit.com/api/v1/access_token`
    pub token_url: Url,
    pub client_id: String,
    /// Who asks, in the form that Reddit wants: `platform:app:version (by /u/name)`. `None`: this program.
    pub user_agent: Option<String>,
    pub client_secret: SecretString,
    /// Names without `r/`.
    pub subreddits: Vec<String>,
    /// Whether comments are read too.
    pub comments: bool,
    /// Between two looks.
    pub interval: Duration,
}

/// What is kept between runs: the newest id that was seen of each listing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cursor {
    posts: Option<u64>,
    comments: Option<u64>,
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
    children: Vec<serde_json::Value>,
}

/// A post or a comment.
#[derive(Debug, Deserialize)]
pub struct Thing {
    /// Base 36, without its kind.
    id: String,
    /// With its kind: `t3_…` or `t1_…`.
    name: String,
    author: Option<String>,
    /// Unix seconds.
    created_utc: Option<f64>,
    title: Option<String>,
    selftext: Option<String>,
    body: Option<String>,
    parent_id: Option<String>,
    permalink: Option<String>,
}

/// The source of Reddit's posts.
pub struct Reddit {
    options: RedditOptions,
    fetcher: Arc<Fetcher>,
    clock: Clock,
    cursor: Cursor,
    /// Shared by all openings: a token is asked for once an hour.
    token: Arc<Mutex<Option<Token>>>,
    /// What did not fit into the last batch.
    rest: Option<Batch>,
}

/// The source `name`.
pub fn spec(name: &str, options: RedditOptions, fetcher: Fetcher, clock: Clock) -> SourceSpec {
    let (fetcher, token) = (Arc::new(fetcher), Arc::new(Mutex::new(None)));
    SourceSpec::new("reddit", name, move |opening| {
        let cursor = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Box::new(Reddit {
            options: options.clone(),
            fetcher: fetcher.clone(),
            clock: clock.clone(),
            cursor,
            token: token.clone(),
            rest: None,
        })
    })
}

impl Reddit {
    async fn batch(&mut self, max: usize) -> Result<Batch, SourceError> {
        let mut batch = match self.rest.take() {
            Some(rest) => rest,
            None => self.look().await?,
        };
        self.rest = batch.cut(max);
        Ok(batch)
    }

    async fn look(&mut self) -> Result<Batch, SourceError> {
        let mut batch = Batch { wait: self.options.interval, ..Batch::default() };
        let names = self.options.subreddits.join("+");
        self.cursor.posts = self.listing(&format!("r/{names}/new"), self.cursor.posts, &mut batch).await?;
        if self.options.comments {
            self.cursor.comments =
                self.listing(&format!("r/{names}/comments"), self.cursor.comments, &mut batch).await?;
        }
        // Numbers always have a JSON form.
        batch.cursor = Some(serde_json::to_string(&self.cursor).unwrap_or_default());
        Ok(batch)
    }

    /// Adds what is newer than `seen`, oldest first; the newest id there is now. The first time a page is enough.
    async fn listing(&mut self, path: &str, seen: Option<u64>, batch: &mut Batch) -> Result<Option<u64>, SourceError> {
        let mut things: Vec<(u64, Thing)> = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let page = self.page(path, after.as_deref()).await?;
            let before = things.len();
            let mut met = false;
            for mut child in page.children {
                match Thing::read(child["data"].take()) {
                    Ok((id, _)) if seen.is_some_and(|seen| id <= seen) => met = true,
                    Ok(thing) => things.push(thing),
                    Err(reason) => batch.rejected.push(reason),
                }
            }
            after = page.after;
            if met || seen.is_none() || after.is_none() || things.len() == before {
                break;
            }
        }
        things.sort_by_key(|(id, _)| *id);
        things.dedup_by_key(|(id, _)| *id);
        let newest = things.last().map(|(id, _)| *id).max(seen);
        for (_, thing) in things {
            self.add(thing, batch);
        }
        Ok(newest)
    }

    async fn page(&mut self, path: &str, after: Option<&str>) -> Result<ListingData, SourceError> {
        let mut url = self.options.base.join(path).map_err(|e| SourceError::Permanent(format!("base: {e}")))?;
        url.query_pairs_mut().append_pair("limit", &PAGE.to_string()).append_pair("raw_json", "1");
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", after);
        }
        // A token may be withdrawn before its time: one renewal, then the answer counts.
        for renewed in [false, true] {
            let token = self.token().await?;
            let answer = self.fetcher.get(&url, self.headers(token)?).await?;
            self.heed(&answer.headers).await;
            match answer.status {
                StatusCode::UNAUTHORIZED if !renewed => *self.token.lock().await = None,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                    let status = answer.status;
                    let help = "check subreddits, and that the application may read them";
                    return Err(SourceError::Permanent(format!("Reddit answered {status} for {path}: {help}")));
                }
                _ => return Ok(json::<Listing>(&answer)?.data),
            }
        }
        Err(SourceError::Transient("Reddit takes no token".to_owned()))
    }

    fn headers(&self, authorization: HeaderValue) -> Result<HeaderMap, SourceError> {
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
        if let Some(agent) = &self.options.user_agent {
            let agent = HeaderValue::from_str(agent);
            let wrong = |_| SourceError::Permanent("user_agent holds characters that no header may".to_owned());
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
            let help = "check client_id and client_secret";
            return Err(SourceError::Permanent(format!("Reddit refused the application ({}): {help}", answer.status)));
        }
        let granted: Granted = json(&answer)?;
        let header = secret(&format!("Bearer {}", granted.access_token))?;
        *held = Some(Token { header: header.clone(), expires_at: now + Duration::from_secs(granted.expires_in) });
        Ok(header)
    }

    /// Holds further requests when the present period has none left.
    async fn heed(&self, headers: &HeaderMap) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
        if let (Some(left), Some(reset)) = (number("x-ratelimit-remaining"), number("x-ratelimit-reset"))
            && left < 1.0
        {
            self.fetcher.budget().hold(Duration::from_secs_f64(reset.clamp(0.0, 3_600.0))).await;
        }
    }

    fn add(&self, thing: Thing, batch: &mut Batch) {
        match thing.found() {
            Some(found) => found.add_to(batch, "reddit", self.clock.now()),
            None => batch.filtered += 1,
        }
    }
}

impl Thing {
    /// The thing and its number.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(value: serde_json::Value) -> Result<(u64, Self), String> {
        let thing: Self = serde_json::from_value(value).map_err(|error| format!("not a post or comment: {error}"))?;
        match u64::from_str_radix(&thing.id, 36) {
            Ok(number) => Ok((number, thing)),
            Err(_) => Err(format!("{}: the id is not in base 36", thing.name)),
        }
    }

    /// What people read of it; `None` when it was deleted or removed.
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

impl Source for Reddit {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.batch(max.max(1)))
    }
}

/// A header whose value is not logged.
fn secret(value: &str) -> Result<HeaderValue, SourceError> {
    let mut header = HeaderValue::from_str(value).map_err(|_| {
        SourceError::Permanent("client_id or client_secret hold characters that no header may".to_owned())
    })?;
    header.set_sensitive(true);
    Ok(header)
}
