//! The evidence and the figures of an alert.

use sentistream::domain::{Alert, LiveEvent};
use sentistream::live::{LiveMessage, Received, Subscription};
use serde_json::{Value, json};

use super::engine::{Engine, at, posts, rule};
use crate::api::test_app::{DEADLINE, Setup, TestApp, cases};

cases![alert_contains_evidence, firing_alert_has_current_figures];

async fn alert_contains_evidence(setup: Setup) {
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    rule(&app, json!({"name": "unrest", "kind": "share", "threshold": 0.5, "delay": "0s"})).await;
    app.clock.set(at(3_600));
    let mut earlier = posts("earlier", ("web", "love"), 120, at(600));
    earlier.extend(posts("grumbling", ("web", "hate"), 30, at(600)));
    app.store(&earlier).await;
    let mut outage: Vec<Value> = posts("outage", ("reddit", "hate"), 20, at(3_540));
    for (n, post) in outage.iter_mut().enumerate() {
        let words =
            ["checkout is broken again, so sad", "nobody can pay, checkout broken", "my basket, the checkout: broken"]
                [n % 3];
        post["content"] = json!(format!("I hate it: {words} https://x.example/{n}"));
    }
    outage.extend(posts("calm", ("web", "love"), 5, at(3_540)));
    app.store(&outage).await;
    engine.evaluate().await;

    let alert = app.get("/api/alerts").await.ok()["alerts"][0].clone();
    let details = &alert["details"];
    assert_eq!(details["counts"], json!({"negative": 20, "neutral": 0, "positive": 5, "total": 25}));
    assert_eq!((&details["value"], &details["threshold"]), (&json!(0.8), &json!(0.5)));
    assert_eq!(details["top_sources"][0], json!({"source": "reddit", "count": 20, "posts": 20, "percentage": 100.0}));
    let terms: Vec<_> =
        details["top_terms"].as_array().expect("terms").iter().map(|term| term["term"].clone()).collect();
    let named = |word: &str| terms[..3].iter().any(|term| term.as_str().is_some_and(|term| term.contains(word)));
    assert!(named("checkout") && named("broken"), "{terms:?}");
    assert!(!terms.contains(&json!("the")), "{terms:?}");
    let evidence = details["evidence"].as_array().expect("posts");
    let duplicates: u64 = evidence.iter().map(|post| post["duplicates"].as_u64().expect("a number")).sum();
    assert_eq!((evidence.len(), duplicates), (3, 17), "{evidence:#?}");
    assert_eq!(
        details["link"],
        "/posts?from=2026%2D03%2D01T13%3A25%3A00%2E000Z&to=2026%2D03%2D01T13%3A30%3A00%2E000Z&sentiment=negative"
    );
    let authors = details["top_authors"].as_array().expect("authors").clone();
    assert_eq!((authors.len(), &authors[0]["count"]), (7, &json!(3)));

    // When a post is deleted, the post and an author without other posts are removed from the evidence.
    let cited = evidence[0]["post_id"].as_str().expect("an id");
    assert_eq!(app.delete(&format!("/api/posts/{cited}")).await.status, 204);
    let of_first = authors[0]["post_ids"].as_array().expect("posts");
    for id in of_first.iter().filter_map(Value::as_str).filter(|id| *id != cited) {
        assert_eq!(app.delete(&format!("/api/posts/{id}")).await.status, 204);
    }
    let after = app.get(&format!("/api/alerts/{}", alert["id"])).await.ok();
    let text = after["details"].to_string();
    assert!(!text.contains(&format!("\"{cited}\"")), "{text}");
    assert!(!text.contains(&format!("{}", authors[0]["author"])), "{text}");
}

/// Receives the next alert that live clients get.
async fn published(live: &mut Subscription) -> Alert {
    loop {
        let received = tokio::time::timeout(DEADLINE, live.recv()).await.expect("an event in time");
        let Some(Received::Message(LiveMessage::Event { event, .. })) = received else { panic!("{received:?}") };
        if let LiveEvent::Alert(alert) = event.as_ref() {
            return alert.clone();
        }
    }
}

async fn firing_alert_has_current_figures(setup: Setup) {
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    let mut live = app.services.live.subscribe();
    rule(
        &app,
        json!({"name": "unrest", "kind": "share", "threshold": 0.5, "delay": "0s", "window": "10min",
               "annotations": {"summary": "{{value}} of {{posts}}"}}),
    )
    .await;
    app.clock.set(at(60));
    let first = [posts("first", ("web", "hate"), 12, at(30)), posts("first", ("web", "love"), 8, at(30))];
    app.store(&first.concat()).await;
    engine.evaluate().await;
    let opened = published(&mut live).await;
    assert_eq!((opened.actual_value, opened.details["peak"].as_f64()), (0.6, Some(0.6)));

    app.clock.set(at(240));
    let mut outage = posts("outage", ("reddit", "hate"), 20, at(200));
    for (n, post) in outage.iter_mut().enumerate() {
        post["content"] = json!(format!("I hate it, the checkout failed {n} times"));
    }
    app.store(&outage).await;
    engine.evaluate().await;
    let updated = published(&mut live).await;
    assert_eq!((updated.id, updated.actual_value, updated.post_count), (opened.id, 0.8, 40));
    assert_eq!(updated.annotations["summary"], "80 % of 40");
    assert_eq!((updated.triggered_at, updated.window_end), (opened.triggered_at, at(240)));
    let stored = app.get(&format!("/api/alerts/{}", opened.id)).await.ok();
    let details = &stored["details"];
    assert_eq!((&stored["actual_value"], &details["value"], &details["peak"]), (&json!(0.8), &json!(0.8), &json!(0.8)));
    assert_eq!(details["counts"]["total"], 40);
    assert!(details["evidence"].to_string().contains("checkout"), "{details:#}");
    let cites = |alert: &Value, id: &str| alert["details"].to_string().contains(&format!("\"{id}\""));
    let cited = details["evidence"][0]["post_id"].as_str().expect("an id").to_owned();

    // When the value falls, the peak and the evidence remain, and a deleted post does not return to the evidence.
    assert_eq!(app.delete(&format!("/api/posts/{cited}")).await.status, 204);
    app.clock.set(at(300));
    app.store(&posts("calm", ("web", "love"), 16, at(280))).await;
    engine.evaluate().await;
    let stored = app.get(&format!("/api/alerts/{}", opened.id)).await.ok();
    let (value, peak) = (stored["actual_value"].as_f64().expect("a value"), &stored["details"]["peak"]);
    assert!(value < 0.6 && *peak == json!(0.8), "{stored:#}");
    assert!(!cites(&stored, &cited), "{stored:#}");

    // A resolved alert keeps its last figures.
    engine.evaluate_until(&app, at(1_200)).await;
    let stored = app.get(&format!("/api/alerts/{}", opened.id)).await.ok();
    assert_eq!((&stored["state"], &stored["details"]["peak"]), (&json!("resolved"), &json!(0.8)));
    assert!(stored["actual_value"].as_f64() > Some(0.5), "{stored:#}");
}
