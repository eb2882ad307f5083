//! Failing receivers raise alerts.

use serde_json::json;

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::fakes::{Hook, Reply};
use super::harness::Harness;

cases!(failing_receiver_raises_alert_until_a_delivery_succeeds);

async fn failing_receiver_raises_alert_until_a_delivery_succeeds(setup: Setup) {
    let harness = Harness::start(setup).await;
    let broken = Hook::start().await;
    broken.script_replies([Reply::Answer(401, String::new(), "who are you")]);
    let channel = json!({"kind": "webhook", "url": broken.url()});
    let id = harness.add("receivers", &json!({"name": "broken", "channel": channel})).await;
    let mood = json!([{"label": "alertname", "op": "=", "value": "mood"}]);
    harness.add("routes", &json!({"name": "mood", "receiver": "broken", "matchers": mood})).await;
    // The default route leads to a working receiver.
    harness.route("on-call", json!([])).await;
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    harness.delivery("the delivery fails", |delivery| delivery["state"] == "failed").await;

    harness.evaluate().await;
    let open = harness.app.get("/api/alerts?alert_type=ReceiverFailing&state=firing").await.ok();
    let alert = &open["alerts"][0];
    assert_eq!((&open["total"], &alert["scope"]), (&json!(1), &json!("receiver:broken")), "{open:#}");
    assert_eq!((&alert["severity"], &alert["labels"]["receiver"]), (&json!("critical"), &json!("broken")));
    assert!(alert["annotations"]["description"].as_str().is_some_and(|text| text.contains("401")), "{alert:#}");
    harness.advance(MINUTE);
    let message = harness.message(1).await;
    assert_eq!((&message["receiver"], &message["status"]), (&json!("on-call"), &json!("firing")));
    assert_eq!(message["alerts"][0]["labels"]["alertname"], "ReceiverFailing");
    harness.settled().await;
    // A second evaluation raises no second alert.
    harness.evaluate().await;
    assert_eq!(harness.app.get("/api/alerts?alert_type=ReceiverFailing").await.ok()["total"], 1);

    // A successful test message resolves the alert.
    let tested = harness.app.post(&format!("/api/alerts/receivers/{id}/test"), &json!({})).await;
    assert!((200..300).contains(&tested.status), "{}", tested.text());
    harness.settled().await;
    harness.evaluate().await;
    assert_eq!(harness.app.get("/api/alerts?alert_type=ReceiverFailing&state=firing").await.ok()["total"], 0);
    harness.advance(5 * MINUTE);
    assert_eq!(harness.message(2).await["status"], "resolved");
}
