//! Any endpoint that returns JSON. JSONPath expressions select the items and the fields of posts.
//!
//! Each poll reads the first page, and further pages until one contains an item of an earlier poll. A few known items
//! at the top of the first page may be pinned, so they do not end the poll. The document or the `Link` header (RFC
//! 8288) names the next page. An unchanged first page is recognised by its `ETag` or `Last-Modified` (RFC 9110). If a
//! further page cannot be read, the posts of the earlier pages are kept.

mod history;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::{
    ACCEPT, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::fetch::{Fetcher, json, refusal, shown};
use super::history::Past;
use super::known::{Known, Novelty};
use super::mapping::{Mapping, Path, Reading};
use super::paging::{next_page, pages_exhausted};
use super::polled::{Poll, Polled};
use super::rss::limits;
use super::{Batch, SourceError, SourceSpec};
use sentistream_core::clock::Clock;
use sentistream_core::domain::Op;
use sentistream_core::outbound::Answer;

use history::OlderItems;

/// The maximum number of pages per poll. The first poll reads only one page.
const MAX_PAGES: usize = 20;
/// The maximum number of items per page.
const MAX_ITEMS: usize = 1_000;
/// The maximum number of known items at the top of the first page that are treated as pinned.
const MAX_PINNED: usize = 5;
/// The maximum number of keys that a message lists.
const MAX_KEYS: usize = 10;

/// The endpoint to read.
#[derive(Clone, Debug)]
pub struct JsonOptions {
    /// The URL of the first page, which contains the newest items.
    pub url: Url,
    /// Additional headers of requests to the origin of `url`.
    pub headers: HeaderMap,
    /// Where the fields of posts are in a document.
    pub mapping: Mapping,
    /// Where the URL of the next page is in a document. `None`: the `Link` header contains the URL.
    pub next: Option<Path>,
    /// The time between two polls.
    pub interval: Duration,
    /// How far back to read when the source is added; zero: only the newest page. Requires a path for the time.
    pub history: Duration,
}

/// The position of the source, which is stored between runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// A text that identifies the settings. When the settings change, reading starts again with the first page only.
    settings: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    /// Hashes of known items, by their JSON.
    items: Known,
    /// Known posts, with hashes of their texts.
    posts: Known,
}

/// The source of the items of an endpoint.
struct Endpoint {
    shared: Arc<Shared>,
    cursor: Cursor,
}

/// The state that is kept when the source is opened again.
struct Shared {
    name: String,
    options: JsonOptions,
    fetcher: Fetcher,
    clock: Clock,
}

/// Creates the source `name`.
pub fn spec(name: &str, options: JsonOptions, fetcher: Fetcher, clock: Clock) -> SourceSpec {
    let shared = Arc::new(Shared { name: name.to_owned(), options, fetcher, clock });
    let older = shared.clone();
    let history = Past { name, kind: "json", span: shared.options.history, clock: shared.clock.clone() }
        .spec_of(name, move || Box::new(OlderItems(older.clone())));
    let spec = SourceSpec::new("json", name, move |opening| {
        let stored: Cursor =
            opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let settings = shared.settings();
        let cursor = if stored.settings == settings { stored } else { Cursor { settings, ..Cursor::default() } };
        Box::new(Polled::new(Endpoint { shared: shared.clone(), cursor }))
    });
    spec.with_history(history)
}

impl Shared {
    /// A text that changes with the settings. It contains no secrets, because the URL is hashed.
    fn settings(&self) -> String {
        let JsonOptions { url, mapping, next, .. } = &self.options;
        super::known::digest(&format!("{url} {mapping:?} {next:?}"))
    }

    /// Requests a page.
    async fn request(&self, url: &Url, conditions: HeaderMap) -> Result<Answer, SourceError> {
        let mut headers = conditions;
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
        // The next page may be on another host, which must not receive the secret.
        if url.origin() == self.options.url.origin() {
            headers.extend(self.options.headers.clone());
        }
        let answer = self.fetcher.get(url, headers).await?;
        if answer.status.is_client_error() {
            return Err(refusal(&answer, "check the URL, the header and the secret"));
        }
        Ok(answer)
    }

    /// Parses the JSON document of a response.
    fn document(answer: &Answer) -> Result<Value, SourceError> {
        if let Err(error) = limits::of_json(&answer.body) {
            return Err(SourceError::Transient(format!("{}: {error}", shown(&answer.url))));
        }
        json(answer)
    }

    /// The URL of the next page, from the document or the `Link` header of a response.
    fn next_page(&self, answer: &Answer, document: &Value) -> Option<Url> {
        match &self.options.next {
            Some(path) => path.text(document).and_then(|next| answer.url.join(next).ok()),
            None => next_page(answer),
        }
    }

    /// Whether the page contains items of an earlier poll, so that further pages are not needed.
    fn reaches_known(&self, items: &[&Value], cursor: &Cursor, place: PagePlace) -> bool {
        let is_known = |item: &&Value| {
            cursor.items.was_known(&item.to_string())
                || self.options.mapping.post_id(item, &self.name).is_some_and(|id| cursor.posts.was_known(&id))
        };
        let known: Vec<bool> = items.iter().map(is_known).collect();
        let top = known.iter().take_while(|is_known| **is_known).count();
        let pinned = if place == PagePlace::First && top <= MAX_PINNED { top } else { 0 };
        pinned == known.len() || known[pinned..].contains(&true)
    }

    /// Adds the new and changed items of a page to `batch`.
    fn read(
        &self,
        (answer, place): (&Answer, PagePlace),
        cursor: &mut Cursor,
        batch: &mut Batch,
    ) -> Result<Page, SourceError> {
        let document = Self::document(answer)?;
        let mapping = &self.options.mapping;
        let is_first = cursor.items.is_empty();
        let mut items = mapping.items(&document);
        if items.is_empty() {
            batch.troubles.push(format!("items_path selects nothing in the answer, which is {}", described(&document)));
        }
        let count = items.len();
        items.truncate(MAX_ITEMS);
        // New items shift the pages, so a page may repeat items of the previous page. Such repeated items do not end
        // the poll.
        let reaches_known = self.reaches_known(&items, cursor, place);
        let is_fresh = |item: &&Value| cursor.items.meet(&item.to_string(), "") != Novelty::Same;
        let fresh: Vec<&Value> = items.into_iter().filter(is_fresh).collect();
        let now = self.clock.now();
        let found = mapping.read_items(&fresh, Reading { name: &self.name, now, max: MAX_ITEMS });
        if let (true, true, Some(item)) = (is_first, found.ops.is_empty(), fresh.first()) {
            batch.troubles.push(format!("no item is a post; the first one is {}", described(item)));
        }
        if count > MAX_ITEMS {
            batch.troubles.push(format!("only the first {MAX_ITEMS} of the {count} items of a page were read"));
        }
        batch.rejected.extend(found.rejected);
        batch.filtered += found.filtered;
        for op in found.ops {
            let Op::Post(post) = op else { continue };
            match cursor.posts.meet(post.post_id.as_str(), post.content.as_str()) {
                Novelty::New => batch.ops.push(Op::Post(post)),
                Novelty::Changed => batch.ops.push(Op::Replace { post, edited_at: now }),
                Novelty::Same => {}
            }
        }
        Ok(Page { next: self.next_page(answer, &document).filter(|_| !reaches_known && count > 0) })
    }
}

/// Whether a page is the first one of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PagePlace {
    First,
    Later,
}

/// What to read after a page.
struct Page {
    /// The next page; `None` if this page contains items of an earlier poll, has no items, or is the last one.
    next: Option<Url>,
}

impl Endpoint {
    async fn read_new(&mut self) -> Result<Batch, SourceError> {
        let shared = self.shared.clone();
        let options = &shared.options;
        let mut batch = Batch { wait: options.interval, ..Batch::default() };
        let mut cursor = self.cursor.clone();
        let mut answer = shared.request(&options.url, cursor.conditions()).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(batch);
        }
        let is_first = cursor.items.is_empty();
        let mut visited = HashSet::from([options.url.clone()]);
        cursor.remember(&answer.headers);
        for page in 1..=MAX_PAGES {
            let reader = shared.clone();
            // A large document takes long to parse, so it is parsed on a blocking thread.
            let place = if page == 1 { PagePlace::First } else { PagePlace::Later };
            let read = tokio::task::spawn_blocking(move || {
                let page = reader.read((&answer, place), &mut cursor, &mut batch);
                (page, cursor, batch)
            });
            let read =
                read.await.map_err(|error| SourceError::Transient(format!("the answer cannot be read: {error}")));
            let (found, read_cursor, read_batch) = read?;
            (cursor, batch) = (read_cursor, read_batch);
            let next = match found {
                Ok(Page { next }) => next,
                Err(error) if page > 1 => {
                    batch.troubles.push(unread(page, &error));
                    break;
                }
                Err(error) => return Err(error),
            };
            let Some(next) = next.filter(|next| !is_first && visited.insert(next.clone())) else { break };
            if page == MAX_PAGES {
                batch.troubles.push(pages_exhausted(MAX_PAGES, "items", "older items"));
                break;
            }
            match shared.request(&next, HeaderMap::new()).await {
                Ok(next) => answer = next,
                Err(error) => {
                    batch.troubles.push(unread(page + 1, &error));
                    break;
                }
            }
        }
        cursor.items.end_poll();
        cursor.posts.end_poll();
        batch.ops.sort_by_key(|op| op.post().map(|post| post.created_at));
        // A struct of texts and numbers can always be serialised.
        batch.cursor = Some(serde_json::to_string(&cursor).unwrap_or_default());
        self.cursor = cursor;
        Ok(batch)
    }
}

impl Cursor {
    /// The conditional headers of the request for the first page.
    fn conditions(&self) -> HeaderMap {
        let validators = [(IF_NONE_MATCH, &self.etag), (IF_MODIFIED_SINCE, &self.last_modified)];
        let header =
            |(name, value): (HeaderName, &Option<String>)| Some((name, HeaderValue::from_str(value.as_ref()?).ok()?));
        validators.into_iter().filter_map(header).collect()
    }

    /// Stores the validators of a response for the next request.
    fn remember(&mut self, headers: &HeaderMap) {
        let header = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
        (self.etag, self.last_modified) = (header(ETAG), header(LAST_MODIFIED));
    }
}

impl Poll for Endpoint {
    fn poll(&mut self) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.read_new())
    }
}

/// The message for a further page that cannot be read. The posts of the earlier pages are kept.
fn unread(page: usize, error: &SourceError) -> String {
    format!("page {page} and the pages after it were not read: {error}")
}

/// The type of `value`, and the keys of an object. Messages contain this text to help users find the right paths.
fn described(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let keys: Vec<String> = fields.keys().take(MAX_KEYS).map(|key| key.chars().take(32).collect()).collect();
            format!("an object with the keys {}{}", keys.join(", "), if fields.len() > MAX_KEYS { ", …" } else { "" })
        }
        Value::Array(items) => format!("an array of {} items", items.len()),
        Value::String(_) => "a text".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::Bool(_) | Value::Null => value.to_string(),
    }
}
