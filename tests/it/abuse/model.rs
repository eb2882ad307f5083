//! Requests that keep the model busy.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use sentistream::http::{AnalyzeBudget, HttpOptions};
use sentistream::inference::{Classifier, Engine, InferenceOptions};
use serde_json::json;

use crate::api::test_app::{DEADLINE, Setup, TestApp};

fn engine() -> Arc<Engine> {
    let options = InferenceOptions { threads: Some(1), max_wait: 10 * DEADLINE, ..InferenceOptions::default() };
    Arc::new(Engine::load(&options).expect("the builtin model loads"))
}

fn texts(count: usize, words: usize) -> Vec<String> {
    (0..count).map(|n| format!("text {n} {}", "about the weather of today ".repeat(words / 5))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn interactive_text_does_not_wait_behind_worker_batches() {
    let engine = engine();
    let bulk = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.classify(texts(1_500, 100)).await })
    };
    // The interactive and the bulk queue may fill in any order. Each interactive text must be classified before the
    // bulk work ends.
    for n in 0..5 {
        engine.classify_interactive(texts(1, 10)).await.expect("an analysis");
        assert!(!bulk.is_finished(), "text {n} waited for the worker");
    }
    assert_eq!(bulk.await.expect("no panic").expect("analyses").len(), 1_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_keeps_its_share_while_readers_flood_the_model() {
    let engine = engine();
    let flood: Vec<_> = (0..4)
        .map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move {
                loop {
                    let _ = engine.classify_interactive(texts(64, 200)).await;
                }
            })
        })
        .collect();
    for _ in 0..5 {
        let batch = tokio::time::timeout(DEADLINE, engine.classify(texts(50, 20))).await;
        assert_eq!(batch.expect("the worker is served").expect("analyses").len(), 50);
    }
    flood.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_of_cancelled_request_is_dropped() {
    let engine = engine();
    // This is more work than can finish during the test. All of it is cancelled at once.
    for _ in 0..20 {
        let work = engine.classify_interactive(texts(256, 400));
        assert!(tokio::time::timeout(Duration::from_millis(1), work).await.is_err());
    }
    let next = tokio::time::timeout(DEADLINE / 2, engine.classify_interactive(texts(1, 10))).await;
    next.expect("cancelled work is not computed").expect("an analysis");
}

#[tokio::test]
async fn client_that_explains_long_texts_is_limited() {
    let limited = |options: &mut HttpOptions| {
        let number = |n: u32| n.try_into().expect("a number");
        options.analyze_budget = Some(AnalyzeBudget { per_second: number(1), burst: number(50_000) });
        options.trusted_proxies = vec![[127, 0, 0, 1].into()];
    };
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, limited).await;
    let analyze = async |client: &'static str, body: serde_json::Value| {
        let request = app.request(Method::POST, "/api/analyze").header("x-forwarded-for", client).json(&body);
        app.send(request).await
    };
    let long = "word ".repeat(20_000);
    let attack = json!({"texts": vec![long.as_str(); 8], "explain": true});
    assert_eq!(analyze("192.0.2.1", attack).await.problem(422), ["texts"]);
    let heavy = json!({"text": "word ".repeat(2_000), "explain": true});
    assert_eq!(analyze("192.0.2.1", heavy.clone()).await.status, 200);
    let refused = analyze("192.0.2.1", heavy).await;
    refused.problem(429);
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(analyze("192.0.2.2", json!({"text": "I love it"})).await.status, 200, "others are not limited");
}
