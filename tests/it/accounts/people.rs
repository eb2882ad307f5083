//! Managing users.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, PASSWORD, app_with_admin, attempt, colleague, sign_in};
use crate::api::test_app::{Setup, TestApp, cases};

cases![
    invited_user_sets_a_password_once,
    disabled_user_is_signed_out_at_once,
    user_changes_need_the_current_version,
    last_administrator_cannot_be_removed,
    audit_log_names_the_author_of_each_change,
];

async fn invite(app: &TestApp, admin: &Browser, id: &Value) -> Value {
    let made = admin.post(app, &format!("/api/users/{id}/invitation"), &json!({})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()
}

async fn accept(app: &TestApp, code: &Value, password: &str) -> crate::api::test_app::Answer {
    Browser::fresh().post(app, "/api/invitation", &json!({"code": code, "password": password})).await
}

async fn invited_user_sets_a_password_once(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let made = ada.post(&app, "/api/users", &json!({"name": "Zoë & co", "role": "analyst"})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let user = made.json();
    assert_eq!((&user["has_password"], &user["created_by"]), (&json!(false), &json!("ada")));
    let lost = invite(&app, &ada, &user["id"]).await;
    let invitation = invite(&app, &ada, &user["id"]).await;
    let url = invitation["url"].as_str().expect("a link");
    assert!(
        url.ends_with(&format!("/#invitation={}&name=Zo%C3%AB%20%26%20co", invitation["code"].as_str().unwrap())),
        "{url}"
    );
    accept(&app, &lost["code"], PASSWORD).await.problem(401);
    assert_eq!(accept(&app, &invitation["code"], "short").await.problem(422), ["password"]);
    let accepted = accept(&app, &invitation["code"], PASSWORD).await;
    assert_eq!(accepted.ok()["user"]["role"], "analyst");
    assert!(Browser::of(&accepted).is_signed_in(&app).await);
    accept(&app, &invitation["code"], PASSWORD).await.problem(401);
    sign_in(&app, "zoë & CO", PASSWORD).await;

    // An invitation replaces a forgotten password. The old password is valid until the link is used.
    let reset = invite(&app, &ada, &user["id"]).await;
    let session = sign_in(&app, "Zoë & co", PASSWORD).await;
    accept(&app, &reset["code"], "a new pass phrase 7").await.ok();
    assert!(!session.is_signed_in(&app).await);
    attempt(&app, "Zoë & co", PASSWORD).await.problem(401);
    let expired = invite(&app, &ada, &user["id"]).await;
    app.clock.set(app.clock.now() + Duration::from_secs(3 * 86_400 + 1));
    accept(&app, &expired["code"], PASSWORD).await.problem(401);
}

async fn disabled_user_is_signed_out_at_once(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let (id, bob) = colleague(&app, &ada, "bob", "editor").await;
    let token = bob.post(&app, "/api/tokens", &json!({"name": "bob's script", "scopes": ["read", "write"]})).await;
    assert_eq!(token.status, 201, "{}", token.text());
    let token = token.json()["token"].as_str().expect("a token").to_owned();
    let by_token = async || app.send(app.request(Method::GET, "/api/stats").bearer_auth(&token)).await.status;
    assert_eq!(by_token().await, 200);
    let change = |disabled: bool| json!({"name": "bob", "role": "editor", "disabled": disabled});
    ada.put(&app, &format!("/api/users/{id}"), &change(true)).await.ok();
    bob.get(&app, "/api/stats").await.problem(401);
    assert_eq!(by_token().await, 401);
    attempt(&app, "bob", PASSWORD).await.problem(401);
    ada.post(&app, &format!("/api/users/{id}/invitation"), &json!({})).await.problem(409);
    ada.put(&app, &format!("/api/users/{id}"), &change(false)).await.ok();
    assert!(!bob.is_signed_in(&app).await, "an enabled user must sign in again");
    sign_in(&app, "bob", PASSWORD).await;
    assert_eq!(by_token().await, 200);
    assert_eq!(ada.delete(&app, &format!("/api/users/{id}")).await.status, 204);
    assert_eq!(by_token().await, 401);
    ada.get(&app, &format!("/api/users/{id}")).await.problem(404);
}

async fn user_changes_need_the_current_version(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let made = ada.post(&app, "/api/users", &json!({"name": "bob", "role": "viewer"})).await;
    let (path, tag) = (made.header("location").to_owned(), made.header("etag").to_owned());
    let edit = async |tag: Option<&str>, body: Value| {
        let request = ada.request(&app, Method::PUT, &path);
        let request = tag.into_iter().fold(request, |request, tag| request.header("if-match", tag));
        app.send(request.json(&body)).await
    };
    let bob = |name: &str, role: &str| json!({"name": name, "role": role, "disabled": false});
    edit(None, bob("bob", "editor")).await.problem(428);
    let changed = edit(Some(&tag), bob("Robert", "editor")).await;
    assert_eq!((changed.ok()["name"].as_str(), changed.ok()["role"].as_str()), (Some("Robert"), Some("editor")));
    edit(Some(&tag), bob("bob", "viewer")).await.problem(412);
    assert_eq!(edit(Some("*"), bob("ADA", "viewer")).await.problem(422), ["name"]);
    assert_eq!(edit(Some("*"), bob("Robert", "root")).await.problem(422), ["role"]);
    let again = ada.post(&app, "/api/users", &json!({"name": "ROBERT", "role": "viewer"})).await;
    assert_eq!(again.problem(422), ["name"]);
    let names: Vec<_> = ada.get(&app, "/api/users").await.ok()["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["name"].clone())
        .collect();
    assert_eq!(names, ["ada", "Robert"]);
}

async fn last_administrator_cannot_be_removed(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let own = ada.get(&app, "/api/session").await.ok()["user"]["id"].clone();
    let path = format!("/api/users/{own}");
    let change = |role: &str, disabled: bool| json!({"name": "ada", "role": role, "disabled": disabled});
    ada.put(&app, &path, &change("viewer", false)).await.problem(409);
    ada.put(&app, &path, &change("admin", true)).await.problem(409);
    ada.delete(&app, &path).await.problem(409);
    // The second administrator has no password until the invitation is accepted, so `ada` is still the last one.
    let invited = ada.post(&app, "/api/users", &json!({"name": "eve", "role": "admin"})).await.json();
    let token = ada.post(&app, "/api/tokens", &json!({"name": "ops", "scopes": ["admin"]})).await.json();
    let by_token = |method: Method| {
        app.request(method, &path).bearer_auth(token["token"].as_str().unwrap()).header("if-match", "*")
    };
    app.send(by_token(Method::PUT).json(&change("editor", false))).await.problem(409);
    app.send(by_token(Method::DELETE)).await.problem(409);
    let code = invite(&app, &ada, &invited["id"]).await["code"].clone();
    accept(&app, &code, PASSWORD).await.ok();
    app.send(by_token(Method::PUT).json(&change("editor", false))).await.ok();
    assert!(!ada.is_signed_in(&app).await, "a session ends when the role of its user changes");
}

async fn audit_log_names_the_author_of_each_change(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let (_, bob) = colleague(&app, &ada, "bob", "editor").await;
    assert_eq!(bob.post(&app, "/api/topics", &json!({"name": "shop", "query": "shop"})).await.status, 201);
    let silence = json!({
        "matchers": [{"label": "source", "op": "=", "value": "web"}], "author": "someone else", "comment": "maintenance",
        "starts_at": app.clock.now(), "ends_at": app.clock.now() + Duration::from_secs(3_600),
    });
    let silenced = bob.post(&app, "/api/alerts/silences", &silence).await;
    assert_eq!((silenced.status, &silenced.json()["author"]), (201, &json!("bob")), "{}", silenced.text());
    attempt(&app, "bob", "wrong password 123").await.problem(401);
    let seen = app
        .eventually("the changes are recorded", async || {
            let events = ada.get(&app, "/api/audit").await.ok()["events"].clone();
            let seen: Vec<_> = events
                .as_array()
                .expect("events")
                .iter()
                .map(|event| {
                    format!(
                        "{} {} {}",
                        event["actor"].as_str().unwrap(),
                        event["action"].as_str().unwrap(),
                        event["outcome"].as_str().unwrap()
                    )
                })
                .collect();
            (seen.len() >= 6).then_some(seen)
        })
        .await;
    for expected in [
        "ada POST /api/setup allowed",
        "ada POST /api/users allowed",
        "bob POST /api/session allowed",
        "bob POST /api/topics allowed",
        "bob POST /api/alerts/silences allowed",
        "unknown POST /api/session denied",
    ] {
        assert!(seen.iter().any(|event| event == expected), "{expected} in {seen:#?}");
    }
}
