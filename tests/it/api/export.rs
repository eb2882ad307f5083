//! Exports of posts.

use serde_json::{Value, json};

use super::test_app::{Setup, TestApp, cases, post};

cases![export_contains_all_pages_of_the_list, bad_exports_are_refused];

async fn export_contains_all_pages_of_the_list(setup: Setup) {
    let app = TestApp::start(setup).await;
    let tricky = "commas, \"quotes\",\nlines and ✓";
    let posts: Vec<_> =
        (0..1_203).map(|n| post(&format!("p{n}"), ["web", "forum"][n % 2], tricky, n as u64 / 7)).collect();
    app.store(&posts).await;

    let mut listed = Vec::new();
    let mut path = "/api/posts?limit=500&source=web".to_owned();
    loop {
        let page = app.get(&path).await.ok();
        listed.extend(page["posts"].as_array().expect("posts").clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/posts?limit=500&source=web&cursor={cursor}");
    }
    assert_eq!(listed.len(), 602);

    let lines = app.get("/api/posts/export?format=ndjson&source=web").await;
    assert_eq!((lines.status, lines.header("content-type")), (200, "application/x-ndjson"));
    assert!(lines.header("content-disposition").contains("attachment"), "{}", lines.header("content-disposition"));
    let exported: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(exported, listed);

    let table = app.get("/api/posts/export?format=csv&source=web").await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    let mut reader = csv::Reader::from_reader(table.body.as_slice());
    let rows: Vec<std::collections::BTreeMap<String, String>> =
        reader.deserialize().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), listed.len());
    for (row, post) in rows.iter().zip(&listed) {
        assert_eq!((&json!(row["post_id"]), &json!(row["content"])), (&post["post_id"], &post["content"]));
        assert_eq!(
            (&json!(row["sentiment"]), &json!(row["created_at"])),
            (&post["sentiment"]["label"], &post["created_at"])
        );
    }

    let none = app.get("/api/posts/export?format=csv&source=nowhere").await;
    assert_eq!((none.status, none.text().lines().count()), (200, 1));
}

async fn bad_exports_are_refused(setup: Setup) {
    let app = TestApp::start(setup).await;
    assert_eq!(app.get("/api/posts/export").await.problem(422), ["format"]);
    assert_eq!(app.get("/api/posts/export?format=xml&limit=5").await.problem(422), ["format", "limit"]);
}
