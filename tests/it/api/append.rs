//! Appending posts.

use std::io::Write;

use reqwest::Method;
use serde_json::{Value, json};

use super::test_app::{Answer, Setup, TestApp, cases, post};

cases![
    append_accepts_post_array_and_lines,
    invalid_posts_are_listed,
    unreadable_bodies_are_refused,
    append_limits_are_enforced,
    known_post_is_not_stored_again,
    full_stream_sends_retry_after,
];

async fn send(app: &TestApp, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    app.send(app.request(Method::POST, "/api/posts").header("content-type", content_type).body(body)).await
}

async fn append_accepts_post_array_and_lines(setup: Setup) {
    let app = TestApp::start(setup).await;
    let accepted = |count: usize| json!({"accepted": count, "rejected": []});
    let one = send(&app, "application/json; charset=utf-8", post("one", "web", "text", 0).to_string()).await;
    assert_eq!((one.status, one.json()), (202, accepted(1)));
    let many = app.post("/api/posts", &json!([post("two", "web", "text", 0), post("three", "web", "text", 0)])).await;
    assert_eq!((many.status, many.json()), (202, accepted(2)));
    let lines = format!("{}\r\n\n{}", post("four", "web", "text", 0), post("five", "web", "text", 0));
    let lines = send(&app, "application/x-ndjson", lines).await;
    assert_eq!((lines.status, lines.json()), (202, accepted(2)));
    let none = app.post("/api/posts", &json!([])).await;
    assert_eq!((none.status, none.json()), (202, accepted(0)));

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(post("six", "web", "text", 0).to_string().as_bytes()).expect("a write to memory succeeds");
    let request = app.request(Method::POST, "/api/posts").header("content-type", "application/json");
    let request = request.header("content-encoding", "gzip").body(gzip.finish().expect("a write to memory succeeds"));
    assert_eq!(app.send(request).await.status, 202);

    let health = app.drained().await;
    assert_eq!(health["stats"]["total_posts"], 6);
    assert_eq!(health["stats"]["books"]["analysed"], 6);
}

async fn invalid_posts_are_listed(setup: Setup) {
    let app = TestApp::start(setup).await;
    for (bad, fields) in [
        (json!({}), &["post_id", "source", "content"][..]),
        (json!({"post_id": "", "source": "a b", "content": " "}), &["post_id", "source", "content"]),
        (json!({"post_id": "x".repeat(257), "source": "web", "content": "x"}), &["post_id"]),
        (json!({"post_id": "a", "source": "web", "content": "é".repeat(100_001)}), &["content"]),
        (json!({"post_id": "a", "source": "web", "content": "nul \u{0}"}), &["content"]),
        (json!({"post_id": "a", "source": "web", "content": "x", "created_at": "soon"}), &["created_at"]),
        (json!({"post_id": "a", "source": "web", "content": "x", "author": "x".repeat(257)}), &["author"]),
        (json!({"post_id": 1, "source": [], "content": {}}), &["post_id", "source", "content"]),
        (json!("text"), &["body"]),
        (json!(null), &["body"]),
    ] {
        assert_eq!(app.post("/api/posts", &bad).await.problem(422), fields, "{bad}");
    }
    let mixed = json!([post("good", "web", "text", 0), {"post_id": "bad", "source": "web"}, 7]);
    let answer = app.post("/api/posts", &mixed).await;
    assert_eq!(answer.status, 202);
    let Value::Array(rejected) = answer.json()["rejected"].clone() else { panic!("{}", answer.text()) };
    assert_eq!(answer.json()["accepted"], 1);
    assert_eq!(rejected[0], json!({"index": 1, "post_id": "bad", "error": "content: is required"}));
    assert_eq!((&rejected[1]["index"], &rejected[1]["post_id"]), (&json!(2), &json!(null)));
    let lines = format!("nonsense\n{}\n", post("also-good", "web", "text", 0));
    let answer = send(&app, "application/x-ndjson", lines).await;
    assert_eq!((answer.status, answer.json()["accepted"].clone()), (202, json!(1)));
    assert_eq!(answer.json()["rejected"][0]["index"], 0);

    assert_eq!(app.drained().await["stats"]["books"]["appended"], 2);
    app.send(app.request(Method::POST, "/api/posts?dry=1").json(&post("x", "web", "x", 0))).await.problem(422);
}

async fn unreadable_bodies_are_refused(setup: Setup) {
    let app = TestApp::start(setup).await;
    for body in ["", "{", "[1,", "{\"post_id\": \"\\ud800\"}", "nonsense"] {
        send(&app, "application/json", body).await.problem(400);
        send(&app, "application/x-ndjson", body).await.problem(400);
    }
    send(&app, "application/json", &b"{\"post_id\": \"\xff\"}"[..]).await.problem(400);
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        send(&app, content_type, post("a", "web", "x", 0).to_string()).await.problem(415);
    }
    let request = app.request(Method::POST, "/api/posts").body("{}");
    app.send(request).await.problem(415);
    let json = |encoding: &'static str| {
        let request = app.request(Method::POST, "/api/posts").header("content-type", "application/json");
        request.header("content-encoding", encoding).body("{}")
    };
    app.send(json("zstd")).await.problem(415);
    app.send(json("gzip")).await.problem(400);
    assert_eq!(app.drained().await["stats"]["books"]["appended"], 0);
}

async fn append_limits_are_enforced(setup: Setup) {
    let app = TestApp::start(setup).await;
    let posts: Vec<_> = (0..1_001).map(|n| post(&format!("p{n}"), "web", "x", 0)).collect();
    app.post("/api/posts", &json!(posts)).await.problem(413);
    let lines: String = posts.iter().map(|post| format!("{post}\n")).collect();
    send(&app, "application/x-ndjson", lines).await.problem(413);
    assert_eq!(app.post("/api/posts", &json!(posts[..1_000])).await.status, 202);

    let large = json!([post("a", "web", &"x".repeat(99_000), 0)]).to_string();
    let padded = format!("{large}{}", " ".repeat(4 * 1024 * 1024 - large.len()));
    assert_eq!(send(&app, "application/json", padded.clone()).await.status, 202);
    send(&app, "application/json", format!("{padded} ")).await.problem(413);
    // The first body has no content length. The second body is small only in compressed form.
    let chunks = futures_util::stream::iter((0..5).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024 * 1024])));
    send(&app, "application/json", reqwest::Body::wrap_stream(chunks)).await.problem(413);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&vec![b' '; 5 * 1024 * 1024]).expect("a write to memory succeeds");
    let request = app.request(Method::POST, "/api/posts").header("content-type", "application/json");
    let request = request.header("content-encoding", "gzip").body(gzip.finish().expect("a write to memory succeeds"));
    app.send(request).await.problem(413);
    app.drained().await;
}

async fn known_post_is_not_stored_again(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.store(&[post("a", "web", "I love it", 0)]).await;
    app.store(&[post("a", "web", "I hate it", 0), post("a", "forum", "I hate it", 0)]).await;
    let health = app.drained().await;
    assert_eq!((&health["stats"]["books"]["analysed"], &health["stats"]["books"]["duplicate"]), (&json!(1), &json!(2)));
    assert_eq!(app.get("/api/posts/a").await.ok()["content"], "I love it");
    assert_eq!(app.get("/api/stats").await.ok()["by_sentiment"], json!({"positive": 1, "neutral": 0, "negative": 0}));
}

async fn full_stream_sends_retry_after(setup: Setup) {
    let app = TestApp::start(setup).await;
    // The workers are stopped, so the backlog grows.
    app.shutdown_workers().await;
    let posts: Vec<_> = (0..1_000).map(|n| post(&format!("p{n}"), "web", "x", 0)).collect();
    let refused = app
        .eventually("the stream is full", async || {
            let answer = app.post("/api/posts", &json!(posts)).await;
            (answer.status != 202).then_some(answer)
        })
        .await;
    refused.problem(503);
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
}
