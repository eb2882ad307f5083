//! Classifying on request.

use std::sync::Arc;

use reqwest::Method;
use sentistream::http::ModelState;
use serde_json::json;
use tokio::sync::watch;

use super::bed::{Bed, Setup, away, by_words, cases};

cases![texts_are_judged, bad_requests_are_refused];

async fn texts_are_judged(setup: Setup) {
    let bed = Bed::start(setup).await;
    let one = bed.post("/api/analyze", &json!({"text": "I love it"})).await.ok();
    assert_eq!(
        (&one["label"], &one["emotion"], &one["model"]),
        (&json!("positive"), &json!("joy"), &json!("by-words"))
    );
    assert_eq!((&one["tokens"], &one["truncated"]), (&json!(3), &json!(false)));
    assert_eq!(one["scores"]["sentiment"]["positive"], 0.9);
    assert_eq!(one["scores"]["emotion"].as_object().map(serde_json::Map::len), Some(7));

    let texts: Vec<_> = (0..256).map(|n| if n % 2 == 0 { "I love it" } else { "I hate it" }).collect();
    let many = bed.post("/api/analyze", &json!({"texts": texts})).await.ok();
    let results = many["results"].as_array().expect("results");
    assert_eq!(results.len(), 256);
    assert!(results.chunks(2).all(|pair| pair[0]["label"] == "positive" && pair[1]["label"] == "negative"));
    assert_eq!(bed.post("/api/analyze", &json!({"texts": ["I love it"]})).await.ok()["results"][0], one);
    assert_eq!(bed.post("/api/analyze", &json!({"texts": []})).await.ok(), json!({"results": []}));
    assert_eq!(bed.drained().await["stats"]["books"]["appended"], 0);
}

async fn bad_requests_are_refused(setup: Setup) {
    let bed = Bed::start(setup).await;
    let many = vec!["x"; 257];
    for (body, fields) in [
        (json!({}), &["text"][..]),
        (json!({"text": "a", "texts": ["b"]}), &["text"]),
        (json!({"text": "  "}), &["text"]),
        (json!({"text": "x".repeat(100_001)}), &["text"]),
        (json!({"texts": ["a", "", "b", " "]}), &["texts[1]", "texts[3]"]),
        (json!({"texts": many}), &["texts"]),
        (json!({"text": 5}), &["body"]),
        (json!({"text": "a", "model": "b"}), &["body"]),
        (json!([]), &["body"]),
    ] {
        assert_eq!(bed.post("/api/analyze", &body).await.problem(422), fields, "{body}");
    }
    let raw = |content_type: &'static str, body: &'static str| {
        bed.request(Method::POST, "/api/analyze").header("content-type", content_type).body(body)
    };
    bed.send(raw("application/json", "{\"text\":")).await.problem(400);
    bed.send(raw("text/plain", "I love it")).await.problem(415);
    bed.send(raw("application/x-ndjson", "{\"text\": \"x\"}")).await.problem(415);
    bed.post("/api/analyze", &json!({"text": "explode"})).await.problem(500);
}

#[tokio::test]
async fn a_model_that_is_being_loaded_is_waited_for() {
    let (mut rooms, folder) = away().await;
    let (loader, model) = watch::channel(ModelState::Loading);
    rooms.model = model;
    let bed = Bed::over(rooms, folder, |_| {});
    let ask = json!({"text": "I love it"});
    let refused = bed.post("/api/analyze", &ask).await;
    refused.problem(503);
    assert!(!refused.header("retry-after").is_empty());
    loader.send_replace(ModelState::Failed(Arc::from("the file is cut")));
    let failed = bed.post("/api/analyze", &ask).await;
    failed.problem(503);
    assert!(failed.text().contains("the file is cut"), "{}", failed.text());
    loader.send_replace(ModelState::Ready(by_words()));
    assert_eq!(bed.post("/api/analyze", &ask).await.ok()["label"], "positive");
}
