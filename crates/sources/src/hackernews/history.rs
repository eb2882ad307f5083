//! Reads older stories and comments from the search that Algolia runs for Hacker News (<https://hn.algolia.com/api>).
//!
//! `search_by_date` returns the newest items first, and at most a thousand per query. Each request therefore selects
//! the items before the oldest item of the previous page.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::super::SourceError;
use super::super::draft::Found;
use super::super::fetch::{Fetcher, json};
use super::super::history::{Page, Pages, Wanted};
use super::super::html;
use super::super::lenient::lenient;
use sentistream_core::clock::Clock;
use sentistream_core::domain::Timestamp;

/// The number of items per page.
const HITS: usize = 200;

/// Reads the pages of the search.
pub struct Search {
    /// The base URL of the search: `https://hn.algolia.com/api/v1/`
    pub base: Url,
    /// The fetcher of the search.
    pub fetcher: Arc<Fetcher>,
    /// The clock that gives the time of items without a time.
    pub clock: Clock,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Value>,
}

/// An item in the search results. Its fields have other names than in the API of Hacker News.
#[derive(Debug, Deserialize)]
struct Hit {
    #[serde(rename = "objectID")]
    id: String,
    /// The time of the item, in Unix seconds.
    created_at_i: i64,
    #[serde(default, deserialize_with = "lenient")]
    author: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    title: Option<String>,
    /// HTML.
    #[serde(default, deserialize_with = "lenient")]
    story_text: Option<String>,
    /// HTML.
    #[serde(default, deserialize_with = "lenient")]
    comment_text: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    parent_id: Option<u64>,
}

impl Hit {
    fn found(self) -> Found {
        let bodies = [self.story_text, self.comment_text].into_iter().flatten().map(|markup| html::text(&markup));
        let parts: Vec<String> = self.title.into_iter().chain(bodies).filter(|part| !part.is_empty()).collect();
        Found {
            post_id: format!("hn:{}", self.id),
            content: parts.join("\n\n"),
            author: self.author,
            created_at: self.created_at_i.checked_mul(1_000).and_then(Timestamp::from_millis),
            url: Some(format!("https://news.ycombinator.com/item?id={}", self.id)),
            reply_to: self.parent_id.map(|parent| format!("hn:{parent}")),
            ..Found::default()
        }
    }
}

impl Search {
    async fn read(&self, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        // The upper limit is exclusive, so the first request adds one second to include items from the second at which
        // the history began.
        let before = wanted.position.and_then(|text| text.parse().ok()).unwrap_or(wanted.began.as_seconds() + 1);
        let url = self.base.join("search_by_date");
        let mut url = url.map_err(|error| SourceError::Permanent(format!("search_url: {error}")))?;
        let times = format!("created_at_i>={},created_at_i<{before}", wanted.since.as_seconds());
        url.query_pairs_mut()
            .append_pair("tags", "(story,comment)")
            .append_pair("numericFilters", &times)
            .append_pair("hitsPerPage", &HITS.to_string());
        let Hits { hits } = json(&self.fetcher.get(&url, HeaderMap::new()).await?)?;
        let is_full = hits.len() >= HITS;
        let (mut page, mut oldest) = (Page::default(), before);
        for hit in hits {
            match serde_json::from_value::<Hit>(hit) {
                Ok(hit) => {
                    oldest = oldest.min(hit.created_at_i);
                    hit.found().add_to(&mut page.batch, "hackernews", self.clock.now());
                }
                Err(error) => page.batch.rejected.push(format!("invalid search result: {error}")),
            }
        }
        // The second of the oldest item is requested again, because the page may contain only some items of that
        // second.
        page.next = is_full.then(|| (oldest + 1).min(before - 1).to_string());
        Ok(page)
    }
}

impl Pages for Search {
    fn places(&self) -> Vec<String> {
        vec!["search".to_owned()]
    }

    fn page<'a>(&'a mut self, wanted: Wanted<'a>) -> BoxFuture<'a, Result<Page, SourceError>> {
        Box::pin(self.read(wanted))
    }
}
