//! Tests of the Bluesky source against a fake Jetstream server.

mod authors;
mod faults;

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sentistream::domain::Timestamp;
use sentistream::sources::SourceSpec;
use sentistream::sources::bluesky::{self, BlueskyOptions, Filter, FilterOptions};
use serde_json::{Value, json};

use super::ingesting::Ingesting;
use super::polling::fetcher;
use crate::api::test_app::{START, Setup, TestApp, cases};
use crate::fakes::jetstream::{Faults, Jetstream, Log, account, commit, create, post_id};

cases![posts_edits_and_deletions_are_applied,];

const ADA: &str = "did:plc:ada";
const BOB: &str = "did:plc:bob";

/// The time `seconds` after [`START`], in microseconds.
fn at(seconds: f64) -> i64 {
    START.parse::<Timestamp>().expect("a time").as_micros() + (seconds * 1e6) as i64
}

pub fn options(hosts: &[&Jetstream]) -> BlueskyOptions {
    BlueskyOptions {
        hosts: hosts.iter().map(|host| host.url.clone()).collect(),
        filter: Filter::new(&FilterOptions::default()).expect("a filter"),
        authors: Vec::new(),
        api: "http://127.0.0.1:1/".parse().expect("a URL"),
        look_back: Duration::from_secs(3_600),
        idle_limit: Duration::from_secs(60),
        dictionary: None,
        history: Duration::ZERO,
    }
}

fn spec(app: &TestApp, hosts: &[&Jetstream]) -> SourceSpec {
    bluesky::spec("bluesky", options(hosts), fetcher, app.clock.clone())
}

/// Adds `count` posts, ten per second, starting `from` seconds after [`START`].
fn posts(log: &Log, count: usize, from: f64) {
    let first = log.len();
    for n in first..first + count {
        let time_us = at(from) + (n - first) as i64 * 100_000;
        log.push(time_us, create(ADA, &format!("r{n}"), time_us, &format!("I love post number {n}")));
    }
}

async fn stored(app: &TestApp, count: usize) {
    app.eventually(&format!("{count} posts are stored"), async || {
        let stats = app.get("/api/stats").await.ok();
        (stats["total_posts"] == count && stats["lag"]["pending"] == 0).then_some(())
    })
    .await;
    app.drained().await;
}

async fn find(app: &TestApp, did: &str, rkey: &str) -> Option<Value> {
    let id = post_id(did, rkey);
    let answer = app.get(&format!("/api/posts/{}", utf8_percent_encode(&id, NON_ALPHANUMERIC))).await;
    (answer.status == 200).then(|| answer.json())
}

async fn posts_edits_and_deletions_are_applied(setup: Setup) {
    let app = TestApp::start(setup).await;
    let log = Log::new();
    let host = Jetstream::start(&log, Faults::default()).await;
    let record = |text: &str, more: Value| {
        let mut record = json!({"$type": "app.bsky.feed.post", "text": text, "langs": ["pt-BR", "en"], "createdAt": "2026-03-01T12:29:00Z"});
        record.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        record
    };
    let publish = |rkey: &str, second: f64, text: &str, more: Value| {
        log.push(at(second), commit("create", (ADA, rkey), at(second), record(text, more)));
    };
    let link = |start: usize, end: usize, uri: &str| {
        json!({"index": {"byteStart": start, "byteEnd": end},
               "features": [{"$type": "app.bsky.richtext.facet#link", "uri": uri}]})
    };
    let text = "é look at example.org/a… and this site";
    let (cut, named) = (text.find("example").expect("the word"), text.find("this").expect("the word"));
    let facets = json!({"facets": [
        link(named, text.len(), "https://example.org/named"),
        link(cut, cut + "example.org/a…".len(), "https://example.org/a/long/path"),
        link(1, 3, "https://example.org/cuts-a-character"),
    ]});
    publish("links", 1.0, text, facets);
    let parent = post_id(BOB, "b1");
    publish(
        "reply",
        2.0,
        "I hate that",
        json!({"reply": {"root": {"uri": "at://x", "cid": "c"}, "parent": {"uri": parent, "cid": "c"}}}),
    );
    publish(
        "quote",
        3.0,
        "I love that",
        json!({"embed": {"$type": "app.bsky.embed.recordWithMedia",
        "record": {"record": {"uri": parent, "cid": "c"}}, "media": {"images": []}}}),
    );
    // Optional fields of unexpected types do not reject the post.
    publish(
        "odd",
        3.5,
        "I love odd fields",
        json!({"langs": "en", "reply": "x", "embed": [1], "facets": {"a": 1}, "createdAt": 5}),
    );
    publish("future", 4.0, "from the future", json!({"createdAt": "2031-01-01T00:00:00Z"}));
    publish("picture", 5.0, "", json!({"embed": {"images": []}}));
    publish("regretted", 6.0, "I will regret this", json!({}));
    publish("edited", 7.0, "I hate the first version", json!({}));
    log.push(at(8.0), create(BOB, "b1", at(8.0), "bob was here"));
    log.push(at(9.0), commit("update", (ADA, "edited"), at(9.0), record("I love the second version", json!({}))));
    log.push(at(10.0), commit("delete", (ADA, "regretted"), at(10.0), Value::Null));
    log.push(
        at(11.0),
        json!({"did": ADA, "time_us": at(11.0), "kind": "identity", "identity": {"handle": "ada.test"}}).to_string(),
    );
    log.push(at(12.0), account(BOB, at(12.0), "deleted"));
    log.push(at(13.0), account(ADA, at(13.0), ""));

    let ingesting = Ingesting::start(&app, spec(&app, &[&host]));
    stored(&app, 6).await;
    let links = find(&app, ADA, "links").await.expect("stored");
    assert_eq!(links["content"], "é look at https://example.org/a/long/path and this site https://example.org/named");
    assert_eq!((&links["source"], &links["author"], &links["lang"]), (&json!("bluesky"), &json!(ADA), &json!("pt-BR")));
    assert_eq!(links["url"], format!("https://bsky.app/profile/{ADA}/post/links"));
    assert_eq!(links["created_at"], "2026-03-01T12:29:00.000Z");
    for rkey in ["reply", "quote"] {
        assert_eq!(find(&app, ADA, rkey).await.expect("stored")["reply_to"], parent, "{rkey}");
    }
    assert_eq!(find(&app, ADA, "future").await.expect("stored")["created_at"], "2026-03-01T12:30:04.000Z");
    let edited = find(&app, ADA, "edited").await.expect("stored");
    assert_eq!(
        (&edited["content"], &edited["sentiment"]["label"]),
        (&json!("I love the second version"), &json!("positive"))
    );
    assert!(find(&app, BOB, "b1").await.is_none() && find(&app, ADA, "regretted").await.is_none());
    ingesting.stop().await;

    // The source filters by language and by a word. An edited post that no longer matches is deleted.
    let wanted = BlueskyOptions {
        filter: Filter::new(&FilterOptions {
            languages: vec!["de".to_owned()],
            keywords: vec!["ÄPFEL".to_owned()],
            ..FilterOptions::default()
        })
        .expect("a filter"),
        ..options(&[&host])
    };
    let german = |text: &str, langs: Value| json!({"$type": "app.bsky.feed.post", "text": text, "langs": langs, "createdAt": ""});
    for (n, (text, langs)) in
        [("Ich mag äpfel", json!(["de-AT"])), ("Ich mag Birnen", json!(["de"])), ("I like Äpfel", json!(["en"]))]
            .into_iter()
            .enumerate()
    {
        let second = at(20.0 + n as f64);
        log.push(second, commit("create", (BOB, &format!("g{n}")), second, german(text, langs)));
    }
    log.push(at(30.0), commit("update", (ADA, "edited"), at(30.0), german("Not about fruit", json!(["de"]))));
    let ingesting = Ingesting::start(&app, bluesky::spec("bluesky", wanted, fetcher, app.clock.clone()));
    app.eventually("one post is added and one is removed", async || {
        (find(&app, BOB, "g0").await.is_some() && find(&app, ADA, "edited").await.is_none()).then_some(())
    })
    .await;
    stored(&app, 6).await;
    ingesting.stop().await;
}
