//! Posts with a low confidence get a second opinion from a language model.

use std::sync::Arc;

use sentistream::inference::{Llm, SharedClassifier, WithFallback};
use sentistream::worker::{self, SecondOpinion, TopicDoubts, Worker};
use serde_json::json;

use super::test_app::{Setup, TestApp, by_words, cases, post, worker};
use crate::llm::fake::{FakeLlm, Reply, Seen};
use crate::llm::options;

cases![
    uncertain_posts_are_stored_then_corrected,
    failing_post_is_classified_by_llm,
    failing_post_of_a_topic_is_classified_by_llm,
    uncertain_sentiment_towards_topic_is_sent_to_llm,
];

async fn uncertain_posts_are_stored_then_corrected(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.shutdown_workers().await;
    for (name, query) in [("calm", "hate sentiment:neutral"), ("angry", "emotion:anger"), ("any", "hate OR love")] {
        assert_eq!(app.post("/api/topics", &json!({"name": name, "query": query})).await.status, 201);
    }
    let fake = FakeLlm::start().await;
    let llm = Llm::new(options(&fake, &app.clock)).unwrap();
    let worker = Worker { second_opinion: Some(SecondOpinion::new(Arc::new(llm), 0.7, 3)), ..worker(&app.services) };
    tokio::spawn(worker::run(worker, app.shutdown.clone()));
    // The test model does not know words in capitals. It classifies them as neutral with a low confidence.
    app.store(&[post("sure", "web", "I love it", 40), post("unsure", "web", "I HATE it", 30)]).await;
    app.eventually("the second opinion is stored", async || {
        let post = app.get("/api/posts/unsure").await.ok();
        (post["sentiment"]["model_name"] == "fake:judge-1").then_some(())
    })
    .await;
    let corrected = app.get("/api/posts/unsure").await.ok();
    assert_eq!(
        (&corrected["sentiment"]["label"], &corrected["sentiment"]["emotion"]),
        (&json!("negative"), &json!("anger"))
    );
    let sure = app.get("/api/posts/sure").await.ok();
    assert_eq!(sure["sentiment"]["model_name"], "by-words");
    assert!(fake.seen().iter().all(|seen| seen.posts().len() == 1), "only the uncertain post is sent");

    // The counts of every endpoint include the corrected label.
    let counted = json!({"positive": 1, "neutral": 0, "negative": 1});
    assert_eq!(app.get("/api/sentiment/distribution").await.ok()["distribution"], counted);
    assert_eq!(app.get("/api/stats").await.ok()["by_sentiment"], counted);
    assert_eq!(app.get("/api/posts?sentiment=neutral").await.ok()["total"], 0);
    assert_eq!(app.get("/api/posts?sentiment=negative").await.ok()["total"], 1);
    assert_eq!(app.drained().await["stats"]["books"]["analysed"], 2);

    // A topic whose query names a label is evaluated again with the corrected labels.
    for (topic, posts) in [("calm", 0), ("angry", 1), ("any", 2)] {
        assert_eq!(app.get(&format!("/api/posts?topic={topic}")).await.ok()["total"], posts, "{topic}");
        assert_eq!(
            app.get(&format!("/api/sentiment/distribution?topic={topic}")).await.ok()["total"],
            posts,
            "{topic}"
        );
    }
}

async fn failing_post_is_classified_by_llm(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.shutdown_workers().await;
    let fake = FakeLlm::start().await;
    fake.always(|seen| if seen.posts()[0].1.contains("bomb") { Reply::Status(500, None) } else { Reply::Good });
    let llm = Llm::new(options(&fake, &app.clock)).unwrap();
    let fallback: SharedClassifier = Arc::new(WithFallback::new(by_words(), llm));
    let classifier = fallback.into();
    tokio::spawn(worker::run(Worker { classifier, ..worker(&app.services) }, app.shutdown.clone()));
    app.store(&[post("a", "web", "I love it", 40), post("b", "web", "let it explode, I hate it", 30)]).await;
    let saved = app.get("/api/posts/b").await.ok();
    assert_eq!(
        (&saved["sentiment"]["label"], &saved["sentiment"]["model_name"]),
        (&json!("negative"), &json!("fake:judge-1"))
    );
    assert_eq!(app.get("/api/posts/a").await.ok()["sentiment"]["model_name"], "by-words");
    // While the language model is unavailable, the post `c` fails, and the post `d` is stored without a delay.
    app.store(&[post("c", "web", "a bomb may explode", 20), post("d", "web", "I hate it", 10)]).await;
    let books = app.drained().await["stats"]["books"].clone();
    assert_eq!((&books["analysed"], &books["dead_lettered"]), (&json!(3), &json!(1)), "{books}");
}

async fn failing_post_of_a_topic_is_classified_by_llm(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.shutdown_workers().await;
    assert_eq!(app.post("/api/topics", &json!({"name": "acme", "query": "acme"})).await.status, 201);
    let fake = FakeLlm::start().await;
    let llm = Llm::new(options(&fake, &app.clock)).unwrap();
    let fallback: SharedClassifier = Arc::new(WithFallback::new(by_words(), llm));
    let classifier = fallback.into();
    tokio::spawn(worker::run(Worker { classifier, ..worker(&app.services) }, app.shutdown.clone()));
    app.store(&[post("a", "web", "I hate that Acme phone, because it may explode", 40)]).await;
    let saved = app.get("/api/posts/a").await.ok();
    assert_eq!(saved["sentiment"]["model_name"], "fake:judge-1", "the post is stored, and not a dead letter");
    assert_eq!((&saved["topics"][0]["label"], &saved["topics"][0]["clause"]), (&json!("negative"), &json!(null)));
}

async fn uncertain_sentiment_towards_topic_is_sent_to_llm(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.shutdown_workers().await;
    for name in ["acme", "apex"] {
        assert_eq!(app.post("/api/topics", &json!({"name": name, "query": name})).await.status, 201);
    }
    let fake = FakeLlm::start().await;
    fake.always(|seen| {
        let targets: Vec<String> = seen.targets();
        let judgements: Vec<_> = targets
            .iter()
            .enumerate()
            .map(|(index, target)| {
                let sentiment = if target == "Apex" { "positive" } else { "neutral" };
                json!({"index": index, "sentiment": sentiment, "confidence": 0.75, "emotion": "neutral"})
            })
            .collect();
        Reply::Says(json!({"judgements": judgements}).to_string())
    });
    let llm = Llm::new(options(&fake, &app.clock)).unwrap();
    let doubts = TopicDoubts::new(llm, 1.0, 10);
    let worker = Worker { topic_doubts: Some(doubts), ..worker(&app.services) };
    tokio::spawn(worker::run(worker, app.shutdown.clone()));
    let text = "I love the new Acme phone, but I hate that old Apex phone";
    app.store(&[post("two", "web", text, 40), post("one", "web", "I hate Apex", 30)]).await;
    app.eventually("the second opinion is stored", async || {
        let post = app.get("/api/posts/two").await.ok();
        let labels: Vec<_> = post["topics"].as_array().unwrap().iter().map(|topic| topic["label"].clone()).collect();
        (labels == [json!("neutral"), json!("positive")]).then_some(())
    })
    .await;
    let sent: Vec<_> = fake.seen().iter().flat_map(Seen::posts).map(|(_, text)| text).collect();
    assert!(sent.iter().all(|sent| sent == text), "only the post with one clause per topic is sent: {sent:?}");
    assert!(fake.seen()[0].body["messages"][0]["content"].as_str().unwrap().contains("about the target alone"));
    let stored = app.get("/api/posts/two").await.ok();
    assert_eq!(stored["topics"][1]["confidence"], 0.75);
    assert_eq!(stored["sentiment"]["model_name"], "by-words", "the label of the post is unchanged");
    assert_eq!(
        app.get("/api/distribution?topic=apex").await.ok()["distribution"],
        json!({"positive": 1, "neutral": 0, "negative": 1})
    );
    assert_eq!(app.get("/api/posts?topic=apex&sentiment=positive").await.ok()["total"], 1);
}
