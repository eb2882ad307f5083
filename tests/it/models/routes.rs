//! Tests of model routes for some languages: settings, loading, and models that cannot be loaded.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::data;
use crate::process::{Process, command, program};

/// The setting with one route: texts in `languages` go to the model in `folder`.
fn route(languages: &str, folder: &Path) -> String {
    format!("inference.routes=[{{languages = [{languages}], model = \"{}\"}}]", folder.display())
}

fn copy_of(name: &str, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for entry in std::fs::read_dir(data(name)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
}

fn post(id: &str, lang: &str) -> Value {
    json!({"post_id": id, "source": "web", "content": "I love this phone", "lang": lang})
}

#[tokio::test]
async fn route_loads_its_model_for_posts_and_requests() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("small");
    copy_of("bert", &model);
    let settings = ["ingester.sources=[]".to_owned(), route("\"de\", \"fr\"", &model)];
    let process = Process::start(folder.path(), &settings).await;
    let health = process.get("/api/health").await;
    assert_eq!(health["services"]["route:de,fr"], "unloaded", "{health}");
    process.append(&[post("german", "de"), post("english", "en"), post("spanish", "es")]).await;
    let health = process.drained(3).await;
    assert_eq!((&health["services"]["route:de,fr"], &health["status"]), (&json!("connected"), &json!("healthy")));
    let model_of = async |id: &str| process.get(&format!("/api/posts/{id}")).await["sentiment"]["model_name"].clone();
    assert_eq!(model_of("german").await, "small");
    assert!(model_of("english").await.as_str().is_some_and(|name| name.starts_with("sentistream")));
    assert_eq!(model_of("spanish").await, Value::Null);
    let german = process.get("/api/posts/german").await;
    assert_eq!(german["sentiment"]["emotion"], "neutral", "the builtin model has emotions for English only");

    let text = "Das neue Telefon ist schon wieder kaputt und niemand beim Kundendienst hilft mir";
    for body in [json!({"text": text}), json!({"text": text, "explain": true})] {
        let request = crate::web::client().post(format!("{}/api/analyze", process.url)).json(&body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["model"], "small", "{answer}");
    }
    let route = process.get("/api/system").await["model"]["routes"][0].clone();
    assert_eq!((&route["state"], &route["info"]["name"]), (&json!("connected"), &json!("small")));
    assert!(route["posts"].as_u64() >= Some(2) && route["speed"].is_object(), "{route}");
    let metrics = crate::web::get(format!("{}/metrics", process.url)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("sentistream_model_posts_total{model=\"small\"} 1"), "{metrics}");
    assert!(process.terminate().await.success());
}

#[tokio::test]
async fn routed_post_has_a_sentiment_towards_each_topic() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["ingester.sources=[]".to_owned(), route("\"de\"", &data("bert"))];
    let process = Process::start(folder.path(), &settings).await;
    let create = async |name: &str| {
        let request = crate::web::client().post(format!("{}/api/topics", process.url));
        let answer = request.json(&json!({"name": name, "query": name})).send().await.unwrap();
        assert_eq!(answer.status(), 201);
    };
    create("acme").await;
    let text = "Das neue Acme ist wunderbar, das alte Apex ist schon wieder kaputt";
    process.append(&[json!({"post_id": "german", "source": "web", "content": text, "lang": "de"})]).await;
    process.drained(1).await;
    let topics = async || {
        let post = process.get("/api/posts/german").await;
        let of = |topic: &Value| (topic["topic"].as_str().unwrap().to_owned(), topic["clause"].is_object());
        post["topics"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let divided = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), true)).collect::<Vec<_>>();
    assert_eq!(topics().await, divided(&["acme"]));
    // The background task for a new topic uses the model of the route too.
    create("apex").await;
    crate::process::within("the sentiment towards the new topic is determined", async || {
        (topics().await == divided(&["acme", "apex"])).then_some(())
    })
    .await;
    assert!(process.terminate().await.success());
}

#[tokio::test]
async fn route_without_model_files_leaves_posts_unscored() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("small");
    copy_of("bert", &model);
    let settings = ["ingester.sources=[]".to_owned(), route("\"de\"", &model)];
    let process = Process::start(folder.path(), &settings).await;
    std::fs::remove_dir_all(&model).unwrap();
    process.append(&[post("german", "de"), post("english", "en")]).await;
    let health = process.drained(2).await;
    assert_eq!((&health["services"]["route:de"], &health["status"]), (&json!("failed"), &json!("degraded")));
    assert!(health["problems"].to_string().contains("small"), "{health}");
    assert_eq!(process.get("/api/posts/german").await["unscored"], "language");
    assert!(process.get("/api/posts/english").await["sentiment"].is_object());
    assert!(process.terminate().await.success());

    // A process that finds the model files analyses the stored post.
    copy_of("bert", &model);
    let process = Process::start(folder.path(), &settings).await;
    crate::process::within("the post is analysed", async || {
        (process.get("/api/posts/german").await["sentiment"]["model_name"] == "small").then_some(())
    })
    .await;
    assert!(process.terminate().await.success());
}

#[tokio::test]
async fn start_with_an_invalid_route_fails_and_names_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let english = folder.path().join("english");
    copy_of("bert", &english);
    let config = std::fs::read_to_string(english.join("config.json")).unwrap();
    let declared = config.replacen('{', "{\"languages\": [\"en\"], ", 1);
    std::fs::write(english.join("config.json"), declared).unwrap();
    let double = format!(
        "inference.routes=[{{languages = [\"de\"], model = \"builtin\"}}, {{languages = [\"fr\", \"de\"], model = \"{}\"}}]",
        data("bert").display()
    );
    for (setting, words) in [
        (route("\"german\"", &data("bert")), &["inference.routes[0].languages", "ISO 639", "german"][..]),
        (route("", &data("bert")), &["inference.routes[0].languages", "at least one language code"]),
        (double, &["inference.routes", "\"de\" twice"]),
        (route("\"de\"", &folder.path().join("missing")), &["missing", "cannot open the folder"]),
        (route("\"de\"", &data("roberta")), &["inference.routes", "not sentiments"]),
        (route("\"de\"", &english), &["inference.routes", "declares only en", "remove \"de\""]),
    ] {
        let output = command(folder.path(), &["ingester.sources=[]".to_owned(), setting.clone()])
            .arg("serve")
            .stderr(std::process::Stdio::piped())
            .output()
            .await
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{setting}: {stderr}");
        for word in words {
            assert!(stderr.contains(word), "no {word:?} in: {stderr}");
        }
    }
}

#[test]
fn doctor_and_list_describe_models_for_other_languages() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(program());
        let output = command.current_dir(folder.path()).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = run(&["models", "list"]);
    assert!(
        listed.contains("hf:cardiffnlp/twitter-xlm-roberta-base-sentiment") && listed.contains("licence"),
        "{listed}"
    );
    let known: Value = serde_json::from_str(&run(&["models", "list", "--known", "--json"])).unwrap();
    assert_eq!(known[0]["alias"], "tweets-multilingual");
    let found = run(&["doctor", "--set", &route("\"de\"", &data("bert"))]);
    assert!(found.contains("routes") && found.contains("de: bert ("), "{found}");
    let missing = run(&["doctor", "--set", &route("\"de\"", &folder.path().join("missing"))]);
    assert!(missing.contains("BROKEN   routes"), "{missing}");
    let hub = "inference.routes=[{languages = [\"de\"], model = \"hf:tests/none\"}]";
    let home = format!("inference.hub.home={}", folder.path().display());
    let absent = run(&["doctor", "--set", hub, "--set", &home]);
    assert!(absent.contains("WARNING  routes") && absent.contains("models pull"), "{absent}");
}

#[test]
fn analyze_command_uses_routes() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command.current_dir(folder.path()).args(["analyze", "--json", "Das ist leider schon wieder nicht gut geworden"]);
    command.args(["--set", &route("\"de\"", &data("bert"))]);
    let output = command.output().unwrap();
    let analysis: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(analysis["model"], "bert", "{analysis}");
}

#[test]
fn route_uses_its_own_labels_and_emotion_model() {
    let folder = tempfile::tempdir().unwrap();
    let scores = |labels: &str| -> Value {
        let route = format!(
            "inference.routes=[{{languages = [\"de\"], model = \"{}\", emotion_model = \"{}\", labels = {{{labels}}}}}]",
            data("xlm-roberta").display(),
            data("roberta").display()
        );
        let mut command = Command::new(program());
        command.current_dir(folder.path()).args(["analyze", "--json", "--set", &route]);
        let output = command.arg("Das ist leider schon wieder nicht gut geworden").output().unwrap();
        let analysis: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&analysis["model"], &analysis["emotion"]), (&json!("xlm-roberta+roberta"), &json!("anger")));
        analysis["scores"]["sentiment"].clone()
    };
    let one = scores("LABEL_0 = \"negative\", LABEL_1 = \"neutral\", LABEL_2 = \"positive\"");
    let other = scores("LABEL_0 = \"positive\", LABEL_1 = \"neutral\", LABEL_2 = \"negative\"");
    assert_eq!((&one["positive"], &one["negative"]), (&other["negative"], &other["positive"]));
    assert_ne!(one["positive"], one["negative"]);
}
