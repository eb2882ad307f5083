//! Tests of the Hacker News source against a fake server with configurable faults.

use std::time::{Duration, Instant};

use sentistream::sources::SourceSpec;
use sentistream::sources::fetch::Fetcher;
use sentistream::sources::hackernews::{self, HackerNewsOptions};
use serde_json::json;

use super::ingesting::Ingesting;
use super::polling::{fetcher, fetcher_with_short_timeout, find, stored};
use crate::api::test_app::{Setup, TestApp, cases};
use crate::fakes::hackernews::{Site, comment};
use crate::fakes::web::Reply;

cases![items_are_read_in_order_and_null_items_later, server_faults_lose_no_item,];

fn spec(app: &TestApp, site: &Site, (first_id, fetcher): (Option<u64>, fn() -> Fetcher)) -> SourceSpec {
    let interval = Duration::from_millis(50);
    let options = HackerNewsOptions {
        base: site.web.at("/v0/"),
        interval,
        first_id,
        last_id: None,
        history: Duration::ZERO,
        search: site.web.at("/search/"),
    };
    hackernews::spec("hackernews", options, fetcher, app.clock.clone())
}

async fn items_are_read_in_order_and_null_items_later(setup: Setup) {
    let app = TestApp::start(setup).await;
    let site = Site::start().await;
    site.put(100, comment(100, "before everything"));
    let ingesting = Ingesting::start(&app, spec(&app, &site, (None, fetcher)));
    app.eventually("the source polls for the next item", async || (site.web.requests().len() > 1).then_some(())).await;
    let story = json!({"by": "pg", "id": 101, "title": "Show HN: I love R&D <3", "url": "https://x.example", "score": 1,
                       "time": 1_772_367_600, "type": "story", "kids": [103]});
    // Item 101 is null at first, and item 102 is always null. Later items do not wait for them.
    site.put_late(101, story, 3);
    site.put(103, comment(103, "I hate that <i>it&#x27;s</i> slow.<p>Second <a href=\"https:&#x2F;&#x2F;x.example\" rel=\"nofollow\">https:&#x2F;&#x2F;x.example</a>"));
    site.put(104, json!({"deleted": true, "id": 104, "parent": 103, "time": 1_772_367_600, "type": "comment"}));
    site.put(
        105,
        json!({"dead": true, "by": "spam", "id": 105, "text": "buy", "time": 1_772_367_600, "type": "comment"}),
    );
    // A malformed item and an item that is too large do not stop the source.
    site.put(106, json!({"id": "what?", "type": "comment"}));
    site.put(108, comment(108, &"x".repeat(200_000)));
    site.put(109, comment(109, "I love it"));
    site.put(107, comment(107, "I love it"));
    stored(&app, 4).await;
    let post = find(&app, "hn:103").await.expect("stored");
    assert_eq!(post["content"], "I hate that it's slow.\n\nSecond https://x.example");
    assert_eq!(
        (&post["source"], &post["author"], &post["reply_to"]),
        (&json!("hackernews"), &json!("ada"), &json!("hn:102"))
    );
    assert_eq!(
        (&post["url"], &post["created_at"]),
        (&json!("https://news.ycombinator.com/item?id=103"), &json!("2026-03-01T12:20:00.000Z"))
    );
    assert_eq!(find(&app, "hn:101").await.expect("stored")["content"], "Show HN: I love R&D <3");
    app.eventually("an item that stays null is dropped", async || {
        let state = ingesting.states.all().remove(0);
        (state.filtered == 3 && state.rejected == 2).then_some(())
    })
    .await;
    let asked = site.asked();
    let looks = |id: u64| (0..asked.len()).filter(|n| asked[*n] == id).collect::<Vec<_>>();
    assert_eq!((looks(101).len(), looks(102).len(), looks(103).len()), (4, 5, 1));
    assert!(looks(103)[0] < looks(102)[4], "{asked:?}");
    site.delete(103);
    site.delete(100);
    app.eventually("the deletion is found", async || find(&app, "hn:103").await.is_none().then_some(())).await;
    let books = stored(&app, 3).await;
    assert_eq!(books["deletion"], 1, "only the item that was read is deleted: {books}");
    ingesting.stop().await;

    // A source with a range of ids reads the range once, in order, and then finishes.
    for id in 1..=50 {
        site.put(id, comment(id, "I love it"));
    }
    let asked = site.asked().len();
    let options = HackerNewsOptions {
        base: site.web.at("/v0/"),
        interval: Duration::from_secs(9),
        first_id: Some(11),
        last_id: Some(40),
        history: Duration::ZERO,
        search: site.web.at("/search/"),
    };
    let past = Ingesting::start(&app, hackernews::spec("past", options, fetcher, app.clock.clone()));
    app.eventually("the source has finished", async || {
        past.states.all().pop().filter(|state| state.state.as_str() == "finished")
    })
    .await;
    stored(&app, 33).await;
    let mut ids = site.asked().split_off(asked);
    // Concurrent requests may arrive in any order.
    assert!(ids.windows(2).all(|pair| pair[1] + 8 > pair[0]), "{ids:?}");
    ids.sort_unstable();
    assert_eq!(ids, (11..=40).collect::<Vec<_>>());
    past.stop().await;
}

async fn server_faults_lose_no_item(setup: Setup) {
    let app = TestApp::start(setup).await;
    let site = Site::start().await;
    let mut last = 0;
    let mut publish = |count: u64| {
        for _ in 0..count {
            last += 1;
            site.put(last, comment(last, "I love it"));
        }
        last
    };
    for (name, fault) in [
        ("500", Reply::status(500)),
        ("a page", Reply::ok("<html>")),
        ("reset", Reply::Reset),
        ("slow", Reply::Silence),
        ("busy", Reply::status(429).with("Retry-After", "1")),
    ] {
        // The fault affects one of the new items.
        let count = publish(30);
        site.web.script_replies([Reply::ok(count.to_string()), fault]);
        let fetches: fn() -> Fetcher = if name == "slow" { fetcher_with_short_timeout } else { fetcher };
        let start = Instant::now();
        let ingesting = Ingesting::start(&app, spec(&app, &site, (Some(1), fetches)));
        stored(&app, count as usize).await;
        assert!(name != "busy" || start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
        let state = ingesting.states.all().remove(0);
        assert!(state.errors > 0, "{name}: {state:?}");
        ingesting.stop().await;
        let books = app.drained().await["stats"]["books"].clone();
        assert_eq!((&books["analysed"], &books["duplicate"]), (&json!(count), &json!(0)), "{name}");
        // A restart continues at the cursor.
        let asked = site.asked().len();
        let requests = site.web.requests().len();
        let ingesting = Ingesting::start(&app, spec(&app, &site, (Some(1), fetcher)));
        app.eventually("the source polls again", async || (site.web.requests().len() > requests + 1).then_some(()))
            .await;
        assert_eq!(site.asked().len(), asked, "{name}: no item is requested twice");
        ingesting.stop().await;
    }
}
