//! Tokens of users.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{app_with_admin, colleague};
use crate::api::test_app::{Setup, cases};

cases![user_manages_own_tokens_within_own_role, token_created_by_a_token_has_the_same_limits];

async fn user_manages_own_tokens_within_own_role(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let (_, bob) = colleague(&app, &ada, "bob", "analyst").await;
    let make = |name: &str, scopes: &[&str]| json!({"name": name, "scopes": scopes, "expires_in_days": 30});
    for scope in ["write", "edit", "admin"] {
        assert_eq!(bob.post(&app, "/api/tokens", &make("more", &["read", scope])).await.problem(422), ["scopes"]);
    }
    let refused = bob.post(&app, "/api/tokens", &make("more", &["write", "read", "edit"])).await;
    assert_eq!(refused.problem(422), ["scopes"]);
    assert!(refused.text().contains("write, edit"), "{}", refused.text());
    for name in ["ada", "BOB", "jwt:ada"] {
        assert_eq!(bob.post(&app, "/api/tokens", &make(name, &["read"])).await.problem(422), ["name"], "{name}");
    }
    let made = bob.post(&app, "/api/tokens", &make("script", &["read", "respond", "read"])).await;
    assert_eq!((made.status, &made.json()["scopes"]), (201, &json!(["read", "respond"])), "{}", made.text());
    assert_eq!(ada.post(&app, "/api/tokens", &make("ops", &["admin"])).await.status, 201);
    assert_eq!(ada.post(&app, "/api/users", &json!({"name": "Script", "role": "viewer"})).await.problem(422), ["name"]);

    let token = made.json()["token"].as_str().expect("a token").to_owned();
    let by_token = |method: Method, path: &str| app.request(method, path).bearer_auth(&token);
    app.send(by_token(Method::GET, "/api/tokens")).await.problem(403);
    assert_eq!(app.send(by_token(Method::GET, "/api/stats")).await.status, 200);
    let own = bob.get(&app, "/api/tokens").await.ok();
    let own = own["tokens"].as_array().expect("tokens");
    assert_eq!(own.len(), 1);
    assert_eq!((&own[0]["owner"]["name"], &own[0]["created_by"]), (&json!("bob"), &json!("bob")));
    assert_eq!(own[0]["last_used_at"], json!(app.clock.now()));
    let all = ada.get(&app, "/api/tokens").await.ok();
    let names: Vec<_> = all["tokens"].as_array().unwrap().iter().map(|token| token["name"].clone()).collect();
    assert_eq!(names, ["script", "ops"]);
    bob.delete(&app, &format!("/api/tokens/{}", all["tokens"][1]["id"])).await.problem(404);
    assert_eq!(bob.delete(&app, &format!("/api/tokens/{}", own[0]["id"])).await.status, 204);
    app.send(by_token(Method::GET, "/api/stats")).await.problem(401);
}

async fn token_created_by_a_token_has_the_same_limits(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let (id, eve) = colleague(&app, &ada, "eve", "admin").await;
    let first = json!({"name": "first", "scopes": ["read", "admin"], "expires_in_days": 10});
    let first = eve.post(&app, "/api/tokens", &first).await.json();
    let by = |token: &Value, method: Method, path: &str| {
        app.request(method, path).bearer_auth(token["token"].as_str().expect("a token"))
    };
    let make = async |body: &Value| app.send(by(&first, Method::POST, "/api/tokens").json(body)).await;
    assert_eq!(make(&json!({"name": "writer", "scopes": ["read", "write"]})).await.problem(422), ["scopes"]);
    let mut made = Vec::new();
    let longer = make(&json!({"name": "longer", "scopes": ["read"], "expires_in_days": 30})).await;
    assert_eq!(longer.problem(422), ["expires_in_days"]);
    for (name, days) in [("default", json!(null)), ("equal", json!(10)), ("shorter", json!(1))] {
        let answer = make(&json!({"name": name, "scopes": ["read", "edit"], "expires_in_days": days})).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        made.push(answer.json());
    }
    assert_eq!((&made[0]["expires_at"], &made[1]["expires_at"]), (&first["expires_at"], &first["expires_at"]));
    assert_eq!(made[2]["expires_at"], json!(app.clock.now() + Duration::from_secs(86_400)));
    let all = ada.get(&app, "/api/tokens").await.ok();
    for token in &all["tokens"].as_array().expect("tokens")[1..] {
        assert_eq!((&token["owner"]["name"], &token["created_by"]), (&json!("eve"), &json!("first")), "{token}");
    }
    assert_eq!(app.send(by(&made[0], Method::GET, "/api/stats")).await.status, 200);
    let disabled = json!({"name": "eve", "role": "admin", "disabled": true});
    ada.put(&app, &format!("/api/users/{id}"), &disabled).await.ok();
    for token in [&first, &made[0], &made[1], &made[2]] {
        app.send(by(token, Method::GET, "/api/stats")).await.problem(401);
    }
}
