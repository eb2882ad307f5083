//! Runs the real binary as a process, which a test can kill.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::api::test_app::balances;

/// The maximum time that a test waits for a condition.
pub const DEADLINE: Duration = Duration::from_secs(150);

/// A running `sentistream serve`.
pub struct Process {
    child: Child,
    /// The URL of the API; empty for a process without the API.
    pub url: String,
}

impl Process {
    /// Starts the binary in `folder` with `settings` (`section.key=value`) and waits until it is ready.
    pub async fn start(folder: &Path, settings: &[String]) -> Self {
        Self::start_in(folder, settings, &[]).await
    }

    /// Starts the binary with additional environment variables, and waits until it is ready.
    pub async fn start_in(folder: &Path, settings: &[String], environment: &[(&str, PathBuf)]) -> Self {
        let variables = environment.iter().map(|(name, value)| (name, value));
        let mut child = command(folder, settings).envs(variables).arg("serve").spawn().expect("the binary starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(DEADLINE, lines.next_line()).await.expect("the process is ready in time");
        let line = line.expect("stdout is text").expect("the process prints a line when it is ready");
        let url = line.split_whitespace().find(|word| word.starts_with("http")).unwrap_or_default();
        Self { child, url: url.trim_end_matches('/').to_owned() }
    }

    /// Kills the process with SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the process can be killed");
    }

    /// Sends a signal, such as `-STOP`, to the process.
    pub async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("the process runs");
        let kill = Command::new("kill").args([signal, &id.to_string()]).status().await.expect("kill runs");
        assert!(kill.success(), "the process had ended before the signal");
    }

    /// Sends SIGTERM and waits until the process has ended.
    pub async fn terminate(mut self) -> ExitStatus {
        let id = self.child.id().expect("the process runs");
        let kill = Command::new("kill").args(["-TERM", &id.to_string()]).status().await.expect("kill runs");
        assert!(kill.success(), "the process had ended before the signal");
        tokio::time::timeout(DEADLINE, self.child.wait())
            .await
            .expect("the process ends in time")
            .expect("an exit status")
    }

    /// The peak resident memory of the process, in MiB.
    pub fn peak_memory_mib(&self) -> u64 {
        let id = self.child.id().expect("the process runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("Linux has /proc");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1_024
    }

    /// Sends a GET request to the API, and returns the JSON of the answer.
    pub async fn get(&self, path: &str) -> Value {
        let answer = crate::web::get(format!("{}{path}", self.url)).await.expect("the API answers");
        answer.json().await.expect("the answer is JSON")
    }

    /// Waits until the database is migrated, so that requests that read tables succeed.
    pub async fn ready(&self) {
        let is_ready = async || {
            let answer = crate::web::get(format!("{}/api/sources", self.url)).await.ok()?;
            (!answer.status().is_server_error()).then_some(())
        };
        within("the process is ready", is_ready).await;
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id().expect("the process runs")
    }

    /// The health report; `None` if the API does not answer.
    pub async fn try_health(&self) -> Option<Value> {
        let client = crate::web::builder().timeout(Duration::from_secs(5)).build().ok()?;
        client.get(format!("{}/api/health", self.url)).send().await.ok()?.json().await.ok()
    }

    /// Appends posts through the API.
    pub async fn append(&self, posts: &[Value]) {
        for chunk in posts.chunks(500) {
            let request = crate::web::client().post(format!("{}/api/posts", self.url)).json(chunk);
            let answer = request.send().await.expect("the API answers");
            assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap_or_default());
        }
    }

    /// Polls health until `done` returns true. Returns that health report.
    pub async fn wait_until(&self, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        let mut poll = tokio::time::interval(Duration::from_millis(50));
        loop {
            poll.tick().await;
            let health = self.get("/api/health").await;
            if done(&health) {
                return health;
            }
            assert!(tokio::time::Instant::now() < deadline, "timed out waiting until {what}: {health:#}");
        }
    }

    /// Waits until `posts` posts are stored, nothing is pending, and the counts of all outcomes sum to the appended
    /// entries.
    pub async fn drained(&self, posts: usize) -> Value {
        let settled = |health: &Value| {
            health["stats"]["total_posts"] == posts && health["stats"]["pending"] == 0 && balances(health)
        };
        self.wait_until(&format!("{posts} posts are stored and the outcome counts balance"), settled).await
    }
}

/// Repeats `ask` until it returns an answer.
pub async fn within<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let mut poll = tokio::time::interval(Duration::from_millis(100));
    loop {
        poll.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "timed out waiting until {what}");
    }
}

/// The path of the binary under test: the absolute path in `SENTISTREAM_BIN`, or the binary compiled with the tests.
pub fn program() -> PathBuf {
    std::env::var_os("SENTISTREAM_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_sentistream").into()).into()
}

/// A command that runs the binary with `settings` in `folder`. It does not inherit variables that would configure it.
pub fn command(folder: &Path, settings: &[String]) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder).stdout(Stdio::piped()).kill_on_drop(true);
    command.args(["--set", "server.listen=[\"127.0.0.1:0\"]", "--set", "log.level=warn"]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    command
}

/// Creates `count` different posts.
pub fn posts(count: usize) -> Vec<Value> {
    let texts = ["I love how fast this is", "This is broken again and nobody answers", "The meeting moved to Tuesday"];
    (0..count)
        .map(|n| {
            serde_json::json!({
                "post_id": format!("p{n}"), "source": "web", "author": "ada", "content": format!("{} ({n})", texts[n % 3]),
            })
        })
        .collect()
}
