//! What each role may do.

use reqwest::Method;
use serde_json::json;

use super::{app_with_admin, colleague};
use crate::api::test_app::{Setup, cases};

cases![each_role_may_do_what_its_scopes_allow, change_of_a_role_takes_effect_at_once];

async fn each_role_may_do_what_its_scopes_allow(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let mut browsers = vec![("admin", ada.clone())];
    for role in ["viewer", "analyst", "editor"] {
        browsers.push((role, colleague(&app, &ada, role, role).await.1));
    }
    // Each request, with the lowest role that may send it.
    let requests = [
        (Method::GET, "/api/posts", "viewer"),
        (Method::GET, "/api/alerts/receivers", "viewer"),
        (Method::POST, "/api/analyze", "viewer"),
        (Method::GET, "/api/tokens", "viewer"),
        (Method::POST, "/api/alerts/7/acknowledge", "analyst"),
        (Method::POST, "/api/alerts/silences", "analyst"),
        (Method::POST, "/api/v2/silences", "analyst"),
        (Method::POST, "/api/posts", "editor"),
        (Method::POST, "/api/topics", "editor"),
        (Method::PUT, "/api/topics/none", "editor"),
        (Method::POST, "/api/alerts/rules", "editor"),
        (Method::DELETE, "/api/alerts/rules/7", "editor"),
        (Method::POST, "/api/alerts/receivers", "editor"),
        (Method::POST, "/api/alerts/routes", "editor"),
        (Method::POST, "/api/alerts/mute-timings", "editor"),
        (Method::POST, "/api/sources", "editor"),
        (Method::DELETE, "/api/posts/none", "admin"),
        (Method::POST, "/api/dead-letters/purge", "admin"),
        (Method::GET, "/api/users", "admin"),
        (Method::POST, "/api/users", "admin"),
        (Method::GET, "/api/audit", "admin"),
        (Method::GET, "/api/sessions?user=all", "admin"),
    ];
    let order = ["viewer", "analyst", "editor", "admin"];
    let rank = |role: &str| order.iter().position(|known| *known == role).expect("a role");
    for (role, browser) in &browsers {
        for (method, path, least) in &requests {
            let answer = browser.send(&app, method.clone(), path, &json!({})).await;
            if rank(role) < rank(least) {
                answer.problem(403);
                assert!(answer.text().contains("your role lacks the scope"), "{}", answer.text());
            } else {
                // These requests may fail for another reason, but not because of the role.
                assert!(![401, 403, 405].contains(&answer.status), "{role} {method} {path}: {}", answer.text());
            }
        }
    }
}

async fn change_of_a_role_takes_effect_at_once(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let (id, bob) = colleague(&app, &ada, "bob", "editor").await;
    let topic = |name: &str| json!({"name": name, "query": name});
    assert_eq!(bob.post(&app, "/api/topics", &topic("one")).await.status, 201);
    let token = bob.post(&app, "/api/tokens", &json!({"name": "script", "scopes": ["read", "edit"]})).await.json();
    let change = json!({"name": "bob", "role": "viewer", "disabled": false});
    ada.put(&app, &format!("/api/users/{id}"), &change).await.ok();
    bob.post(&app, "/api/topics", &topic("two")).await.problem(401);
    let by_token = |method: Method, path: &str| app.request(method, path).bearer_auth(token["token"].as_str().unwrap());
    app.send(by_token(Method::POST, "/api/topics").json(&topic("two"))).await.problem(403);
    assert_eq!(app.send(by_token(Method::GET, "/api/topics")).await.status, 200);
    let bob = super::sign_in(&app, "bob", super::PASSWORD).await;
    bob.post(&app, "/api/topics", &topic("two")).await.problem(403);
}
