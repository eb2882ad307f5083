//! From a feed's document to its entries.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::super::draft::Found;
use super::super::html;
use crate::domain::Timestamp;
use crate::domain::post::MAX_ID_BYTES;
use crate::outbound::Answer;

/// What a document holds.
pub struct Parsed {
    pub entries: Vec<Entry>,
    /// How long the feed asks to be left alone.
    pub ttl: Option<Duration>,
}

/// An entry of a feed.
pub struct Entry {
    /// A hash of its identity.
    pub key: u64,
    pub found: Found,
    /// When it says that it was last changed.
    pub edited_at: Option<Timestamp>,
}

/// Reads RSS, Atom or JSON Feed.
///
/// # Errors
/// What is wrong with the document.
pub fn parse(answer: &Answer) -> Result<Parsed, String> {
    if answer.truncated {
        return Err(format!("the feed is larger than {} KiB", answer.body.len() / 1024));
    }
    let parser = feed_rs::parser::Builder::new().base_uri(Some(answer.url.as_str())).build();
    let feed = parser.parse(answer.body.as_slice()).map_err(|error| format!("the feed cannot be read: {error}"))?;
    let language = feed.language;
    let ttl = feed.ttl.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
    let entries = feed.entries.into_iter().map(|entry| read(entry, answer, language.as_ref())).collect();
    Ok(Parsed { entries, ttl })
}

fn read(entry: feed_rs::model::Entry, answer: &Answer, language: Option<&String>) -> Entry {
    let link = entry.links.iter().find(|link| link.rel.as_deref().is_none_or(|rel| rel == "alternate"));
    let link = link.or(entry.links.first()).map(|link| link.href.clone());
    // The identity is the guid or id, else the link; one that is no URI is known within its feed alone.
    let identity = if entry.id.trim().is_empty() { link.clone().unwrap_or_default() } else { entry.id };
    let global = identity.contains(':');
    let identity = if global { identity } else { format!("{}#{identity}", answer.url) };
    let hash = Sha256::digest(identity.as_bytes());
    let key = hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let post_id = if identity.len() <= MAX_ID_BYTES {
        identity
    } else {
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("rss:{hex}")
    };
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
            post_id,
            content,
            author: entry.authors.into_iter().filter_map(|author| author.name).find(|name| !name.trim().is_empty()),
            created_at: published.or(updated),
            lang: entry.language.or_else(|| language.cloned()),
            url: link,
            ..Found::default()
        },
    }
}
