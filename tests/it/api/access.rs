//! Authentication and scopes.

use std::net::SocketAddr;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use sentistream::domain::Timestamp;
use sentistream::http::HttpOptions;
use sentistream::http::auth::jwt::{JwtKey, JwtOptions};
use sentistream::http::auth::tokens::{StaticToken, hash};
use sentistream::http::auth::{AuthOptions, Scope};
use serde_json::json;

use super::test_app::{Answer, START, Setup, TestApp, post};

const SECRET: &str = "a secret that is long enough to use";

fn with_tokens(options: &mut HttpOptions) {
    let token = |name: &str, scopes: &[Scope]| StaticToken {
        name: name.to_owned(),
        sha256: hash(&format!("{name}-token")),
        scopes: scopes.to_vec(),
    };
    let tokens = vec![
        token("reader", &[Scope::Read]),
        token("writer", &[Scope::Write]),
        token("admin", &[Scope::Read, Scope::Write, Scope::Admin]),
    ];
    let jwt = JwtOptions {
        key: JwtKey::Hs256(SECRET.into()),
        issuer: "https://login.example".to_owned(),
        audience: "sentistream".to_owned(),
        leeway_s: 0,
    };
    options.auth = Some(AuthOptions { tokens, jwt: Some(jwt) });
}

async fn ask(app: &TestApp, method: Method, path: &str, token: &str) -> Answer {
    let mut request = app.request(method.clone(), path);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if method == Method::POST {
        let body = match path {
            "/api/posts" => post("a", "web", "x", 0),
            "/api/analyze" => json!({"text": "x"}),
            _ => json!({"ids": []}),
        };
        request = request.json(&body);
    }
    app.send(request).await
}

#[tokio::test]
async fn each_endpoint_requires_its_scope() {
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, with_tokens).await;
    let scopes = [
        (
            "reader-token",
            "read",
            vec![
                (Method::GET, "/api/posts"),
                (Method::GET, "/api/posts/recent"),
                (Method::GET, "/api/posts/export?format=csv"),
                (Method::GET, "/api/posts/x"),
                (Method::GET, "/api/stats"),
                (Method::GET, "/api/sources"),
                (Method::GET, "/api/aggregate?period=day"),
                (Method::GET, "/api/distribution"),
                (Method::GET, "/api/alerts"),
                (Method::GET, "/api/system"),
                (Method::GET, "/api/dead-letters"),
                (Method::GET, "/api/dead-letters/1-1"),
                (Method::GET, "/metrics"),
                (Method::POST, "/api/analyze"),
            ],
        ),
        ("writer-token", "write", vec![(Method::POST, "/api/posts")]),
        (
            "admin-token",
            "admin",
            vec![
                (Method::DELETE, "/api/posts/x"),
                (Method::POST, "/api/dead-letters/replay"),
                (Method::POST, "/api/dead-letters/purge"),
            ],
        ),
    ];
    for (right, scope, endpoints) in scopes {
        let wrong = if right == "writer-token" { "reader-token" } else { "writer-token" };
        for (method, path) in endpoints {
            let refused = ask(&app, method.clone(), path, "").await;
            refused.problem(401);
            assert!(refused.header("www-authenticate").starts_with("Bearer"), "{method} {path}");
            let refused = ask(&app, method.clone(), path, "unknown").await;
            refused.problem(401);
            assert!(refused.header("www-authenticate").contains("invalid_token"), "{method} {path}");
            let refused = ask(&app, method.clone(), path, wrong).await;
            refused.problem(403);
            assert!(refused.text().contains(&format!("the scope {scope}")), "{}", refused.text());
            let allowed = ask(&app, method.clone(), path, right).await;
            assert!(![401, 403].contains(&allowed.status), "{method} {path}: {}", allowed.text());
            assert_eq!(ask(&app, method.clone(), path, "admin-token").await.status, allowed.status, "{method} {path}");
        }
    }
    for path in ["/", "/api/health", "/healthz", "/readyz", "/api/openapi.json", "/api/docs"] {
        assert_eq!(app.get(path).await.status, 200, "{path} needs no token");
    }
    let basic = app.request(Method::GET, "/api/stats").header("authorization", "Basic YTpi");
    app.send(basic).await.problem(401);
}

#[tokio::test]
async fn jwt_is_accepted_until_expiry() {
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, with_tokens).await;
    let now: Timestamp = START.parse().expect("a time");
    let sign = |expiry: Timestamp, scope: &str| {
        let claims = json!({
            "iss": "https://login.example", "aud": "sentistream", "exp": expiry.as_seconds(), "scope": scope,
        });
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).expect("a token")
    };
    let token = sign(now + Duration::from_secs(60), "read openid");
    assert_eq!(ask(&app, Method::GET, "/api/stats", &token).await.status, 200);
    ask(&app, Method::DELETE, "/api/posts/x", &token).await.problem(403);
    app.clock.set(now + Duration::from_secs(61));
    let expired = ask(&app, Method::GET, "/api/stats", &token).await;
    expired.problem(401);
    assert!(expired.text().contains("expired"), "{}", expired.text());
}

#[tokio::test]
async fn public_server_without_auth_requires_credentials() {
    let everywhere = |options: &mut HttpOptions| options.listen = vec![SocketAddr::from(([0, 0, 0, 0], 0))];
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, everywhere).await;
    for (method, path) in [
        (Method::GET, "/api/stats"),
        (Method::POST, "/api/analyze"),
        (Method::POST, "/api/posts"),
        (Method::DELETE, "/api/posts/x"),
        (Method::POST, "/api/dead-letters/purge"),
    ] {
        ask(&app, method, path, "").await.problem(401);
    }
    for path in ["/", "/healthz", "/readyz", "/api/health"] {
        assert_eq!(app.get(path).await.status, 200, "{path} needs no token");
    }
}

#[tokio::test]
async fn local_server_refuses_writes_of_other_sites() {
    let app = TestApp::start(Setup::Embedded).await;
    let post_from = |header: &'static str, value: &str| {
        app.request(Method::POST, "/api/posts").header(header, value).json(&post("a", "web", "x", 0))
    };
    app.send(post_from("origin", "https://evil.example")).await.problem(403);
    app.send(post_from("origin", "null")).await.problem(403);
    // A foreign host name can resolve to this machine (DNS rebinding).
    app.send(post_from("host", "evil.example:8000")).await.problem(403);
    assert_eq!(app.send(post_from("origin", "http://localhost:5173")).await.status, 202);
    assert_eq!(app.send(post_from("origin", &app.url)).await.status, 202);
    assert_eq!(app.send(post_from("host", "localhost:8000")).await.status, 202);
}
