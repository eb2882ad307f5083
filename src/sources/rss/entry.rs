//! From a feed's document to its entries.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use feed_rs::model;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::super::draft::Found;
use super::super::fetch::place;
use super::super::html;
use super::{date, repair};
use crate::domain::Timestamp;
use crate::domain::post::MAX_ID_BYTES;

/// Entries of one document that are taken, the newest.
const MAX_ENTRIES: usize = 1_000;

/// What a document holds.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Oldest first.
    pub entries: Vec<Entry>,
    /// How long the feed asks to be left alone.
    pub ttl: Option<Duration>,
}

/// An entry of a feed.
#[derive(Debug)]
pub struct Entry {
    /// A hash of its identity.
    pub key: u64,
    pub found: Found,
    /// When it says that it was last changed.
    pub edited_at: Option<Timestamp>,
}

/// Reads RSS, Atom or JSON Feed: the document of `feed`, which came from `url` after redirects. What is not
/// well-formed is repaired if possible.
///
/// # Errors
/// What is wrong with the document.
pub fn parse(document: &[u8], feed: &Url, url: &Url) -> Result<Parsed, String> {
    let read = match read(document, url) {
        Ok(read) => read,
        Err(error) => repair::repaired(document).and_then(|repaired| self::read(&repaired, url).ok()).ok_or(error)?,
    };
    let language = read.language;
    let ttl = read.ttl.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
    let mut entries = read.entries;
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.published.or(entry.updated)));
    entries.truncate(MAX_ENTRIES);
    let entries = entries.into_iter().rev().map(|entry| self::entry(entry, feed, language.as_ref())).collect();
    Ok(Parsed { entries, ttl })
}

fn read(document: &[u8], url: &Url) -> Result<model::Feed, String> {
    let parser = feed_rs::parser::Builder::new()
        .base_uri(Some(url.as_str()))
        // Markup becomes text here.
        .sanitize_content(false)
        // Without an identity of its own an entry is known by its link, else by its title.
        .id_generator(|links, title, _| {
            let title = || title.as_ref().map_or_else(String::new, |title| title.content.clone());
            link(links).unwrap_or_else(title)
        })
        .timestamp_parser(|text| Some(SystemTime::from(date::date(text)?).into()))
        .build();
    // The library cuts texts at bytes in places, which ends in a panic when a character is cut.
    let read = catch_unwind(AssertUnwindSafe(|| parser.parse(document)));
    let read = read.map_err(|_| "the feed cannot be read: its reader gave up".to_owned())?;
    read.map_err(|error| format!("the feed cannot be read: {error}"))
}

fn link(links: &[model::Link]) -> Option<String> {
    let page = links.iter().find(|link| link.rel.as_deref().is_none_or(|rel| rel == "alternate"));
    page.or(links.first()).map(|link| link.href.clone())
}

fn entry(entry: model::Entry, feed: &Url, language: Option<&String>) -> Entry {
    let url = link(&entry.links);
    // One that is no URI is known within its feed alone.
    let identity = if entry.id.contains(':') { entry.id } else { format!("{}#{}", label(feed), entry.id) };
    let (key, hash) = hash(&identity);
    let title = entry.title.map(|title| html::text(&title.content)).unwrap_or_default();
    let body = entry.content.and_then(|content| content.body).or(entry.summary.map(|summary| summary.content));
    let body = body.map(|body| html::text(&body)).unwrap_or_default();
    // Many feeds repeat the title, or have nothing else.
    let content = match (title.is_empty(), body.starts_with(&title)) {
        (false, false) if body.is_empty() => title,
        (false, false) => format!("{title}\n\n{body}"),
        _ => body,
    };
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

/// What tells `feed` from others without telling its whole address, which may hold a secret.
pub fn label(feed: &Url) -> String {
    format!("{}/{:016x}", place(feed), hash(feed.as_str()).0)
}

fn hash(text: &str) -> (u64, [u8; 32]) {
    let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    (hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)), hash)
}

/// The identity itself where it fits, so that people recognise it.
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
