//! A server of feeds with validators: RSS, Atom and JSON Feed. The extension of the path selects the format.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;
use url::Url;

use super::web::{Reply, Request, Web, lock};

/// An entry of a feed.
#[derive(Clone)]
pub struct Entry {
    pub id: String,
    pub title: String,
    /// The time of the entry, in Unix seconds.
    pub published: i64,
    pub updated: i64,
}

type Shelf = Arc<Mutex<BTreeMap<String, Vec<Entry>>>>;

/// A host with any number of feeds.
pub struct Feeds {
    pub web: Web,
    shelf: Shelf,
}

impl Feeds {
    pub async fn start() -> Self {
        let shelf = Shelf::default();
        let shown = shelf.clone();
        let web = Web::start(move |request| answer(request, &lock(&shown))).await;
        Self { web, shelf }
    }

    /// The feed at `path`, which ends with `.rss`, `.atom` or `.json`.
    pub fn url(&self, path: &str) -> Url {
        self.web.at(path)
    }

    /// Adds an entry to the feed at `path`.
    pub fn publish(&self, path: &str, entry: Entry) {
        let mut shelf = lock(&self.shelf);
        let feed = shelf.entry(path.to_owned()).or_default();
        feed.retain(|other| other.id != entry.id);
        feed.insert(0, entry);
    }

    /// The number of requests for the feed at `path`.
    pub fn asked(&self, path: &str) -> usize {
        self.web.requests().iter().filter(|request| request.path == path).count()
    }
}

fn answer(request: &Request, shelf: &BTreeMap<String, Vec<Entry>>) -> Reply {
    let Some(entries) = shelf.get(&request.path) else { return Reply::status(404) };
    let newest = entries.iter().map(|entry| entry.updated).max().unwrap_or_default();
    // A weak ETag with quotes and a comma, which clients must send back unchanged.
    let (etag, modified) = (format!("W/\"{},{newest}\"", entries.len()), http_date(newest));
    if request.header("if-none-match") == etag && request.header("if-modified-since") == modified {
        return Reply::status(304);
    }
    let body = match request.path.rsplit('.').next() {
        Some("atom") => atom(entries),
        Some("json") => json_feed(entries),
        _ => rss(entries),
    };
    Reply::ok(body).with("ETag", etag).with("Last-Modified", modified)
}

pub fn rss(entries: &[Entry]) -> String {
    let item = |entry: &Entry| {
        format!(
            "<item><title>{}</title><guid isPermaLink=\"false\">{}</guid><pubDate>{}</pubDate>\
             <description>&lt;p&gt;Read &lt;b&gt;more&lt;/b&gt;&lt;/p&gt;</description></item>",
            escaped(&entry.title),
            entry.id,
            http_date(entry.published)
        )
    };
    let items: String = entries.iter().map(item).collect();
    format!("<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>News</title>{items}</channel></rss>")
}

fn atom(entries: &[Entry]) -> String {
    let item = |entry: &Entry| {
        let (published, updated) = (rfc3339(entry.published), rfc3339(entry.updated));
        format!(
            "<entry><id>{}</id><title>{}</title><published>{published}</published><updated>{updated}</updated></entry>",
            entry.id,
            escaped(&entry.title)
        )
    };
    let items: String = entries.iter().map(item).collect();
    format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>urn:x</id><title>News</title>{items}</feed>")
}

fn json_feed(entries: &[Entry]) -> String {
    let item = |entry: &Entry| {
        json!({"id": entry.id, "title": entry.title, "content_html": "<p>Read <b>more</b></p>",
               "date_published": rfc3339(entry.published)})
    };
    let items: Vec<_> = entries.iter().map(item).collect();
    json!({"version": "https://jsonfeed.org/version/1.1", "title": "News", "items": items}).to_string()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn time(seconds: i64) -> jiff::Zoned {
    jiff::Timestamp::from_second(seconds).expect("a time").to_zoned(jiff::tz::TimeZone::UTC)
}

fn http_date(seconds: i64) -> String {
    time(seconds).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn rfc3339(seconds: i64) -> String {
    time(seconds).timestamp().to_string()
}
