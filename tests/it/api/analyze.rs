//! Classification on request.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use sentistream::http::{AnalyzeBudget, HttpOptions, ModelState};
use serde_json::json;
use tokio::sync::watch;

use super::test_app::{Setup, TestApp, by_words, cases, unavailable_services};

cases![texts_are_classified, words_are_explained, bad_requests_are_refused];

async fn texts_are_classified(setup: Setup) {
    let app = TestApp::start(setup).await;
    let one = app.post("/api/analyze", &json!({"text": "I love it"})).await.ok();
    assert_eq!(
        (&one["label"], &one["emotion"], &one["model"]),
        (&json!("positive"), &json!("joy"), &json!("by-words"))
    );
    assert_eq!((&one["tokens"], &one["truncated"]), (&json!(3), &json!(false)));
    assert_eq!(one["scores"]["sentiment"]["positive"], 0.9);
    assert_eq!(one["scores"]["emotion"].as_object().map(serde_json::Map::len), Some(7));

    let texts: Vec<_> = (0..256).map(|n| if n % 2 == 0 { "I love it" } else { "I hate it" }).collect();
    let many = app.post("/api/analyze", &json!({"texts": texts})).await.ok();
    let results = many["results"].as_array().expect("results");
    assert_eq!(results.len(), 256);
    assert!(results.chunks(2).all(|pair| pair[0]["label"] == "positive" && pair[1]["label"] == "negative"));
    assert_eq!(app.post("/api/analyze", &json!({"texts": ["I love it"]})).await.ok()["results"][0], one);
    assert_eq!(app.post("/api/analyze", &json!({"texts": []})).await.ok(), json!({"results": []}));
    assert_eq!(app.drained().await["stats"]["books"]["appended"], 0);
}

async fn words_are_explained(setup: Setup) {
    let app = TestApp::start(setup).await;
    let text = "Hé 😀 I love it";
    let one = app.post("/api/analyze", &json!({"text": text, "explain": true})).await.ok();
    assert_eq!(one["label"], "positive");
    let words = one["explanation"]["words"].as_array().expect("words");
    let shown: Vec<_> = words.iter().map(|word| word["text"].as_str().expect("a text")).collect();
    assert_eq!(shown, ["Hé", "😀", "I", "love", "it"]);
    let love = json!({"text": "love", "start": 7, "end": 11, "sentiment": 0.7, "emotion": 0.7});
    assert_eq!(words[3], love);
    assert!(words.iter().all(|word| word["text"] == "love" || word["sentiment"] == 0.0), "{one}");
    let many = app.post("/api/analyze", &json!({"texts": [text, "fine"], "explain": true})).await.ok();
    assert_eq!((&many["results"][0], many["results"].as_array().map(Vec::len)), (&one, Some(2)));
    // Without the parameter `explain`, no explanation is computed.
    let plain = app.post("/api/analyze", &json!({"text": text, "explain": false})).await.ok();
    assert!(plain.get("explanation").is_none());
    let long = "love ".repeat(1_000);
    let long = app.post("/api/analyze", &json!({"text": long, "explain": true})).await.ok();
    let words = long["explanation"]["words"].as_array().expect("words");
    assert!(words.len() <= 64 && words.last().is_some_and(|word| word["end"] == 4_999), "{long}");
}

async fn bad_requests_are_refused(setup: Setup) {
    let app = TestApp::start(setup).await;
    let many = vec!["x"; 257];
    for (body, fields) in [
        (json!({}), &["text"][..]),
        (json!({"text": "a", "texts": ["b"]}), &["text"]),
        (json!({"text": "  "}), &["text"]),
        (json!({"text": "x".repeat(100_001)}), &["text"]),
        (json!({"texts": ["a", "", "b", " "]}), &["texts[1]", "texts[3]"]),
        (json!({"texts": many}), &["texts"]),
        (json!({"texts": many[..9], "explain": true}), &["texts"]),
        (json!({"text": "a", "explain": "yes"}), &["body"]),
        (json!({"text": 5}), &["body"]),
        (json!({"text": "a", "model": "b"}), &["body"]),
        (json!([]), &["body"]),
    ] {
        assert_eq!(app.post("/api/analyze", &body).await.problem(422), fields, "{body}");
    }
    let raw = |content_type: &'static str, body: &'static str| {
        app.request(Method::POST, "/api/analyze").header("content-type", content_type).body(body)
    };
    app.send(raw("application/json", "{\"text\":")).await.problem(400);
    app.send(raw("text/plain", "I love it")).await.problem(415);
    app.send(raw("application/x-ndjson", "{\"text\": \"x\"}")).await.problem(415);
    app.post("/api/analyze", &json!({"text": "explode"})).await.problem(500);
}

#[tokio::test]
async fn text_beyond_the_budget_is_refused_by_its_field() {
    let one_token = |options: &mut HttpOptions| {
        options.analyze_budget = Some(AnalyzeBudget { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN });
    };
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, one_token).await;
    for (body, field) in [(json!({"text": "I love it"}), "text"), (json!({"texts": ["I love it"]}), "texts")] {
        assert_eq!(app.post("/api/analyze", &body).await.problem(422), [field], "{body}");
    }
}

#[tokio::test]
async fn analyze_gives_503_until_the_model_is_loaded() {
    let (mut services, folder) = unavailable_services().await;
    let (loader, model) = watch::channel(ModelState::Loading);
    services.model = model;
    let app = TestApp::over(services, folder, |_| {});
    let ask = json!({"text": "I love it"});
    let refused = app.post("/api/analyze", &ask).await;
    refused.problem(503);
    assert!(!refused.header("retry-after").is_empty());
    loader.send_replace(ModelState::Failed(Arc::from("the file is truncated")));
    let failed = app.post("/api/analyze", &ask).await;
    failed.problem(503);
    assert!(failed.text().contains("the file is truncated"), "{}", failed.text());
    loader.send_replace(ModelState::Ready(by_words()));
    assert_eq!(app.post("/api/analyze", &ask).await.ok()["label"], "positive");
}
