//! Failed notifications: automatic retries, manual resending, and receivers that hang.

use serde_json::{Value, json};

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::fakes::{Hook, Reply};
use super::harness::Harness;

cases!(
    failed_notification_is_sent_again_while_the_alert_fires,
    resolved_alert_is_not_reported_after_a_failed_notification,
    resent_notification_is_not_repeated_by_its_group,
    hung_receiver_does_not_delay_healthy_ones,
    flapping_alert_is_reported_once_per_interval,
    clock_that_was_ahead_does_not_delay_notifications,
);

fn unauthorized(count: usize) -> impl Iterator<Item = Reply> {
    (0..count).map(|_| Reply::Answer(401, String::new(), "who are you"))
}

async fn failed(harness: &Harness) -> Value {
    harness.delivery("the delivery fails", |delivery| delivery["state"] == "failed").await
}

async fn failed_notification_is_sent_again_while_the_alert_fires(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    harness.hook.script_replies(unauthorized(1));
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    failed(&harness).await;
    // The failure is stored, so another instance sends the notification again.
    harness.crash().await;
    harness.advance(super::LEASE);
    harness.notifier("second");
    let message = harness.message(2).await;
    assert_eq!((&message["status"], &message["alerts"][0]["status"]), (&json!("firing"), &json!("firing")));
    harness.settled().await;
    harness.resolve("mood", "web").await;
    harness.advance(5 * MINUTE);
    assert_eq!(harness.message(3).await["status"], "resolved");
}

async fn resolved_alert_is_not_reported_after_a_failed_notification(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    harness.hook.script_replies(unauthorized(1));
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    failed(&harness).await;
    harness.resolve("mood", "web").await;
    harness.fire("other", "web").await;
    harness.advance(5 * MINUTE);
    // The receiver works again and gets the alert `other`. It is not notified that `mood` is resolved, because it was
    // never notified that `mood` fires.
    assert_eq!(harness.message(2).await["groupLabels"]["alertname"], "other");
    harness.settled().await;
    assert_eq!(harness.hook.requests().len(), 2);
}

async fn resent_notification_is_not_repeated_by_its_group(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    harness.hook.script_replies(unauthorized(1));
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    let id = failed(&harness).await["id"].clone();
    let resent = harness.app.post(&format!("/api/alerts/deliveries/{id}/resend"), &json!({})).await;
    assert_eq!(resent.status, 202, "{}", resent.text());
    assert_eq!((&resent.json()["reason"], &resent.json()["state"]), (&json!("resend"), &json!("pending")));
    assert_eq!(harness.message(2).await["status"], "firing");
    harness.settled().await;
    // The resent message reported the alert, so the group sends nothing after its interval. The resolution is sent.
    harness.advance(5 * MINUTE);
    harness.fire("other", "web").await;
    harness.advance(MINUTE);
    assert_eq!(harness.message(3).await["groupLabels"]["alertname"], "other");
    harness.resolve("mood", "web").await;
    assert_eq!(harness.message(4).await["status"], "resolved");
    harness.app.post("/api/alerts/deliveries/999/resend", &json!({})).await.problem(404);
    harness.hook.script_replies([Reply::Answer(503, String::new(), "")]);
    harness.fire("third", "web").await;
    harness.advance(MINUTE);
    let pending = harness
        .delivery("a retry is planned", |delivery| delivery["attempts"] == 1 && delivery["state"] == "pending")
        .await;
    harness.app.post(&format!("/api/alerts/deliveries/{}/resend", pending["id"]), &json!({})).await.problem(409);
}

async fn hung_receiver_does_not_delay_healthy_ones(setup: Setup) {
    let harness = Harness::start(setup).await;
    let hung = Hook::start().await;
    hung.script_replies((0..400).map(|_| Reply::Silence));
    let channel = json!({"kind": "webhook", "url": hung.url()});
    harness.add("receivers", &json!({"name": "a-hung", "channel": channel})).await;
    let all = json!([{"label": "alertname", "op": "!=", "value": "healthy"}]);
    let route =
        json!({"name": "hung", "receiver": "a-hung", "matchers": all, "group_by": ["alertname"], "group_wait": "0s"});
    harness.add("routes", &route).await;
    harness.route("healthy", json!([])).await;
    for index in 0..160 {
        harness.fire(&format!("alert {index}"), "web").await;
    }
    let queued = async || {
        let page = harness.app.get("/api/alerts/deliveries?receiver=a-hung&state=pending&limit=500").await.ok();
        (page["deliveries"].as_array().unwrap().len() >= 160).then_some(())
    };
    harness.app.eventually("160 deliveries wait for the receiver that hangs", queued).await;
    harness.fire("healthy", "web").await;
    harness.advance(MINUTE);
    // A request to the receiver that hangs takes one minute, until its timeout. The other receiver gets its message
    // earlier.
    let started = std::time::Instant::now();
    assert_eq!(harness.message(1).await["groupLabels"]["alertname"], "healthy");
    assert!(started.elapsed() < MINUTE, "{:?}", started.elapsed());
}

async fn flapping_alert_is_reported_once_per_interval(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    harness.requests(1).await;
    harness.settled().await;
    harness.resolve("mood", "web").await;
    harness.fire("mood", "web").await;
    harness.advance(5 * MINUTE);
    // The receiver was notified that the alert fires. The alert was resolved and fires again, so nothing is sent until
    // the alert is resolved again.
    harness.followed().await;
    harness.resolve("mood", "web").await;
    assert_eq!(harness.message(2).await["status"], "resolved");
}

async fn clock_that_was_ahead_does_not_delay_notifications(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    let correct = harness.app.clock.now();
    harness.advance(60 * MINUTE);
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    harness.requests(1).await;
    harness.settled().await;
    // The interval of this group, and the retry of another group, are stored with times that are an hour ahead.
    harness.hook.script_replies([Reply::Answer(503, String::new(), "busy")]);
    harness.fire("other", "web").await;
    harness.advance(MINUTE);
    harness
        .delivery("a retry is planned", |delivery| delivery["attempts"] == 1 && delivery["state"] == "pending")
        .await;

    harness.app.clock.set(correct + 2 * MINUTE);
    assert_eq!(harness.message(3).await["groupLabels"]["alertname"], "other");
    harness.settled().await;
    harness.resolve("mood", "web").await;
    harness.advance(5 * MINUTE);
    assert_eq!(harness.message(4).await["status"], "resolved");
}
