//! Tests of pausing and resuming a source through the API.

use sentistream::sources::bluesky;
use serde_json::json;

use super::ingesting::Ingesting;
use super::polling::fetcher;
use crate::api::test_app::{START, Setup, TestApp, cases};
use crate::fakes::jetstream::{Faults, Jetstream, Log, create};

cases![paused_source_resumes_at_its_cursor];

async fn paused_source_resumes_at_its_cursor(setup: Setup) {
    let app = TestApp::start(setup).await;
    let log = Log::new();
    let host = Jetstream::start(&log, Faults::default()).await;
    let options = super::bluesky::options(&[&host]);
    let start = START.parse::<sentistream::domain::Timestamp>().expect("a time").as_micros();
    let publish = |n: i64| log.push(start + n, create("did:plc:ada", &format!("r{n}"), start + n, "I love it"));
    assert_eq!(app.post("/api/sources/bluesky/pause", &json!({})).await.problem(404), Vec::<String>::new());

    let ingesting = Ingesting::start(&app, bluesky::spec("bluesky", options, fetcher, app.clock.clone()));
    publish(1);
    let feed = async || {
        let sources = app.get("/api/sources").await.ok();
        sources["feeds"].as_array().expect("feeds").first().cloned()
    };
    let state = async |wanted: &str, posts: u64| {
        app.eventually(&format!("the source is {wanted} with {posts} posts"), async || {
            let found = feed().await.filter(|feed| feed["state"] == wanted && feed["posts"] == posts);
            let own = ingesting.states.all().pop().filter(|own| own.state.as_str() == wanted);
            found.filter(|_| own.is_some())
        })
        .await
    };
    let connected = state("connected", 1).await;
    assert_eq!(
        (&connected["name"], &connected["kind"], &connected["paused"]),
        (&json!("bluesky"), &json!("bluesky"), &json!(false))
    );
    assert!(connected["online"] == true && connected["last_error"].is_null() && connected["lag_seconds"].is_number());
    assert_eq!(app.get("/api/system").await.ok()["sources"][0]["name"], "bluesky");

    let paused = app.send(app.request(reqwest::Method::POST, "/api/sources/bluesky/pause")).await.ok();
    assert_eq!((&paused["state"], &paused["paused"]), (&json!("paused"), &json!(true)));
    state("paused", 1).await;
    app.eventually("the source disconnects", async || (host.open() == 0).then_some(())).await;
    publish(2);
    assert_eq!(app.get("/api/sources").await.ok()["feeds"][0]["posts"], 1);
    let resumed = app.send(app.request(reqwest::Method::POST, "/api/sources/bluesky/resume")).await.ok();
    assert_eq!(resumed["paused"], false);
    app.eventually("posts from the time of the pause are stored", async || {
        (app.get("/api/stats").await.ok()["total_posts"] == 2).then_some(())
    })
    .await;
    ingesting.stop().await;
}
