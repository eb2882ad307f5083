//! Languages: given, detected, filtered, and handled when the model does not know them.

use sentistream::language::{LanguagePolicy, OtherLanguages};
use sentistream::worker::{self, Worker};
use serde_json::{Value, json};

use super::posts::ids;
use super::test_app::{Setup, TestApp, cases, post, worker};

cases![languages_are_given_or_detected_and_filtered, other_languages_are_handled_as_configured];

const ENGLISH: &str = "I love this phone and the camera, it's what I have been waiting for since you told me";
const GERMAN: &str = "Das neue Telefon ist schon wieder kaputt und niemand beim Kundendienst hilft mir";

fn with_language(mut post: Value, lang: &str) -> Value {
    post["lang"] = lang.into();
    post
}

async fn languages_are_given_or_detected_and_filtered(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.store(&[
        post("detected", "web", ENGLISH, 50),
        post("german", "web", GERMAN, 40),
        with_language(post("given", "web", "kein Wort Deutsch? doch", 30), "DE_at"),
        with_language(post("trusted", "web", GERMAN, 20), "nl"),
        post("unknown", "web", "lol", 10),
    ])
    .await;
    let list = app.get("/api/posts").await.ok();
    let languages: Vec<_> = list["posts"].as_array().expect("posts").iter().map(|post| post["lang"].clone()).collect();
    assert_eq!(languages, [json!(null), json!("nl"), json!("DE_at"), json!("de"), json!("en")]);
    for (query, expected) in [
        ("lang=en", &["detected"][..]),
        ("lang=DE", &["given", "german"]),
        ("lang=de-AT", &["given"]),
        ("lang=d", &[]),
        ("lang=fr", &[]),
        ("lang=nl&sentiment=neutral", &["trusted"]),
    ] {
        let answer = app.get(&format!("/api/posts?{query}")).await;
        if query == "lang=d" {
            assert_eq!(answer.problem(422), ["lang"]);
            continue;
        }
        let list = answer.ok();
        assert_eq!((ids(&list), list["total"].as_u64()), (expected.to_vec(), Some(expected.len() as u64)), "{query}");
    }
    let export = app.get("/api/posts/export?format=ndjson&lang=de").await;
    assert_eq!(export.text().lines().count(), 2, "{}", export.text());
}

async fn other_languages_are_handled_as_configured(setup: Setup) {
    for (others, stored, skipped) in [
        (OtherLanguages::Analyze, &["d", "c", "b", "a"][..], 0),
        (OtherLanguages::Neutral, &["d", "c", "b", "a"], 0),
        (OtherLanguages::Skip, &["d", "a"], 2),
    ] {
        let app = TestApp::start(setup).await;
        app.shutdown_workers().await;
        let mut worker: Worker = worker(&app.rooms);
        worker.options.languages = LanguagePolicy { known: vec!["en".to_owned()], others, detect: true };
        tokio::spawn(worker::run(worker, app.shutdown.clone()));
        let of_no_use = format!("{GERMAN}: explode");
        app.store(&[
            post("a", "web", ENGLISH, 40),
            post("b", "web", &GERMAN.replace("kaputt", "love"), 30),
            with_language(
                post("c", "web", if others == OtherLanguages::Analyze { "hate" } else { &of_no_use }, 20),
                "de",
            ),
            post("d", "web", "love", 10),
        ])
        .await;
        let list = app.get("/api/posts").await.ok();
        assert_eq!(ids(&list), stored, "{others:?}");
        let books = app.drained().await["stats"]["books"].clone();
        assert_eq!((&books["skipped"], &books["dead_lettered"]), (&json!(skipped), &json!(0)), "{books}");
        if others == OtherLanguages::Neutral {
            let unjudged = app.get("/api/posts/c").await.ok();
            assert_eq!(
                (&unjudged["sentiment"]["label"], &unjudged["sentiment"]["emotion"]),
                (&json!("neutral"), &json!("neutral"))
            );
            assert_eq!(unjudged["sentiment"]["model_name"], "unjudged");
            assert_eq!(app.get("/api/sentiment/distribution").await.ok()["distribution"]["positive"], 2);
        }
    }
}
