//! The demonstration data of the first start of an empty installation, and its removal.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::test_app::balances;
use crate::process::{Process, command, within};
use crate::services::{Shared, number};

/// Fewer posts than by default, because a debug build classifies slowly.
const POSTS: &str = "ingester.demo_posts=12000";

/// Counts the sessions of Postgres that wait for a lock.
const WAITS_FOR_A_LOCK: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

async fn state(process: &Process, wanted: &str) -> Value {
    within(&format!("the demonstration is {wanted}"), async || {
        let demo = process.get("/api/demo").await;
        (demo["state"] == wanted).then_some(demo)
    })
    .await
}

async fn alerts(process: &Process) -> Vec<Value> {
    process.get("/api/alerts?limit=100").await["alerts"].as_array().expect("alerts").clone()
}

async fn remove(process: &Process) -> u16 {
    let request = crate::web::client().delete(format!("{}/api/demo", process.url));
    request.send().await.expect("the API answers").status().as_u16()
}

/// Checks the demonstration data after a first start. Then removes the demonstration and checks that no data remains.
async fn check_demonstration_and_its_removal(folder: &Path, settings: &[String]) {
    let process = Process::start(folder, settings).await;
    let ready = state(&process, "ready").await;
    let planned = ready["planned"].as_u64().expect("a number");
    assert!((9_500..14_500).contains(&planned) && ready["stored"] == planned, "{ready}");
    assert_eq!((ready["topics"].as_array().map(Vec::len), ready["rules"].as_array().map(Vec::len)), (Some(3), Some(3)));
    let week = process.get("/api/sentiment/aggregate?period=day&start_date=2020-01-01T00:00:00Z").await;
    assert!(week["status"] == 422 || week["summary"]["total_posts"].as_u64() >= Some(planned), "{week}");
    let shares = process.get("/api/topics").await;
    let counts = shares["topics"].as_array().expect("topics").iter().map(|topic| topic["posts"]["total"].as_u64());
    assert!(counts.into_iter().all(|count| count > Some(20)), "{shares}");

    let raised = alerts(&process).await;
    let of_demo = |alert: &Value| ready["rules"].as_array().expect("rules").contains(&alert["alert_type"]);
    let is_cited = |alert: &Value| alert["details"]["evidence"].as_array().is_some_and(|posts| posts.len() >= 5);
    let resolved = raised.iter().find(|alert| alert["state"] == "resolved" && of_demo(alert) && is_cited(alert));
    assert!(resolved.is_some(), "no resolved alert with evidence in {raised:#?}");
    // The first rule watches the topic of the current incident.
    let fires = |alert: &Value| alert["state"] != "resolved" && alert["alert_type"] == ready["rules"][0];
    assert!(raised.iter().any(fires), "no alert of the current incident in {raised:#?}");
    let began = |alert: &Value| alert["triggered_at"].as_str().expect("a time").to_owned();
    assert!(raised.iter().any(|alert| began(alert).as_str() < ready["began_at"].as_str().expect("a time")));

    assert_eq!(remove(&process).await, 202);
    state(&process, "removed").await;
    assert_eq!(remove(&process).await, 404);
    let sources = process.get("/api/sources").await;
    assert_eq!((&sources["sources"], &sources["feeds"][0]["paused"]), (&json!([]), &json!(true)), "{sources}");
    assert_eq!(process.get("/api/topics").await["total"], 0);
    assert_eq!(process.get("/api/posts").await["total"], 0);
    assert_eq!(alerts(&process).await, Vec::<Value>::new());
    let rules = process.get("/api/alerts/rules").await;
    let own = rules["rules"].as_array().expect("rules").iter().filter(|rule| rule["provisioned"] != true).count();
    assert_eq!(own, 0, "{rules}");
    process
        .wait_until("the outcome counts balance", |health| health["stats"]["pending"] == 0 && balances(health))
        .await;
    let audit = within("the removal is in the audit log", async || {
        let audit = process.get("/api/audit").await;
        audit["events"].as_array()?.iter().find(|event| event["action"] == "DELETE /api/demo").cloned()
    });
    assert_eq!(audit.await["outcome"], "allowed");

    // A restart does not create the demonstration again.
    assert!(process.terminate().await.success());
    let process = Process::start(folder, settings).await;
    assert_eq!(process.get("/api/demo").await["state"], "removed");
    assert_eq!(process.get("/api/posts").await["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_first_start_has_removable_demo_data() {
    let folder = tempfile::tempdir().unwrap();
    check_demonstration_and_its_removal(folder.path(), &[POSTS.to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_first_start_has_demo_data_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Shared::create().await.settings();
    settings.extend([POSTS.to_owned(), "ingester.demo=on".to_owned()]);
    check_demonstration_and_its_removal(folder.path(), &settings).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_demonstration_continues_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [POSTS.to_owned()];
    let process = Process::start(folder.path(), &settings).await;
    within("some posts are stored", async || {
        (process.get("/api/stats").await["total_posts"].as_u64() > Some(300)).then_some(())
    })
    .await;
    process.kill().await;
    let process = Process::start(folder.path(), &settings).await;
    let ready = state(&process, "ready").await;
    assert_eq!(ready["stored"], ready["planned"], "{ready}");
    process.wait_until("the outcome counts balance", balances).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_wait_for_the_decision_about_demo_data() {
    let (folder, shared) = (tempfile::tempdir().unwrap(), Shared::create().await);
    let mut settings = shared.settings();
    settings.extend(["ingester.demo_posts=1000", "ingester.demo=on", "sources.synthetic.rate=500"].map(str::to_owned));
    assert!(command(folder.path(), &settings).arg("migrate").status().await.unwrap().success());
    let (other, connection) = tokio_postgres::connect(&shared.postgres_url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    other.batch_execute("BEGIN; LOCK TABLE demonstration IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let process = Process::start(folder.path(), &settings).await;
    within("the demonstration waits for the lock", async || {
        (number(&shared.postgres_url, WAITS_FOR_A_LOCK).await > 0).then_some(())
    })
    .await;
    // In these two seconds, a source that has started would store posts.
    let mut poll = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..20 {
        poll.tick().await;
        assert_eq!(process.get("/api/stats").await["total_posts"], 0);
    }
    other.batch_execute("COMMIT").await.unwrap();
    state(&process, "ready").await;
    process.wait_until("a source starts", |health| health["stats"]["total_posts"].as_u64() > Some(1000)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_installation_has_no_demo_data() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["sources.synthetic.rate=2".to_owned()]).await;
    process.wait_until("a post is stored", |health| health["stats"]["total_posts"].as_u64() >= Some(1)).await;
    assert_eq!(process.get("/api/demo").await["state"], "none");
    assert_eq!(remove(&process).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_command_does_not_change_an_installation() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sentistream.toml"), "[ingester]\nsources = []\n").unwrap();
    let mut child = command(folder.path(), &[POSTS.to_owned()]).arg("demo").spawn().expect("the binary starts");
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(stdout));
    let line = tokio::time::timeout(Duration::from_secs(90), lines.next_line()).await.expect("a line in time").unwrap();
    let url = line.as_deref().and_then(|line| line.split_whitespace().find(|word| word.starts_with("http")));
    let url = url.expect("a URL").trim_end_matches('/').to_owned();
    within("more than 100 posts of the demonstration are stored", async || {
        let demo: Value = crate::web::get(format!("{url}/api/demo")).await.ok()?.json().await.ok()?;
        (demo["stored"].as_u64() > Some(100)).then_some(())
    })
    .await;
    let id = child.id().expect("the process runs").to_string();
    tokio::process::Command::new("kill").args(["-TERM", &id]).status().await.expect("kill runs");
    assert!(child.wait().await.expect("the process ends").success());
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["sentistream.toml"]);
}
