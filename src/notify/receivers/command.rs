//! Runs programs on this machine as receivers.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use futures_util::future::BoxFuture;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::{DeliveryError, Outcome, Sender, excerpt};
use crate::domain::notify::Delivery;

/// The maximum number of bytes of the output that are recorded.
const OUTPUT: u64 = 2_000;

/// The environment variables that programs inherit from this process. Other variables may contain secrets.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// A program with arguments. Its standard input is the JSON of a webhook. Exit code 0 means that the message is
/// accepted, and 75 (`EX_TEMPFAIL`) requests a retry.
///
/// The program runs in its own process group, which is killed when the program ends, at the timeout, and at shutdown.
pub struct Command {
    command: Vec<String>,
    timeout: Duration,
}

/// The exit code `EX_TEMPFAIL` of `sysexits.h`.
const TEMPORARY_FAILURE: i32 = 75;

impl Command {
    /// Creates a receiver that stops the program after `timeout`.
    pub fn new(command: Vec<String>, timeout: Duration) -> Self {
        Self { command, timeout }
    }

    async fn run(&self, delivery: &Delivery) -> Result<(Option<i32>, Vec<u8>), std::io::Error> {
        let (program, arguments) = self.command.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(inherited())
            .env("SENTISTREAM_DELIVERY", delivery.id.to_string())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut group = Group::of(&child);
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let body = serde_json::to_vec(&delivery.message).unwrap_or_default();
        let write = async {
            if let Some(mut input) = input {
                // Writing fails if the program closes its input without reading it, which is not an error.
                let _ = input.write_all(&body).await;
            }
        };
        let ended = async {
            let status = child.wait().await;
            // Child processes of the program may still run and keep the output open, so that reading would not end.
            group.kill();
            status
        };
        let ((), output, errors, status) = tokio::join!(write, read(output), read(errors), ended);
        let printed = if errors.is_empty() { output } else { errors };
        Ok((status?.code(), printed))
    }
}

fn inherited() -> impl Iterator<Item = (&'static str, OsString)> {
    INHERITED.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}

/// The process group of a program. Dropping the value kills the group.
struct Group(Option<Pid>);

impl Group {
    /// The process group whose leader is `child`.
    fn of(child: &tokio::process::Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)))
    }

    fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            // The only expected error is that all processes of the group have already ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        // The output is used only for the delivery log, so read errors are ignored.
        let _ = (&mut pipe).take(OUTPUT).read_to_end(&mut kept).await;
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    kept
}

impl Sender for Command {
    fn send<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let (status, printed) = match tokio::time::timeout(self.timeout, self.run(delivery)).await {
                Ok(Ok(ended)) => ended,
                Ok(Err(error)) => return Outcome::rejected(format!("the program did not start: {error}")),
                Err(_) => {
                    return Outcome::unanswered(format!(
                        "the program did not end within {} s",
                        self.timeout.as_secs_f64()
                    ));
                }
            };
            let result = match status {
                Some(0) => Ok(()),
                Some(TEMPORARY_FAILURE) => Err(DeliveryError::Transient {
                    error: "the program requested a retry (exit code 75)".to_owned(),
                    after: None,
                }),
                Some(code) => Err(DeliveryError::Permanent(format!("the program ended with exit code {code}"))),
                None => Err(DeliveryError::Transient { error: "a signal ended the program".to_owned(), after: None }),
            };
            Outcome { status, answer: Some(excerpt(&printed)), result }
        })
    }
}
