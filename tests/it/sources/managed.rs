//! Tests of sources that users add while the server runs.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::fakes::feeds::{Entry, Feeds};
use crate::fakes::jetstream::profiles;
use crate::fakes::reviews::{KEY, Reviews};
use crate::process::{Process, within};
use crate::services::Shared;

fn entry(id: &str, title: &str) -> Entry {
    let at = 1_772_000_000;
    Entry { id: format!("tag:{id}"), title: title.to_owned(), published: at, updated: at }
}

pub async fn send(process: &Process, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let request = crate::web::client().request(method, format!("{}{path}", process.url)).header("If-Match", "*");
    let answer = request.json(body).send().await.expect("the API answers");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

pub fn fields(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().filter_map(|error| error["field"].as_str()).collect()
}

/// Waits until the source `name` has this state and has read this many posts.
pub async fn feed(process: &Process, name: &str, (state, posts): (&str, u64)) -> Value {
    within(&format!("{name} is {state} with {posts} posts"), async || {
        let sources = process.get("/api/sources").await;
        let feeds = sources["feeds"].as_array().expect("feeds").clone();
        feeds.into_iter().find(|feed| feed["name"] == name && feed["state"] == state && feed["posts"] == posts)
    })
    .await
}

async fn add_change_and_delete(folder: &Path, mut settings: Vec<String>) {
    settings.extend(["ingester.sources=[]".to_owned(), "outbound.allow=127.0.0.1".to_owned()]);
    let (blog, news) = (Feeds::start().await, Feeds::start().await);
    blog.publish("/blog.atom", entry("1", "I love this so much"));
    news.publish("/news.rss", entry("2", "I hate this so much"));
    let process = Process::start(folder, &settings).await;
    process.ready().await;

    let kinds = process.get("/api/sources/kinds").await;
    let names: Vec<_> = kinds["kinds"].as_array().expect("kinds").iter().map(|kind| &kind["kind"]).collect();
    assert!(names.contains(&&json!("rss")) && !names.contains(&&json!("folder")), "{kinds}");
    let request =
        |url: &str| json!({"name": "blog", "kind": "rss", "settings": {"feeds": [url], "min_interval": "1s"}});
    let good = request(blog.url("blog.atom").as_str());
    let (status, trial) = send(&process, Method::POST, "/api/sources/test", &good).await;
    assert_eq!((status, &trial["ok"]), (200, &json!(true)), "{trial}");
    assert_eq!(trial["posts"][0]["content"], "I love this so much");
    assert!(trial["posts"][0]["sentiment"].is_string(), "{trial}");
    assert_eq!(process.get("/api/posts").await["total"], 0, "a test stores nothing");
    let (_, trial) = send(&process, Method::POST, "/api/sources/test", &request(blog.url("none.rss").as_str())).await;
    assert!(trial["ok"] == false && trial["message"].as_str().expect("a text").contains("404"), "{trial}");

    let (status, problem) = send(&process, Method::POST, "/api/sources", &request("ftp://nowhere")).await;
    assert_eq!((status, fields(&problem)), (422, vec!["settings.feeds"]));
    let (status, made) = send(&process, Method::POST, "/api/sources", &good).await;
    assert_eq!((status, &made["version"]), (201, &json!(1)), "{made}");
    assert_eq!(fields(&send(&process, Method::POST, "/api/sources", &good).await.1), ["name"]);
    feed(&process, "blog", ("connected", 1)).await;
    assert_eq!(process.get("/api/sources").await["managed"], json!(["blog"]));
    blog.publish("/blog.atom", entry("3", "I love it again"));
    feed(&process, "blog", ("connected", 2)).await;

    send(&process, Method::POST, "/api/sources/blog/pause", &json!({})).await;
    feed(&process, "blog", ("paused", 2)).await;
    send(&process, Method::POST, "/api/sources/blog/resume", &json!({})).await;
    let (status, changed) =
        send(&process, Method::PUT, "/api/sources/blog", &request(news.url("news.rss").as_str())).await;
    assert_eq!((status, &changed["version"]), (200, &json!(2)), "{changed}");
    process.wait_until("the other feed is read", |health| health["stats"]["total_posts"] == 3).await;
    assert!(process.terminate().await.success());

    // After a restart the source continues at its cursor.
    let process = Process::start(folder, &settings).await;
    news.publish("/news.rss", entry("4", "I hate it again"));
    process.wait_until("the source is read after the restart", |health| health["stats"]["total_posts"] == 4).await;
    assert_eq!(send(&process, Method::DELETE, "/api/sources/blog", &json!({})).await.0, 204);
    within("the source is deleted", async || (process.get("/api/sources").await["feeds"] == json!([])).then_some(()))
        .await;
    assert_eq!(send(&process, Method::GET, "/api/sources/blog", &json!({})).await.0, 404);
    assert_eq!(process.get("/api/posts").await["total"], 4, "the posts are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_source_is_added_changed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    add_change_and_delete(folder.path(), Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_source_is_added_changed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    add_change_and_delete(folder.path(), Shared::create().await.settings()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn source_secret_is_encrypted_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["ingester.sources=[]".to_owned()]).await;
    let request = json!({
        "name": "toots", "kind": "mastodon", "settings": {"instances": ["mastodon.invalid"]},
        "secrets": {"token": "hunter2-hunter2"},
    });
    let (status, made) = send(&process, Method::POST, "/api/sources", &request).await;
    assert_eq!((status, &made["secrets"]), (201, &json!(["token"])), "{made}");
    let shown = process.get("/api/sources/toots").await;
    assert!(!shown.to_string().contains("hunter2"), "{shown}");
    // If the request contains no secret, the saved secret is kept.
    let kept =
        json!({"name": "toots", "kind": "mastodon", "settings": {"instances": ["mastodon.invalid"], "local": false}});
    let (status, changed) = send(&process, Method::PUT, "/api/sources/toots", &kept).await;
    assert_eq!((status, &changed["secrets"]), (200, &json!(["token"])), "{changed}");
    let (_, audit) = send(&process, Method::GET, "/api/alerts/audit", &json!({})).await;
    assert!(!audit.to_string().contains("hunter2"), "{audit}");
    assert!(process.terminate().await.success());
    for file in std::fs::read_dir(folder.path().join("data")).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(7).any(|part| part == b"hunter2"), "{}", path.display());
    }
}

async fn saved_secret_is_not_sent_to_another_server(folder: &Path, mut settings: Vec<String>) {
    settings.extend(["ingester.sources=[]".to_owned(), "outbound.allow=127.0.0.1".to_owned()]);
    let (reviews, other) = (Reviews::start().await, Reviews::start().await);
    reviews.write(1, "I love it");
    let process = Process::start(folder, &settings).await;
    process.ready().await;
    let request = |url: &Url, secrets: Value| {
        json!({
            "name": "shop", "kind": "json", "secrets": secrets,
            "settings": {"url": url, "items_path": "$.data.reviews", "text_path": "$.body", "id_path": "$.id"},
        })
    };
    let (there, elsewhere) = (reviews.web.at("/api"), other.web.at("/api"));
    let (status, made) = send(&process, Method::POST, "/api/sources", &request(&there, json!({"secret": KEY}))).await;
    assert_eq!(status, 201, "{made}");
    for (method, path) in [(Method::POST, "/api/sources/test"), (Method::PUT, "/api/sources/shop")] {
        let (status, problem) = send(&process, method, path, &request(&elsewhere, json!({}))).await;
        assert_eq!((status, fields(&problem)), (422, vec!["secrets.secret"]), "{path}: {problem}");
    }
    assert!(other.web.requests().is_empty(), "nothing is sent to the other server");

    // The saved secret is sent to other URLs of the same server. Another server gets only a secret that the request
    // contains.
    let page = request(&reviews.web.at("/api?page=1"), json!({}));
    let (status, trial) = send(&process, Method::POST, "/api/sources/test", &page).await;
    assert_eq!((status, &trial["ok"]), (200, &json!(true)), "{trial}");
    let entered = request(&elsewhere, json!({"secret": "Bearer an0ther"}));
    assert_eq!(send(&process, Method::POST, "/api/sources/test", &entered).await.0, 200);
    assert_eq!(other.web.requests().first().expect("a request").header("authorization"), "Bearer an0ther");
    let removed = request(&elsewhere, json!({"secret": null}));
    let (status, changed) = send(&process, Method::PUT, "/api/sources/shop", &removed).await;
    assert_eq!((status, &changed["secrets"]), (200, &json!([])), "{changed}");
    assert!(process.terminate().await.success());
    assert!(other.web.requests().iter().all(|request| request.header("authorization") != KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_saved_secret_is_not_sent_to_another_server() {
    let folder = tempfile::tempdir().unwrap();
    saved_secret_is_not_sent_to_another_server(folder.path(), Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_saved_secret_is_not_sent_to_another_server() {
    let folder = tempfile::tempdir().unwrap();
    saved_secret_is_not_sent_to_another_server(folder.path(), Shared::create().await.settings()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authors_have_names_after_a_bluesky_source_is_added() {
    let folder = tempfile::tempdir().unwrap();
    let api = profiles(&[("ada.test", "did:plc:ada")]).await;
    // No process has the role ingester, so no source is read.
    let settings =
        ["roles=api".to_owned(), "outbound.allow=127.0.0.1".to_owned(), format!("sources.bluesky.api={}", api.url)];
    let process = Process::start(folder.path(), &settings).await;
    let path = "/api/authors?source=bluesky&authors=did:plc:ada";
    assert_eq!(process.get(path).await["names"], json!({}));
    assert!(api.requests().is_empty(), "without a Bluesky source nothing is requested");
    let request = json!({"name": "sky", "kind": "bluesky", "settings": {"keywords": ["acme"]}});
    assert_eq!(send(&process, Method::POST, "/api/sources", &request).await.0, 201);
    assert_eq!(process.get(path).await["names"], json!({"did:plc:ada": "ada.test"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn private_address_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let feeds = Feeds::start().await;
    feeds.publish("/feed.rss", entry("1", "I love it"));
    let process = Process::start(folder.path(), &["ingester.sources=[]".to_owned()]).await;
    let request = json!({"name": "inside", "kind": "rss", "settings": {"feeds": [feeds.url("feed.rss")]}});
    let (status, trial) = send(&process, Method::POST, "/api/sources/test", &request).await;
    assert_eq!((status, &trial["ok"], &trial["posts"]), (200, &json!(false), &json!([])), "{trial}");
    assert_eq!(feeds.asked("/feed.rss"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn kind_of_source_is_recognised_from_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["ingester.sources=[]".to_owned()]).await;
    let ask = async |address: &str| {
        send(&process, Method::POST, "/api/sources/recognize", &json!({"address": address})).await
    };
    let (status, found) = ask("@ada@mastodon.social").await;
    assert_eq!((status, &found["kind"]), (200, &json!("rss")), "{found}");
    assert_eq!(found["settings"]["feeds"], json!(["https://mastodon.social/@ada.rss"]));
    assert_eq!(fields(&ask("two words").await.1), ["address"]);
}
