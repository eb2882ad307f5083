//! Behaviour that all endpoints share: errors, methods, headers, compression, CORS, limits.

use std::num::NonZeroU32;
use std::time::Duration;

use reqwest::Method;
use sentistream::http::{HttpOptions, RateLimit};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::test_app::{Setup, TestApp, post, unavailable_services};

async fn app() -> TestApp {
    TestApp::start(Setup::Embedded).await
}

#[tokio::test]
async fn unknown_api_path_gives_404_and_other_paths_the_dashboard() {
    let app = app().await;
    for path in ["/api", "/api/", "/api/nothing", "/api/health/", "/api/posts/", "/api/docs/x.js", "/ws", "/ws/other"] {
        assert_eq!(app.get(path).await.problem(404), Vec::<String>::new(), "{path}");
    }
    app.send(app.request(Method::POST, "/api/nothing")).await.problem(404);
    for path in ["/", "/posts", "/posts/at%3A%2F%2Fx", "/alerts?state=firing"] {
        let page = app.get(path).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
        assert_eq!(page.header("cache-control"), "no-cache");
    }
    for path in ["/assets/missing.js", "/favicon.png", "/x.map", "/assets/../../Cargo.toml", "/..%2f..%2fCargo.toml"] {
        let answer = app.get(path).await;
        assert!(answer.status == 404 || answer.header("content-type").starts_with("text/html"), "{path}");
        assert!(!answer.text().contains("[package]"), "{path}");
    }
    app.get("/assets/missing.js").await.problem(404);
}

#[tokio::test]
async fn unsupported_method_gets_allow_header() {
    let app = app().await;
    for (method, path, allowed) in [
        (Method::PUT, "/api/posts", "GET, HEAD, POST"),
        (Method::PATCH, "/api/posts/x", "GET, HEAD, DELETE"),
        (Method::DELETE, "/api/stats", "GET, HEAD"),
        (Method::GET, "/api/analyze", "POST"),
        (Method::POST, "/api/health", "GET, HEAD"),
        (Method::POST, "/posts", "GET, HEAD"),
    ] {
        let answer = app.send(app.request(method.clone(), path)).await;
        answer.problem(405);
        assert_eq!(answer.header("allow"), allowed, "{method} {path}");
    }
    let head = app.send(app.request(Method::HEAD, "/api/stats")).await;
    assert_eq!((head.status, head.header("content-type"), head.body.len()), (200, "application/json", 0));
}

#[tokio::test]
async fn every_answer_has_request_id_and_security_headers() {
    let app = app().await;
    for path in ["/", "/api/health", "/api/nothing", "/api/posts?limit=0"] {
        let answer = app.get(path).await;
        assert!(answer.header("x-request-id").len() >= 32, "{path}");
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
    }
    let with_id = |id: &'static str| app.request(Method::GET, "/api/nothing").header("x-request-id", id);
    assert_eq!(app.send(with_id("trace-7")).await.json()["request_id"], "trace-7");
    for id in ["", "two words", "<script>", &"x".repeat(65)] {
        let request = app.request(Method::GET, "/api/nothing").header("x-request-id", id);
        assert_ne!(app.send(request).await.header("x-request-id"), id);
    }
}

#[tokio::test]
async fn answers_are_compressed_on_request() {
    let app = app().await;
    let posts: Vec<_> = (0..50).map(|n| post(&format!("p{n}"), "web", "the decoded text is the same", 0)).collect();
    app.store(&posts).await;
    let plain = app.get("/api/posts").await;
    for encoding in ["gzip", "br"] {
        let request = app.request(Method::GET, "/api/posts").header("accept-encoding", encoding);
        let answer = app.send(request).await;
        assert_eq!(answer.header("content-encoding"), encoding);
        assert!(answer.body.len() * 4 < plain.body.len(), "{encoding}: {} of {}", answer.body.len(), plain.body.len());
        // Errors are never compressed.
        let request = app.request(Method::GET, "/api/posts?limit=0").header("accept-encoding", encoding);
        app.send(request).await.problem(422);
    }
}

#[tokio::test]
async fn cors_allows_only_listed_origins() {
    let app = app().await;
    let from = |origin: &'static str| app.request(Method::GET, "/api/stats").header("origin", origin);
    let listed = app.send(from("http://localhost:5173")).await;
    assert_eq!(listed.header("access-control-allow-origin"), "http://localhost:5173");
    assert_eq!(listed.header("access-control-allow-credentials"), "");
    assert_eq!(app.send(from("https://evil.example")).await.header("access-control-allow-origin"), "");

    let preflight = app
        .request(Method::OPTIONS, "/api/topics/x")
        .header("origin", "http://localhost:3000")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "authorization, if-match");
    let preflight = app.send(preflight).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (200, "http://localhost:3000"));
    let methods = preflight.header("access-control-allow-methods");
    assert!(methods.contains("PUT") && methods.contains("DELETE"), "{methods}");
}

#[tokio::test]
async fn rate_limited_client_gets_429() {
    let limited = |options: &mut HttpOptions| {
        options.rate_limit =
            Some(RateLimit { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(3).expect("3 is not zero") });
        options.trusted_proxies = vec![[127, 0, 0, 1].into()];
    };
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, limited).await;
    let from = |address: &'static str| app.request(Method::GET, "/api/sources").header("x-forwarded-for", address);
    // One more request is allowed for each second that this loop takes.
    let mut lefts = Vec::new();
    let refused = loop {
        let answer = app.send(from("192.0.2.1")).await;
        if answer.status != 200 {
            break answer;
        }
        let left = answer.header("ratelimit-remaining").to_owned();
        assert!(answer.header("ratelimit").contains(&format!("r={left}")), "{}", answer.header("ratelimit"));
        lefts.push(left);
    };
    lefts.dedup();
    assert_eq!((lefts.first().map(String::as_str), lefts.last().map(String::as_str)), (Some("2"), Some("0")));
    refused.problem(429);
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| (1..=2).contains(&seconds)));
    assert_eq!((refused.header("ratelimit-limit"), refused.header("ratelimit-remaining")), ("3", "0"));
    // Other clients and probes are not affected.
    assert_eq!(app.send(from("192.0.2.2")).await.status, 200);
    for path in ["/api/health", "/healthz", "/readyz", "/"] {
        let request = app.request(Method::GET, path).header("x-forwarded-for", "192.0.2.1");
        assert_eq!(app.send(request).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn unavailable_services_give_503_and_degrade_health() {
    let (services, folder) = unavailable_services().await;
    let app = TestApp::over(services, folder, |options| {
        options.request_timeout = Duration::from_secs(8);
        options.check_timeout = Duration::from_secs(1);
    });
    for path in ["/api/posts", "/api/posts/x", "/api/stats", "/api/sources", "/api/aggregate?period=day", "/api/alerts"]
    {
        let answer = app.get(path).await;
        answer.problem(503);
        assert!(!answer.header("retry-after").is_empty(), "{path}");
        assert!(!answer.text().contains("127.0.0.1"), "the response shows the address of a backend: {}", answer.text());
    }
    app.get("/api/dead-letters").await.problem(503);
    app.post("/api/posts", &post("a", "web", "x", 0)).await.problem(503);
    app.delete("/api/posts/a").await.problem(503);

    let health = app.get("/api/health").await.ok();
    assert_eq!(health["status"], "unhealthy");
    assert_eq!(health["services"], json!({"database": "disconnected", "redis": "disconnected", "model": "loading"}));
    assert_eq!(health["stats"]["total_posts"], json!(null));
    let ready = app.get("/readyz").await;
    ready.problem(503);
    for part in ["database", "stream", "model"] {
        assert!(ready.text().contains(part), "{}", ready.text());
    }
    assert_eq!(app.get("/healthz").await.status, 200);
    let system = app.get("/api/system").await.ok();
    assert_eq!(
        (&system["database"]["state"], &system["stream"]["state"]),
        (&json!("disconnected"), &json!("disconnected"))
    );
}

#[tokio::test]
async fn incomplete_body_gives_408() {
    let quick = |options: &mut HttpOptions| options.request_timeout = Duration::from_millis(200);
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, quick).await;
    let mut socket =
        tokio::net::TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("the server listens");
    let head =
        "POST /api/posts HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.expect("the server reads");
    let mut answer = vec![0; 64];
    let read = tokio::time::timeout(super::test_app::DEADLINE, socket.read(&mut answer))
        .await
        .expect("a response in time")
        .expect("an answer");
    assert!(
        String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 408"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}
