//! Hacker News: stories and comments in the order of their ids, from a public API without a key.
//!
//! Ids are assigned in ascending order. A new item may be `null` for a short time, so its id is requested a few more
//! times. Recently changed items are requested periodically to find deletions. API:
//! <https://github.com/HackerNews/API>.

mod history;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use url::Url;

use super::draft::Found;
use super::fetch::{Fetcher, json};
use super::history::Past;
use super::lenient::lenient;
use super::{Batch, Source, SourceError, SourceSpec, html};
use sentistream_core::clock::Clock;
use sentistream_core::domain::{Op, PostId, Timestamp};
use sentistream_core::outbound::Answer;

use history::Search;

/// The maximum number of concurrent requests.
const AT_ONCE: usize = 8;
/// The number of times that an id without an item is requested.
const TRIES: u8 = 5;
/// The maximum number of new ids per batch, and of changed items per search for deletions.
const MAX_BATCH: usize = 100;
/// One in this many polls also looks for deletions.
const POLLS_PER_UPDATE: u32 = 4;
/// The number of deleted items that are remembered, so that each is reported once.
const MAX_GONE: usize = 1_000;
/// The maximum number of ids without an item that are remembered. Beyond it, the oldest ids are dropped.
const MAX_HOLES: usize = 500;

/// The API, and the items to read.
#[derive(Clone, Debug)]
pub struct HackerNewsOptions {
    /// The base URL of the API: `https://hacker-news.firebaseio.com/v0/`
    pub base: Url,
    /// The time between two polls for new items.
    pub interval: Duration,
    /// The first item to read at the first start; `None`: the next new item.
    pub first_id: Option<u64>,
    /// The last item to read; `None`: the source does not end.
    pub last_id: Option<u64>,
    /// How far back to read when the source is added; zero: only new items.
    pub history: Duration,
    /// The base URL of the search for older items: `https://hn.algolia.com/api/v1/`
    pub search: Url,
}

/// The state that is stored between runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// The first id that was requested.
    #[serde(default)]
    first: u64,
    /// The next id to request.
    next: u64,
    /// Ids without an item, and how often each was requested.
    #[serde(default)]
    holes: Vec<(u64, u8)>,
}

/// An item. For an id without an item the API returns `null` instead.
#[derive(Debug, Deserialize)]
pub struct Item {
    id: u64,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    dead: bool,
    #[serde(default, deserialize_with = "lenient")]
    by: Option<String>,
    /// The time of the item, in Unix seconds.
    #[serde(default, deserialize_with = "lenient")]
    time: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    title: Option<String>,
    /// The text as HTML.
    #[serde(default, deserialize_with = "lenient")]
    text: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    parent: Option<u64>,
}

/// The source of Hacker News items.
struct HackerNews {
    options: HackerNewsOptions,
    fetcher: Arc<Fetcher>,
    clock: Clock,
    cursor: Option<Cursor>,
    polls: u32,
    /// Deletions that were already reported, the oldest first.
    gone: VecDeque<u64>,
}

/// The response with the recently changed items.
#[derive(Deserialize)]
struct Updates {
    items: Vec<u64>,
}

/// Creates the source `name`. `fetcher` creates one fetcher for each host.
pub fn spec(name: &str, options: HackerNewsOptions, fetcher: impl Fn() -> Fetcher, clock: Clock) -> SourceSpec {
    let (search, now) = (Arc::new(fetcher()), clock.clone());
    let base = options.search.clone();
    let history = Past { name, kind: "hackernews", span: options.history, clock: clock.clone() }
        .spec(move || Box::new(Search { base: base.clone(), fetcher: search.clone(), clock: now.clone() }));
    let fetcher = Arc::new(fetcher());
    let spec = SourceSpec::new("hackernews", name, move |opening| {
        let cursor = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let (options, fetcher, clock) = (options.clone(), fetcher.clone(), clock.clone());
        Box::new(HackerNews { options, fetcher, clock, cursor, polls: 0, gone: VecDeque::new() })
    });
    spec.with_history(history)
}

/// The response for an id.
enum Known {
    Item(Box<Item>),
    /// The item does not exist yet.
    Null,
    /// The response is not an item, or is too large.
    Malformed(String),
}

impl HackerNews {
    async fn batch(&mut self, max: usize) -> Result<Batch, SourceError> {
        let newest: u64 = self.read("maxitem.json").await?;
        let first = self.options.first_id.unwrap_or(newest.saturating_add(1));
        let mut cursor = self.cursor.clone().unwrap_or(Cursor { first, next: first, holes: Vec::new() });
        let end = self.options.last_id.unwrap_or(u64::MAX);
        let span = max.min(MAX_BATCH) as u64;
        // `newest` may decrease when the server was restored from a backup.
        let last = newest.min(end).min(cursor.next.saturating_add(span).saturating_sub(1));
        let new = (cursor.next..=last).map(|id| (id, 0));
        let wanted: Vec<(u64, u8)> = std::mem::take(&mut cursor.holes).into_iter().chain(new).collect();
        let mut batch = Batch::default();
        let mut trouble = None;
        let this: &Self = self;
        let ids: Vec<u64> = wanted.iter().map(|(id, _)| *id).collect();
        let mut answers = stream::iter(ids).map(|id| this.known(id)).buffered(AT_ONCE);
        for (id, tries) in &wanted {
            match answers.next().await {
                // Items before the error are appended. The other items are requested again later.
                _ if trouble.is_some() => cursor.put_back(*id, *tries),
                Some(Ok(Known::Item(item))) => this.add(*item, &mut batch),
                Some(Ok(Known::Null)) if tries + 1 < TRIES => cursor.holes.push((*id, tries + 1)),
                Some(Ok(Known::Null)) => batch.filtered += 1,
                Some(Ok(Known::Malformed(reason))) => batch.rejected.push(format!("item {id}: {reason}")),
                Some(Err(error)) => {
                    cursor.put_back(*id, *tries);
                    trouble = Some(error);
                }
                None => cursor.put_back(*id, *tries),
            }
            if trouble.is_none() {
                cursor.next = cursor.next.max(id + 1);
            }
        }
        drop(answers);
        let is_stuck = batch.ops.is_empty() && batch.rejected.is_empty() && batch.filtered == 0;
        match trouble {
            Some(error) if is_stuck => return Err(error),
            Some(error) => batch.troubles.push(error.to_string()),
            None => {}
        }
        cursor.holes.drain(..cursor.holes.len().saturating_sub(MAX_HOLES));
        batch.finished = cursor.next > end && cursor.holes.is_empty();
        let is_behind = cursor.next <= newest.min(end);
        if !is_behind {
            batch.wait = self.options.interval;
            self.polls += 1;
            if self.polls.is_multiple_of(POLLS_PER_UPDATE)
                && let Err(error) = self.add_deletions(&cursor, &mut batch).await
            {
                batch.troubles.push(error.to_string());
            }
        }
        // A struct of numbers can always be serialised.
        batch.cursor = Some(serde_json::to_string(&cursor).unwrap_or_default());
        self.cursor = Some(cursor);
        Ok(batch)
    }

    /// Adds deletions of items that were read before.
    async fn add_deletions(&mut self, cursor: &Cursor, batch: &mut Batch) -> Result<(), SourceError> {
        let updates: Updates = self.read("updates.json").await?;
        let read = updates.items.into_iter().filter(|id| (cursor.first..cursor.next).contains(id));
        let ids: Vec<u64> = read.filter(|id| !self.gone.contains(id)).take(MAX_BATCH).collect();
        let this: &Self = self;
        let found: Vec<_> = stream::iter(ids).map(|id| this.known(id)).buffered(AT_ONCE).collect().await;
        for known in found {
            let Known::Item(item) = known? else { continue };
            if let (true, Ok(post_id)) = (item.is_gone(), PostId::parse(&item.post_id())) {
                batch.ops.push(Op::Delete { post_id });
                self.gone.push_back(item.id);
            }
        }
        self.gone.drain(..self.gone.len().saturating_sub(MAX_GONE));
        Ok(())
    }

    async fn known(&self, id: u64) -> Result<Known, SourceError> {
        let answer = self.get(&format!("item/{id}.json")).await?;
        // A retry would get the same response, and would block all later items.
        if answer.truncated {
            return Ok(Known::Malformed("the item is too large".to_owned()));
        }
        let value: serde_json::Value = json(&answer)?;
        if value.is_null() {
            return Ok(Known::Null);
        }
        Ok(serde_json::from_value(value).map_or_else(|error| Known::Malformed(error.to_string()), Known::Item))
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, SourceError> {
        json(&self.get(path).await?)
    }

    async fn get(&self, path: &str) -> Result<Answer, SourceError> {
        let url = self.options.base.join(path).map_err(|e| SourceError::Permanent(format!("url: {e}")))?;
        self.fetcher.get(&url, reqwest::header::HeaderMap::new()).await
    }

    fn add(&self, item: Item, batch: &mut Batch) {
        match item.found() {
            Some(found) => found.add_to(batch, "hackernews", self.clock.now()),
            None => batch.filtered += 1,
        }
    }
}

impl Cursor {
    /// Keeps an id that an earlier batch already requested. A new id is not kept, because `next` does not move past it
    /// after an error.
    fn put_back(&mut self, id: u64, tries: u8) {
        if tries > 0 {
            self.holes.push((id, tries));
        }
    }
}

impl Item {
    /// The text and the metadata of the item; `None` if it is deleted or dead.
    pub fn found(self) -> Option<Found> {
        if self.is_gone() {
            return None;
        }
        let post_id = self.post_id();
        let text = self.text.map(|markup| html::text(&markup));
        let parts: Vec<String> = [self.title, text].into_iter().flatten().filter(|part| !part.is_empty()).collect();
        Some(Found {
            post_id,
            content: parts.join("\n\n"),
            author: self.by,
            created_at: self.time.and_then(|seconds| Timestamp::from_millis(seconds.checked_mul(1_000)?)),
            url: Some(format!("https://news.ycombinator.com/item?id={}", self.id)),
            reply_to: self.parent.map(|parent| format!("hn:{parent}")),
            ..Found::default()
        })
    }

    fn is_gone(&self) -> bool {
        self.deleted || self.dead
    }

    fn post_id(&self) -> String {
        format!("hn:{}", self.id)
    }
}

impl Source for HackerNews {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.batch(max.max(1)))
    }
}
