//! WebSockets whose token expires, and clients that open too many of them.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use sentistream::domain::Timestamp;
use sentistream::http::HttpOptions;
use sentistream::http::auth::AuthOptions;
use sentistream::http::auth::Scope;
use sentistream::http::auth::jwt::{JwtKey, JwtOptions};
use sentistream::http::auth::tokens::{StaticToken, hash};
use serde_json::json;

use crate::api::socket::{Socket, SocketEvent, request};
use crate::api::test_app::{START, Setup, TestApp, cases};

const SECRET: &str = "a secret that is long enough to use";

cases![socket_closes_when_its_token_is_deleted];

fn with_jwt(options: &mut HttpOptions) {
    let jwt = JwtOptions {
        key: JwtKey::Hs256(SECRET.into()),
        issuer: "us".to_owned(),
        audience: "sentistream".to_owned(),
        leeway_s: 0,
    };
    let root = StaticToken { name: "root".to_owned(), sha256: hash("root-token"), scopes: Scope::ALL.to_vec() };
    options.auth = Some(AuthOptions { tokens: vec![root], jwt: Some(jwt) });
}

async fn open(app: &TestApp, token: &str) -> Socket {
    let header = format!("Bearer {token}");
    let opened = Socket::try_open(request(app, &[("authorization", &header)])).await;
    let (mut socket, _) = opened.expect("a handshake");
    socket.next("connected").await;
    socket
}

async fn end(mut socket: Socket) -> SocketEvent {
    loop {
        match socket.receive().await {
            SocketEvent::Frame(_) => {}
            end => return end,
        }
    }
}

#[tokio::test]
async fn socket_closes_when_its_jwt_expires() {
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, with_jwt).await;
    let now: Timestamp = START.parse().expect("a time");
    let claims = json!({"iss": "us", "aud": "sentistream", "exp": now.as_seconds() + 60, "scope": "read"});
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).expect("a token");
    let (expiring, lasting) = (open(&app, &token).await, open(&app, "root-token").await);
    app.clock.set(now + Duration::from_secs(61));
    assert_eq!(end(expiring).await, SocketEvent::Closed(1008));
    let mut lasting = lasting;
    assert!(lasting.until_pong().await.iter().all(|frame| frame["type"] != "error"), "other sockets stay open");
}

async fn socket_closes_when_its_token_is_deleted(setup: Setup) {
    let app = TestApp::with(setup, Duration::ZERO, with_jwt).await;
    let admin = |request: reqwest::RequestBuilder| request.bearer_auth("root-token");
    let body = json!({"name": "page", "scopes": ["read"]});
    let made = app.send(admin(app.request(Method::POST, "/api/tokens").json(&body))).await.json();
    let socket = open(&app, made["token"].as_str().expect("a token")).await;
    let list = app.send(admin(app.request(Method::GET, "/api/tokens"))).await.ok();
    let path = format!("/api/tokens/{}", list["tokens"][0]["id"]);
    assert_eq!(app.send(admin(app.request(Method::DELETE, &path))).await.status, 204);
    assert_eq!(end(socket).await, SocketEvent::Closed(1008));
}

#[tokio::test]
async fn one_client_cannot_open_every_websocket() {
    let limited = |options: &mut HttpOptions| {
        options.trusted_proxies = vec![[127, 0, 0, 1].into()];
        options.live.max_per_client = 2;
    };
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, limited).await;
    let from = |address: &'static str| request(&app, &[("x-forwarded-for", address)]);
    let kept = [Socket::try_open(from("192.0.2.1")).await, Socket::try_open(from("192.0.2.1")).await];
    assert!(kept.iter().all(Result::is_ok));
    assert_eq!(Socket::try_open(from("192.0.2.1")).await.err(), Some(503));
    assert!(Socket::try_open(from("192.0.2.2")).await.is_ok(), "other clients still connect");
}

#[tokio::test]
async fn foreign_host_header_needs_credentials_for_a_socket() {
    let app = TestApp::start(Setup::Embedded).await;
    assert_eq!(Socket::try_open(request(&app, &[("host", "evil.example")])).await.err(), Some(403));
}
