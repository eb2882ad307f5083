//! Tests of the whole program with an LLM, and without any model.

use serde_json::json;

use super::fake::{FakeLlm, Reply};
use crate::process::{Process, posts};

fn settings(folder: &std::path::Path, more: &[&str]) -> Vec<String> {
    let home = format!("inference.hub.home={}", folder.join("no-models").display());
    // No Hub listens on this port, so the model cannot be loaded, and an LLM classifies the posts. A wrong model name
    // would stop the start instead.
    let own = [
        "ingester.sources=[]",
        "roles=worker,api",
        "inference.model=hf:nobody/no-model",
        "inference.hub.endpoint=http://127.0.0.1:1",
    ];
    own.iter().chain(more).map(|&setting| setting.to_owned()).chain([home]).collect()
}

#[tokio::test]
async fn language_model_replaces_an_unloadable_model_without_loss() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), FakeLlm::start().await);
    let provider = format!("llm.provider={}", fake.url);
    let process = Process::start(folder.path(), &settings(folder.path(), &[&provider, "llm.model=judge-1"])).await;
    let all = posts(30);
    process.append(&all[..3]).await;
    process.drained(3).await;
    let post = process.get("/api/posts/p0").await;
    assert_eq!(
        (&post["sentiment"]["label"], &post["sentiment"]["model_name"]),
        (&json!("positive"), &json!("127.0.0.1:judge-1"))
    );
    let health = process.get("/api/health").await;
    assert_eq!((&health["services"]["model"], &health["services"]["llm"]), (&json!("connected"), &json!("ready")));

    fake.always(|_| Reply::Status(500, None));
    process.append(&all[3..]).await;
    let left = |health: &serde_json::Value| {
        let stats = ["dead_letters", "pending", "total_posts"].map(|name| health["stats"][name].clone());
        health["services"]["llm"] == "paused" && health["status"] == "degraded" && stats == [0, 27, 3]
    };
    process.wait_until("the breaker opens, and posts wait", left).await;
    assert!(process.terminate().await.success(), "the process releases its entries");

    // The next process claims all released entries.
    fake.always(|_| Reply::Good);
    let process = Process::start(folder.path(), &settings(folder.path(), &[&provider, "llm.model=judge-1"])).await;
    process.drained(30).await;
    assert!(process.terminate().await.success());
}

#[tokio::test]
async fn posts_wait_while_no_model_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &settings(folder.path(), &[])).await;
    process.append(&posts(3)).await;
    let said = |health: &serde_json::Value| {
        health["services"]["model"] == "failed" && health["status"] == "degraded" && health["stats"]["pending"] == 3
    };
    process.wait_until("health reports the missing model", said).await;
    assert_eq!(process.get("/api/posts").await["total"], 0);
    let readiness = crate::web::get(format!("{}/readyz", process.url)).await.unwrap();
    assert_eq!(readiness.status(), 503);
    let reasons = readiness.text().await.unwrap();
    // The answer contains the reason, but not the value of the setting.
    assert!(reasons.contains("model: cannot be loaded") && !reasons.contains("no-model"), "{reasons}");
    let analyze = crate::web::client().post(format!("{}/api/analyze", process.url)).json(&json!({"text": "x"}));
    assert_eq!(analyze.send().await.unwrap().status(), 503);
    assert!(process.terminate().await.success());
}
