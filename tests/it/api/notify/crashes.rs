//! Instances that die, and those that take over.

use sentistream::store::StoreError;
use sentistream::store::notify::Commit;
use serde_json::json;

use super::MINUTE;
use super::desk::{Desk, LEASE};
use super::fakes::Reply;
use crate::api::test_app::{Setup, cases};

cases!(nothing_is_lost_or_told_twice_across_crashes);

async fn nothing_is_lost_or_told_twice_across_crashes(setup: Setup) {
    let desk = Desk::start(setup).await;
    desk.route("hook", json!([])).await;
    let lease = async |holder: &str| {
        let taken = async || desk.app.rooms.store.acquire_lease("notifications", holder, LEASE).await.unwrap();
        desk.app.eventually("the lease is taken", taken).await
    };
    // While a group waits for others.
    desk.fire("mood", "web").await;
    let old = lease("first").await;
    desk.crash().await;
    desk.advance(LEASE);
    desk.notifier("second");
    desk.requests(1).await;
    desk.settled().await;
    // The first wakes up: it can change nothing.
    let late = desk.app.rooms.store.commit_notifications(&old, &Commit { cursor: Some(0), ..Commit::default() }).await;
    assert!(matches!(late, Err(StoreError::LeaseLost(_))), "{late:?}");

    // While nobody runs, and between two attempts.
    desk.crash().await;
    desk.resolve("mood", "web").await;
    desk.fire("next", "web").await;
    desk.hook.will([Reply::Answer(500, String::new(), ""), Reply::Answer(500, String::new(), "")]);
    desk.advance(LEASE);
    desk.notifier("third");
    desk.followed().await;
    desk.advance(MINUTE);
    desk.app.eventually("both are tried", async || (desk.hook.requests().len() >= 3).then_some(())).await;
    desk.crash().await;
    desk.advance(LEASE);
    desk.notifier("fourth");
    desk.app
        .eventually("both are delivered", async || {
            let page = desk.app.get("/api/alerts/deliveries?state=delivered").await.ok();
            (page["deliveries"].as_array().unwrap().len() == 3).then_some(())
        })
        .await;
    let page = desk.app.get("/api/alerts/deliveries").await.ok();
    let mut told: Vec<_> = page["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sent| (sent["message"]["groupLabels"]["alertname"].as_str().unwrap(), sent["reason"].as_str().unwrap()))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [("mood", "firing"), ("mood", "resolved"), ("next", "firing")], "{page:#}");

    // After it was sent, before the answer came: again, under the same id.
    let before = desk.hook.requests().len();
    desk.hook.will([Reply::Silence]);
    desk.fire("last", "web").await;
    desk.advance(MINUTE);
    desk.requests(before + 1).await;
    desk.crash().await;
    desk.advance(LEASE);
    desk.notifier("fifth");
    let requests = desk.requests(before + 2).await;
    let id = |index: usize| requests[index].header("x-sentistream-delivery").to_owned();
    assert_eq!(id(before), id(before + 1));
    let done = desk.delivery("it is delivered", |delivery| delivery["state"] == "delivered").await;
    assert_eq!(done["attempts"], 1);
}
