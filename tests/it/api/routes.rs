//! Posts in some languages are routed to other models.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sentistream::domain::RawFields;
use sentistream::inference::ActiveClassifier;
use sentistream::inference::routes::{Load, RouteSpec, Routes, RoutesOptions};
use sentistream::language;
use sentistream::lifecycle::Shutdown;
use sentistream::worker::{self, Worker};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::posts::ids;
use super::socket::Socket;
use super::test_app::{DEADLINE, Setup, TestApp, by_words_named, cases, english_by_words, post, worker};

cases![
    posts_go_to_the_model_of_their_language,
    unscored_posts_are_analysed_when_a_route_is_added,
    slow_route_delays_no_other_language_and_loses_no_post,
];

fn with_language(mut post: Value, lang: &str) -> Value {
    post["lang"] = lang.into();
    post
}

/// A route for German and French. Its model is loaded as soon as `gate` has a permit.
fn routes(app: &TestApp, gate: &Arc<Semaphore>, wait: Duration) -> Routes {
    let gate = gate.clone();
    let load: Load = Arc::new(move || {
        let gate = gate.clone();
        async move {
            let _open = gate.acquire().await.expect("the gate is never closed");
            Ok(by_words_named("words-de-fr"))
        }
        .boxed()
    });
    let languages = ["de", "fr"].map(str::to_owned).to_vec();
    let spec = RouteSpec { languages, model: "./words-de-fr".to_owned(), load };
    let detect = Some(language::detect as fn(&str) -> Option<&'static str>);
    Routes::new(vec![spec], RoutesOptions { wait, unload_after: None, detect, clock: app.clock.clone() })
}

/// An app whose main model supports only English.
async fn app_with(setup: Setup, routes: impl FnOnce(&TestApp) -> Routes) -> TestApp {
    let app = TestApp::start(setup).await;
    app.shutdown_workers().await;
    work(&app, routes(&app));
    app
}

/// Starts workers, which stop when the returned signal is triggered.
fn work(app: &TestApp, routes: Routes) -> Shutdown {
    let workers = app.shutdown.child();
    let classifier = ActiveClassifier::from(english_by_words());
    tokio::spawn(worker::run(Worker { classifier, routes, ..worker(&app.services) }, workers.clone()));
    workers
}

fn model(post: &Value) -> &str {
    post["sentiment"]["model_name"].as_str().unwrap_or("none")
}

async fn posts_go_to_the_model_of_their_language(setup: Setup) {
    let open = Arc::new(Semaphore::new(1));
    let app = app_with(setup, |app| routes(app, &open, DEADLINE)).await;
    app.store(&[
        with_language(post("german", "web", "ich love das", 40), "de-AT"),
        with_language(post("french", "web", "je hate", 30), "fr"),
        with_language(post("spanish", "web", "yo love", 20), "es"),
        with_language(post("english", "web", "I love it", 10), "en"),
    ])
    .await;
    let list = app.get("/api/posts").await.ok();
    assert_eq!(ids(&list), ["english", "spanish", "french", "german"]);
    let posts = list["posts"].as_array().expect("posts");
    assert_eq!(posts.iter().map(model).collect::<Vec<_>>(), ["by-words", "none", "words-de-fr", "words-de-fr"]);
    assert_eq!((&posts[2]["sentiment"]["label"], &posts[1]["unscored"]), (&json!("negative"), &json!("language")));
    let books = app.drained().await["stats"]["books"].clone();
    assert_eq!((&books["analysed"], &books["unscored"]), (&json!(3), &json!(1)));

    // A text on which the model of a route fails becomes a dead letter. The other posts are stored.
    app.store(&[
        with_language(post("bad", "web", "explode", 8), "de"),
        with_language(post("good", "web", "love", 7), "de"),
    ])
    .await;
    let books = app.drained().await["stats"]["books"].clone();
    assert_eq!((&books["analysed"], &books["dead_lettered"]), (&json!(4), &json!(1)));
}

async fn unscored_posts_are_analysed_when_a_route_is_added(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.shutdown_workers().await;
    let earlier = work(&app, Routes::default());
    let posts: Vec<Value> = (0..150)
        .map(|n| with_language(post(&format!("de{n}"), "web", if n % 3 == 0 { "love" } else { "hate" }, 300 - n), "de"))
        .collect();
    app.store(&posts).await;
    app.store(&[
        with_language(post("es", "web", "love", 20), "es"),
        with_language(post("bad", "web", "explode", 15), "de"),
    ])
    .await;
    assert_eq!(app.post("/api/topics", &json!({"name": "angry", "query": "hate emotion:anger"})).await.status, 201);
    assert_eq!(app.get("/api/stats").await.ok()["unscored_count"], 152);

    earlier.stop();
    let open = Arc::new(Semaphore::new(1));
    work(&app, routes(&app, &open, DEADLINE));
    app.eventually("the posts are analysed", async || {
        (app.get("/api/stats").await.ok()["unscored_count"] == 2).then_some(())
    })
    .await;
    // Two posts remain unscored: no model supports Spanish, and the model fails on the post `bad`.
    assert_eq!(ids(&app.get("/api/posts?sentiment=unscored").await.ok()), ["bad", "es"]);
    assert_eq!(model(&app.get("/api/posts/de7").await.ok()), "words-de-fr");
    let counted = json!({"positive": 50, "neutral": 0, "negative": 100});
    assert_eq!(app.get("/api/stats").await.ok()["by_sentiment"], counted);
    let distribution = app.get("/api/sentiment/distribution").await.ok();
    assert_eq!((&distribution["distribution"], &distribution["unscored_count"]), (&counted, &json!(2)));
    assert_eq!(app.get("/api/posts?sentiment=negative").await.ok()["total"], 100);
    assert_eq!(app.get("/api/posts?topic=angry").await.ok()["total"], 100);
    let books = app.drained().await["stats"]["books"].clone();
    assert_eq!(
        (&books["unscored"], &books["dead_lettered"]),
        (&json!(152), &json!(0)),
        "a later analysis does not change the outcome counts"
    );
    let export = app.get("/api/posts/export?format=ndjson&lang=de").await;
    assert_eq!(export.text().lines().count(), 151);
}

async fn slow_route_delays_no_other_language_and_loses_no_post(setup: Setup) {
    let gate = Arc::new(Semaphore::new(0));
    let app = app_with(setup, |app| routes(app, &gate, Duration::from_millis(50))).await;
    let mut socket = Socket::open(&app).await;
    let flood: Vec<Value> =
        (0..120).map(|n| with_language(post(&format!("de{n}"), "web", "hate", 200), "de")).collect();
    app.store(&flood).await;
    app.store(&[post("english", "web", "I love it", 10)]).await;
    assert_eq!(model(&app.get("/api/posts/english").await.ok()), "by-words");
    let stats = app.get("/api/stats").await.ok();
    assert_eq!((&stats["unscored_count"], &stats["by_sentiment"]["positive"]), (&json!(120), &json!(1)));
    // An edit that arrives before the analysis replaces the text of the post.
    let mut edit = RawFields::default();
    for (name, value) in [
        ("op", "replace"),
        ("post_id", "de0"),
        ("source", "web"),
        ("content", "love"),
        ("lang", "de"),
        ("created_at", "2026-03-01T12:29:00Z"),
        ("edited_at", "2026-03-01T12:30:00Z"),
    ] {
        edit.push(name, value);
    }
    app.services.stream.append(vec![edit]).await.expect("the stream");
    assert_eq!(app.delete("/api/posts/de1").await.status, 204);
    app.drained().await;

    gate.add_permits(1);
    app.eventually("the posts are analysed", async || {
        (app.get("/api/stats").await.ok()["unscored_count"] == 0).then_some(())
    })
    .await;
    let counted = json!({"positive": 2, "neutral": 0, "negative": 118});
    assert_eq!(app.get("/api/stats").await.ok()["by_sentiment"], counted);
    loop {
        let event = socket.next("post").await["data"].clone();
        if event["post_id"] == "de5" && !event["sentiment_label"].is_null() {
            break;
        }
    }
    // The model has processed all waiting posts, so new posts are analysed directly again.
    app.eventually("posts are analysed directly", async || {
        app.store(&[with_language(post(&uuid::Uuid::new_v4().to_string(), "direct", "hate", 5), "de")]).await;
        (app.drained().await["stats"]["books"]["analysed"].as_u64() > Some(1)).then_some(())
    })
    .await;
}
