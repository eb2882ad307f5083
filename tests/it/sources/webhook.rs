//! Tests of webhook sources, which receive signed requests of other programs.

use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::managed::{feed, fields, send};
use crate::process::Process;
use crate::services::Shared;

const SECRET: &str = "a secret of enough bytes";

fn code(secret: &str, body: &str) -> String {
    let mut key = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key works");
    key.update(body.as_bytes());
    key.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sends a body, signed with `secret`.
async fn deliver(process: &Process, name: &str, (secret, body): (&str, &str)) -> (u16, Value) {
    let request = crate::web::client().post(format!("{}/api/hooks/{name}", process.url)).body(body.to_owned());
    let request = request.header("X-Hub-Signature-256", format!("sha256={}", code(secret, body)));
    let answer = request.send().await.expect("the API answers");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

fn definition(secret: &str) -> Value {
    json!({
        "name": "reviews", "kind": "webhook", "secrets": {"secret": secret},
        "settings": {"items_path": "$.reviews", "text_path": "$['title','body']", "author_path": "user.name",
                     "time_path": "at", "url_path": "link"},
    })
}

const PAYLOAD: &str = r#"{"event": "new", "reviews": [
    {"id": 1, "title": "Great", "body": "I love it so much", "user": {"name": "ada"}, "at": "2026-03-01T12:00:00Z",
     "link": "https://shop.example/1"},
    {"id": 2, "title": "Bad", "body": "I hate it so much", "link": "javascript:alert(1)"},
    {"id": 3, "title": "", "body": null},
    {"id": 4, "rating": 5}
]}"#;

/// Adds, uses, changes and deletes a webhook. `second` contains the settings of another process with the same database.
async fn webhook_life(folder: &Path, setup: &[String], second: Option<&str>) {
    let settings: Vec<String> = setup.iter().cloned().chain(["ingester.sources=[]".to_owned()]).collect();
    let process = Process::start(folder, &settings).await;
    process.ready().await;
    let create = async |body: &Value| send(&process, Method::POST, "/api/sources", body).await;
    assert_eq!(fields(&create(&json!({"name": "reviews", "kind": "webhook"})).await.1), ["secrets.secret"]);
    assert_eq!(create(&definition("short")).await.0, 422);
    let mut wrong = definition(SECRET);
    wrong["settings"]["text_path"] = json!("$.a[");
    assert_eq!(fields(&create(&wrong).await.1), ["settings.text_path"]);

    let mut trial = definition(SECRET);
    trial["sample"] = json!(PAYLOAD);
    let (status, tried) = send(&process, Method::POST, "/api/sources/test", &trial).await;
    assert_eq!((status, &tried["ok"], &tried["filtered"]), (200, &json!(true), &json!(1)), "{tried}");
    assert_eq!(tried["posts"][0]["content"], "Great\nI love it so much");
    assert!(tried["posts"][0]["sentiment"].is_string(), "{tried}");
    assert_eq!(tried["rejected"], json!(["item 4: text: found no value"]));
    assert_eq!(fields(&send(&process, Method::POST, "/api/sources/test", &definition(SECRET)).await.1), ["sample"]);

    let (status, made) = create(&definition(SECRET)).await;
    assert_eq!((status, &made["secrets"]), (201, &json!(["secret"])), "{made}");
    assert!(!made.to_string().contains(SECRET));
    feed(&process, "reviews", ("connected", 0)).await;
    let (status, received) = deliver(&process, "reviews", (SECRET, PAYLOAD)).await;
    assert_eq!(status, 202, "{received}");
    assert_eq!(received, json!({"accepted": 2, "filtered": 1, "rejected": ["item 4: text: found no value"]}));
    assert_eq!(deliver(&process, "reviews", (SECRET, PAYLOAD)).await.0, 202, "a repeated request is accepted");
    process.wait_until("two posts are stored", |health| health["stats"]["total_posts"] == 2).await;
    let posts = process.get("/api/posts?source=reviews").await;
    let by_id = |id: &str| posts["posts"].as_array().and_then(|all| all.iter().find(|post| post["post_id"] == id));
    let (first, last) = (by_id("reviews:1").expect("a post"), by_id("reviews:2").expect("a post"));
    assert_eq!((&first["author"], &first["url"]), (&json!("ada"), &json!("https://shop.example/1")));
    assert_eq!((&first["created_at"], &last["url"]), (&json!("2026-03-01T12:00:00.000Z"), &Value::Null));
    let shown = feed(&process, "reviews", ("connected", 4)).await;
    assert_eq!((&shown["rejected"], &shown["kind"]), (&json!(2), &json!("webhook")), "{shown}");

    refusals_are_alike(&process).await;
    hostile_bodies(&process).await;

    // A pause, a change and a deletion apply from the next request on every instance.
    let second = match second {
        Some(roles) => Some(Process::start(folder, &[settings, vec![roles.to_owned()]].concat()).await),
        None => None,
    };
    let other = second.as_ref().unwrap_or(&process);
    other.ready().await;
    let small = r#"{"reviews": {"id": 9, "title": "Fine", "body": "It is fine"}}"#;
    assert_eq!(deliver(other, "reviews", (SECRET, small)).await.0, 202);
    send(&process, Method::POST, "/api/sources/reviews/pause", &json!({})).await;
    assert_eq!(deliver(other, "reviews", (SECRET, small)).await.0, 503);
    assert_eq!(
        deliver(other, "reviews", ("another secret 123", small)).await.0,
        404,
        "the answer does not reveal the pause"
    );
    send(&process, Method::POST, "/api/sources/reviews/resume", &json!({})).await;
    assert_eq!(deliver(other, "reviews", (SECRET, small)).await.0, 202);
    let (status, _) = send(&process, Method::PUT, "/api/sources/reviews", &definition("another secret 123")).await;
    assert_eq!(status, 200);
    assert_eq!(deliver(other, "reviews", (SECRET, small)).await.0, 404);
    assert_eq!(deliver(other, "reviews", ("another secret 123", small)).await.0, 202);
    assert_eq!(send(&process, Method::DELETE, "/api/sources/reviews", &json!({})).await.0, 204);
    assert_eq!(deliver(other, "reviews", ("another secret 123", small)).await.0, 404);
}

/// Checks that an unknown name, a source of another kind, a wrong signature and no signature get the same answer.
async fn refusals_are_alike(process: &Process) {
    let other = json!({"name": "blog", "kind": "rss", "settings": {"feeds": ["https://blog.invalid/feed.xml"]}});
    assert_eq!(send(process, Method::POST, "/api/sources", &other).await.0, 201);
    let without_id = |(status, mut problem): (u16, Value)| {
        problem.as_object_mut().expect("a problem").remove("request_id");
        (status, problem)
    };
    let unknown = without_id(deliver(process, "nobody", (SECRET, PAYLOAD)).await);
    assert_eq!(unknown.0, 404);
    let long = "x".repeat(300);
    for (name, secret) in [("reviews", "a wrong secret 1234"), ("blog", SECRET), (&*long, SECRET), ("%00", SECRET)] {
        assert_eq!(without_id(deliver(process, name, (secret, PAYLOAD)).await), unknown, "{name}");
    }
    let unsigned = crate::web::client().post(format!("{}/api/hooks/reviews", process.url)).body(PAYLOAD);
    let answer = unsigned.send().await.expect("the API answers");
    assert_eq!(without_id((answer.status().as_u16(), answer.json().await.expect("JSON"))), unknown);
    assert_eq!(wrong_signature(process).await["name"], "reviews");
    assert_eq!(send(process, Method::DELETE, "/api/sources/blog", &json!({})).await.0, 204);
}

/// The source whose last error is a wrong signature.
async fn wrong_signature(process: &Process) -> Value {
    let shown = crate::process::within("a source shows the error of the wrong signature", async || {
        let sources = process.get("/api/sources").await;
        let feeds = sources["feeds"].as_array().expect("feeds").clone();
        feeds.into_iter().find(|feed| feed["last_error"].as_str().is_some_and(|error| error.contains("signature")))
    });
    shown.await
}

async fn hostile_bodies(process: &Process) {
    let status = async |body: &str| deliver(process, "reviews", (SECRET, body)).await.0;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for body in ["", "{", "\u{feff}", "nul\0", &deep] {
        assert_eq!(status(body).await, 400, "{body:.20}");
    }
    let item = r#"{"title":"x","body":""}"#;
    let many = |count: usize| format!(r#"{{"reviews":[{}]}}"#, vec![item; count].join(","));
    assert_eq!(status(&many(1_000)).await, 202);
    assert_eq!(status(&many(1_001)).await, 413);
    assert_eq!(status(&format!(r#"{{"x":[{}0]}}"#, "0,".repeat(100_000))).await, 413);
    // Items that are not posts are rejected one by one.
    let odd = json!({"reviews": [
        null, 7, "text", [], {"title": {"deep": 1}}, {"title": "nul \0 text", "id": "\0"}, {"title": "x", "id": "i".repeat(9_000)},
        {"title": "x", "at": "soon"}, {"title": "x", "user": {"name": ["ada"]}}, {"title": "y", "at": 1e300},
    ]});
    let (status, received) = deliver(process, "reviews", (SECRET, &odd.to_string())).await;
    assert_eq!((status, &received["accepted"]), (202, &json!(2)), "{received}");
    let rejected = received["rejected"].as_array().expect("a list");
    assert_eq!(rejected.len(), 8, "{received}");
    assert!(rejected.iter().all(|error| error.as_str().is_some_and(|text| text.len() < 300)), "{received}");
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_webhook_receives_signed_posts() {
    let folder = tempfile::tempdir().unwrap();
    webhook_life(folder.path(), &[], None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_webhook_receives_signed_posts() {
    let folder = tempfile::tempdir().unwrap();
    webhook_life(folder.path(), &Shared::create().await.settings(), Some("roles=api")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_webhook_needs_no_bearer_token() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        "ingester.sources=[\"calls\"]".to_owned(),
        "sources.calls.kind=webhook".to_owned(),
        format!("sources.calls.secret={SECRET}"),
        format!("server.auth.tokens=[{{name=\"a\", sha256=\"{}\", scopes=[\"admin\"]}}]", "0".repeat(64)),
    ];
    let process = Process::start(folder.path(), &settings).await;
    process.ready().await;
    let body = r#"{"text": "I love it"}"#;
    assert_eq!(deliver(&process, "calls", ("another secret 123", body)).await.0, 404);
    let (status, received) = deliver(&process, "calls", (SECRET, body)).await;
    assert_eq!((status, &received["accepted"]), (202, &json!(1)), "{received}");
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_webhook_shows_a_wrong_signature() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        "ingester.sources=[\"calls\"]".to_owned(),
        "sources.calls.kind=webhook".to_owned(),
        format!("sources.calls.secret={SECRET}"),
    ];
    let process = Process::start(folder.path(), &settings).await;
    process.ready().await;
    assert_eq!(deliver(&process, "calls", ("another secret 123", r#"{"text": "I love it"}"#)).await.0, 404);
    assert_eq!(wrong_signature(&process).await["name"], "calls");
}
