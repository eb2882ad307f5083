//! The ways to a receiver.

mod command;
mod email;
mod slack;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header;

use self::command::Command;
use self::email::{Email, Mailer};
use self::slack::Slack;
use self::webhook::Webhook;
use super::{NotifyOptions, NotifyRooms};
use crate::clock::Clock;
use crate::domain::notify::{Channel, Delivery, Receiver, Secrets};
use crate::domain::op::preview;
use crate::outbound::{Answer, Outbound, OutboundError};

pub use email::{SmtpOptions, SmtpSecurity};

/// How much of an answer is kept, in characters.
const ANSWER_CHARS: usize = 500;
/// The longest that a receiver may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Sends messages to one receiver.
pub trait Sender: Send + Sync {
    /// Sends a message, within a bounded time.
    fn send<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Outcome>;
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The HTTP status, the code of SMTP, or the exit code of a command; none without an answer.
    pub status: Option<i32>,
    /// The beginning of the answer.
    pub answer: Option<String>,
    pub result: Result<(), Trouble>,
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// Later it may be.
    Again {
        error: String,
        /// How long the receiver asked to wait.
        after: Option<Duration>,
    },
    /// Trying again will not help.
    Never(String),
}

impl Outcome {
    /// Nothing was sent, and will not be.
    pub fn refused(error: impl Into<String>) -> Self {
        Self { status: None, answer: None, result: Err(Trouble::Never(error.into())) }
    }

    /// There was no answer.
    fn lost(error: impl Into<String>) -> Self {
        let error = error.into();
        Self { status: None, answer: None, result: Err(Trouble::Again { error, after: None }) }
    }

    /// What an HTTP server answered: 2xx is taken; 408, 429 and 5xx are tried again.
    fn of_http(answer: Result<Answer, OutboundError>, clock: &Clock) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(OutboundError::Refused(error)) => return Self::refused(error),
            Err(OutboundError::Failed(error)) => return Self::lost(error),
        };
        let status = answer.status;
        let error = format!("the receiver answered {status}");
        let result = match status.as_u16() {
            200..=299 => Ok(()),
            408 | 429 | 500..=599 => Err(Trouble::Again { error, after: retry_after(&answer, clock) }),
            _ => Err(Trouble::Never(error)),
        };
        Self { status: Some(status.as_u16().into()), answer: Some(excerpt(&answer.body)), result }
    }
}

/// `Retry-After`: seconds, or a date.
fn retry_after(answer: &Answer, clock: &Clock) -> Option<Duration> {
    let text = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = || text.parse().ok().map(Duration::from_secs);
    let date = || {
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Some(crate::domain::Timestamp::from(date).since(clock.now()))
    };
    seconds().or_else(date).map(|wait| wait.min(LONGEST_WAIT))
}

/// The beginning of an answer, fit for a text column.
fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
    preview(&text, ANSWER_CHARS).to_owned()
}

/// What senders work with. Clones share connections.
#[derive(Clone)]
pub struct Tools {
    outbound: Outbound,
    mailer: Option<Arc<Mailer>>,
    allow_commands: bool,
    clock: Clock,
}

impl Tools {
    /// # Errors
    /// When the SMTP settings cannot be used.
    pub fn new(rooms: &NotifyRooms, options: &NotifyOptions) -> anyhow::Result<Self> {
        Ok(Self {
            outbound: rooms.outbound.clone(),
            mailer: options.smtp.as_ref().map(Mailer::new).transpose()?.map(Arc::new),
            allow_commands: options.allow_commands,
            clock: rooms.clock.clone(),
        })
    }
}

/// The way to `receiver`.
///
/// # Errors
/// Why there is none here.
pub fn sender(receiver: &Receiver, secrets: &Secrets, tools: &Tools) -> Result<Box<dyn Sender>, String> {
    match &receiver.channel {
        Channel::Webhook { url, headers } => Ok(Box::new(Webhook::new((url, headers), secrets, tools)?)),
        Channel::Slack {} => Ok(Box::new(Slack::new(secrets, tools)?)),
        Channel::Email { to } => match &tools.mailer {
            Some(mailer) => Ok(Box::new(Email::new(mailer.clone(), to)?)),
            None => Err("no SMTP server is configured: set alerts.smtp.host and alerts.smtp.from".to_owned()),
        },
        Channel::Command { command, timeout } if tools.allow_commands => {
            Ok(Box::new(Command::new(command.clone(), timeout.0)))
        }
        Channel::Command { .. } => {
            Err("commands are not allowed here: the configuration may allow them by alerts.allow_commands = true"
                .to_owned())
        }
    }
}
