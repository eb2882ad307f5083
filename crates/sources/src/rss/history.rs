//! Reads older entries of feeds: paged and archived feeds (RFC 5005), `next_url` of JSON Feed
//! (<https://www.jsonfeed.org/version/1.1/>), and the posts of Discourse forums.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde::Deserialize;
use url::Url;

use super::super::SourceError;
use super::super::fetch::{place, shown};
use super::super::history::{Page, Pages, Wanted};
use super::{FeedError, Shared, TYPES, discourse, document, entry};
use sentistream_core::clock::Clock;
use sentistream_core::outbound::Answer;

/// Reads the pages of all feeds of a source.
pub(super) struct OlderEntries {
    /// The feeds and their fetchers.
    pub shared: Arc<Shared>,
    /// The clock that gives the time of entries without a date.
    pub clock: Clock,
}

#[derive(Deserialize)]
struct JsonFeed {
    next_url: Option<String>,
}

impl OlderEntries {
    async fn read(&self, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        let feed = &self.shared.options.feeds[wanted.place];
        let wrong = |error| SourceError::Permanent(format!("stored URL of a page of {}: {error}", shown(feed)));
        let url = wanted.position.map_or_else(|| Ok(feed.clone()), Url::parse).map_err(wrong)?;
        if let Some(pages) = discourse::Pages::at(&url) {
            let page = discourse::request_url(&url, feed);
            let (answer, feed, clock) = (self.request(feed, &page).await?, feed.clone(), self.clock.clone());
            let since = wanted.since;
            // A large document takes long to parse, so it is parsed on a blocking thread.
            let read = tokio::task::spawn_blocking(move || pages.read((&answer, &feed), since, clock.now())).await;
            return read.map_err(|error| SourceError::Transient(format!("{}: {error}", shown(&url))))?;
        }
        match self.document(feed, &url).await? {
            Document::Feed(page) => Ok(*page),
            // The configured URL is a page that links to the feed.
            Document::Page(found) if found != url => Ok(Page { next: Some(found.to_string()), ..Page::default() }),
            Document::Page(_) => Err(SourceError::Permanent(format!("{} is not a feed", shown(&url)))),
        }
    }

    async fn request(&self, feed: &Url, url: &Url) -> Result<Answer, SourceError> {
        let host = place(feed);
        let fetcher = self.shared.fetchers.get(host);
        let fetcher = fetcher.ok_or_else(|| SourceError::Permanent(format!("{host} has no fetcher")))?;
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(TYPES))]);
        let answer = fetcher.get(url, headers).await?;
        if !answer.status.is_success() {
            return Err(SourceError::Transient(format!("{} answered {}", shown(url), answer.status)));
        }
        Ok(answer)
    }

    async fn document(&self, feed: &Url, url: &Url) -> Result<Document, SourceError> {
        let answer = self.request(feed, url).await?;
        let (feed, now) = (feed.clone(), self.clock.now());
        // A large document takes long to parse, so it is parsed on a blocking thread.
        let read = tokio::task::spawn_blocking(move || -> Result<Document, FeedError> {
            let parsed = match document(&answer, &feed) {
                Err(FeedError::Page(found)) => return Ok(Document::Page(found)),
                parsed => parsed?,
            };
            let older = parsed.older.or_else(|| {
                let found: JsonFeed = serde_json::from_slice(&answer.body).ok()?;
                answer.url.join(&found.next_url?).ok()
            });
            let ids = || parsed.entries.iter().map(|entry| entry.found.post_id.clone());
            let older = older.or_else(|| discourse::next(&answer.url, &feed, ids()));
            let mut page = Page { next: older.filter(is_web).map(Into::into), ..Page::default() };
            for entry in parsed.entries {
                // Without a date the entry would get the current time.
                match entry.found.created_at {
                    Some(_) => entry.found.add_to(&mut page.batch, "rss", now),
                    None => page.batch.filtered += 1,
                }
            }
            Ok(Document::Feed(Box::new(page)))
        });
        let failed = |reason: &dyn std::fmt::Display| SourceError::Transient(format!("{}: {reason}", shown(url)));
        read.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}

enum Document {
    Feed(Box<Page>),
    /// A web page that links to this feed.
    Page(Url),
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

impl Pages for OlderEntries {
    fn places(&self) -> Vec<String> {
        self.shared.options.feeds.iter().map(entry::label).collect()
    }

    fn page<'a>(&'a mut self, wanted: Wanted<'a>) -> BoxFuture<'a, Result<Page, SourceError>> {
        Box::pin(self.read(wanted))
    }
}
