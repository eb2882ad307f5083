//! Parses the entries of a feed's document.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use feed_rs::model;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::super::date;
use super::super::draft::Found;
use super::super::fetch::place;
use super::super::html;
use super::error::FeedError;
use super::{discovery, json, limits, repair};
use sentistream_core::domain::Timestamp;
use sentistream_core::domain::post::MAX_ID_BYTES;

/// The maximum number of entries per document that become posts. If there are more, the newest are used.
pub const MAX_ENTRIES: usize = 1_000;

/// The content of a feed's document.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The entries, oldest first.
    pub entries: Vec<Entry>,
    /// The time for which the feed may be cached.
    pub ttl: Option<Duration>,
    /// The number of entries in the middle of a very long document, which were not parsed.
    pub left_out: usize,
    /// The number of parsed entries that were dropped because 1,000 others are newer.
    pub too_old: usize,
    /// The URL of the document with older entries (RFC 5005).
    pub older: Option<Url>,
}

/// An entry of a feed.
#[derive(Debug)]
pub struct Entry {
    /// A hash of the entry's identity, which is its id, or else its link, its title or its text.
    pub key: u64,
    /// The post that the entry describes.
    pub found: Found,
    /// When the entry was last changed, according to the feed.
    pub edited_at: Option<Timestamp>,
}

/// Parses RSS, Atom or JSON Feed: the document of `feed`, which was received from `url` after redirects. A document
/// that is not well-formed is repaired if possible.
///
/// # Errors
/// When the document is not a feed. [`FeedError::Page`] when the document is a page that links to a feed.
pub fn parse(document: &[u8], feed: &Url, url: &Url) -> Result<Parsed, FeedError> {
    let (read, left_out) = match read(document, url) {
        Ok(read) => read,
        Err(error) => {
            let repaired = repair::repaired(document).and_then(|repaired| self::read(&repaired, url).ok());
            let page = || discovery::feed_of_page(document, url).map_or(error, FeedError::Page);
            repaired.ok_or_else(page)?
        }
    };
    let language = read.language;
    let ttl = read.ttl.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
    let is_older = |link: &&model::Link| matches!(link.rel.as_deref(), Some("next" | "prev-archive"));
    let older = read.links.iter().find(is_older).and_then(|link| url.join(&link.href).ok());
    let mut entries = read.entries;
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.published.or(entry.updated)));
    let too_old = entries.len().saturating_sub(MAX_ENTRIES);
    entries.truncate(MAX_ENTRIES);
    let entries = entries.into_iter().rev().map(|entry| self::entry(entry, feed, language.as_ref())).collect();
    Ok(Parsed { entries, ttl, left_out, too_old, older })
}

/// Parses a document. Returns the feed and the number of entries that were left out.
fn read(document: &[u8], url: &Url) -> Result<(model::Feed, usize), FeedError> {
    let (document, left_out) = match json::tidied(document)? {
        Some((tidied, left_out)) => (Cow::Owned(tidied), left_out),
        None => limits::of_xml(document)?,
    };
    let parser = feed_rs::parser::Builder::new()
        .base_uri(Some(url.as_str()))
        // Markup is converted to text later, so the parser must not change it.
        .sanitize_content(false)
        // An entry without an id is identified by its link, or by its title.
        .id_generator(|links, title, _| {
            let title = || title.as_ref().map_or_else(String::new, |title| title.content.clone());
            link(links).unwrap_or_else(title)
        })
        .timestamp_parser(|text| Some(SystemTime::from(date::date(text, None)?).into()))
        .build();
    // The library slices some strings at byte positions, and panics if the position is inside a character.
    let read = catch_unwind(AssertUnwindSafe(|| parser.parse(&*document))).map_err(|_| FeedError::Panic)?;
    Ok((read?, left_out))
}

fn link(links: &[model::Link]) -> Option<String> {
    let page = links.iter().find(|link| link.rel.as_deref().is_none_or(|rel| rel == "alternate"));
    page.or(links.first()).map(|link| link.href.clone())
}

fn entry(entry: model::Entry, feed: &Url, language: Option<&String>) -> Entry {
    let url = link(&entry.links);
    let title = entry.title.map(|title| html::text(&title.content)).unwrap_or_default();
    // Feeds of videos and podcasts have their text in media:description and itunes:summary.
    let media = entry.media.into_iter().filter_map(|media| Some(media.description?.content));
    let bodies = [entry.content.and_then(|content| content.body), entry.summary.map(|summary| summary.content)];
    let mut bodies = bodies.into_iter().flatten().chain(media).map(|body| html::text(&body));
    let body = bodies.find(|body| !body.is_empty()).unwrap_or_default();
    // Many feeds repeat the title in the content, or have only a title.
    let content = match (title.is_empty(), body.starts_with(&title)) {
        (false, false) if body.is_empty() => title,
        (false, false) => format!("{title}\n\n{body}"),
        _ => body,
    };
    let id = if entry.id.is_empty() { format!("{:016x}", hash(&content).0) } else { entry.id };
    // An id that is not a URI is unique only within its feed.
    let identity = if id.contains(':') { id } else { identity_in(feed, &id) };
    let (key, hash) = hash(&identity);
    let time = |millis: Option<i64>| millis.and_then(Timestamp::from_millis);
    let (published, updated) =
        (time(entry.published.map(|at| at.timestamp_millis())), time(entry.updated.map(|at| at.timestamp_millis())));
    Entry {
        key,
        edited_at: updated.filter(|updated| published.is_none_or(|published| *updated > published)),
        found: Found {
            post_id: post_id(&identity, &hash),
            content,
            author: entry.authors.into_iter().filter_map(|author| author.name).find(|name| !name.trim().is_empty()),
            created_at: published.or(updated),
            lang: entry.language.or_else(|| language.cloned()),
            url,
            ..Found::default()
        },
    }
}

/// The id of the post of an entry whose id is unique only within `feed`.
pub fn id_in(feed: &Url, id: &str) -> String {
    let identity = identity_in(feed, id);
    post_id(&identity, &hash(&identity).1)
}

fn identity_in(feed: &Url, id: &str) -> String {
    format!("{}#{id}", label(feed))
}

/// An identifier of `feed` without its URL, which may contain a secret.
pub fn label(feed: &Url) -> String {
    format!("{}/{:016x}", place(feed), hash(feed.as_str()).0)
}

fn hash(text: &str) -> (u64, [u8; 32]) {
    let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    (hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)), hash)
}

/// The id of a post: the identity, or its hash if the identity is too long.
fn post_id(identity: &str, hash: &[u8]) -> String {
    let id = format!("rss:{identity}");
    if id.len() <= MAX_ID_BYTES && !id.contains('\0') {
        return id;
    }
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("rss:{hex}")
}

#[cfg(test)]
mod tests;
