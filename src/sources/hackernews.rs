//! Hacker News: stories and comments in the order of their ids, from a public API without a key.
//!
//! Ids are given out in order, and an item may be `null` for a moment before it can be read: such ids are asked
//! again some times before they are given up. API: <https://github.com/HackerNews/API>.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use url::Url;

use super::draft::Found;
use super::fetch::{Fetcher, json};
use super::{Batch, Source, SourceError, SourceSpec, html};
use crate::clock::Clock;
use crate::domain::Timestamp;

/// Items that are asked for at the same time.
const AT_ONCE: usize = 8;
/// How often an id is asked for that has no item yet.
const TRIES: u8 = 5;
/// Ids without an item that are remembered; of more the oldest are given up.
const MAX_HOLES: usize = 500;

/// Where to read, and what.
#[derive(Clone, Debug)]
pub struct HackerNewsOptions {
    /// `https://hacker-news.firebaseio.com/v0/`
    pub base: Url,
    /// Between two looks for new items.
    pub interval: Duration,
    /// How many items before the newest one the first start begins.
    pub back_fill: u64,
}

/// What is kept between runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// The next id to ask for.
    next: u64,
    /// Ids that had no item yet, and how often they were asked for.
    #[serde(default)]
    holes: Vec<(u64, u8)>,
}

/// An item; `null` where there is none.
#[derive(Deserialize)]
struct Item {
    id: u64,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    dead: bool,
    by: Option<String>,
    /// Unix seconds.
    time: Option<i64>,
    title: Option<String>,
    /// HTML.
    text: Option<String>,
    parent: Option<u64>,
}

/// The source of Hacker News' items.
pub struct HackerNews {
    options: HackerNewsOptions,
    fetcher: Arc<Fetcher>,
    clock: Clock,
    cursor: Option<Cursor>,
}

/// The source `name`.
pub fn spec(name: &str, options: HackerNewsOptions, fetcher: Fetcher, clock: Clock) -> SourceSpec {
    let fetcher = Arc::new(fetcher);
    SourceSpec::new("hackernews", name, move |opening| {
        let cursor = opening.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok());
        Box::new(HackerNews { options: options.clone(), fetcher: fetcher.clone(), clock: clock.clone(), cursor })
    })
}

impl HackerNews {
    async fn batch(&mut self, max: usize) -> Result<Batch, SourceError> {
        let newest: u64 = self.read("maxitem.json").await?;
        let mut cursor = self
            .cursor
            .clone()
            .unwrap_or_else(|| Cursor { next: newest.saturating_sub(self.options.back_fill) + 1, holes: Vec::new() });
        // A server that is restored from a copy may be behind for a while.
        let last = newest.min(cursor.next.saturating_add(max as u64).saturating_sub(1));
        let tried = std::mem::take(&mut cursor.holes);
        let new = (cursor.next..=last).map(|id| (id, 0));
        let wanted: Vec<(u64, u8)> = tried.into_iter().chain(new).collect();
        let this: &Self = self;
        let items: Vec<(u64, u8, Option<Item>)> = stream::iter(wanted)
            .map(|(id, tries)| async move { Ok((id, tries, this.read(&format!("item/{id}.json")).await?)) })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut batch = Batch::default();
        for (id, tries, item) in items {
            match item {
                Some(item) => this.add(item, &mut batch),
                None if tries + 1 < TRIES => cursor.holes.push((id, tries + 1)),
                None => batch.filtered += 1,
            }
        }
        cursor.holes.drain(..cursor.holes.len().saturating_sub(MAX_HOLES));
        cursor.next = cursor.next.max(last + 1);
        batch.wait = if last < newest { Duration::ZERO } else { self.options.interval };
        // Numbers always have a JSON form.
        batch.cursor = Some(serde_json::to_string(&cursor).unwrap_or_default());
        self.cursor = Some(cursor);
        Ok(batch)
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, SourceError> {
        let url = self.options.base.join(path).map_err(|e| SourceError::Permanent(format!("base: {e}")))?;
        json(&self.fetcher.get(&url, reqwest::header::HeaderMap::new()).await?)
    }

    fn add(&self, item: Item, batch: &mut Batch) {
        if item.deleted || item.dead {
            batch.filtered += 1;
            return;
        }
        let text = item.text.map(|markup| html::text(&markup));
        let parts: Vec<String> = [item.title, text].into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let found = Found {
            post_id: format!("hn:{}", item.id),
            content: parts.join("\n\n"),
            author: item.by,
            created_at: item.time.and_then(|seconds| Timestamp::from_millis(seconds.checked_mul(1_000)?)),
            url: Some(format!("https://news.ycombinator.com/item?id={}", item.id)),
            reply_to: item.parent.map(|parent| format!("hn:{parent}")),
            ..Found::default()
        };
        found.add_to(batch, "hackernews", self.clock.now());
    }
}

impl Source for HackerNews {
    fn next(&mut self, max: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(self.batch(max.max(1)))
    }
}
