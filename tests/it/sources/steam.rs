//! Tests of the Steam source against a fake server with configurable faults.

use std::time::Duration;

use sentistream::clock::Clock;
use sentistream::sources::steam::{self, SteamOptions};
use sentistream::sources::{Opening, SourceSpec};
use serde_json::json;

use super::ingesting::Ingesting;
use super::polling::{fetcher, find, pass, stored};
use crate::api::test_app::{Setup, TestApp, cases};
use crate::fakes::steam::Store;
use crate::fakes::web::Reply;

cases![steam_reviews_and_their_edits_are_read, failing_game_does_not_delay_others];

/// The time 2026-03-01T12:00:00Z in Unix seconds.
const NOON: i64 = 1_772_366_400;

fn options(store: &Store, apps: &[u32]) -> SteamOptions {
    SteamOptions {
        base: store.web.at("/"),
        apps: apps.to_vec(),
        language: "all".to_owned(),
        interval: Duration::from_millis(20),
        history: Duration::ZERO,
    }
}

fn spec(app: &TestApp, store: &Store, apps: &[u32]) -> SourceSpec {
    steam::spec("steam", options(store, apps), fetcher(), app.clock.clone())
}

async fn steam_reviews_and_their_edits_are_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    let store = Store::start().await;
    for n in 0..130 {
        store.write(620, n, (NOON - 200 + n as i64, NOON - 200 + n as i64), "I love it");
    }
    store.write(440, 900, (NOON, NOON), "I hate it");
    let ingesting = Ingesting::start(&app, spec(&app, &store, &[620, 440]));
    stored(&app, 101).await;
    let review = find(&app, "steam:129").await.expect("stored");
    assert_eq!((&review["source"], &review["lang"]), (&json!("steam"), &json!("de")));
    assert_eq!(review["author"], "76561197960287930");
    assert_eq!(review["url"], "https://steamcommunity.com/profiles/76561197960287930/recommended/620/");
    assert_eq!(review["created_at"], "2026-03-01T11:58:49.000Z");
    assert!(find(&app, "steam:29").await.is_none(), "the first poll reads one page");

    // An edit replaces the review. Malformed items are counted once.
    store.write(440, 900, (NOON, NOON + 60), "I love it now");
    store.add(json!({"app": 440, "recommendationid": "x", "timestamp_updated": NOON + 61}));
    store.add(json!({"app": 440, "recommendationid": 7, "timestamp_updated": NOON + 62}));
    store.add(json!({
        "app": 440, "recommendationid": "901", "timestamp_created": NOON, "timestamp_updated": NOON,
        "review": "I love odd fields", "author": "ada", "language": 5,
    }));
    app.eventually("the edit is stored", async || {
        let review = find(&app, "steam:900").await?;
        (review["content"] == "I love it now" && review["sentiment"]["label"] == "positive").then_some(())
    })
    .await;
    stored(&app, 102).await;
    let odd = find(&app, "steam:901").await.expect("stored");
    assert_eq!((&odd["author"], &odd["url"]), (&json!(null), &json!(null)));
    let state = ingesting.states.all().remove(0);
    assert_eq!((state.rejected, state.errors), (2, 0), "{state:?}");
    ingesting.stop().await;

    // After a pause, several pages are read, and each review is read once.
    for n in 0..250 {
        store.write(620, 1_000 + n, (NOON + 100 + n as i64, NOON + 100 + n as i64), "I love it");
    }
    let ingesting = Ingesting::start(&app, spec(&app, &store, &[620, 440]));
    let books = stored(&app, 352).await;
    assert_eq!((&books["replacement"], &books["duplicate"]), (&json!(1), &json!(0)), "{books}");
    ingesting.stop().await;
}

#[tokio::test]
async fn reviews_beyond_the_page_limit_are_reported() {
    let store = Store::start().await;
    store.write(620, 1, (NOON, NOON), "I love it");
    let mut source = steam::spec("steam", options(&store, &[620]), fetcher(), Clock::system()).open(Opening::default());
    let first = source.next(500).await.expect("an answer");
    assert_eq!((first.ops.len(), first.troubles.len()), (1, 0));
    pass(first.wait).await;
    // Each page has a new review and the position of a further page.
    let page = |n: i64| {
        let id = (1_000 - n).to_string();
        let review = json!({"recommendationid": id, "timestamp_updated": NOON + 100 - n, "review": "I love it"});
        Reply::ok(json!({"success": 1, "cursor": format!("page {n}"), "reviews": [review]}).to_string())
    };
    store.web.script_replies((1..=20).map(page));
    let batch = source.next(500).await.expect("an answer");
    assert_eq!(batch.ops.len(), 20);
    assert_eq!(
        batch.troubles,
        ["the app 620: read 20 pages without reaching known reviews; older reviews may be missing"]
    );
}

async fn failing_game_does_not_delay_others(setup: Setup) {
    let app = TestApp::start(setup).await;
    let store = Store::start().await;
    store.write(620, 1, (NOON, NOON), "I love it");
    store.web.script_replies([Reply::status(500), Reply::ok("<html>"), Reply::status(403)]);
    let ingesting = Ingesting::start(&app, spec(&app, &store, &[404, 620]));
    stored(&app, 1).await;
    app.eventually("the error names the game", async || {
        let error = ingesting.states.all().remove(0).last_error.unwrap_or_default();
        error.contains("no reviews of the app 404").then_some(())
    })
    .await;
    store.write(620, 2, (NOON + 1, NOON + 1), "I hate it");
    stored(&app, 2).await;
    ingesting.stop().await;
}
