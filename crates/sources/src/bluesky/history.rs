//! Reads older posts from the public API: the posts of the configured accounts
//! (<https://docs.bsky.app/docs/api/app-bsky-feed-get-author-feed>). If no accounts are configured, searches for each
//! keyword (<https://docs.bsky.app/docs/api/app-bsky-feed-search-posts>).
//!
//! The API refuses the cursor of a search to clients that are not signed in. Each request of a search therefore selects
//! the posts before the oldest post of the previous page. Bluesky sometimes refuses all public searches. The history of
//! a keyword then ends with an error that reports this.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::super::SourceError;
use super::super::fetch::{self, Fetcher, refusal};
use super::super::history::{Page, Pages, Wanted};
use super::event::{COLLECTION, read};
use super::{BlueskyOptions, Filter};
use sentistream_core::clock::Clock;
use sentistream_core::domain::Timestamp;

/// The number of posts per page, which is the maximum of the API.
const LIMIT: &str = "100";
/// The pause between two searches, which cost the service much more than other requests.
const SEARCH_PAUSE: Duration = Duration::from_secs(3);

/// Reads the pages of older posts of the accounts or keywords of a source.
pub(super) struct OlderPosts {
    api: Url,
    filter: Filter,
    places: Vec<Place>,
    fetcher: Arc<Fetcher>,
    clock: Clock,
}

/// A list of older posts.
enum Place {
    /// The posts of an account: a DID or a handle.
    Author(String),
    /// The posts with a keyword.
    Keyword(String),
}

/// A page of the posts of an account.
#[derive(Deserialize)]
struct Feed {
    feed: Vec<FeedItem>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct FeedItem {
    post: Value,
    /// Why the list contains a post that the account did not write at this position: a repost, or a pinned post.
    #[serde(default)]
    reason: Option<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(rename = "$type", default)]
    kind: String,
}

/// A page of search results.
#[derive(Deserialize)]
struct Found {
    posts: Vec<Value>,
}

/// A post as the API returns it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    /// `at://DID/app.bsky.feed.post/KEY`
    uri: String,
    record: Value,
    indexed_at: Timestamp,
}

impl OlderPosts {
    pub(super) fn new(options: &BlueskyOptions, fetcher: Arc<Fetcher>, clock: Clock) -> Self {
        let authors = options.authors.iter().cloned().map(Place::Author);
        let mut places: Vec<Place> = authors.collect();
        if places.is_empty() {
            places = options.filter.keywords().iter().cloned().map(Place::Keyword).collect();
        }
        Self { api: options.api.clone(), filter: options.filter.clone(), places, fetcher, clock }
    }

    async fn read(&self, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        match &self.places[wanted.place] {
            Place::Author(account) => self.of_author(account, wanted.position).await,
            Place::Keyword(keyword) => self.with_keyword(keyword, wanted).await,
        }
    }

    async fn of_author(&self, account: &str, cursor: Option<&str>) -> Result<Page, SourceError> {
        let mut query = vec![("actor", account), ("filter", "posts_with_replies"), ("limit", LIMIT)];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let help = format!("check the account {account}: the account may be deleted, or hidden from the public");
        let Feed { feed, cursor } = self.get("app.bsky.feed.getAuthorFeed", &query, &help).await?;
        let mut page = Page { next: cursor.filter(|_| !feed.is_empty()), ..Page::default() };
        let is_repost =
            |item: &FeedItem| item.reason.as_ref().is_some_and(|reason| reason.kind.ends_with("#reasonRepost"));
        for item in feed.into_iter().filter(|item| !is_repost(item)) {
            self.add(item.post, &mut page);
        }
        Ok(page)
    }

    async fn with_keyword(&self, keyword: &str, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        // The keyword is quoted, because a search without quotation marks finds posts with its words in any order.
        let is_tag = keyword.starts_with('#') && !keyword.contains(char::is_whitespace);
        let phrase = if is_tag { keyword.to_owned() } else { format!("\"{}\"", keyword.replace('"', " ")) };
        let since = wanted.since.to_string();
        let until = wanted.position.map_or_else(|| after(wanted.began), str::to_owned);
        let query = [
            ("q", phrase.as_str()),
            ("sort", "latest"),
            ("limit", LIMIT),
            ("since", since.as_str()),
            ("until", until.as_str()),
        ];
        let help = "Bluesky refuses public searches at the moment, so older posts with this keyword cannot be read; new \
                    posts are not affected. Set authors to read the older posts of accounts";
        let Found { posts } = self.get("app.bsky.feed.searchPosts", &query, help).await?;
        let mut page = Page { pause: SEARCH_PAUSE, ..Page::default() };
        // The API sorts search results by this time.
        let sorted_at = |post: &Value| {
            let indexed: Timestamp = post["indexedAt"].as_str()?.parse().ok()?;
            let claimed: Option<Timestamp> = post["record"]["createdAt"].as_str().and_then(|text| text.parse().ok());
            Some(claimed.map_or(indexed, |claimed| claimed.min(indexed)))
        };
        let oldest = posts.iter().filter_map(sorted_at).min();
        for post in posts {
            self.add(post, &mut page);
        }
        // The millisecond of the oldest post is requested again, because the page may contain only some posts of that
        // millisecond. The history ends when the position no longer changes.
        page.next = oldest.map(after);
        Ok(page)
    }

    /// Adds a post if the filter of the source keeps it. The post is parsed like an event of Jetstream.
    fn add(&self, post: Value, page: &mut Page) {
        let event = serde_json::from_value::<View>(post).map_err(|error| error.to_string()).and_then(|view| {
            let (did, rkey) = parts(&view.uri).ok_or_else(|| format!("{} is not the URI of a post", view.uri))?;
            let commit = json!({
                "operation": "create", "collection": COLLECTION, "rkey": rkey, "record": view.record,
            });
            let time_us = view.indexed_at.as_micros();
            Ok(json!({"did": did, "time_us": time_us, "kind": "commit", "commit": commit}).to_string())
        });
        let frame = event.and_then(|event| read(&event, &self.filter, self.clock.now()).map_err(|e| e.to_string()));
        match frame.map(|frame| frame.op) {
            Ok(Some(op)) => page.batch.ops.push(op),
            Ok(None) => page.batch.filtered += 1,
            Err(error) => page.batch.rejected.push(format!("post of the history: {error}")),
        }
    }

    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        query: &[(&str, &str)],
        help: &str,
    ) -> Result<T, SourceError> {
        let url = self.api.join(&format!("xrpc/{method}"));
        let mut url = url.map_err(|error| SourceError::Permanent(format!("api: {error}")))?;
        url.query_pairs_mut().extend_pairs(query);
        let answer = self.fetcher.get(&url, HeaderMap::new()).await?;
        match answer.status {
            // A firewall may respond with a temporary HTML page. The error is permanent anyway, so that the history
            // does not retry for hours.
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => {
                let reason = format!("{} answered {}: {help}", fetch::shown(&url), answer.status);
                Err(SourceError::Permanent(reason))
            }
            status if status.is_client_error() => Err(refusal(&answer, help)),
            _ => fetch::json(&answer),
        }
    }
}

/// The millisecond after `time`. A search excludes its upper limit, so this limit includes the posts at `time`.
fn after(time: Timestamp) -> String {
    (time + Duration::from_millis(1)).to_string()
}

/// The DID and the record key in the URI of a post.
fn parts(uri: &str) -> Option<(&str, &str)> {
    let (did, rest) = uri.strip_prefix("at://")?.split_once('/')?;
    Some((did, rest.strip_prefix(COLLECTION)?.strip_prefix('/')?))
}

impl Pages for OlderPosts {
    fn places(&self) -> Vec<String> {
        let key = |place: &Place| match place {
            Place::Author(account) => format!("@{account}"),
            Place::Keyword(keyword) => format!("\"{keyword}\""),
        };
        self.places.iter().map(key).collect()
    }

    fn page<'a>(&'a mut self, wanted: Wanted<'a>) -> BoxFuture<'a, Result<Page, SourceError>> {
        Box::pin(self.read(wanted))
    }
}
