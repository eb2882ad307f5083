//! Backups that administrators make while the server runs, and the list of applied migrations.

use std::path::Path;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::process::{Process, posts, within};
use crate::services::Shared;

fn settings(more: &[&str]) -> Vec<String> {
    more.iter().chain(&["ingester.sources=[]"]).map(|setting| (*setting).to_owned()).collect()
}

async fn request(process: &Process, method: Method, path: &str) -> Response {
    crate::web::client().request(method, format!("{}{path}", process.url)).send().await.expect("the API answers")
}

/// Makes a backup, and returns its name.
async fn make(process: &Process) -> String {
    let started = request(process, Method::POST, "/api/backups").await;
    assert_eq!(started.status(), 202);
    let started: Value = started.json().await.expect("JSON");
    let name = started["name"].as_str().expect("a name").to_owned();
    assert!(started["expected_bytes"].as_u64().expect("a number") > 0, "{started}");
    within("the backup is complete", async || {
        let list = process.get("/api/backups").await;
        assert_eq!(list["failed"], Value::Null, "{list}");
        (list["running"].is_null() && list["backups"][0]["name"] == name.as_str()).then_some(())
    })
    .await;
    name
}

async fn download(process: &Process, name: &str, to: &Path) -> u64 {
    let answer = request(process, Method::GET, &format!("/api/backups/{name}")).await;
    assert_eq!(answer.status(), 200);
    let disposition = answer.headers()["content-disposition"].to_str().expect("text").to_owned();
    assert!(disposition.contains(name), "{disposition}");
    let length = answer.content_length().expect("a length");
    let body = answer.bytes().await.expect("a body");
    assert_eq!(body.len() as u64, length);
    std::fs::write(to, body).expect("the folder can be written to");
    length
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_is_downloaded_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &settings(&[])).await;
    process.append(&posts(5)).await;
    process.drained(5).await;
    let empty = process.get("/api/backups").await;
    assert!(empty["supported"] == true && empty["backups"] == json!([]) && empty["keep"] == 7, "{empty}");
    let name = make(&process).await;
    process.append(&[json!({"post_id": "later", "source": "web", "content": "later"})]).await;
    process.drained(6).await;
    let copy = folder.path().join("copy.db");
    let length = download(&process, &name, &copy).await;
    assert_eq!(process.get("/api/backups").await["backups"][0]["bytes"], length);
    assert!(process.terminate().await.success());

    let restored =
        Process::start(folder.path(), &settings(&[&format!("database.url=sqlite://{}", copy.display())])).await;
    restored.drained(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_backups_are_deleted_and_names_cannot_leave_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &settings(&["database.backup_keep=2"])).await;
    let first = make(&process).await;
    let (second, third) = (make(&process).await, make(&process).await);
    let names = |list: &Value| -> Vec<String> {
        let backups = list["backups"].as_array().expect("backups");
        backups.iter().map(|backup| backup["name"].as_str().expect("a name").to_owned()).collect()
    };
    let kept = names(&process.get("/api/backups").await);
    assert_eq!(kept, [third.clone(), second.clone()]);
    for name in [first.as_str(), "..%2Fsentistream.db", "%2e%2e%2fsentistream.db", "sentistream.db", "sentistream-1.db"]
    {
        for method in [Method::GET, Method::DELETE] {
            let status = request(&process, method, &format!("/api/backups/{name}")).await.status();
            assert_eq!(status, 404, "{name}");
        }
    }
    assert!(folder.path().join("data/sentistream.db").exists());
    assert_eq!(request(&process, Method::DELETE, &format!("/api/backups/{second}")).await.status(), 204);
    assert_eq!(names(&process.get("/api/backups").await), [third]);
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_on_postgres_is_refused_and_pg_dump_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut own = settings(&[]);
    own.extend(Shared::create().await.settings());
    let process = Process::start(folder.path(), &own).await;
    let list = process.get("/api/backups").await;
    assert_eq!(list["supported"], false);
    assert!(list["command"].as_str().expect("a command").contains("pg_dump"), "{list}");
    assert_eq!(request(&process, Method::POST, "/api/backups").await.status(), 409);
    schema_is_shown(&process, "PostgreSQL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_and_release_notes_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &settings(&[])).await;
    schema_is_shown(&process, "SQLite").await;
    let notes = process.get("/api/system/release").await;
    assert_eq!(notes["version"], env!("CARGO_PKG_VERSION"));
    assert!(notes["groups"][0]["changes"][0].is_string(), "{notes}");
}

async fn schema_is_shown(process: &Process, database: &str) {
    let list = within("the schema is migrated", async || {
        Some(process.get("/api/system/migrations").await).filter(|list| list["pending"] == json!([]))
    })
    .await;
    assert!(list["database"].as_str().expect("a name").starts_with(database), "{list}");
    let applied = list["applied"].as_array().expect("migrations");
    assert!(applied.iter().all(|migration| migration["known"] == true), "{list}");
    assert!(applied.iter().any(|migration| migration["name"].as_str().is_some_and(|name| name.ends_with("_settings"))));
}
