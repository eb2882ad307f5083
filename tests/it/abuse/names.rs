//! Objects whose names collide with paths of the API must be deletable.

use serde_json::json;

use crate::api::test_app::{Setup, TestApp, cases, post};

cases![posts_with_names_of_paths_can_be_deleted, topics_cannot_have_names_that_clients_remove_from_paths];

async fn posts_with_names_of_paths_can_be_deleted(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.store(&[post("recent", "web", "a", 0), post("export", "web", "b", 0), post("other", "web", "c", 0)]).await;
    for id in ["recent", "export"] {
        assert_eq!(app.delete(&format!("/api/posts/{id}")).await.status, 204, "{id}");
        assert_eq!(app.delete(&format!("/api/posts/{id}")).await.status, 404, "{id}");
    }
    assert_eq!(app.get("/api/posts").await.ok()["total"], 1);
}

async fn topics_cannot_have_names_that_clients_remove_from_paths(setup: Setup) {
    let app = TestApp::start(setup).await;
    for name in [".", ".."] {
        let refused = app.post("/api/topics", &json!({"name": name, "query": "acme"})).await;
        assert_eq!(refused.problem(422), ["name"], "{name}");
    }
}
