//! Tests of the history import: posts that were written before a source was added.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::Method;
use sentistream::domain::Timestamp;
use sentistream::sources::hackernews::{self, HackerNewsOptions};
use sentistream::sources::mastodon::{self, MastodonOptions};
use sentistream::sources::reddit::{self, RedditOptions};
use sentistream::sources::steam::{self, SteamOptions};
use sentistream::sources::{Batch, Source, SourceError, SourceSpec};
use serde_json::{Value, json};

use super::ingesting::Ingesting;
use super::managed::send;
use super::polling::{fetcher, find, stored};
use crate::api::test_app::{Setup, TestApp, cases};
use crate::fakes::feeds::{self, Entry};
use crate::fakes::hackernews::{Site, comment};
use crate::fakes::mastodon::{Instance, status};
use crate::fakes::steam::Store;
use crate::fakes::web::{Reply, Request, Web, lock};
use crate::process::{Process, within};
use crate::services::Shared;

cases![
    history_of_a_mastodon_tag_is_read_for_its_span,
    history_of_hackernews_is_read_page_by_page,
    history_of_reddit_listings_is_read_to_their_end,
    history_of_steam_reviews_is_read,
    cursor_is_stored_before_the_next_batch_is_read,
];

const DAY: i64 = 86_400;
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// Waits until the history of `name` has finished.
pub async fn finished(app: &TestApp, ingesting: &Ingesting, name: &str) {
    app.eventually("the history has finished", async || {
        let states = ingesting.states.all();
        states.into_iter().find(|state| state.name == format!("{name}/history") && state.state.as_str() == "finished")
    })
    .await;
}

fn seconds_ago(app: &TestApp, seconds: i64) -> Timestamp {
    Timestamp::from_unix(app.clock.now().as_seconds() - seconds).expect("a time")
}

async fn history_of_a_mastodon_tag_is_read_for_its_span(setup: Setup) {
    let app = TestApp::start(setup).await;
    let instance = Instance::start().await;
    // There is one post every two hours, so a week contains 84 posts.
    for number in 0..200_u32 {
        let written = seconds_ago(&app, i64::from(number) * 7_200 + 60);
        let more = json!({"tags": [{"name": "rust"}], "created_at": written.to_string()});
        instance.write(u64::from(1_000 - number), status(u64::from(1_000 - number), "<p>I love it</p>", more));
    }
    let options = MastodonOptions {
        instances: vec![instance.url()],
        tags: vec!["rust".to_owned()],
        local: true,
        interval: Duration::from_secs(60),
        rewind: Duration::from_secs(300),
        history: WEEK,
        token: None,
        idle_limit: Duration::from_secs(60),
    };
    let ingesting = Ingesting::start(&app, mastodon::spec("toots", options, fetcher, app.clock.clone()));
    finished(&app, &ingesting, "toots").await;
    stored(&app, 84).await;
    assert!(find(&app, &instance.post_id(917)).await.is_some() && find(&app, &instance.post_id(916)).await.is_none());
    let pages = instance.web.requests().iter().filter(|request| request.query.contains_key("max_id")).count();
    assert_eq!(pages, 3, "the third page is partly older than the span, and reading stops after the fourth page");
    ingesting.stop().await;
}

/// A fake of the search that <https://hn.algolia.com/api> describes. Items are sorted from the newest, and limited to
/// `hitsPerPage` and 1,000.
fn search(request: &Request, newest: i64, count: i64) -> Reply {
    let get = |name: &str| request.query.get(name).cloned().unwrap_or_default();
    if request.path != "/search/search_by_date" || get("tags") != "(story,comment)" {
        return Reply::status(400);
    }
    let (mut least, mut below) = (i64::MIN, i64::MAX);
    for filter in get("numericFilters").split(',') {
        match (filter.strip_prefix("created_at_i>="), filter.strip_prefix("created_at_i<")) {
            (Some(number), _) => least = number.parse().expect("a number"),
            (_, Some(number)) => below = number.parse().expect("a number"),
            _ => return Reply::status(400),
        }
    }
    let size: usize = get("hitsPerPage").parse().unwrap_or(20);
    // Three items are written in the same second, once every ten minutes.
    let item = |number: i64| {
        let at = newest - number / 3 * 600;
        json!({"objectID": (90_000 - number).to_string(), "created_at_i": at, "author": "pg", "title": null,
               "comment_text": "<p>I love it", "parent_id": 7, "_tags": ["comment"]})
    };
    let all = (0..count).map(item).filter(|item| {
        let at = item["created_at_i"].as_i64().expect("a number");
        (least..below).contains(&at)
    });
    let hits: Vec<Value> = all.take(size.min(1_000)).collect();
    Reply::ok(json!({"hits": hits, "nbHits": count, "page": 0, "hitsPerPage": size}).to_string())
}

async fn history_of_hackernews_is_read_page_by_page(setup: Setup) {
    let app = TestApp::start(setup).await;
    let (site, newest) = (Site::start().await, app.clock.now().as_seconds() - 600);
    site.put(100_000, comment(100_000, "the newest"));
    let algolia = Web::start(move |request| search(request, newest, 5_000)).await;
    let options = HackerNewsOptions {
        base: site.web.at("/v0/"),
        interval: Duration::from_secs(60),
        first_id: None,
        last_id: None,
        history: Duration::from_secs(86_400),
        search: algolia.at("/search/"),
    };
    let ingesting = Ingesting::start(&app, hackernews::spec("hn", options, fetcher, app.clock.clone()));
    finished(&app, &ingesting, "hn").await;
    // A day has 144 intervals of ten minutes, with three items each.
    stored(&app, 144 * 3).await;
    let oldest = find(&app, &format!("hn:{}", 90_000 - 144 * 3 + 1)).await.expect("the oldest item");
    assert_eq!((&oldest["content"], &oldest["reply_to"]), (&json!("I love it"), &json!("hn:7")));
    assert!(algolia.requests().len() <= 4, "{}", algolia.requests().len());
    ingesting.stop().await;
}

/// A source that reads Reddit's fake, with a history of one year.
fn reddit_spec(app: &TestApp, site: &crate::fakes::reddit::Site) -> SourceSpec {
    let options = RedditOptions {
        base: site.web.at("/"),
        token_url: site.web.at("/api/v1/access_token"),
        client_id: crate::fakes::reddit::APPLICATION.0.to_owned(),
        client_secret: crate::fakes::reddit::APPLICATION.1.to_owned().into(),
        user_agent: None,
        subreddits: vec!["rust".to_owned(), "linux".to_owned()],
        comments: true,
        interval: Duration::from_secs(60),
        history: Duration::from_secs(365 * 86_400),
    };
    reddit::spec("talk", options, fetcher(), app.clock.clone())
}

async fn history_of_reddit_listings_is_read_to_their_end(setup: Setup) {
    let app = TestApp::start(setup).await;
    let site = crate::fakes::reddit::Site::start().await;
    for number in 0..250 {
        site.post(&format!("a{number:03}"), "I love it", "");
    }
    site.comment("c1", "I hate it");
    app.clock.set(Timestamp::from_unix(1_772_367_600 + DAY).expect("a time"));
    let ingesting = Ingesting::start(&app, reddit_spec(&app, &site));
    finished(&app, &ingesting, "talk").await;
    stored(&app, 251).await;
    ingesting.stop().await;
}

async fn history_of_steam_reviews_is_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    let store = Store::start().await;
    let now = app.clock.now().as_seconds();
    for number in 0..230_i64 {
        let created = now - 60 - number * 3_600;
        store.write(620, number.unsigned_abs() + 1, (created, created), "I love it");
    }
    let options = SteamOptions {
        base: store.web.at("/"),
        apps: vec![620],
        language: "all".to_owned(),
        interval: Duration::from_secs(60),
        history: WEEK,
    };
    let ingesting = Ingesting::start(&app, steam::spec("games", options, fetcher(), app.clock.clone()));
    finished(&app, &ingesting, "games").await;
    stored(&app, 168).await;
    ingesting.stop().await;
}

/// A source that requires its second batch to be stored before the third batch is read.
struct Announcing {
    name: &'static str,
    batches: u32,
    store: sentistream::store::Store,
    /// The cursor that was stored when the third batch was requested.
    seen: Arc<Mutex<Option<String>>>,
}

impl Source for Announcing {
    fn next(&mut self, _: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
        Box::pin(async move {
            if self.batches == 2 {
                let stored = self.store.cursor(self.name).await.expect("the store answers");
                *lock(&self.seen) = stored;
            }
            self.batches += 1;
            let (must_store, finished) = (self.batches == 2, self.batches == 3);
            Ok(Batch { cursor: Some(self.batches.to_string()), must_store, finished, ..Batch::default() })
        })
    }
}

async fn cursor_is_stored_before_the_next_batch_is_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    let (seen, store) = (Arc::<Mutex<Option<String>>>::default(), app.services.store.clone());
    let shown = seen.clone();
    let spec = SourceSpec::new("past", "past", move |_| {
        Box::new(Announcing { name: "past", batches: 0, store: store.clone(), seen: shown.clone() })
    });
    let ingesting = Ingesting::start(&app, spec);
    let stored = app.eventually("the third batch is read", async || lock(&seen).clone()).await;
    assert_eq!(stored, "2", "the cursor of the second batch is stored");
    ingesting.stop().await;
}

/// A paged feed (RFC 5005) with ten entries per page, and one entry per six hours for thirty days.
fn paged(request: &Request, now: i64) -> Reply {
    let page: i64 = request.query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    if request.path != "/blog.rss" || page > 12 {
        return Reply::status(404);
    }
    let entry = |number: i64| {
        let at = now - number * 21_600 - 60;
        Entry { id: format!("tag:{number}"), title: format!("I love it, number {number}"), published: at, updated: at }
    };
    let entries: Vec<Entry> = ((page - 1) * 10..page * 10).map(entry).collect();
    let next = format!("<atom:link rel=\"next\" href=\"/blog.rss?page={}\"/>", page + 1);
    let head = "<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\">";
    let document =
        feeds::rss(&entries).replace("<rss version=\"2.0\">", head).replace("<channel>", &format!("<channel>{next}"));
    Reply::ok(document)
}

/// Waits until `wanted` accepts the progress of the history of `blog`, and returns the progress.
async fn backfill(process: &Process, wanted: impl Fn(&Value) -> bool) -> Value {
    within("the history has the expected progress", async || {
        let sources = process.get("/api/sources").await;
        let feeds = sources["feeds"].as_array().expect("feeds").clone();
        assert!(
            feeds.iter().all(|feed| feed["name"] == "blog"),
            "a history is not listed as a separate source: {sources}"
        );
        feeds.into_iter().map(|feed| feed["backfill"].clone()).find(|found| found.is_object() && wanted(found))
    })
    .await
}

async fn feed_history(folder: &Path, mut settings: Vec<String>) {
    settings.extend(["ingester.sources=[]".to_owned(), "outbound.allow=127.0.0.1".to_owned()]);
    let now = sentistream::clock::Clock::system().now().as_seconds();
    let web = Arc::new(Web::start(move |request| paged(request, now)).await);
    let process = Process::start(folder, &settings).await;
    process.ready().await;
    let request = json!({"name": "blog", "kind": "rss", "settings": {"feeds": [web.at("/blog.rss")], "history": "7d"}});
    let mut long = request.clone();
    long["settings"]["history"] = json!("91d");
    assert_eq!(send(&process, Method::POST, "/api/sources", &long).await.0, 422);
    assert_eq!(send(&process, Method::POST, "/api/sources", &request).await.0, 201);
    // A pause stops the history too, and a restart continues it.
    backfill(&process, |found| found["posts"].as_u64() >= Some(10)).await;
    send(&process, Method::POST, "/api/sources/blog/pause", &json!({})).await;
    backfill(&process, |found| found["state"] == "paused" || found["state"] == "finished").await;
    assert!(process.terminate().await.success());
    let process = Process::start(folder, &settings).await;
    process.ready().await;
    send(&process, Method::POST, "/api/sources/blog/resume", &json!({})).await;
    let done = backfill(&process, |found| found["state"] == "finished").await;
    assert_eq!(done["posts"], 28, "{done}");
    process.drained(28).await;
    let last = process.get("/api/posts?limit=1&offset=27").await;
    assert!(
        last["posts"][0]["content"].as_str().is_some_and(|text| text.starts_with("I love it, number 27")),
        "{last}"
    );
    let pages = web.requests().iter().filter(|request| request.query.contains_key("page")).count();
    assert!((3..=4).contains(&pages), "{pages}: only a page that the pause interrupted is read twice");
    assert_eq!(send(&process, Method::DELETE, "/api/sources/blog", &json!({})).await.0, 204);
    within("the source is deleted", async || (process.get("/api/sources").await["feeds"] == json!([])).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_history_of_a_feed_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    feed_history(folder.path(), Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_history_of_a_feed_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    feed_history(folder.path(), Shared::create().await.settings()).await;
}
