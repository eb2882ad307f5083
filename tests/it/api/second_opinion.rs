//! Posts that the model is unsure of, and what another model makes of them.

use std::sync::Arc;

use sentistream::inference::{Llm, WithFallback};
use sentistream::worker::{self, SecondOpinion, Worker};
use serde_json::json;

use super::bed::{Bed, Setup, by_words, cases, post, worker};
use crate::llm::fake::{FakeLlm, Reply};
use crate::llm::options;

cases![
    doubtful_posts_are_stored_at_once_and_corrected_with_their_counts,
    a_post_that_breaks_the_model_is_judged_by_the_language_model,
];

async fn doubtful_posts_are_stored_at_once_and_corrected_with_their_counts(setup: Setup) {
    let bed = Bed::start(setup).await;
    bed.shutdown_workers().await;
    let fake = FakeLlm::start().await;
    let llm = Llm::new(options(&fake, &bed.clock)).unwrap();
    let worker = Worker { second_opinion: Some(SecondOpinion::new(Arc::new(llm), 0.7, 3)), ..worker(&bed.rooms) };
    tokio::spawn(worker::run(worker, bed.shutdown.clone()));
    // Capitals are too loud for the model: it is neutral to them, and unsure.
    bed.store(&[post("sure", "web", "I love it", 40), post("unsure", "web", "I HATE it", 30)]).await;
    bed.eventually("the second opinion stands", async || {
        let post = bed.get("/api/posts/unsure").await.ok();
        (post["sentiment"]["model_name"] == "fake:judge-1").then_some(())
    })
    .await;
    let corrected = bed.get("/api/posts/unsure").await.ok();
    assert_eq!(
        (&corrected["sentiment"]["label"], &corrected["sentiment"]["emotion"]),
        (&json!("negative"), &json!("anger"))
    );
    let sure = bed.get("/api/posts/sure").await.ok();
    assert_eq!(sure["sentiment"]["model_name"], "by-words");
    assert!(fake.seen().iter().all(|seen| seen.posts().len() == 1), "only the doubtful one is sent");

    // The counts of every endpoint follow.
    let counted = json!({"positive": 1, "neutral": 0, "negative": 1});
    assert_eq!(bed.get("/api/sentiment/distribution").await.ok()["distribution"], counted);
    assert_eq!(bed.get("/api/stats").await.ok()["by_sentiment"], counted);
    assert_eq!(bed.get("/api/posts?sentiment=neutral").await.ok()["total"], 0);
    assert_eq!(bed.get("/api/posts?sentiment=negative").await.ok()["total"], 1);
    assert_eq!(bed.drained().await["stats"]["books"]["analysed"], 2);
}

async fn a_post_that_breaks_the_model_is_judged_by_the_language_model(setup: Setup) {
    let bed = Bed::start(setup).await;
    bed.shutdown_workers().await;
    let fake = FakeLlm::start().await;
    fake.always(|seen| if seen.posts()[0].1.contains("bomb") { Reply::Status(500, None) } else { Reply::Good });
    let llm = Llm::new(options(&fake, &bed.clock)).unwrap();
    let classifier = Arc::new(WithFallback::new(by_words(), llm));
    tokio::spawn(worker::run(Worker { classifier, ..worker(&bed.rooms) }, bed.shutdown.clone()));
    bed.store(&[post("a", "web", "I love it", 40), post("b", "web", "let it explode, I hate it", 30)]).await;
    let saved = bed.get("/api/posts/b").await.ok();
    assert_eq!(
        (&saved["sentiment"]["label"], &saved["sentiment"]["model_name"]),
        (&json!("negative"), &json!("fake:judge-1"))
    );
    assert_eq!(bed.get("/api/posts/a").await.ok()["sentiment"]["model_name"], "by-words");
    // It holds up nobody while the language model is away: it is the post that fails.
    bed.store(&[post("c", "web", "a bomb may explode", 20), post("d", "web", "I hate it", 10)]).await;
    let books = bed.drained().await["stats"]["books"].clone();
    assert_eq!((&books["analysed"], &books["dead_lettered"]), (&json!(3), &json!(1)), "{books}");
}
