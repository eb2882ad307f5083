//! The polling sources: measures the speed of parsing their responses, and provides the fakes for a soak.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sentistream::clock::Clock;
use sentistream::outbound::{Outbound, OutboundOptions};
use sentistream::sources::budget::Budget;
use sentistream::sources::fetch::Fetcher;
use sentistream::sources::hackernews::HackerNewsOptions;
use sentistream::sources::mastodon::MastodonOptions;
use sentistream::sources::reddit::RedditOptions;
use sentistream::sources::rss::RssOptions;
use sentistream::sources::{Batch, SourceSpec, hackernews, mastodon, reddit, rss};
use serde_json::{Value, json};

use crate::feeds::{self, Entry, Feeds};
use crate::mastodon as instance;
use crate::web::Reply;

const MARKUP: &str = r#"<p><span class="h-card"><a href="https://m.example/@bob" class="u-url mention">@<span>bob</span></a></span> the new phone is out 📱 &amp; everybody has something to say about it:<br>slow, &quot;dear&quot; and loved.</p><p><a href="https://m.example/tags/acme" class="mention hashtag" rel="tag">#<span>acme</span></a> <a href="https://x.example/a/long/path" rel="nofollow"><span class="invisible">https://</span><span class="ellipsis">x.example/a/lo</span><span class="invisible">ng/path</span></a></p>"#;

/// Prints how many posts per second one core parses, from the bytes of a response to valid posts.
pub fn read() {
    let now = Clock::system().now();
    let entries: Vec<_> = (0..50).map(|n| entry(n, MARKUP)).collect();
    let (document, feed) = (feeds::rss(&entries), "https://blog.example/feed".parse().unwrap());
    measure("feeds", document.len() / entries.len(), || {
        let mut batch = Batch::default();
        for entry in rss::parse(document.as_bytes(), &feed, &feed).unwrap().entries {
            entry.found.add_to(&mut batch, "rss", now);
        }
        batch.ops.len()
    });
    let statuses: Vec<Value> = (0..40).map(|id| instance::status(id, MARKUP, json!({}))).collect();
    let page = serde_json::to_string(&statuses).unwrap();
    measure("mastodon", page.len() / statuses.len(), || {
        let mut batch = Batch::default();
        for status in serde_json::from_str::<Vec<mastodon::Status>>(&page).unwrap() {
            status.found("m.example").add_to(&mut batch, "mastodon", now);
        }
        batch.ops.len()
    });
    let item = crate::hackernews::comment(7, MARKUP).to_string();
    measure("hackernews", item.len(), || {
        let mut batch = Batch::default();
        let item: hackernews::Item = serde_json::from_str(&item).unwrap();
        item.found().unwrap().add_to(&mut batch, "hackernews", now);
        batch.ops.len()
    });
    let thing = json!({
        "id": "1abcd", "name": "t3_1abcd", "author": "ada", "created_utc": 1_772_367_600.0, "title": "The new phone",
        "selftext": "Everybody has something to say about it. ".repeat(10), "permalink": "/r/x/comments/1abcd/x/",
    });
    let thing = thing.to_string();
    measure("reddit", thing.len(), || {
        let mut batch = Batch::default();
        let (_, thing) = reddit::Thing::read(serde_json::from_str(&thing).unwrap()).unwrap();
        thing.found().unwrap().add_to(&mut batch, "reddit", now);
        batch.ops.len()
    });
}

fn measure(name: &str, size: usize, once: impl Fn() -> usize) {
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_secs(2) {
        count += std::hint::black_box(once());
    }
    let rate = count as f64 / started.elapsed().as_secs_f64();
    println!("read, {name:<14} {rate:>10.0} posts/s on one core ({size} bytes each)");
}

fn entry(n: u64, title: &str) -> Entry {
    let published = Clock::system().now().as_seconds();
    Entry { id: format!("tag:bench,{n}"), title: title.to_owned(), published, updated: published }
}

/// One running fake of each service.
pub struct Network {
    feeds: Feeds,
    instance: instance::Instance,
    hackernews: crate::hackernews::Site,
    reddit: crate::reddit::Site,
    published: AtomicU64,
}

impl Network {
    pub async fn start() -> Self {
        let network = Self {
            feeds: Feeds::start().await,
            instance: instance::Instance::start().await,
            hackernews: crate::hackernews::Site::start().await,
            reddit: crate::reddit::Site::start().await,
            published: AtomicU64::new(0),
        };
        network.hackernews.put(1, json!(null));
        network
    }

    /// The sources that read from the fakes. Mastodon uses streaming.
    pub fn specs(&self) -> Vec<SourceSpec> {
        let (clock, interval) = (Clock::system(), Duration::from_secs(1));
        let feeds = RssOptions {
            feeds: vec![self.feeds.url("/bench.rss")],
            min_interval: interval,
            max_interval: 2 * interval,
            history: Duration::ZERO,
        };
        let streaming = MastodonOptions {
            instances: vec![self.instance.url()],
            tags: Vec::new(),
            local: true,
            interval,
            token: Some(instance::TOKEN.to_owned().into()),
            rewind: Duration::from_secs(300),
            history: Duration::ZERO,
            idle_limit: Duration::from_secs(10),
        };
        let items = HackerNewsOptions {
            base: self.hackernews.web.at("/v0/"),
            interval,
            first_id: Some(2),
            last_id: None,
            history: Duration::ZERO,
            search: self.hackernews.web.at("/search/"),
        };
        let subreddits = RedditOptions {
            base: self.reddit.web.at("/"),
            token_url: self.reddit.web.at("/api/v1/access_token"),
            client_id: crate::reddit::APPLICATION.0.to_owned(),
            client_secret: crate::reddit::APPLICATION.1.to_owned().into(),
            user_agent: None,
            subreddits: vec!["rust".to_owned(), "linux".to_owned()],
            comments: false,
            interval,
            history: Duration::ZERO,
        };
        vec![
            rss::spec("rss", feeds, fetcher, clock.clone()),
            mastodon::spec("mastodon", streaming, fetcher, clock.clone()),
            hackernews::spec("hackernews", items, fetcher, clock.clone()),
            reddit::spec("reddit", subreddits, fetcher(), clock),
        ]
    }

    /// Publishes the same post on each service.
    pub fn publish(&self) {
        let n = self.published.fetch_add(1, Ordering::Relaxed);
        let text = format!("Number {n}: everybody has something to say about it");
        self.feeds.publish("/bench.rss", entry(n, &text));
        self.instance.write(n + 1, instance::status(n + 1, &text, json!({})));
        self.hackernews.put(n + 2, crate::hackernews::comment(n + 2, &text));
        self.reddit.post(&format!("1{n:08}"), &text, "");
    }

    /// The number of posts that each source must have read at the end.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Interrupts all services: they reset connections, then respond with status 500, then with status 429 and
    /// `Retry-After`.
    pub fn cut(&self) {
        self.instance.cut();
        let webs = [&self.feeds.web, &self.instance.web, &self.hackernews.web, &self.reddit.web];
        for web in webs {
            web.script_replies([Reply::Reset, Reply::status(500), Reply::status(429).with("Retry-After", "2")]);
        }
    }
}

pub fn fetcher() -> Fetcher {
    let options = OutboundOptions { allow: vec!["127.0.0.1/32".parse().unwrap()], ..OutboundOptions::default() };
    let budget = Budget::new(NonZeroU32::new(6_000).unwrap(), Duration::from_secs(60));
    Fetcher::new(Outbound::new(options).unwrap(), budget, Clock::system())
}
