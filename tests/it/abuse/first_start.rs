//! A server that other machines can reach, and that has no credentials configured.

use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use crate::process::{DEADLINE, command};
use crate::services::Shared;

/// A process that listens on all addresses, with its output.
struct Public {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    seen: Vec<String>,
}

impl Public {
    fn start(folder: &Path, settings: &[String]) -> Self {
        let own = ["server.listen=[\"0.0.0.0:0\"]".to_owned(), "ingester.sources=[]".to_owned()];
        let mut child = command(folder, &[settings, &own].concat()).arg("serve").spawn().expect("the binary starts");
        let output = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        Self { child, output, seen: Vec::new() }
    }

    /// Kills the process and waits for its end.
    async fn kill(mut self) {
        self.child.kill().await.expect("the process ends");
    }

    /// Waits until the process prints a line with `start`, and returns the rest of the line.
    async fn line(&mut self, start: &str) -> String {
        let reading = async {
            loop {
                let found = self.seen.iter().find_map(|line| line.split_once(start));
                if let Some((_, rest)) = found {
                    return rest.trim().trim_end_matches('/').to_owned();
                }
                self.seen.push(self.output.next_line().await.expect("stdout is text").expect("stdout has more lines"));
            }
        };
        tokio::time::timeout(DEADLINE, reading).await.expect("the line is printed in time")
    }
}

async fn status(url: &str, path: &str, token: &str) -> u16 {
    let mut request = crate::web::client().get(format!("{url}{path}"));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    request.send().await.expect("an answer").status().as_u16()
}

async fn first_start_prints_a_token_that_stays_valid(settings: &[String]) {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Public::start(folder.path(), settings);
    let url = first.line("SentiStream is ready: ").await;
    for path in ["/api/stats", "/api/posts", "/metrics", "/api/system"] {
        assert_eq!(status(&url, path, "").await, 401, "{path}");
    }
    for path in ["/healthz", "/"] {
        assert_eq!(status(&url, path, "").await, 200, "{path}");
    }
    assert!([200, 503].contains(&status(&url, "/readyz", "").await));
    let token = first.line("Admin token (shown once): ").await;
    let code = first.line("#sign-in=").await;
    let accepted = async { while status(&url, "/api/stats", &token).await != 200 {} };
    tokio::time::timeout(DEADLINE, accepted).await.expect("the token is accepted");
    let post = json!({"post_id": "a", "source": "web", "content": "x"});
    let append = crate::web::client().post(format!("{url}/api/posts")).bearer_auth(&token).json(&post);
    assert_eq!(append.send().await.unwrap().status(), 202);

    let exchange = || crate::web::client().post(format!("{url}/api/sign-in")).json(&json!({"code": code})).send();
    let signed_in = exchange().await.unwrap();
    assert_eq!(signed_in.status(), 201);
    let signed_in: Value = signed_in.json().await.unwrap();
    assert_eq!(status(&url, "/api/audit", signed_in["token"].as_str().unwrap()).await, 200);
    assert_eq!(exchange().await.unwrap().status(), 401, "a code works once");
    first.kill().await;

    let mut second = Public::start(folder.path(), settings);
    let url = second.line("SentiStream is ready: ").await;
    let accepted = async { while status(&url, "/api/stats", &token).await != 200 {} };
    tokio::time::timeout(DEADLINE, accepted).await.expect("the token is valid after a restart");
    assert_eq!(status(&url, "/api/stats", "").await, 401);

    let link = command(folder.path(), settings).arg("sign-in").output().await.expect("the command runs");
    assert!(link.status.success(), "{}", String::from_utf8_lossy(&link.stderr));
    let audit = crate::web::client().get(format!("{url}/api/audit")).bearer_auth(&token).send().await.unwrap();
    let audit: Value = audit.json().await.unwrap();
    let events = audit["events"].as_array().expect("events");
    let made = |event: &&Value| event["actor"] == "command line" && event["action"] == "sentistream sign-in";
    assert!(events.iter().any(|event| made(&event)), "{audit:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_first_start_prints_a_token_that_stays_valid() {
    first_start_prints_a_token_that_stays_valid(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_first_start_prints_a_token_that_stays_valid() {
    first_start_prints_a_token_that_stays_valid(&Shared::create().await.settings()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn start_after_an_unused_first_token_names_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Public::start(folder.path(), &[]);
    first.line("Admin token (shown once): ").await;
    first.kill().await;
    let reminder = Public::start(folder.path(), &[]).line("No one has signed in yet: ").await;
    assert!(reminder.contains("sentistream sign-in"), "{reminder}");
}
