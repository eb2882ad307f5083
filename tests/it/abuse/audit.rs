//! The audit log records denied requests and changes.

use std::time::Duration;

use reqwest::Method;
use sentistream::http::HttpOptions;
use sentistream::http::auth::tokens::{StaticToken, hash};
use sentistream::http::auth::{AuthOptions, Scope};
use serde_json::{Value, json};

use crate::api::test_app::{Answer, Setup, TestApp, cases, post};

cases![
    denials_and_admin_changes_are_audited,
    created_token_works_until_it_is_deleted,
    reader_sees_no_secrets_of_receivers,
];

fn with_tokens(options: &mut HttpOptions) {
    let token = |name: &str, scopes: &[Scope]| StaticToken {
        name: name.to_owned(),
        sha256: hash(&format!("{name}-token")),
        scopes: scopes.to_vec(),
    };
    let tokens = vec![token("reader", &[Scope::Read]), token("root", &Scope::ALL)];
    options.auth = Some(AuthOptions { tokens, jwt: None });
}

async fn send(app: &TestApp, method: Method, path: &str, access: Access<'_>) -> Answer {
    let mut request = app.request(method, path).header("x-request-id", access.id);
    if !access.token.is_empty() {
        request = request.bearer_auth(access.token);
    }
    app.send(if access.body.is_null() { request } else { request.json(&access.body) }).await
}

/// The token, the request id and the body of a request.
struct Access<'a> {
    token: &'a str,
    id: &'a str,
    body: Value,
}

fn by<'a>(token: &'a str, id: &'a str) -> Access<'a> {
    Access { token, id, body: Value::Null }
}

async fn denials_and_admin_changes_are_audited(setup: Setup) {
    let app = TestApp::with(setup, Duration::ZERO, with_tokens).await;
    let mut write = by("root-token", "r0");
    write.body = json!([post("p1", "web", "x", 0)]);
    assert_eq!(send(&app, Method::POST, "/api/posts", write).await.status, 202);
    app.drained().await;
    send(&app, Method::GET, "/api/stats", by("", "r1")).await.problem(401);
    send(&app, Method::DELETE, "/api/posts/p1", by("reader-token", "r2")).await.problem(403);
    assert_eq!(send(&app, Method::DELETE, "/api/posts/p1", by("root-token", "r3")).await.status, 204);
    send(&app, Method::GET, "/api/audit", by("reader-token", "r4")).await.problem(403);

    let events = app
        .eventually("the events are stored", async || {
            let list = send(&app, Method::GET, "/api/audit", by("root-token", "r5")).await.ok();
            let events = list["events"].as_array().expect("events").clone();
            (events.len() >= 4).then_some(events)
        })
        .await;
    let of = |id: &str| events.iter().find(|event| event["request_id"] == id).cloned().unwrap_or_default();
    for (id, actor, outcome, action, status) in [
        ("r1", "unknown", "denied", "GET /api/stats", 401),
        ("r2", "reader", "denied", "DELETE /api/posts/{post_id}", 403),
        ("r3", "root", "allowed", "DELETE /api/posts/{post_id}", 204),
        ("r4", "reader", "denied", "GET /api/audit", 403),
    ] {
        let event = of(id);
        assert_eq!(
            (&event["actor"], &event["outcome"], &event["action"], &event["status"], &event["address"]),
            (&json!(actor), &json!(outcome), &json!(action), &json!(status), &json!("127.0.0.1")),
            "{events:#?}"
        );
    }
    assert_eq!(of("r3")["target"], "/api/posts/p1");
    assert!(of("r0").is_null(), "appending is not a change by an administrator");
    let denied = send(&app, Method::GET, "/api/audit?outcome=denied&limit=1", by("root-token", "r6")).await.ok();
    assert_eq!((denied["events"].as_array().map(Vec::len), denied["next_cursor"].is_string()), (Some(1), true));
    app.rooms.store.prune_security(app.clock.now() + Duration::from_secs(1)).await.expect("pruned");
    let rest = send(&app, Method::GET, "/api/audit", by("root-token", "r7")).await.ok();
    assert_eq!(rest["events"], json!([]));
}

async fn created_token_works_until_it_is_deleted(setup: Setup) {
    let app = TestApp::with(setup, Duration::ZERO, with_tokens).await;
    let mut make = by("root-token", "m1");
    make.body = json!({"name": "ci", "scopes": ["read"], "expires_in_days": 1});
    let made = send(&app, Method::POST, "/api/tokens", make).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let token = made.json()["token"].as_str().expect("a token").to_owned();
    assert_eq!(send(&app, Method::GET, "/api/stats", by(&token, "m2")).await.status, 200);
    send(&app, Method::GET, "/api/tokens", by(&token, "m3")).await.problem(403);
    let list = send(&app, Method::GET, "/api/tokens", by("root-token", "m4")).await;
    assert!(!list.text().contains(&token), "the text of a token is not stored");
    let id = list.json()["tokens"][0]["id"].clone();
    assert_eq!(send(&app, Method::DELETE, &format!("/api/tokens/{id}"), by("root-token", "m5")).await.status, 204);
    send(&app, Method::GET, "/api/stats", by(&token, "m6")).await.problem(401);

    let mut twice = by("root-token", "m7");
    twice.body = json!({"name": "ci", "scopes": ["write"], "expires_in_days": 1});
    let short = send(&app, Method::POST, "/api/tokens", twice).await.json();
    let short = short["token"].as_str().expect("a token");
    app.clock.set(app.clock.now() + Duration::from_secs(86_401));
    send(&app, Method::POST, "/api/posts", by(short, "m8")).await.problem(401);
}

async fn reader_sees_no_secrets_of_receivers(setup: Setup) {
    let app = TestApp::with(setup, Duration::ZERO, with_tokens).await;
    let secret = "T0-B1-c2d3";
    let url = format!("https://hooks.example.org/{secret}?key={secret}");
    for (name, channel) in [
        ("hook", json!({"kind": "webhook", "url": url, "headers": {"X-Key": secret}})),
        ("page", json!({"kind": "command", "command": ["/usr/bin/page", "--token", secret]})),
    ] {
        let mut make = by("root-token", name);
        make.body = json!({"name": name, "channel": channel});
        let made = send(&app, Method::POST, "/api/alerts/receivers", make).await;
        assert_eq!(made.status, 201, "{}", made.text());
    }
    let list = "/api/alerts/receivers";
    let id = send(&app, Method::GET, list, by("root-token", "s1")).await.ok()["receivers"][0]["id"].clone();
    for path in [list.to_owned(), format!("{list}/{id}"), "/api/alerts/audit".to_owned()] {
        let reader = send(&app, Method::GET, &path, by("reader-token", "s2")).await;
        assert!(reader.status == 200 && !reader.text().contains(secret), "{path}: {}", reader.text());
        let admin = send(&app, Method::GET, &path, by("root-token", "s3")).await;
        assert!(admin.text().contains(secret), "{path}: {}", admin.text());
    }
    let shown = send(&app, Method::GET, list, by("reader-token", "s4")).await.ok();
    assert_eq!(shown["receivers"][0]["channel"]["url"], "https://hooks.example.org/***");
}
