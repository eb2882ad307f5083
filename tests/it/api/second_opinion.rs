//! Posts with a low confidence get a second opinion from a language model.

use std::sync::Arc;

use sentistream::inference::{Llm, SharedClassifier, WithFallback};
use sentistream::worker::{self, SecondOpinion, Worker};
use serde_json::json;

use super::test_app::{Setup, TestApp, by_words, cases, post, worker};
use crate::llm::fake::{FakeLlm, Reply};
use crate::llm::options;

cases![uncertain_posts_are_stored_then_corrected, failing_post_is_classified_by_llm,];

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
    // The test model does not know words in capitals: it returns neutral with low confidence.
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

    // The counts of every endpoint change accordingly.
    let counted = json!({"positive": 1, "neutral": 0, "negative": 1});
    assert_eq!(app.get("/api/sentiment/distribution").await.ok()["distribution"], counted);
    assert_eq!(app.get("/api/stats").await.ok()["by_sentiment"], counted);
    assert_eq!(app.get("/api/posts?sentiment=neutral").await.ok()["total"], 0);
    assert_eq!(app.get("/api/posts?sentiment=negative").await.ok()["total"], 1);
    assert_eq!(app.drained().await["stats"]["books"]["analysed"], 2);

    // So do its topics, where they depend on labels.
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
    // While the language model is unavailable, only this post fails, and other posts are not delayed.
    app.store(&[post("c", "web", "a bomb may explode", 20), post("d", "web", "I hate it", 10)]).await;
    let books = app.drained().await["stats"]["books"].clone();
    assert_eq!((&books["analysed"], &books["dead_lettered"]), (&json!(3), &json!(1)), "{books}");
}
