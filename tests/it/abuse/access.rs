//! Requests must not gain permissions through proxies, foreign host names or other spellings of a path.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use sentistream::http::auth::tokens::{StaticToken, hash};
use sentistream::http::auth::{AuthOptions, Scope};
use sentistream::http::{ComponentState, HttpOptions, RateLimit};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::api::test_app::{Answer, Setup, TestApp, cases, post};

cases![forwarded_request_may_only_read];

async fn append(app: &TestApp, header: Option<(&'static str, &str)>) -> Answer {
    let mut request = app.request(Method::POST, "/api/posts").json(&post("a", "web", "x", 0));
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    app.send(request).await
}

async fn forwarded_request_may_only_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    for header in [
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1"),
        ("x-real-ip", "192.0.2.1"),
        ("x-forwarded-host", "stats.example.org"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "443"),
        ("cf-connecting-ip", "192.0.2.1"),
        ("tailscale-user-login", "ada@example.org"),
        ("via", "1.1 proxy"),
    ] {
        append(&app, Some(header)).await.problem(403);
        let read = app.request(Method::GET, "/api/stats").header(header.0, header.1);
        assert_eq!(app.send(read).await.status, 200, "{header:?}");
    }
    assert_eq!(append(&app, None).await.status, 202);
    // Many proxies send HTTP/1.0 by default.
    let mut socket =
        tokio::net::TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("the server listens");
    socket.write_all(b"DELETE /api/posts/a HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n").await.expect("the server reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.contains(" 403 "), "{answer}");
}

#[tokio::test]
async fn anonymous_client_behind_trusted_proxy_may_only_read() {
    let proxied = |options: &mut HttpOptions| options.trusted_proxies = vec![[127, 0, 0, 1].into()];
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, proxied).await;
    let refused = append(&app, None).await;
    refused.problem(403);
    assert!(refused.text().contains("server.auth.tokens"), "{}", refused.text());
    assert_eq!(app.get("/api/stats").await.status, 200);
}

#[tokio::test]
async fn foreign_host_header_needs_credentials_to_read() {
    let app = TestApp::start(Setup::Embedded).await;
    for path in ["/api/stats", "/api/posts", "/metrics", "/api/system"] {
        for host in ["evil.example", "[::1].evil.example", "[::1]evil", "localhost:80@evil.example"] {
            let rebound = app.request(Method::GET, path).header("host", host);
            app.send(rebound).await.problem(403);
        }
        let forwarded =
            app.request(Method::GET, path).header("host", "evil.example").header("x-forwarded-for", "127.0.0.1");
        app.send(forwarded).await.problem(403);
    }
}

#[tokio::test]
async fn rate_limit_counts_any_spelling_of_a_path() {
    let limited = |options: &mut HttpOptions| {
        options.rate_limit =
            Some(RateLimit { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(3).expect("3 is not zero") });
    };
    for path in ["/%61pi/stats", "/api/%73tats", "/api/nothing", "/api/docs", "/api/openapi.json", "/metrics"] {
        let app = TestApp::with(Setup::Embedded, Duration::ZERO, limited).await;
        let mut refused = false;
        for _ in 0..20 {
            refused |= app.get(path).await.status == 429;
        }
        assert!(refused, "{path}");
        for probe in ["/healthz", "/readyz", "/api/health", "/"] {
            assert_eq!(app.get(probe).await.status, 200, "{probe}");
        }
    }
}

#[tokio::test]
async fn readiness_shows_no_backend_errors() {
    let (services, folder) = crate::api::test_app::unavailable_services().await;
    let app = TestApp::over(services, folder, |options| options.check_timeout = Duration::from_secs(1));
    let ready = app.get("/readyz").await;
    ready.problem(503);
    for secret in ["127.0.0.1", "nobody", "refused", "redis://", "postgres"] {
        assert!(!ready.text().contains(secret), "{}", ready.text());
    }
}

#[tokio::test]
async fn health_hides_causes_and_numbers_without_read_scope() {
    const CAUSE: &str = "https://feeds.example/PATHSECRET: invalid certificate";
    let whole = TestApp::start(Setup::Embedded).await;
    let (mut services, folder) = crate::api::test_app::unavailable_services().await;
    (services.store, services.stream) = (whole.services.store.clone(), whole.services.stream.clone());
    services.components = Arc::new(|| {
        let (name, state) = ("source:private".to_owned(), "backing_off".to_owned());
        vec![ComponentState { name, healthy: false, state, detail: Some(CAUSE.to_owned()) }]
    });
    let app = TestApp::over(services, folder, |options| {
        let token = |name: &str, scope| StaticToken {
            name: name.to_owned(),
            sha256: hash(&format!("{name}-token")),
            scopes: vec![scope],
        };
        let tokens = vec![token("reader", Scope::Read), token("writer", Scope::Write)];
        options.auth = Some(AuthOptions { tokens, jwt: None });
    });
    let health = async |token: &str| app.send(app.request(Method::GET, "/api/health").bearer_auth(token)).await.ok();
    for report in [app.get("/api/health").await.ok(), health("wrong").await, health("writer-token").await] {
        assert_eq!((&report["status"], &report["services"]["source"]), (&json!("degraded"), &json!("unhealthy")));
        assert_eq!(report["services"]["database"], "connected");
        let stats = report["stats"].as_object().expect("the fields of the contract");
        assert!(stats.contains_key("total_posts") && stats.values().all(serde_json::Value::is_null), "{report}");
        for secret in ["PATHSECRET", "certificate", "private"] {
            assert!(!report.to_string().contains(secret), "{report}");
        }
    }
    let report = health("reader-token").await;
    assert_eq!(
        (&report["services"]["source:private"], &report["stats"]["total_posts"]),
        (&json!("backing_off"), &json!(0))
    );
}

#[tokio::test]
async fn page_may_connect_to_its_own_origin_only() {
    let app = TestApp::start(Setup::Embedded).await;
    let page = app.request(Method::GET, "/").send().await.expect("an answer");
    let policy = page.headers()["content-security-policy"].to_str().expect("text");
    let connect = policy.split(';').map(str::trim).find(|directive| directive.starts_with("connect-src"));
    assert_eq!(connect, Some("connect-src 'self'"), "{policy}");
}
