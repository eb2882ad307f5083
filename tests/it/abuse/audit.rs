//! The audit log must record denied requests and changes.

use std::time::Duration;

use reqwest::Method;
use sentistream::domain::managed_source::SourceDefinition;
use sentistream::domain::notify::{Kind, Secrets};
use sentistream::http::HttpOptions;
use sentistream::http::audit::{self, Archive};
use sentistream::http::auth::tokens::{StaticToken, hash, hash_hex};
use sentistream::http::auth::{AuthOptions, Scope};
use sentistream::lifecycle::Shutdown;
use sentistream::store::notify::{Action, Draft, ManagedChange};
use sentistream::store::security::{SecurityEvent, SecurityFilter};
use sentistream::store::settings::SettingChange;
use sentistream::store::tokens::NewToken;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::api::test_app::{Answer, Setup, TestApp, cases, post};

cases![
    denials_and_admin_changes_are_audited,
    created_token_works_until_it_is_deleted,
    reader_sees_no_secrets_of_receivers,
    values_of_sources_and_settings_need_their_scopes,
    change_on_a_closed_connection_is_audited,
    change_that_times_out_is_audited,
    change_during_the_shutdown_is_audited,
    sign_in_is_audited,
    bad_tokens_do_not_hide_denials_of_a_known_token,
    event_that_cannot_be_stored_does_not_block_others,
    token_names_cannot_imitate_actors_of_the_audit_log,
];

fn with_tokens(options: &mut HttpOptions) {
    let token = |name: &str, scopes: &[Scope]| StaticToken {
        name: name.to_owned(),
        sha256: hash(&format!("{name}-token")),
        scopes: scopes.to_vec(),
    };
    let editor = token("editor", &[Scope::Read, Scope::Edit]);
    let tokens = vec![token("reader", &[Scope::Read]), editor, token("root", &Scope::ALL)];
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
    app.eventually("the post is stored", async || {
        (send(&app, Method::GET, "/api/posts/p1", by("root-token", "r0")).await.status == 200).then_some(())
    })
    .await;
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
    assert!(of("r0").is_null(), "an append is not audited, because it changes no settings");
    let denied = send(&app, Method::GET, "/api/audit?outcome=denied&limit=1", by("root-token", "r6")).await.ok();
    assert_eq!((denied["events"].as_array().map(Vec::len), denied["next_cursor"].is_string()), (Some(1), true));
    app.services.store.prune_security(app.clock.now() + Duration::from_secs(1)).await.expect("the events are pruned");
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

async fn values_of_sources_and_settings_need_their_scopes(setup: Setup) {
    let app = TestApp::with(setup, Duration::ZERO, with_tokens).await;
    let source = SourceDefinition { name: "blog".to_owned(), kind: "rss".to_owned(), ..SourceDefinition::default() };
    let action = Action::Create(Draft::of(&source, Secrets::default()));
    let added = ManagedChange { kind: Kind::Source, action, actor: "root".to_owned() };
    let added = app.services.store.change_managed::<SourceDefinition>(&added).await.expect("a database");
    assert!(added.is_ok(), "{added:?}");
    let changed = SettingChange {
        key: "alerts.negative_share".to_owned(),
        value: Some(json!(0.7)),
        configured: json!(0.5),
        version: None,
        actor: "root".to_owned(),
    };
    assert!(app.services.store.change_setting(&changed).await.expect("a database"));
    for (token, sees_source, sees_setting) in
        [("reader-token", false, false), ("editor-token", true, false), ("root-token", true, true)]
    {
        let list = send(&app, Method::GET, "/api/alerts/audit", by(token, "v1")).await.ok();
        let has_values = |kind: &str| {
            let mut entries = list["entries"].as_array().expect("entries").iter();
            let entry = entries.find(|entry| entry["object_kind"] == kind).expect("the change is listed");
            !entry["before"].is_null() || !entry["after"].is_null()
        };
        assert_eq!((has_values("source"), has_values("setting")), (sees_source, sees_setting), "{token}: {list}");
    }
}

/// The newest events in the database.
async fn stored_events(app: &TestApp) -> Vec<SecurityEvent> {
    app.services.store.security_events(&SecurityFilter::default(), 500).await.expect("a page").items
}

/// Waits for the event of the request with this id, and returns it.
async fn event_of(app: &TestApp, id: &str) -> SecurityEvent {
    let find = async || stored_events(app).await.into_iter().find(|event| event.request_id == id);
    app.eventually(&format!("the event of {id} is stored"), find).await
}

async fn change_on_a_closed_connection_is_audited(setup: Setup) {
    let app = TestApp::with(setup, Duration::ZERO, with_tokens).await;
    let address = app.url.trim_start_matches("http://");
    let mut sent = 0;
    // The server may notice that the connection is closed before it has read the request, so several requests are sent.
    let made = app
        .eventually("a token is created on a closed connection", async || {
            sent += 1;
            let body = json!({"name": format!("closed-{sent}"), "scopes": ["read"]}).to_string();
            let mut socket = tokio::net::TcpStream::connect(address).await.expect("the server listens");
            let request = format!(
                "POST /api/tokens HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer root-token\r\n\
                 x-request-id: closed-{sent}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(request.as_bytes()).await.expect("the server reads");
            drop(socket);
            let tokens = app.services.store.tokens().await.expect("tokens");
            (!tokens.is_empty()).then_some(tokens)
        })
        .await;
    for token in made {
        let event = event_of(&app, &token.name).await;
        assert_eq!((event.actor.as_str(), event.action.as_str()), ("root", "POST /api/tokens"), "{event:?}");
        let is_answered = event.outcome == "allowed" && event.status == 201;
        assert!(is_answered || (event.outcome == "unknown" && event.status == 0), "{event:?}");
    }
}

async fn change_during_the_shutdown_is_audited(setup: Setup) {
    let mut app = TestApp::with(setup, Duration::ZERO, with_tokens).await;
    let body = json!({"name": "late", "scopes": ["read"]}).to_string();
    let head = format!(
        "POST /api/tokens HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer root-token\r\nx-request-id: late\r\n\
         content-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut socket = tokio::net::TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("a connection");
    socket.write_all(head.as_bytes()).await.expect("the server reads");
    let mut answer = vec![0; 1_024];
    assert!(socket.read(&mut answer).await.expect("an answer") > 0, "the server asks for the body");
    app.shutdown.stop();
    socket.write_all(body.as_bytes()).await.expect("the server reads");
    let read = socket.read(&mut answer).await.expect("an answer");
    let answered = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answered.starts_with("HTTP/1.1 201 "), "{answered}");
    drop(socket);
    app.stop().await;
    let events = stored_events(&app).await;
    assert!(events.iter().any(|event| event.request_id == "late" && event.outcome == "allowed"), "{events:?}");
}

async fn change_that_times_out_is_audited(setup: Setup) {
    let at_once = |options: &mut HttpOptions| {
        with_tokens(options);
        options.request_timeout = Duration::from_nanos(1);
    };
    let app = TestApp::with(setup, Duration::ZERO, at_once).await;
    for number in 0..20 {
        let new = NewToken {
            name: format!("late-{number}"),
            sha256: hash_hex(&format!("late-{number}")),
            scopes: "read".to_owned(),
            created_by: "test".to_owned(),
            expires_at: None,
            owner_id: None,
        };
        assert!(app.services.store.create_token(&new).await.expect("a database"));
    }
    // Most deletions take longer than the timeout of a request.
    for token in app.services.store.tokens().await.expect("tokens") {
        let path = format!("/api/tokens/{}", token.id);
        let answer = send(&app, Method::DELETE, &path, by("root-token", &token.name)).await;
        let event = event_of(&app, &token.name).await;
        let outcome = if answer.status == 503 { "unknown" } else { "allowed" };
        assert_eq!((event.actor.as_str(), event.outcome.as_str()), ("root", outcome), "{event:?}");
        assert_eq!((event.status, event.target), (i32::from(answer.status), path));
    }
}

async fn sign_in_is_audited(setup: Setup) {
    let app = TestApp::with(setup, Duration::ZERO, with_tokens).await;
    let expiry = app.clock.now() + Duration::from_secs(60);
    app.services.store.create_sign_in_code(&hash_hex("a-code"), expiry).await.expect("a code");
    for (id, code, status) in [("wrong", "no-code", 401), ("right", "a-code", 201)] {
        let mut access = by("", id);
        access.body = json!({"code": code});
        assert_eq!(send(&app, Method::POST, "/api/sign-in", access).await.status, status, "{code}");
    }
    let event = event_of(&app, "right").await;
    assert_eq!((event.action.as_str(), event.outcome.as_str(), event.status), ("POST /api/sign-in", "allowed", 201));
    let token = app.services.store.tokens().await.expect("tokens").pop().expect("a token");
    assert_eq!((event.actor, event.address.as_deref()), (token.name, Some("127.0.0.1")));
    let denied = event_of(&app, "wrong").await;
    assert_eq!((denied.actor.as_str(), denied.outcome.as_str()), ("unknown", "denied"));
}

async fn bad_tokens_do_not_hide_denials_of_a_known_token(setup: Setup) {
    let app = TestApp::with(setup, Duration::ZERO, with_tokens).await;
    for _ in 0..130 {
        send(&app, Method::GET, "/api/stats", by("no-token", "noise")).await.problem(401);
    }
    send(&app, Method::GET, "/api/tokens", by("reader-token", "signal")).await.problem(403);
    let event = event_of(&app, "signal").await;
    assert_eq!((event.actor.as_str(), event.outcome.as_str()), ("reader", "denied"));
    let noise = stored_events(&app).await.iter().filter(|event| event.request_id == "noise").count();
    assert!((1..120).contains(&noise), "the events of one client are limited: {noise}");
}

async fn event_that_cannot_be_stored_does_not_block_others(setup: Setup) {
    let app = TestApp::with(setup, Duration::ZERO, with_tokens).await;
    let (queue, events) = tokio::sync::mpsc::channel(8);
    let event = |id: &str, actor: &str| SecurityEvent {
        at: app.clock.now(),
        actor: actor.to_owned(),
        request_id: id.to_owned(),
        ..SecurityEvent::default()
    };
    // Postgres cannot store U+0000, so one of the events fails.
    for event in [event("first", "root"), event("refused", "a\0b"), event("last", "root")] {
        queue.send(event).await.expect("the queue is open");
    }
    let retention = Duration::from_secs(90 * 86_400);
    let (store, clock) = (app.services.store.clone(), app.clock.clone());
    let archive = Archive { store, retention, adjustable: None, clock };
    let storing = tokio::spawn(audit::store(events, archive, Shutdown::default()));
    for id in ["first", "last"] {
        event_of(&app, id).await;
    }
    drop(queue);
    storing.await.expect("no panic");
}

async fn token_names_cannot_imitate_actors_of_the_audit_log(setup: Setup) {
    let app = TestApp::with(setup, Duration::ZERO, with_tokens).await;
    for name in [
        "reader",
        "ROOT",
        "local",
        "Anonymous",
        "unknown",
        "first start",
        "jwt:alice",
        "JWT:alice",
        "sign-in 0123abcd",
        "evil\u{202e}",
        "e\u{feff}",
        "a\u{200b}b",
        "a\nb",
        "a\0",
    ] {
        let mut access = by("root-token", "forge");
        access.body = json!({"name": name, "scopes": ["read"]});
        let refused = send(&app, Method::POST, "/api/tokens", access).await;
        assert_eq!(refused.problem(422), ["name"], "{name:?}");
    }
    let mut access = by("root-token", "make");
    access.body = json!({"name": "Grafana (Zoë)", "scopes": ["read"]});
    assert_eq!(send(&app, Method::POST, "/api/tokens", access).await.status, 201);
}
