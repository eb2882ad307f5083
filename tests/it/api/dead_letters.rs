//! Dead letters: entries that workers could not process.

use std::sync::Arc;
use std::time::Duration;

use sentistream::domain::RawFields;
use sentistream::lifecycle::Shutdown;
use sentistream::stream::{Consumer, Release};
use sentistream::worker;
use serde_json::{Value, json};

use super::test_app::{Setup, TestApp, cases, post, worker as test_worker};

cases![
    dead_letters_are_shown_replayed_and_purged,
    entry_that_crashes_workers_repeatedly_is_dead_lettered,
    text_that_is_always_too_slow_is_dead_lettered,
    bad_selections_are_refused,
];

async fn entry_that_crashes_workers_repeatedly_is_dead_lettered(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.shutdown_workers().await;
    let mut entry = RawFields::default();
    for (name, value) in [("post_id", "poison"), ("source", "web"), ("content", "crashes the process")] {
        entry.push(name, value);
    }
    let stream = &app.services.stream;
    stream.append(vec![entry]).await.expect("the stream");
    // The consumer stops during each delivery, before it reports an outcome.
    let dying = Consumer(Arc::from("dying"));
    let mut held = stream.claim(&dying, 10, Duration::ZERO).await.expect("the stream");
    for _ in 0..5 {
        stream.release(&dying, &[held[0].key.clone()], Release::Failed).await.expect("the stream");
        held = stream.rescue(&dying, 10).await.expect("the stream");
    }
    assert_eq!(held[0].deliveries, 6);
    stream.release(&dying, &[held[0].key.clone()], Release::Untried).await.expect("the stream");
    let shutdown = Shutdown::default();
    let work = tokio::spawn(worker::run(test_worker(&app.services), shutdown.clone()));
    app.drained().await;
    let list = app.get("/api/dead-letters").await.ok();
    assert_eq!((&list["total"], &list["dead_letters"][0]["reason"]), (&json!(1), &json!("crashed")), "{list:#}");
    shutdown.stop();
    work.await.expect("no panic").expect("the worker stops without an error");
}

async fn text_that_is_always_too_slow_is_dead_lettered(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.store(&[post("slow", "web", "an endless text", 0), post("fine", "web", "text", 0)]).await;
    let health = app.drained().await;
    assert_eq!((&health["stats"]["dead_letters"], &health["stats"]["processed"]), (&json!(1), &json!(1)), "{health:#}");
    let list = app.get("/api/dead-letters").await.ok();
    let letter = &list["dead_letters"][0];
    assert_eq!((&letter["post_id"], &letter["reason"]), (&json!("slow"), &json!("analysis_failed")), "{list:#}");
    assert!(letter["error"].as_str().is_some_and(|error| error.contains("inference.max_wait")), "{letter}");
}

async fn dead_letters_are_shown_replayed_and_purged(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.store(&[post("boom", "web", "this will explode", 0), post("fine", "web", "text", 0)]).await;
    let mut invalid = RawFields::default();
    invalid.push("post_id", "broken");
    invalid.push("content", vec![0xff, 0x00]);
    invalid.push("note", "n".repeat(1_000));
    app.services.stream.append(vec![invalid]).await.expect("the stream");
    let health = app.drained().await;
    assert_eq!((&health["stats"]["dead_letters"], &health["stats"]["failed"]), (&json!(2), &json!(2)));

    let list = app.get("/api/dead-letters").await.ok();
    assert_eq!(list["total"], 2);
    let letters = list["dead_letters"].as_array().expect("letters");
    let of = |reason: &str| letters.iter().find(|letter| letter["reason"] == reason).expect("a letter").clone();
    let (broken, boom) = (of("invalid"), of("analysis_failed"));
    assert_eq!((&boom["post_id"], &broken["post_id"]), (&json!("boom"), &json!("broken")));
    assert!(boom["error"].as_str().is_some_and(|error| error.contains("exploded")), "{boom}");
    let field = |letter: &Value, name: &str| {
        let fields = letter["fields"].as_array().expect("fields").clone();
        fields.into_iter().find(|field| field["name"] == name).expect("the field")
    };
    let note = field(&broken, "note");
    assert_eq!((note["value"].as_str().map(str::len), &note["cut"]), (Some(200), &json!(true)));

    let id = broken["id"].as_str().expect("an id");
    let whole = app.get(&format!("/api/dead-letters/{id}")).await.ok();
    assert_eq!(field(&whole, "note")["value"].as_str().map(str::len), Some(1_000));
    assert_eq!(field(&whole, "content")["base64"], "/wA=");
    app.get("/api/dead-letters/1-1").await.problem(404);
    app.get("/api/dead-letters/nonsense").await.problem(404);

    let first = app.get("/api/dead-letters?limit=1").await.ok();
    let cursor = first["next_cursor"].as_str().expect("another page");
    let second = app.get(&format!("/api/dead-letters?limit=1&cursor={cursor}")).await.ok();
    assert_eq!(second["next_cursor"], json!(null));
    assert_ne!(first["dead_letters"][0]["id"], second["dead_letters"][0]["id"]);

    // The replayed entry fails again and becomes a new dead letter.
    let replayed = app.post("/api/dead-letters/replay", &json!({"ids": [boom["id"], "1-1"]})).await.ok();
    assert_eq!(replayed, json!({"replayed": 1}));
    app.drained().await;
    let again = app.get("/api/dead-letters").await.ok();
    assert_eq!(again["total"], 2);
    let new = again["dead_letters"].as_array().expect("letters").iter().find(|letter| letter["post_id"] == "boom");
    assert_ne!(new.expect("a letter")["id"], boom["id"]);

    assert_eq!(app.post("/api/dead-letters/purge", &json!({"ids": [id]})).await.ok(), json!({"purged": 1}));
    assert_eq!(app.post("/api/dead-letters/purge", &json!({"all": true})).await.ok(), json!({"purged": 1}));
    assert_eq!(app.get("/api/dead-letters").await.ok()["total"], 0);
    assert_eq!(app.drained().await["stats"]["dead_letters"], 0);
}

async fn bad_selections_are_refused(setup: Setup) {
    let app = TestApp::start(setup).await;
    for path in ["/api/dead-letters/replay", "/api/dead-letters/purge"] {
        let many = vec!["1-1"; 1_001];
        for body in [
            json!({}),
            json!({"all": false}),
            json!({"all": true, "ids": []}),
            json!({"ids": ["x"]}),
            json!({"ids": many}),
        ] {
            assert_eq!(app.post(path, &body).await.problem(422), ["ids"], "{path} {body}");
        }
        assert_eq!(app.post(path, &json!({"ids": [5]})).await.problem(422), ["body"]);
        app.get(path).await.problem(405);
    }
    assert_eq!(
        app.get("/api/dead-letters?limit=0&cursor=x&offset=1").await.problem(422),
        ["limit", "cursor", "offset"]
    );
}
