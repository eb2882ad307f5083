//! A program on this machine.

use std::process::Stdio;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::{Outcome, Sender, Trouble, excerpt};
use crate::domain::notify::Delivery;

/// How much of what it prints is kept, in bytes; it may print more.
const PRINTED: u64 = 2_000;

/// A program with arguments. The message is JSON on its standard input, as a webhook gets it; exit code 0 takes it, 75
/// (`EX_TEMPFAIL`) asks for another try.
pub struct Command {
    command: Vec<String>,
    timeout: Duration,
}

/// `sysexits.h`.
const TRY_AGAIN: i32 = 75;

impl Command {
    /// A program that is ended after `timeout`.
    pub fn new(command: Vec<String>, timeout: Duration) -> Self {
        Self { command, timeout }
    }

    async fn run(&self, delivery: &Delivery) -> Result<(Option<i32>, Vec<u8>), std::io::Error> {
        let (program, arguments) = self.command.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .env("SENTISTREAM_DELIVERY", delivery.id.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let body = serde_json::to_vec(&delivery.message).unwrap_or_default();
        let write = async {
            if let Some(mut input) = input {
                // A program that does not care for the message may close its input.
                let _ = input.write_all(&body).await;
            }
        };
        let ((), output, errors, status) = tokio::join!(write, read(output), read(errors), child.wait());
        let printed = if errors.is_empty() { output } else { errors };
        Ok((status?.code(), printed))
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        // What it prints is for the log; that it cannot be read does not matter.
        let _ = (&mut pipe).take(PRINTED).read_to_end(&mut kept).await;
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    kept
}

impl Sender for Command {
    fn send<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let (status, printed) = match tokio::time::timeout(self.timeout, self.run(delivery)).await {
                Ok(Ok(ended)) => ended,
                Ok(Err(error)) => return Outcome::refused(format!("the program cannot be run: {error}")),
                Err(_) => {
                    return Outcome::lost(format!("the program did not end within {} s", self.timeout.as_secs_f64()));
                }
            };
            let result = match status {
                Some(0) => Ok(()),
                Some(TRY_AGAIN) => {
                    Err(Trouble::Again { error: "the program asks for another try".to_owned(), after: None })
                }
                Some(code) => Err(Trouble::Never(format!("the program ended with {code}"))),
                None => Err(Trouble::Again { error: "the program was ended by a signal".to_owned(), after: None }),
            };
            Outcome { status, answer: Some(excerpt(&printed)), result }
        })
    }
}
