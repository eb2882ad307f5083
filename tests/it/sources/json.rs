//! Tests of the JSON source against a fake API with pages, a key and entity tags.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use sentistream::sources::SourceSpec;
use sentistream::sources::json::{self, JsonOptions};
use sentistream::sources::mapping::{Mapping, Path};
use serde_json::{Value, json};

use super::ingesting::Ingesting;
use super::managed::send;
use super::polling::{fetcher, find, stored};
use crate::api::test_app::{Setup, TestApp, cases};
use crate::fakes::reviews::{KEY, Reviews};
use crate::fakes::web::Reply;
use crate::process::Process;

cases![
    json_source_reads_new_and_changed_items,
    json_source_follows_next_page_urls_in_the_document,
    pages_that_repeat_items_or_fail_lose_no_posts,
    pinned_item_does_not_hide_further_pages,
    refused_key_is_reported_without_the_key,
];

fn path(text: &str) -> Path {
    text.parse().expect("a path")
}

fn spec(app: &TestApp, reviews: &Reviews, place: &str, key: &'static str) -> SourceSpec {
    let (items, next) = if place == "/api" { ("$.data.reviews", Some(path("$.links.next"))) } else { ("$", None) };
    let options = JsonOptions {
        url: reviews.web.at(place),
        headers: HeaderMap::from_iter([(AUTHORIZATION, key.parse().expect("a value"))]),
        mapping: Mapping {
            items: path(items),
            text: path("$.body"),
            id: Some(path("$.id")),
            author: Some(path("$.user.name")),
            time: Some(path("$.posted")),
            url: Some(path("$.link")),
            lang: Some(path("$.lang")),
        },
        next,
        interval: Duration::from_millis(20),
        history: Duration::ZERO,
    };
    json::spec("shop", options, fetcher(), app.clock.clone())
}

async fn json_source_reads_new_and_changed_items(setup: Setup) {
    let app = TestApp::start(setup).await;
    let reviews = Reviews::start().await;
    for id in 0..25 {
        reviews.write(id, "I love it");
    }
    let ingesting = Ingesting::start(&app, spec(&app, &reviews, "/reviews", KEY));
    stored(&app, 10).await;
    let review = find(&app, "shop:24").await.expect("stored");
    assert_eq!((&review["source"], &review["author"]), (&json!("shop"), &json!("ada")));
    assert_eq!((&review["lang"], &review["url"]), (&json!("en"), &json!("https://shop.example/reviews/24")));
    assert_eq!(review["created_at"], "2026-03-01T12:00:24.000Z");
    app.eventually("an unchanged page is answered with 304", async || {
        let requests = reviews.web.requests();
        requests.last().is_some_and(|request| !request.header("if-none-match").is_empty()).then_some(())
    })
    .await;

    // A changed text replaces the stored text. A changed number of stars has no effect. An item without text is
    // reported once.
    reviews.write(24, "I hate it");
    reviews.add(json!({"id": 900, "stars": 1}));
    let stars = json!({"id": 23, "body": "I love it", "user": {"name": "ada"}, "stars": 5, "lang": "en",
        "posted": 1_772_366_423, "link": "https://shop.example/reviews/23"});
    reviews.add(stars);
    app.eventually("the change is stored", async || {
        let review = find(&app, "shop:24").await?;
        (review["content"] == "I hate it" && review["sentiment"]["label"] == "negative").then_some(())
    })
    .await;
    let state = ingesting.states.all().remove(0);
    assert_eq!((state.rejected, state.errors), (1, 0), "{state:?}");
    ingesting.stop().await;

    // After a pause, several pages are read, and each review is read once.
    for id in 100..130 {
        reviews.write(id, "I love it");
    }
    let ingesting = Ingesting::start(&app, spec(&app, &reviews, "/reviews", KEY));
    let books = stored(&app, 40).await;
    assert_eq!((&books["replacement"], &books["duplicate"]), (&json!(1), &json!(0)), "{books}");
    ingesting.stop().await;
}

async fn json_source_follows_next_page_urls_in_the_document(setup: Setup) {
    let app = TestApp::start(setup).await;
    let (reviews, other) = (Reviews::start().await, Reviews::start().await);
    reviews.write(1, "I love it");
    let ingesting = Ingesting::start(&app, spec(&app, &reviews, "/api", KEY));
    stored(&app, 1).await;
    for id in 2..25 {
        reviews.write(id, "I love it");
    }
    stored(&app, 24).await;

    // The next page may be on another host, to which the key is not sent.
    let first =
        json!({"data": {"reviews": [{"id": 50, "body": "I love it"}]}, "links": {"next": other.web.at("/api")}});
    reviews.web.script_replies([Reply::ok(first.to_string())]);
    app.eventually("the other host is requested", async || (!other.web.requests().is_empty()).then_some(())).await;
    assert!(other.web.requests().iter().all(|request| request.header("authorization").is_empty()));
    ingesting.stop().await;
}

async fn pages_that_repeat_items_or_fail_lose_no_posts(setup: Setup) {
    let app = TestApp::start(setup).await;
    let reviews = Reviews::start().await;
    reviews.write(1, "I love it");
    let ingesting = Ingesting::start(&app, spec(&app, &reviews, "/api", KEY));
    stored(&app, 1).await;
    let page = |ids: &[u64], next: Option<&str>| {
        let item = |&id: &u64| json!({"id": id, "body": "I love it", "lang": "en", "posted": 1_772_366_400 + id});
        let items: Vec<Value> = ids.iter().map(item).collect();
        Reply::ok(json!({"data": {"reviews": items}, "links": {"next": next}}).to_string())
    };

    // Page 2 repeats an item of page 1. This happens when an item is added between the requests for the two pages.
    let second = page(&[12, 11], Some("/api?page=3"));
    reviews.web.script_replies([page(&[13, 12], Some("/api?page=2")), second, page(&[10], None)]);
    stored(&app, 5).await;

    // If a page cannot be read, the posts of the previous pages are still stored.
    reviews.web.script_replies([page(&[21, 20], Some("/api?page=2")), Reply::status(500)]);
    stored(&app, 7).await;
    let state = ingesting.states.all().remove(0);
    let error = state.last_error.expect("an error");
    assert!(error.contains("page 2") && error.contains("500"), "{error}");
    ingesting.stop().await;
}

async fn pinned_item_does_not_hide_further_pages(setup: Setup) {
    let app = TestApp::start(setup).await;
    let reviews = Reviews::start().await;
    let page = |ids: &[u64], next: Option<&str>| {
        let item = |&id: &u64| json!({"id": id, "body": "I love it", "lang": "en", "posted": 1_772_366_400 + id});
        let items: Vec<Value> = ids.iter().map(item).collect();
        Reply::ok(json!({"data": {"reviews": items}, "links": {"next": next}}).to_string())
    };
    reviews.web.script_replies([page(&[900, 1], None)]);
    let ingesting = Ingesting::start(&app, spec(&app, &reviews, "/api", KEY));
    stored(&app, 2).await;
    let second = page(&[3, 2, 1], Some("/api?page=3"));
    reviews.web.script_replies([page(&[900, 5, 4], Some("/api?page=2")), second]);
    stored(&app, 6).await;
    // A known item after new items ends the poll.
    reviews.web.script_replies([page(&[900, 6, 5], Some("/api?page=9"))]);
    stored(&app, 7).await;
    ingesting.stop().await;
    let pages: Vec<String> = reviews.web.requests().iter().filter_map(|r| r.query.get("page").cloned()).collect();
    assert_eq!(pages, ["2"]);
}

async fn refused_key_is_reported_without_the_key(setup: Setup) {
    let app = TestApp::start(setup).await;
    let reviews = Reviews::start().await;
    let ingesting = Ingesting::start(&app, spec(&app, &reviews, "/reviews", "Bearer wr0ng"));
    let error = app.eventually("the source fails", async || ingesting.states.all().pop()?.last_error).await;
    assert!(error.contains("401") && error.contains("secret") && !error.contains("wr0ng"), "{error}");
    ingesting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_of_a_json_endpoint_needs_the_time_of_items() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["ingester.sources=[]".to_owned()]).await;
    let settings = json!({"url": "https://shop.example/reviews", "text_path": "$.body", "history": "7d"});
    let request = json!({"name": "shop", "kind": "json", "settings": settings});
    let (status, problem) = send(&process, Method::POST, "/api/sources", &request).await;
    assert!(status == 422 && problem.to_string().contains("set time_path"), "{problem}");
    let request = json!({"name": "sky", "kind": "bluesky", "settings": {"history": "7d"}});
    let (status, problem) = send(&process, Method::POST, "/api/sources", &request).await;
    assert!(status == 422 && problem.to_string().contains("needs authors or keywords"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_endpoint_is_tested_and_added_through_the_api() {
    let folder = tempfile::tempdir().unwrap();
    let reviews = Reviews::start().await;
    reviews.write(1, "I love it");
    let settings = ["ingester.sources=[]".to_owned(), "outbound.allow=127.0.0.1".to_owned()];
    let process = Process::start(folder.path(), &settings).await;
    let request = |items: &str, secret: &str| {
        json!({
            "name": "shop", "kind": "json", "secrets": {"secret": secret},
            "settings": {"url": reviews.web.at("/api"), "items_path": items, "text_path": "$.body", "id_path": "$.id"},
        })
    };
    let test = async |items: &str, secret: &str| {
        let (status, trial) = send(&process, Method::POST, "/api/sources/test", &request(items, secret)).await;
        assert_eq!(status, 200, "{trial}");
        trial
    };
    let trial = test("$.reviews", KEY).await;
    let message = trial["message"].as_str().expect("a text");
    assert!(trial["ok"] == false && message.contains("an object with the keys data, links"), "{trial}");
    let trial = test("$.data.reviews", "Bearer wr0ng").await;
    let message = trial["message"].as_str().expect("a text");
    assert!(trial["ok"] == false && message.contains("secret") && !message.contains("wr0ng"), "{trial}");
    let trial = test("$.data.reviews", KEY).await;
    assert_eq!((&trial["ok"], &trial["posts"][0]["content"]), (&json!(true), &json!("I love it")), "{trial}");

    let (status, made) = send(&process, Method::POST, "/api/sources", &request("$.data.reviews", KEY)).await;
    assert_eq!((status, &made["secrets"]), (201, &json!(["secret"])), "{made}");
    process.wait_until("the review is stored", |health| health["stats"]["total_posts"] == 1).await;
    let (status, problem) = send(&process, Method::POST, "/api/sources/test", &request("$.data[", KEY)).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("settings.items_path")), "{problem}");
}
