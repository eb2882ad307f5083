//! Programs of receivers: their environment, and the processes that they start.

use std::path::Path;

use serde_json::json;

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::harness::Harness;

cases!(
    program_gets_only_the_documented_variables,
    processes_of_an_ended_program_are_killed,
    processes_of_a_timed_out_program_are_killed,
    shutdown_kills_programs_and_their_processes,
);

/// Starts a harness whose only receiver runs `script`, and fires an alert.
async fn firing(setup: Setup, script: &str, timeout: &str) -> Harness {
    let harness = Harness::with(setup, |options| options.allow_commands = true).await;
    let channel = json!({"kind": "command", "command": ["/bin/sh", "-c", script], "timeout": timeout});
    harness.add("receivers", &json!({"name": "page", "channel": channel})).await;
    harness.add("routes", &json!({"name": "page", "receiver": "page", "matchers": []})).await;
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    harness
}

/// A script that starts a process, writes its id to `file`, and then does `rest`.
fn leaving_a_process(file: &Path, rest: &str) -> String {
    format!("cat > /dev/null; sleep 1000 & echo $! > {0}.part; mv {0}.part {0}; {rest}", file.display())
}

/// Waits until the process with the id in `file` has ended.
async fn process_ends(harness: &Harness, file: &Path) {
    let ended = async || {
        let id = std::fs::read_to_string(file).ok()?;
        match std::fs::read_to_string(format!("/proc/{}/stat", id.trim())) {
            // A zombie: the process has ended, but its new parent has not read the exit code yet.
            Ok(stat) => stat.contains(") Z ").then_some(()),
            Err(_) => Some(()),
        }
    };
    harness.app.eventually("the process that the program started ends", ended).await;
}

async fn program_gets_only_the_documented_variables(setup: Setup) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env");
    let script = format!("cat > /dev/null; env > {0}.part; mv {0}.part {0}", file.display());
    let harness = firing(setup, &script, "60s").await;
    let text = harness.app.eventually("the program ran", async || std::fs::read_to_string(&file).ok()).await;
    // The shell itself sets the last three variables.
    let known = ["PATH", "HOME", "LANG", "TZ", "SENTISTREAM_DELIVERY", "PWD", "SHLVL", "_"];
    let names = || text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    assert!(names().all(|name| known.contains(&name)), "{text}");
    assert!(names().any(|name| name == "SENTISTREAM_DELIVERY") && names().any(|name| name == "PATH"), "{text}");
}

async fn processes_of_an_ended_program_are_killed(setup: Setup) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id");
    let harness = firing(setup, &leaving_a_process(&file, "exit 0"), "60s").await;
    // The process keeps the standard output of the program open. The delivery must not wait for the process.
    harness.delivery("the message is delivered", |delivery| delivery["state"] == "delivered").await;
    process_ends(&harness, &file).await;
}

async fn processes_of_a_timed_out_program_are_killed(setup: Setup) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id");
    let harness = firing(setup, &leaving_a_process(&file, "wait"), "5s").await;
    let failed = harness.delivery("the program takes too long", |delivery| delivery["error"].is_string()).await;
    assert!(failed["error"].as_str().unwrap().contains("did not end within 5 s"), "{failed:#}");
    process_ends(&harness, &file).await;
}

async fn shutdown_kills_programs_and_their_processes(setup: Setup) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id");
    let harness = firing(setup, &leaving_a_process(&file, "wait"), "60s").await;
    harness.app.eventually("the program runs", async || std::fs::metadata(&file).ok()).await;
    harness.crash().await;
    process_ends(&harness, &file).await;
}
