//! The texts of messages: repeated messages contain current values, and quotes of deleted posts are removed.

use serde_json::{Value, json};

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::harness::Harness;

cases!(repeated_message_has_current_figures, quotes_of_deleted_posts_are_removed_from_deliveries);

async fn share_rule(harness: &Harness) {
    let rule = json!({"name": "mood", "kind": "share", "threshold": 0.5, "window": "5min",
                      "annotations": {"summary": "{{value}}"}});
    let answer = harness.app.post("/api/alerts/rules", &rule).await;
    assert_eq!((answer.status, &answer.json()["id"]), (201, &json!(1)), "{}", answer.text());
}

async fn repeated_message_has_current_figures(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    share_rule(&harness).await;
    harness.set_details(json!({"value": 0.6, "peak": 0.6, "counts": {"total": 20, "negative": 12}}));
    let id = harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    assert_eq!(harness.message(1).await["alerts"][0]["details"]["value"], 0.6);
    harness.settled().await;
    harness.update(id, 0.9, "0.9 now").await;
    harness.advance(5 * 60 * MINUTE);
    let alert = harness.message(2).await["alerts"][0].clone();
    assert_eq!((&alert["details"]["value"], &alert["details"]["peak"]), (&json!(0.9), &json!(0.9)));
    assert_eq!(alert["annotations"]["summary"], "0.9 now");
    let sentence = alert["details"]["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("90 % of 40 posts"), "{sentence}");
}

async fn quotes_of_deleted_posts_are_removed_from_deliveries(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    share_rule(&harness).await;
    let now = harness.app.clock.now();
    let post = |id: &str| json!({"post_id": id, "source": "web", "content": "I hate it", "created_at": now});
    harness.app.store(&[post("a"), post("b")]).await;
    let quote = |id: &str, text: &str| json!({"post_id": id, "source": "web", "content": text, "duplicates": 0});
    harness.set_details(json!({"evidence": [quote("a", "my secret words"), quote("b", "other words")]}));
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    assert!(harness.message(1).await.to_string().contains("my secret words"));
    let delivered = harness.delivery("the message is delivered", |delivery| delivery["state"] == "delivered").await;
    assert!(delivered.to_string().contains("my secret words"), "{delivered:#}");

    assert_eq!(harness.app.delete("/api/posts/a").await.status, 204);
    let path = format!("/api/alerts/deliveries/{}", delivered["id"]);
    let after: Value = harness.app.get(&path).await.ok();
    assert!(!after.to_string().contains("my secret words"), "{after:#}");
    assert!(after.to_string().contains("other words"), "{after:#}");
    // A resent message quotes the remaining post until that post is deleted too.
    let resent = harness.app.post(&format!("{path}/resend"), &json!({})).await;
    assert_eq!(resent.status, 202, "{}", resent.text());
    let message = harness.message(2).await.to_string();
    assert!(!message.contains("my secret words") && message.contains("other words"), "{message}");
    harness.settled().await;
    assert_eq!(harness.app.delete("/api/posts/b").await.status, 204);
    let log = harness.app.get("/api/alerts/deliveries").await.ok().to_string();
    assert!(!log.contains("other words"), "{log}");
}
