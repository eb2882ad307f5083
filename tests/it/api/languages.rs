//! Languages of posts: stated, detected, filtered, and not supported by the model.

use sentistream::inference::ActiveClassifier;
use sentistream::language::{LanguagePolicy, OtherLanguages};
use sentistream::worker::{self, Worker};
use serde_json::{Value, json};

use super::posts::ids;
use super::socket::Socket;
use super::test_app::{Setup, TestApp, cases, english_by_words, post, worker};

cases![
    languages_are_given_or_detected_and_filtered,
    other_languages_are_handled_as_configured,
    posts_in_other_languages_are_unscored_by_default,
    explain_counts_unscored_posts_of_a_source,
];

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
        (OtherLanguages::Unscored, &["d", "c", "b", "a"], 0),
    ] {
        let app = TestApp::start(setup).await;
        app.shutdown_workers().await;
        let mut worker: Worker = worker(&app.services);
        worker.options.languages = LanguagePolicy { known: vec!["en".to_owned()], others: others.into(), detect: true };
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
            let unclassified = app.get("/api/posts/c").await.ok();
            assert_eq!(
                (&unclassified["sentiment"]["label"], &unclassified["sentiment"]["emotion"]),
                (&json!("neutral"), &json!("neutral"))
            );
            assert_eq!(unclassified["sentiment"]["model_name"], "unjudged");
            assert_eq!(app.get("/api/sentiment/distribution").await.ok()["distribution"]["positive"], 2);
        }
    }
}

/// An app whose model declares that it supports only English.
async fn app_with_english_model(setup: Setup) -> TestApp {
    let app = TestApp::start(setup).await;
    app.shutdown_workers().await;
    let worker = Worker { classifier: ActiveClassifier::from(english_by_words()), ..worker(&app.services) };
    tokio::spawn(worker::run(worker, app.shutdown.clone()));
    app
}

async fn explain_counts_unscored_posts_of_a_source(setup: Setup) {
    let app = app_with_english_model(setup).await;
    let posts: Vec<Value> = (0..8)
        .flat_map(|number| {
            let german = post(&format!("de-{number}"), "web", GERMAN, 600 + number);
            [post(&format!("en-{number}"), "web", ENGLISH, 600 + number), with_language(german, "de")]
        })
        .collect();
    app.store(&posts).await;
    let range = "start_date=2026-03-01T12:00:00Z&end_date=2026-03-01T12:30:00Z";
    let answer = app.get(&format!("/api/insights/explain?{range}")).await.ok();
    let web = &answer["sources"][0];
    assert_eq!((&web["posts"], &web["previous_posts"], &web["contribution"]), (&json!(16), &json!(0), &json!(16.0)));
}

async fn posts_in_other_languages_are_unscored_by_default(setup: Setup) {
    let app = app_with_english_model(setup).await;
    let mut socket = Socket::open(&app).await;
    let mut happy = Socket::open(&app).await;
    happy.send_text(r#"{"type": "subscribe", "filters": {"sentiment": "neutral"}}"#).await;
    happy.next("subscribed").await;
    app.store(&[with_language(post("german", "web", GERMAN, 30), "de-AT")]).await;
    let frame = socket.next("post").await;
    let event = &frame["data"];
    for label in ["sentiment_label", "confidence_score", "emotion"] {
        assert_eq!(event[label], json!(null), "{event}");
    }
    assert_eq!((&event["post_id"], &event["unscored"]), (&json!("german"), &json!("language")));
    app.store(&[
        post("english", "web", ENGLISH, 20),
        with_language(post("french", "forum", "love", 10), "fr"),
        post("emoji", "web", "🎉🎉🎉", 5),
    ])
    .await;
    assert_eq!(happy.next("post").await["data"]["post_id"], "emoji");

    let health = app.get("/api/health").await.ok()["stats"].clone();
    assert_eq!((&health["total_posts"], &health["total_analyses"]), (&json!(4), &json!(2)));
    assert_eq!((&health["books"]["unscored"], &health["books"]["analysed"]), (&json!(2), &json!(2)));
    let list = app.get("/api/posts").await.ok();
    assert_eq!((ids(&list), &list["total"]), (vec!["emoji", "french", "english", "german"], &json!(4)));
    let german = app.get("/api/posts/german").await.ok();
    assert_eq!(
        (&german["sentiment"], &german["unscored"], &german["scores"]),
        (&json!(null), &json!("language"), &json!(null))
    );
    assert_eq!(app.get("/api/posts/english").await.ok().get("unscored"), None);
    let unscored = app.get("/api/posts?sentiment=unscored").await.ok();
    assert_eq!((ids(&unscored), &unscored["filters"]["sentiment"]), (vec!["french", "german"], &json!("unscored")));
    assert_eq!(ids(&app.get("/api/posts?sentiment=neutral").await.ok()), ["emoji"]);

    let stats = app.get("/api/stats").await.ok();
    assert_eq!((&stats["total_posts"], &stats["unscored_count"]), (&json!(4), &json!(2)));
    assert_eq!(stats["by_sentiment"], json!({"positive": 1, "neutral": 1, "negative": 0}));
    let by_language = json!([{"lang": "de", "count": 1}, {"lang": "fr", "count": 1}]);
    assert_eq!(stats["unscored_languages"], by_language);
    let distribution = app.get("/api/sentiment/distribution").await.ok();
    assert_eq!((&distribution["total"], &distribution["unscored_count"]), (&json!(2), &json!(2)));
    assert_eq!(distribution["unscored_languages"], by_language);
    let forum = app.get("/api/sentiment/distribution?source=forum").await.ok();
    assert_eq!((&forum["total"], &forum["unscored_languages"]), (&json!(0), &json!([{"lang": "fr", "count": 1}])));
    for period in ["minute", "hour", "day"] {
        let aggregate = app.get(&format!("/api/aggregate?period={period}")).await.ok();
        let sums = |name: &str| -> i64 {
            aggregate["data"]
                .as_array()
                .expect("buckets")
                .iter()
                .map(|bucket| bucket[name].as_i64().expect("a count"))
                .sum()
        };
        assert_eq!((sums("total_count"), sums("unscored_count"), sums("neutral_count")), (2, 2, 1), "{period}");
        let summary = &aggregate["summary"];
        assert_eq!((&summary["total_posts"], &summary["unscored_total"]), (&json!(4), &json!(2)));
    }
    let sources = app.get("/api/sources").await.ok();
    assert_eq!((&sources["sources"][0]["count"], &sources["sources"][0]["unscored_count"]), (&json!(3), &json!(1)));

    let table = app.get("/api/posts/export?format=csv&sentiment=unscored").await;
    let mut reader = csv::Reader::from_reader(table.body.as_slice());
    let rows: Vec<std::collections::BTreeMap<String, String>> =
        reader.deserialize().map(|row| row.expect("a row")).collect();
    assert_eq!((rows.len(), &*rows[0]["sentiment"], &*rows[0]["unscored"]), (2, "", "language"));
    assert_eq!(app.delete("/api/posts/german").await.status, 204);
    assert_eq!(app.get("/api/stats").await.ok()["unscored_count"], 1);
}
