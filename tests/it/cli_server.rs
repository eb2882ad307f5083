//! Commands that run next to a server, and the logs of a server.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::process::{DEADLINE, Process, command, program, within};

async fn run(folder: &Path, settings: &[String], arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = command(folder, settings);
    let output =
        tokio::time::timeout(DEADLINE, command.args(arguments).output()).await.expect("the command ends in time");
    let output = output.expect("the binary runs");
    (output.status.code(), String::from_utf8(output.stdout).expect("stdout is text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_work_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let settings = vec!["ingester.sources=[]".to_owned()];
    let process = Process::start(folder.path(), &settings).await;
    let posts: Vec<_> = crate::process::posts(50).iter().map(Value::to_string).collect();
    std::fs::write(folder.path().join("posts.ndjson"), posts.join("\n")).unwrap();

    let (code, report) = run(folder.path(), &settings, &["import", "posts.ndjson"]).await;
    assert!(code == Some(0) && report.starts_with("accepted 50, rejected 0"), "{report}");
    process.drained(50).await;
    let (code, listed) = run(folder.path(), &settings, &["dead-letter", "list"]).await;
    assert!(code == Some(0) && listed.contains("no dead letters"), "{listed}");
    let (code, migrated) = run(folder.path(), &settings, &["migrate", "--check"]).await;
    assert!(code == Some(0) && migrated.contains("up to date"), "{migrated}");

    let address = process.url.trim_start_matches("http://");
    let (code, found) = run(folder.path(), &[format!("server.listen={address}")], &["doctor"]).await;
    assert_eq!(code, Some(0), "{found}");
    for finding in ["is served by SentiStream", "SQLite 3", "schema up to date", "reachable; 0 entries wait"] {
        assert!(found.contains(finding), "{finding}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_recognises_a_server_without_the_api_role() {
    let folder = tempfile::tempdir().unwrap();
    // A server without the API does not print its address, so the port must be known before the start. This socket
    // reserves the port until the server listens: the system does not give the port to a socket that binds to port 0.
    let reserved = tokio::net::TcpSocket::new_v4().unwrap();
    reserved.set_reuseaddr(true).unwrap();
    reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let free = reserved.local_addr().unwrap();
    let settings = vec!["roles=[\"worker\"]".to_owned(), format!("server.ops_listen={free}")];
    let process = Process::start(folder.path(), &settings).await;
    drop(reserved);
    let (code, found) = run(folder.path(), &settings, &["doctor"]).await;
    assert!(code == Some(0) && found.contains(&format!("{free} is served by SentiStream")), "{found}");
    assert!(process.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_made_during_writes_can_be_restored() {
    let folder = tempfile::tempdir().unwrap();
    let settings = vec!["ingester.sources=[]".to_owned()];
    let process = Process::start(folder.path(), &settings).await;
    let posts = crate::process::posts(60);
    process.append(&posts[..30]).await;
    process.drained(30).await;
    // The copy must contain all of these posts, whether they are stored, claimed or waiting.
    process.append(&posts[30..]).await;
    let (code, made) = run(folder.path(), &settings, &["backup", "copy.db"]).await;
    assert!(code == Some(0) && made.contains("copy.db has"), "{made}");
    let (code, _) = run(folder.path(), &settings, &["backup", "copy.db"]).await;
    assert_eq!(code, Some(1), "a backup does not overwrite a file");
    let address = process.url.trim_start_matches("http://");
    let server = [format!("server.listen={address}")];
    // A check of a busy server may take too long, so the command is repeated.
    let is_ready = async || {
        let (code, health) = run(folder.path(), &server, &["health"]).await;
        (code == Some(0) && health.starts_with("200")).then_some(())
    };
    within("the health command reports a ready server", is_ready).await;
    process.kill().await;

    let restored = [settings, vec!["database.url=sqlite://copy.db".to_owned()]].concat();
    let process = Process::start(folder.path(), &restored).await;
    process.drained(60).await;
    assert!(process.terminate().await.success());
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

/// Starts a server, stops it when it is ready, and returns its stderr.
async fn logs(folder: &Path, settings: &[&str]) -> String {
    let mut command = Command::new(program());
    command.env_clear().current_dir(folder).kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::piped());
    for setting in [&["server.listen=127.0.0.1:0"], settings].concat() {
        command.args(["--set", setting]);
    }
    let mut child = command.spawn().expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let ready = tokio::time::timeout(DEADLINE, lines.next_line()).await.expect("the server is ready in time").unwrap();
    assert!(ready.is_some_and(|line| line.contains("http://127.0.0.1:")));
    let id = child.id().expect("the process runs").to_string();
    Command::new("kill").args(["-TERM", &id]).status().await.expect("kill runs");
    let ended =
        tokio::time::timeout(DEADLINE, child.wait_with_output()).await.expect("the command ends in time").unwrap();
    assert_eq!(ended.status.code(), Some(0));
    String::from_utf8(ended.stderr).expect("logs are text")
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_json_without_a_terminal_unless_human_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let json = logs(folder.path(), &["log.level=debug", "llm.api_key=hunter2"]).await;
    assert!(!json.is_empty() && !json.contains("hunter2"), "{json}");
    for line in json.lines() {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(record["level"].is_string() && record["timestamp"].is_string(), "{line}");
    }
    let human = logs(folder.path(), &["log.level=debug", "log.format=human"]).await;
    assert!(!human.is_empty(), "{human}");
    assert!(human.lines().all(|line| serde_json::from_str::<Value>(line).is_err()), "{human}");
    assert!(!human.contains('\u{1b}'), "a log that is not written to a terminal has no colours: {human}");
    let quiet = logs(folder.path(), &["log.level=error", "shutdown.grace=30s"]).await;
    assert_eq!(quiet, "");
}
