//! Tests of the Bluesky source against a fake Jetstream server with configurable faults.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sentistream::domain::Timestamp;
use sentistream::http::Api;
use sentistream::sources::SourceSpec;
use sentistream::sources::bluesky::{self, BlueskyOptions, Dictionary, Filter, FilterOptions};
use serde_json::{Value, json};

use super::ingesting::Ingesting;
use super::polling::fetcher;
use crate::api::test_app::{START, Setup, TestApp, cases};
use crate::fakes::jetstream::{DICTIONARY, EVENT, Faults, Jetstream, Log, account, commit, create, post_id, profiles};

cases![
    posts_edits_and_deletions_are_applied,
    jetstream_host_faults_lose_no_post,
    unreadable_events_are_skipped_and_counted,
    compressed_events_need_the_dictionary_of_the_host,
    authors_are_selected_by_handle_and_did,
    authors_are_named_by_their_handles,
    restart_resumes_at_cursor_and_other_host_rewinds,
    full_stream_stops_reading_the_socket,
];

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

async fn jetstream_host_faults_lose_no_post(setup: Setup) {
    let app = TestApp::start(setup).await;
    let log = Log::new();
    let bad = Jetstream::start(&log, Faults::default()).await;
    let good = Jetstream::start(&log, Faults::default()).await;
    let faults = [
        ("drop", Faults { drop_after: Some(37), ..Faults::default() }),
        ("stall", Faults { stall_after: Some(37), ..Faults::default() }),
        ("repeat", Faults { repeat: 50, drop_after: Some(120), ..Faults::default() }),
        ("malformed", Faults { malformed_every: Some(10), ..Faults::default() }),
        ("refused", Faults { refuse: true, ..Faults::default() }),
    ];
    let mut sent = 0;
    for (n, (name, faults)) in faults.into_iter().enumerate() {
        bad.set_faults(faults);
        bad.cut();
        posts(&log, 300, 100.0 * n as f64);
        sent += 300;
        // If a host refuses or stalls, the source changes to the other host. After other faults it reconnects.
        let hosts: &[&Jetstream] = if matches!(name, "stall" | "refused") { &[&bad, &good] } else { &[&bad] };
        let watchful =
            BlueskyOptions { idle_limit: Duration::from_secs(if name == "stall" { 1 } else { 60 }), ..options(hosts) };
        let ingesting = Ingesting::start(&app, bluesky::spec("bluesky", watchful, fetcher, app.clock.clone()));
        stored(&app, sent).await;
        let state = ingesting.states.all().remove(0);
        match name {
            "malformed" => assert!(state.rejected >= 30 && state.errors == 0, "{name}: {state:?}"),
            _ => assert!(state.errors > 0 && state.last_error.is_some(), "{name}: {state:?}"),
        }
        ingesting.stop().await;
    }
    let books = app.drained().await["stats"]["books"].clone();
    assert_eq!((&books["analysed"], &books["dead_lettered"]), (&json!(sent), &json!(0)));
    // A new connection repeats some events, and each change of host repeats the events of five seconds.
    let duplicates = books["duplicate"].as_u64().expect("a number");
    assert!((1..sent as u64).contains(&duplicates), "the repeated events must be counted and must be few: {books}");
}

async fn unreadable_events_are_skipped_and_counted(setup: Setup) {
    let app = TestApp::start(setup).await;
    let log = Log::new();
    let host = Jetstream::start(&log, Faults::default()).await;
    let event = |rkey: &str, second: f64, bytes: usize| {
        log.push(at(second), create(ADA, rkey, at(second), &"x".repeat(bytes)));
    };
    // The host omits events that are larger than the limit of the source.
    posts(&log, 10, 0.0);
    event("large", 1.05, 2 << 20);
    posts(&log, 10, 2.0);
    let ingesting = Ingesting::start(&app, spec(&app, &[&host]));
    stored(&app, 20).await;
    let state = ingesting.states.all().remove(0);
    assert_eq!((state.rejected, state.errors), (0, 0), "{state:?}");
    ingesting.stop().await;

    // If the host ignores the limit, the source rejects the event.
    host.set_faults(Faults { ignores_max_size: true, ..Faults::default() });
    host.cut();
    event("large2", 3.5, 2 << 20);
    posts(&log, 10, 4.0);
    let ingesting = Ingesting::start(&app, spec(&app, &[&host]));
    stored(&app, 30).await;
    let state = ingesting.states.all().remove(0);
    assert_eq!((state.rejected, state.errors), (1, 0), "{state:?}");

    // A frame that breaks every connection is skipped after it has failed twice.
    event("huge", 5.5, 17 << 20);
    posts(&log, 10, 7.0);
    stored(&app, 40).await;
    let state = ingesting.states.all().remove(0);
    assert_eq!(state.errors, 2, "{state:?}");
    ingesting.stop().await;
}

async fn compressed_events_need_the_dictionary_of_the_host(setup: Setup) {
    let app = TestApp::start(setup).await;
    let log = Log::new();
    let faults = Faults { malformed_every: Some(10), ignores_max_size: true, ..Faults::default() };
    let host = Jetstream::start(&log, faults).await;
    let compressed = || {
        let dictionary = Some(Dictionary::new(DICTIONARY).expect("a dictionary"));
        bluesky::spec("bluesky", BlueskyOptions { dictionary, ..options(&[&host]) }, fetcher, app.clock.clone())
    };
    posts(&log, 1, 0.0);
    log.push(at(1.5), EVENT.to_owned());
    log.push(at(1.6), create(ADA, "large", at(1.6), &"x".repeat(2 << 20)));
    posts(&log, 40, 2.0);
    // The first frame of this connection is malformed, so the next connection skips it.
    let ingesting = Ingesting::start(&app, compressed());
    app.eventually("the connection fails", async || (ingesting.states.all().first()?.errors > 0).then_some(())).await;
    host.set_faults(Faults { malformed_every: None, ..faults });
    stored(&app, 42).await;
    assert_eq!(
        find(&app, ADA, "zstd1").await.expect("stored")["content"],
        "I love the new train, and the coffee is great"
    );
    assert!(host.asked().iter().all(|asked| asked.is_compressed));
    // New posts are added only after the next connection, because the old connection could still send them without the
    // fault.
    let reconnected = async || {
        let before = host.asked().len();
        host.cut();
        app.eventually("the source connects again", async || (host.asked().len() > before).then_some(())).await;
    };
    host.set_faults(Faults { malformed_every: Some(10), ..faults });
    reconnected().await;
    posts(&log, 40, 10.0);
    stored(&app, 82).await;
    app.eventually("malformed frames and the large event are counted", async || {
        (ingesting.states.all().first()?.rejected >= 4).then_some(())
    })
    .await;

    // While the host uses another dictionary, no frame is skipped.
    host.set_faults(Faults { dictionary: Some(78), ..faults });
    reconnected().await;
    posts(&log, 20, 20.0);
    app.eventually("the error names both dictionaries", async || {
        let error = ingesting.states.all().remove(0).last_error.unwrap_or_default();
        (error.contains("dictionary 78") && error.contains("has 77")).then_some(())
    })
    .await;
    host.set_faults(Faults { malformed_every: None, ..faults });
    host.cut();
    stored(&app, 102).await;
    ingesting.stop().await;

    // The host compresses frames although the source has not requested it.
    let mut forced = options(&[&host]);
    forced.hosts[0].push_str("?compress=true");
    let ingesting = Ingesting::start(&app, bluesky::spec("forced", forced, fetcher, app.clock.clone()));
    app.eventually("the error names the setting", async || {
        let error = ingesting.states.all().remove(0).last_error.unwrap_or_default();
        error.contains("set `zstd_dictionary`").then_some(())
    })
    .await;
    ingesting.stop().await;
}

async fn authors_are_selected_by_handle_and_did(setup: Setup) {
    let app = TestApp::start(setup).await;
    let log = Log::new();
    let host = Jetstream::start(&log, Faults::default()).await;
    let api = profiles(&[("ada.test", ADA)]).await;
    let wanted = |authors: &[&str]| BlueskyOptions {
        authors: authors.iter().map(|&author| author.to_owned()).collect(),
        api: api.url.clone(),
        ..options(&[&host])
    };
    let start = |options| Ingesting::start(&app, bluesky::spec("bluesky", options, fetcher, app.clock.clone()));
    posts(&log, 5, 0.0);
    log.push(at(1.0), create(BOB, "b1", at(1.0), "I love it"));
    log.push(at(2.0), create("did:plc:eve", "e1", at(2.0), "I love it"));
    let ingesting = start(wanted(&["ada.test", BOB, "gone.test"]));
    stored(&app, 6).await;
    let state = ingesting.states.all().remove(0);
    assert!(state.last_error.as_deref().is_some_and(|error| error.contains("gone.test")), "{state:?}");
    assert_eq!(host.asked().last().expect("a connection").dids, [ADA, BOB]);
    ingesting.stop().await;

    // Authors beyond the limit of the URL are sent in a message.
    let many: Vec<String> = (0..150).map(|n| format!("did:plc:{n:03}")).chain([BOB.to_owned()]).collect();
    log.push(at(3.0), create(BOB, "b2", at(3.0), "I love it"));
    log.push(at(3.0), create(ADA, "a2", at(3.0), "I love it"));
    let ingesting = start(wanted(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    stored(&app, 7).await;
    let asked = host.asked().pop().expect("a connection");
    assert!(asked.has_hello && asked.dids.len() == 151, "{asked:?}");
    ingesting.stop().await;

    // If no account is found, the source must fail, because without accounts it would read all posts.
    let failing = Ingesting::start(&app, bluesky::spec("nobody", wanted(&["gone.test"]), fetcher, app.clock.clone()));
    let state =
        app.eventually("the source fails", async || failing.states.all().pop().filter(|state| state.errors > 0)).await;
    assert_eq!((state.state.as_str(), state.posts), ("backing_off", 0));
    failing.stop().await;
}

async fn authors_are_named_by_their_handles(setup: Setup) {
    let api = profiles(&[("ada.test", ADA), ("handle.invalid", BOB)]).await;
    let app = TestApp::start(setup).await;
    let path = format!("/api/authors?source=bluesky&authors={ADA},{BOB},did:plc:nobody,ada");
    let names = bluesky::Names::new(api.at("/"), fetcher());
    let services = Api { names: Some(names), ..app.services.clone() };
    let without = TestApp::over(services.clone(), tempfile::tempdir().expect("a folder"), |_| {});
    assert_eq!(without.get(&path).await.ok()["names"], json!({}), "without a Bluesky source nothing is requested");
    let services = Api { reads_bluesky: true, ..services };
    let named = TestApp::over(services, tempfile::tempdir().expect("a folder"), |_| {});
    for _ in 0..3 {
        assert_eq!(named.get(&path).await.ok(), json!({"source": "bluesky", "names": {ADA: "ada.test"}}));
    }
    assert_eq!(api.requests().len(), 1, "the answer is cached");
    let other = named.get(&path.replace("bluesky", "mastodon")).await.ok();
    assert_eq!(other["names"], json!({}));
    assert_eq!(named.get("/api/authors?source=bluesky").await.problem(422), ["authors"]);
    let many = "did:plc:x,".repeat(101);
    assert_eq!(named.get(&format!("/api/authors?source=bluesky&authors={many}")).await.problem(422), ["authors"]);
}

async fn restart_resumes_at_cursor_and_other_host_rewinds(setup: Setup) {
    let app = TestApp::start(setup).await;
    let log = Log::new();
    let first = Jetstream::start(&log, Faults::default()).await;
    let second = Jetstream::start(&log, Faults::default()).await;
    posts(&log, 200, 0.0);
    let last = at(0.0) + 199 * 100_000;

    let ingesting = Ingesting::start(&app, spec(&app, &[&first, &second]));
    stored(&app, 200).await;
    ingesting.stop().await;
    posts(&log, 100, 20.0);
    let ingesting = Ingesting::start(&app, spec(&app, &[&first, &second]));
    stored(&app, 300).await;
    assert_eq!(
        first.asked().last().expect("a connection").cursor,
        Some(last),
        "the same host is requested at the cursor"
    );

    // When the host fails, the source requests the last seconds again from the other host. No post is stored twice.
    first.set_faults(Faults { refuse: true, ..Faults::default() });
    first.cut();
    app.eventually("the connection is cut", async || (first.open() == 0).then_some(())).await;
    posts(&log, 100, 30.0);
    stored(&app, 400).await;
    let rewound = second.asked().first().expect("a connection").cursor.expect("a cursor");
    assert_eq!(rewound, at(20.0) + 99 * 100_000 - 5_000_000);
    ingesting.stop().await;

    // After a stop that is longer than hosts store events, the source continues at the first stored event.
    second.set_faults(Faults { oldest: Some(at(50_000.0)), ..Faults::default() });
    posts(&log, 50, 40_000.0);
    posts(&log, 50, 50_000.0);
    let ingesting = Ingesting::start(&app, spec(&app, &[&second]));
    stored(&app, 450).await;
    ingesting.stop().await;
}

async fn full_stream_stops_reading_the_socket(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.shutdown_workers().await;
    let log = Log::new();
    let host = Jetstream::start(&log, Faults::default()).await;
    posts(&log, 60_000, 0.0);
    let ingesting = Ingesting::start(&app, spec(&app, &[&host]));
    app.eventually("the stream is full", async || {
        let state = ingesting.states.all().pop()?;
        (state.state.as_str() == "waiting").then_some(())
    })
    .await;
    let pending = app.services.stream.depth().await.expect("an answer").pending();
    assert!(pending <= 5_100, "the limit holds: {pending}");
    // The host waits after the buffers of the socket are full.
    let quiet = app
        .eventually("the host waits", async || {
            let before = host.sent();
            tokio::time::sleep(Duration::from_millis(200)).await;
            (host.sent() == before).then_some(before)
        })
        .await;
    assert!(quiet < 60_000, "{quiet}");
    ingesting.stop().await;
}
