//! Crashes of the notifier, and takeovers by another instance.

use sentistream::store::StoreError;
use sentistream::store::notify::Commit;
use serde_json::json;

use super::MINUTE;
use super::fakes::Reply;
use super::harness::{Harness, LEASE};
use crate::api::test_app::{Setup, cases};

cases!(crashes_lose_and_repeat_no_notification);

async fn crashes_lose_and_repeat_no_notification(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    let lease = async |holder: &str| {
        let taken = async || harness.app.services.store.acquire_lease("notifications", holder, LEASE).await.unwrap();
        harness.app.eventually("the lease is taken", taken).await
    };
    // The notifier crashes while a group waits for more alerts.
    harness.fire("mood", "web").await;
    let old = lease("first").await;
    harness.crash().await;
    harness.advance(LEASE);
    harness.notifier("second");
    harness.requests(1).await;
    harness.settled().await;
    // The first instance resumes after it has lost its lease.
    let late =
        harness.app.services.store.commit_notifications(&old, &Commit { cursor: Some(0), ..Commit::default() }).await;
    assert!(matches!(late, Err(StoreError::LeaseLost(_))), "{late:?}");

    // The notifier crashes between two attempts, and no instance runs for some time.
    harness.crash().await;
    harness.resolve("mood", "web").await;
    harness.fire("next", "web").await;
    harness.hook.script_replies([Reply::Answer(500, String::new(), ""), Reply::Answer(500, String::new(), "")]);
    harness.advance(LEASE);
    harness.notifier("third");
    harness.followed().await;
    harness.advance(MINUTE);
    harness
        .app
        .eventually("both messages were sent once", async || (harness.hook.requests().len() >= 3).then_some(()))
        .await;
    harness.crash().await;
    harness.advance(LEASE);
    harness.notifier("fourth");
    harness
        .app
        .eventually("both messages are delivered", async || {
            let page = harness.app.get("/api/alerts/deliveries?state=delivered").await.ok();
            (page["deliveries"].as_array().unwrap().len() == 3).then_some(())
        })
        .await;
    let page = harness.app.get("/api/alerts/deliveries").await.ok();
    let mut sent: Vec<_> = page["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|delivery| {
            (delivery["message"]["groupLabels"]["alertname"].as_str().unwrap(), delivery["reason"].as_str().unwrap())
        })
        .collect();
    sent.sort_unstable();
    assert_eq!(sent, [("mood", "firing"), ("mood", "resolved"), ("next", "firing")], "{page:#}");

    // The notifier crashes between the request and the response, so the message is sent again with the same id.
    let before = harness.hook.requests().len();
    harness.hook.script_replies([Reply::Silence]);
    harness.fire("last", "web").await;
    harness.advance(MINUTE);
    harness.requests(before + 1).await;
    harness.crash().await;
    harness.advance(LEASE);
    harness.notifier("fifth");
    let requests = harness.requests(before + 2).await;
    let id = |index: usize| requests[index].header("x-sentistream-delivery").to_owned();
    assert_eq!(id(before), id(before + 1));
    let done = harness.delivery("the message is delivered", |delivery| delivery["state"] == "delivered").await;
    assert_eq!(done["attempts"], 1);
}
