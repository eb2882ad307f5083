//! If the name of an object is also a path of the API, the object must be deletable, or the API must refuse the name.

use serde_json::json;

use crate::api::test_app::{Setup, TestApp, cases, post};

cases![posts_with_ids_of_api_paths_can_be_deleted, topic_names_that_are_dot_segments_are_refused];

async fn posts_with_ids_of_api_paths_can_be_deleted(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.store(&[post("recent", "web", "a", 0), post("export", "web", "b", 0), post("other", "web", "c", 0)]).await;
    for id in ["recent", "export"] {
        assert_eq!(app.delete(&format!("/api/posts/{id}")).await.status, 204, "{id}");
        assert_eq!(app.delete(&format!("/api/posts/{id}")).await.status, 404, "{id}");
    }
    assert_eq!(app.get("/api/posts").await.ok()["total"], 1);
}

async fn topic_names_that_are_dot_segments_are_refused(setup: Setup) {
    let app = TestApp::start(setup).await;
    for name in [".", ".."] {
        let refused = app.post("/api/topics", &json!({"name": name, "query": "acme"})).await;
        assert_eq!(refused.problem(422), ["name"], "{name}");
    }
}
