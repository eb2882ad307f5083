//! Changes of settings while a server runs. The tests start the real binary.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::process::{Process, command, within};
use crate::services::Shared;

/// The answer to a request: the status, the `ETag`, and the JSON.
struct Answer {
    status: u16,
    tag: String,
    json: Value,
}

impl Answer {
    /// The error message about `field`.
    fn error(&self, field: &str) -> String {
        let errors = self.json["errors"].as_array().cloned().unwrap_or_default();
        let found = errors.into_iter().find(|error| error["field"] == field);
        let found = found.unwrap_or_else(|| panic!("no error of {field}: {} {}", self.status, self.json));
        assert_eq!(self.status, 422, "{}", self.json);
        found["message"].as_str().expect("a text").to_owned()
    }
}

async fn send(process: &Process, method: Method, key: &str, sent: (Option<&str>, Value)) -> Answer {
    let (version, body) = sent;
    let mut request = crate::web::client().request(method, format!("{}/api/settings/{key}", process.url)).json(&body);
    if let Some(version) = version {
        request = request.header("If-Match", version);
    }
    let answer = request.send().await.expect("the API answers");
    let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).unwrap_or_default().to_owned();
    Answer { status: answer.status().as_u16(), tag, json: answer.json().await.unwrap_or_default() }
}

async fn put(process: &Process, key: &str, value: impl Into<Value>) -> Answer {
    let value: Value = value.into();
    send(process, Method::PUT, key, (Some("*"), json!({"value": value}))).await
}

async fn setting(process: &Process, key: &str) -> Value {
    process.get(&format!("/api/settings/{key}")).await
}

/// Starts a server and waits until its database is migrated.
async fn start(folder: &Path, settings: &[String]) -> Process {
    let process = Process::start(folder, settings).await;
    within("the database is migrated", async || {
        (process.get("/api/system/migrations").await["pending"] == json!([])).then_some(())
    })
    .await;
    process
}

fn quiet(mut settings: Vec<String>) -> Vec<String> {
    let own = ["ingester.sources=[]", "alerts.interval=1s", "worker.tasks=1", "retention.alerts=30d"];
    settings.extend(own.map(str::to_owned));
    settings
}

/// The value that `sentistream config --json` prints for a key.
async fn printed(folder: &Path, settings: &[String], key: &str) -> Value {
    let output = command(folder, settings).args(["config", "--json"]).output().await.expect("the binary runs");
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    all[key].clone()
}

async fn change_and_undo(folder: &Path, settings: Vec<String>) {
    let settings = quiet(settings);
    let process = start(folder, &settings).await;
    let before = setting(&process, "alerts.negative_share").await;
    assert_eq!(
        (&before["value"], &before["origin"]["layer"], &before["version"]),
        (&json!(0.5), &json!("default"), &json!(0))
    );
    assert!(before["help"].as_str().expect("a text").contains("share of negative posts"), "{before}");
    assert!(before["editable"] == true && before["type"] == "number", "{before}");

    let changed = send(&process, Method::PUT, "alerts.negative_share", (Some("\"0\""), json!({"value": 0.7}))).await;
    assert_eq!((changed.status, changed.tag.as_str()), (200, "\"1\""), "{}", changed.json);
    assert_eq!((&changed.json["value"], &changed.json["origin"]["layer"]), (&json!(0.7), &json!("database")));
    let outdated = send(&process, Method::PUT, "alerts.negative_share", (Some("\"0\""), json!({"value": 0.8}))).await;
    assert_eq!(outdated.status, 412);
    let unversioned = send(&process, Method::PUT, "alerts.negative_share", (None, json!({"value": 0.8}))).await;
    assert_eq!(unversioned.status, 428);
    within("the rule has the new threshold", async || {
        let rules = process.get("/api/alerts/rules").await;
        let rules = rules["rules"].as_array().cloned().unwrap_or_default();
        rules.into_iter().find(|rule| rule["name"] == "negative_share" && rule["threshold"] == 0.7)
    })
    .await;

    let audit = process.get("/api/alerts/audit").await;
    let entries = audit["entries"].as_array().expect("entries");
    let entry = entries.iter().find(|entry| entry["object_kind"] == "setting").expect("the change is recorded");
    assert_eq!((&entry["name"], &entry["action"]), (&json!("alerts.negative_share"), &json!("update")));
    assert_eq!((&entry["before"]["value"], &entry["after"]["value"]), (&json!(0.5), &json!(0.7)));
    assert_eq!(entry["actor"], "local");

    assert_eq!(put(&process, "alerts.negative_share", json!(0.8)).await.json["stored"]["previous"], 0.7);
    assert!(process.terminate().await.success());
    let shown = printed(folder, &settings, "alerts.negative_share").await;
    assert_eq!((&shown["value"], &shown["source"]), (&json!(0.8), &json!("database")));
    let process = start(folder, &settings).await;
    within("the stored value is read after the restart", async || {
        (setting(&process, "alerts.negative_share").await["value"] == 0.8).then_some(())
    })
    .await;

    let reset = send(&process, Method::DELETE, "alerts.negative_share", (Some("\"2\""), json!({}))).await;
    assert_eq!((reset.status, &reset.json["value"]), (200, &json!(0.5)), "{}", reset.json);
    assert_eq!((&reset.json["stored"]["value"], &reset.json["stored"]["previous"]), (&Value::Null, &json!(0.8)));
    assert_eq!(reset.json["origin"]["layer"], "default");
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_is_changed_stored_and_reset_embedded() {
    let folder = tempfile::tempdir().unwrap();
    change_and_undo(folder.path(), Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_is_changed_stored_and_reset_shared() {
    let folder = tempfile::tempdir().unwrap();
    change_and_undo(folder.path(), Shared::create().await.settings()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_setting_gets_the_same_error_as_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sentistream.toml"), "[cache]\nttl = \"5s\"\n").unwrap();
    let process = start(folder.path(), &quiet(Vec::new())).await;
    for (key, value, words) in [
        ("retention.post", json!("1d"), "did you mean retention.posts?"),
        ("retention.posts", json!("1min"), "must be between 1h and 366d"),
        ("retention.posts", json!(7), "expected a string, found a whole number"),
        ("alerts.min_posts", json!(0.5), "expected a whole number, found a number"),
        ("inference.other_languages", json!("drop"), "must be one of unscored, analyze, neutral, skip"),
        ("alerts.window", json!("2h 30s"), "must be whole minutes"),
        ("retention.rollups", json!("30d"), "set retention.posts to at most retention.rollups"),
        ("worker.tasks", json!(2), "cannot be changed while the server runs"),
        ("database.url", json!("sqlite://x"), "cannot be changed while the server runs"),
        ("cache.ttl", json!("1s"), "sentistream.toml:2), which takes precedence"),
        ("retention.alerts", json!("1d"), "is set by the configuration (flag --set retention.alerts)"),
        ("server.rate_limit", Value::Null, "expected a whole number"),
    ] {
        let message = put(&process, key, value.clone()).await.error("value");
        assert!(message.contains(words), "{key} = {value}: {message}");
        let reset = send(&process, Method::DELETE, key, (Some("*"), json!({}))).await;
        assert_eq!(
            reset.status == 200,
            [
                "retention.posts",
                "alerts.min_posts",
                "inference.other_languages",
                "alerts.window",
                "retention.rollups",
                "server.rate_limit"
            ]
            .contains(&key),
            "{key}: {}",
            reset.json
        );
    }
    assert_eq!(put(&process, "retention.posts", json!("30d")).await.status, 200);
    assert_eq!(put(&process, "retention.rollups", json!("60d")).await.status, 200);
    let message = put(&process, "retention.posts", json!("90d")).await.error("value");
    assert!(message.contains("set retention.posts to at most retention.rollups"), "{message}");
    let unset = send(&process, Method::DELETE, "retention.posts", (Some("*"), json!({}))).await;
    assert!(unset.error("value").contains("set retention.posts to at most"), "{}", unset.json);

    let list = process.get("/api/settings").await;
    let all = list["settings"].as_array().expect("settings");
    let find =
        |key: &str| all.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("no setting {key}"));
    assert_eq!(find("cache.ttl")["origin"], json!({"layer": "file", "name": "sentistream.toml:2"}));
    assert!(find("cache.ttl")["editable"] == false && find("cache.ttl")["changeable"] == true);
    assert_eq!(find("retention.posts")["optional"], true);
    assert_eq!(find("inference.other_languages")["choices"][0], "unscored");
    assert!(list["sections"].as_array().expect("sections").iter().any(|section| section["name"] == "retention"));
    assert_eq!(setting(&process, "nothing").await["status"], 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_settings_are_masked() {
    let folder = tempfile::tempdir().unwrap();
    let settings = quiet(vec!["llm.api_key=hunter2".to_owned(), "alerts.smtp.password=hunter2".to_owned()]);
    let process = start(folder.path(), &settings).await;
    assert_eq!(setting(&process, "llm.api_key").await["value"], "***");
    let text = process.get("/api/settings").await.to_string();
    assert!(!text.contains("hunter2"));
}

async fn take_effect(folder: &Path, settings: Vec<String>) {
    let process = start(folder, &quiet(settings)).await;
    let post =
        |id: &str, lang: &str| json!({"post_id": id, "source": "web", "lang": lang, "content": "Das ist wirklich gut"});
    process.append(&[post("1", "de")]).await;
    process.drained(1).await;
    assert_eq!(process.get("/api/posts/1").await["sentiment"], Value::Null);
    assert_eq!(put(&process, "inference.other_languages", json!("analyze")).await.status, 200);
    within("posts in other languages are analysed", async || {
        let id = uuid::Uuid::new_v4().to_string();
        process.append(&[post(&id, "de")]).await;
        process.wait_until("the post is stored", |health| health["stats"]["pending"] == 0).await;
        process.get(&format!("/api/posts/{id}")).await["sentiment"].is_object().then_some(())
    })
    .await;

    assert_eq!(put(&process, "server.rate_burst", json!(700)).await.status, 200);
    within("the request limit has changed", async || {
        let answer = crate::web::get(format!("{}/api/stats", process.url)).await.expect("the API answers");
        (answer.headers().get("ratelimit-limit")? == "700").then_some(())
    })
    .await;

    assert_eq!(put(&process, "retention.posts", json!("1h")).await.status, 200);
    within("old posts are not stored", async || {
        let id = uuid::Uuid::new_v4().to_string();
        let old = json!({"post_id": id, "source": "web", "content": "good", "created_at": "2026-01-01T00:00:00Z"});
        process.append(&[old]).await;
        process.wait_until("the post is settled", |health| health["stats"]["pending"] == 0).await;
        (process.get(&format!("/api/posts/{id}")).await["status"] == 404).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_settings_take_effect_embedded() {
    let folder = tempfile::tempdir().unwrap();
    take_effect(folder.path(), Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_settings_take_effect_shared() {
    let folder = tempfile::tempdir().unwrap();
    take_effect(folder.path(), Shared::create().await.settings()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_instances_follow_changed_settings() {
    let folder = tempfile::tempdir().unwrap();
    let settings = quiet(Shared::create().await.settings());
    let (one, two) = (start(folder.path(), &settings).await, start(folder.path(), &settings).await);
    assert_eq!(put(&one, "cache.ttl", json!("30s")).await.status, 200);
    within("the other instance has the value", async || {
        (setting(&two, "cache.ttl").await["value"] == "30s").then_some(())
    })
    .await;
    // The version that the first instance stored is current on the other instance too, so the change is accepted.
    let changed = send(&two, Method::PUT, "cache.ttl", (Some("\"1\""), json!({"value": "10s"}))).await;
    assert_eq!((changed.status, &changed.json["stored"]["previous"]), (200, &json!("30s")), "{}", changed.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_setting_that_the_file_sets_later_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let settings = quiet(Vec::new());
    let process = start(folder.path(), &settings).await;
    assert_eq!(put(&process, "cache.ttl", json!("30s")).await.status, 200);
    assert!(process.terminate().await.success());
    std::fs::write(folder.path().join("sentistream.toml"), "[cache]\nttl = \"5s\"\n").unwrap();
    let process = start(folder.path(), &settings).await;
    let pinned = within("the stored setting is read", async || {
        Some(setting(&process, "cache.ttl").await).filter(|setting| setting["stored"].is_object())
    })
    .await;
    assert_eq!((&pinned["value"], &pinned["editable"]), (&json!("5s"), &json!(false)));
    let reason = pinned["stored"]["ignored"].as_str().expect("a reason");
    assert!(reason.contains("sentistream.toml:2"), "{reason}");
    let reset = send(&process, Method::DELETE, "cache.ttl", (Some("*"), json!({}))).await;
    assert_eq!((reset.status, &reset.json["stored"]["ignored"]), (200, &Value::Null), "{}", reset.json);
}
