//! The first account, sign-in and sign-out.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use sentistream::http::HttpOptions;
use sentistream::http::auth::tokens::hash_hex;
use sentistream::store::accounts::SessionFilter;
use serde_json::json;

use super::{Browser, PASSWORD, app_with_admin, attempt, set_up};
use crate::api::test_app::{Setup, TestApp, cases};

const DAY: Duration = Duration::from_secs(86_400);

cases![
    first_account_ends_access_without_sign_in,
    sign_in_rotates_the_session,
    sign_out_ends_the_session,
    wrong_name_and_wrong_password_get_the_same_answer,
    first_account_needs_the_code_of_a_sign_in_link,
];

async fn first_account_ends_access_without_sign_in(setup: Setup) {
    let app = TestApp::start(setup).await;
    let open = app.get("/api/session").await.ok();
    assert_eq!((&open["authenticated"], &open["kind"], &open["setup"]), (&json!(true), &json!("local"), &json!(true)));
    assert_eq!(open["sign_in"]["required"], false);
    for (body, field) in [
        (json!({"name": "local", "password": PASSWORD}), "name"),
        (json!({"name": "ada", "password": "short"}), "password"),
        (json!({"name": "ada", "password": "aaaaaaaaaaaaaaa"}), "password"),
    ] {
        assert_eq!(app.post("/api/setup", &body).await.problem(422), [field]);
    }
    let ada = set_up(&app).await;
    let known = ada.get(&app, "/api/session").await.ok();
    assert_eq!(
        (&known["kind"], &known["name"], &known["user"]["role"]),
        (&json!("session"), &json!("ada"), &json!("admin"))
    );
    assert_eq!(known["scopes"], json!(["read", "write", "respond", "edit", "admin"]));
    for path in ["/api/stats", "/api/posts", "/api/system", "/api/users"] {
        app.get(path).await.problem(401);
        assert_eq!(ada.get(&app, path).await.status, 200, "{path}");
    }
    let closed = app.get("/api/session").await.ok();
    assert_eq!((&closed["authenticated"], &closed["setup"]), (&json!(false), &json!(false)));
    assert_eq!((&closed["sign_in"]["required"], &closed["sign_in"]["password"]), (&json!(true), &json!(true)));
    // After the first account, no one can create an administrator without signing in.
    app.post("/api/setup", &json!({"name": "eve", "password": PASSWORD})).await.problem(401);
    app.post("/api/setup", &json!({"code": "x", "name": "eve", "password": PASSWORD})).await.problem(409);
}

async fn sign_in_rotates_the_session(setup: Setup) {
    let (app, first) = app_with_admin(setup).await;
    // An attacker has set a cookie in the browser before the sign-in.
    let planted = Browser { cookie: format!("sentistream_session={}", "a".repeat(64)) };
    let body = json!({"username": " ADA ", "password": PASSWORD});
    let second = Browser::of(&planted.post(&app, "/api/session", &body).await);
    assert_ne!(second.cookie, planted.cookie);
    assert!(second.is_signed_in(&app).await && !planted.is_signed_in(&app).await);
    // Signing in again ends the previous session of the same browser, but no other session.
    let third = Browser::of(&second.post(&app, "/api/session", &body).await);
    assert!(third.is_signed_in(&app).await && first.is_signed_in(&app).await);
    assert!(!second.is_signed_in(&app).await);
    let secret = third.cookie.split_once('=').expect("a value").1;
    assert_eq!(secret.len(), 64);
    let stored = app.services.store.sessions(SessionFilter { idle: DAY, ..SessionFilter::default() }, 10).await;
    let stored = format!("{:?}", stored.expect("sessions"));
    assert!(stored.contains("ada") && !stored.contains(secret), "{stored}");
}

async fn sign_out_ends_the_session(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let gone = ada.delete(&app, "/api/session").await;
    assert_eq!(gone.status, 204);
    assert!(gone.header("set-cookie").contains("Max-Age=0"), "{}", gone.header("set-cookie"));
    let refused = ada.get(&app, "/api/stats").await;
    refused.problem(401);
    assert!(refused.text().contains("sign in again"), "{}", refused.text());
    assert_eq!(ada.delete(&app, "/api/session").await.status, 204, "a second sign-out is accepted");
}

async fn wrong_name_and_wrong_password_get_the_same_answer(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let made = ada.post(&app, "/api/users", &json!({"name": "invited", "role": "viewer"})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let mut texts = Vec::new();
    for (name, password) in [
        ("ada", "wrong password 123"),
        ("nobody", "wrong password 123"),
        ("invited", "wrong password 123"),
        ("invited", ""),
        ("ada", &"x".repeat(100_000)),
        (&"n".repeat(10_000), "wrong password 123"),
    ] {
        let refused = attempt(&app, name, password).await;
        refused.problem(401);
        assert_eq!(refused.header("set-cookie"), "");
        texts.push(refused.json()["detail"].clone());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

async fn first_account_needs_the_code_of_a_sign_in_link(setup: Setup) {
    let everywhere = |options: &mut HttpOptions| options.listen = vec![SocketAddr::from(([0, 0, 0, 0], 0))];
    let app = TestApp::with(setup, Duration::ZERO, everywhere).await;
    let expiry = app.clock.now() + Duration::from_secs(60);
    app.services.store.create_sign_in_code(&hash_hex("the-code"), expiry).await.expect("a code");
    let setup = async |body| app.post("/api/setup", &body).await;
    setup(json!({"name": "eve", "password": PASSWORD})).await.problem(401);
    setup(json!({"code": "wrong", "name": "eve", "password": PASSWORD})).await.problem(401);
    setup(json!({"code": "the-code", "name": "ada", "password": "short"})).await.problem(422);
    let made = setup(json!({"code": "the-code", "name": "ada", "password": PASSWORD})).await;
    assert_eq!(made.ok()["user"]["role"], "admin");
    assert!(Browser::of(&made).is_signed_in(&app).await);
    setup(json!({"code": "the-code", "name": "eve", "password": PASSWORD})).await.problem(409);
}

#[tokio::test]
async fn failed_attempts_are_delayed_without_locking_the_owner_out() {
    let proxied = |options: &mut HttpOptions| options.trusted_proxies = vec![[127, 0, 0, 1].into()];
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, proxied).await;
    let expiry = app.clock.now() + Duration::from_secs(60);
    app.services.store.create_sign_in_code(&hash_hex("the-code"), expiry).await.expect("a code");
    let body = json!({"code": "the-code", "name": "ada", "password": PASSWORD});
    app.post("/api/setup", &body).await.ok();
    let from = async |address: &str, password: &str| {
        let request = app.request(Method::POST, "/api/session").header("x-forwarded-for", address);
        app.send(request.json(&json!({"username": "ada", "password": password}))).await
    };
    from("192.0.2.1", PASSWORD).await.ok();
    for _ in 0..5 {
        from("198.51.100.9", "wrong password 123").await.problem(401);
    }
    let refused = from("198.51.100.9", "wrong password 123").await;
    refused.problem(429);
    assert_eq!(refused.header("retry-after"), "2");
    from("198.51.100.9", PASSWORD).await.problem(429);
    from("192.0.2.1", PASSWORD).await.ok();
    from("203.0.113.5", PASSWORD).await.ok();
    app.clock.set(app.clock.now() + Duration::from_secs(2));
    from("198.51.100.9", PASSWORD).await.ok();
}

#[tokio::test]
async fn cookie_over_https_is_bound_to_the_host() {
    let external = |options: &mut HttpOptions| options.external_url = "https://senti.example".to_owned();
    let app = TestApp::with(Setup::Embedded, Duration::ZERO, external).await;
    set_up(&app).await;
    let request = app.request(Method::POST, "/api/session").header("host", "senti.example");
    let made = app.send(request.json(&json!({"username": "ada", "password": PASSWORD}))).await;
    made.ok();
    let set = made.header("set-cookie");
    assert!(set.starts_with("__Host-sentistream=") && set.ends_with("; Secure"), "{set}");
    let cookie = Browser::of(&made).cookie;
    let kind = async |cookie: &str| {
        let request = app.request(Method::GET, "/api/session").header("host", "senti.example").header("cookie", cookie);
        app.send(request).await.ok()["kind"].clone()
    };
    assert_eq!(kind(&cookie).await, "session");
    // A cookie without the prefix is ignored, because another host of the domain could have set it.
    assert_eq!(kind(&cookie.replace("__Host-sentistream", "sentistream_session")).await, json!(null));
}

#[tokio::test]
async fn pages_of_other_sites_cannot_sign_in_or_change_anything() {
    let (app, ada) = app_with_admin(Setup::Embedded).await;
    let token = json!({"name": "stolen", "scopes": ["admin"]});
    let forged = |method: Method, path: &str| app.request(method, path).header("cookie", &ada.cookie);
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "none")],
        &[],
    ] {
        for (method, path) in [
            (Method::POST, "/api/tokens"),
            (Method::POST, "/api/users"),
            (Method::POST, "/api/analyze"),
            (Method::DELETE, "/api/session"),
            (Method::DELETE, "/api/sessions"),
            (Method::PUT, "/api/session/password"),
        ] {
            let request = headers
                .iter()
                .fold(forged(method.clone(), path), |request, (name, value)| request.header(*name, *value));
            app.send(request.json(&token)).await.problem(403);
        }
    }
    let elsewhere = app.request(Method::POST, "/api/session").header("origin", "https://evil.example");
    app.send(elsewhere.json(&json!({"username": "ada", "password": PASSWORD}))).await.problem(403);
    assert_eq!(app.send(forged(Method::GET, "/api/stats")).await.status, 200);
    assert_eq!(
        ada.post(&app, "/api/tokens", &token).await.status,
        201,
        "a page of the server itself may change objects"
    );
    let cross_site_page = ada.request(&app, Method::POST, "/api/tokens").header("sec-fetch-site", "cross-site");
    app.send(cross_site_page.json(&token)).await.problem(403);
}
