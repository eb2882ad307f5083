//! Senders of messages: one implementation per kind of receiver.

mod command;
mod email;
mod service;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header;

use self::command::Command;
use self::email::{Email, Mailer};
use self::service::ServiceSender;
use self::webhook::Webhook;
use super::setup::ReceiverWithSecrets;
use super::{NotifyOptions, NotifyServices};
use crate::clock::Clock;
use crate::domain::notify::render::Texts;
use crate::domain::notify::{Channel, Delivery, Templates};
use crate::domain::op::preview;
use crate::outbound::{Answer, Outbound, OutboundError};

pub use email::{SmtpCredentials, SmtpOptions, SmtpSecurity};

/// The maximum number of characters of an answer that are recorded.
const ANSWER_CHARS: usize = 500;
/// The maximum wait before a retry that a receiver can request.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Sends messages to one receiver.
pub trait Sender: Send + Sync {
    /// Sends a message. Implementations must set a timeout.
    fn send<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Outcome>;
}

/// The outcome of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The HTTP status, the SMTP code, or the exit code of a command; `None` without an answer, or if a signal
    /// ended the command.
    pub status: Option<i32>,
    /// The beginning of the answer; `None` without an answer.
    pub answer: Option<String>,
    /// Why the receiver did not accept the message; `Ok` if it did.
    pub result: Result<(), DeliveryError>,
}

/// Why a delivery failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DeliveryError {
    /// A retry may succeed.
    #[error("{error}")]
    Transient {
        /// The message for the delivery log.
        error: String,
        /// The wait before a retry that the receiver requested.
        after: Option<Duration>,
    },
    /// A retry fails again.
    #[error("{0}")]
    Permanent(String),
}

/// Why a receiver cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// The receiver was deleted after the message was written to the outbox.
    #[error("the receiver was deleted")]
    Unknown,
    /// The receiver requires a secret that is not set or cannot be decrypted.
    #[error("the secret {0} is missing: set it in the receiver's settings")]
    MissingSecret(&'static str),
    /// The URL cannot be parsed.
    #[error("the URL of the receiver is not valid: correct it in the receiver's settings")]
    Url(#[from] url::ParseError),
    /// The name or the value of a header is invalid.
    #[error("the header {0:?} is not a valid HTTP header: correct it in the receiver's settings")]
    Header(String),
    /// The key cannot be used for HMAC-SHA256.
    #[error("the signing key cannot be used for HMAC-SHA256: set another one")]
    SigningKey(#[from] hmac::digest::InvalidLength),
    /// A recipient is not a mail address.
    #[error("{address:?} is not a mail address: correct it in the receiver's settings")]
    Address {
        /// The address in the settings of the receiver.
        address: String,
        /// Why the address cannot be parsed.
        source: lettre::address::AddressError,
    },
    /// The receiver needs an SMTP server.
    #[error("no SMTP server is configured: set alerts.smtp.host and alerts.smtp.from")]
    NoMailServer,
    /// The receiver runs a program, which this instance does not allow.
    #[error("commands are not allowed: set alerts.allow_commands = true in the configuration")]
    CommandsForbidden,
}

impl Outcome {
    /// The outcome of a message that was not sent. A retry would fail too.
    pub fn rejected(error: impl Into<String>) -> Self {
        Self { status: None, answer: None, result: Err(DeliveryError::Permanent(error.into())) }
    }

    /// The outcome if there was no answer. A retry may succeed.
    fn unanswered(error: impl Into<String>) -> Self {
        let error = error.into();
        Self { status: None, answer: None, result: Err(DeliveryError::Transient { error, after: None }) }
    }

    /// The outcome for the answer of an HTTP server. A status 2xx means success; 408, 429 and 5xx are retried.
    fn of_http(answer: Result<Answer, OutboundError>, clock: &Clock) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is_transient() => return Self::unanswered(error.to_string()),
            Err(error) => return Self::rejected(error.to_string()),
        };
        let status = answer.status;
        let error = format!("the receiver answered {status}");
        let result = match status.as_u16() {
            200..=299 => Ok(()),
            408 | 429 | 500..=599 => Err(DeliveryError::Transient { error, after: retry_after(&answer, clock) }),
            _ => Err(DeliveryError::Permanent(error)),
        };
        Self { status: Some(status.as_u16().into()), answer: Some(excerpt(&answer.body)), result }
    }
}

/// The wait that an answer requests: `Retry-After` in seconds or as a date, or the seconds in the body for Telegram.
fn retry_after(answer: &Answer, clock: &Clock) -> Option<Duration> {
    let header = || {
        let text = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        let seconds = || text.parse().ok().map(Duration::from_secs);
        let date = || {
            let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Some(crate::domain::Timestamp::from(date).since(clock.now()))
        };
        seconds().or_else(date)
    };
    let body = || {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
        body["parameters"]["retry_after"].as_u64().map(Duration::from_secs)
    };
    header().or_else(body).map(|wait| wait.min(LONGEST_WAIT))
}

/// The beginning of an answer as text that the database can store.
fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
    preview(&text, ANSWER_CHARS).to_owned()
}

/// The texts of a delivery. If a template fails, the error is logged and the default text is used.
fn texts(templates: &Templates, delivery: &Delivery) -> Texts {
    let texts = Texts::new(templates, &delivery.message);
    for error in &texts.errors {
        tracing::warn!(receiver = delivery.receiver, %error, "template failed: sending the default text");
    }
    texts
}

/// The resources that all senders share. Clones share connections.
#[derive(Clone)]
pub struct Tools {
    outbound: Outbound,
    mailer: Option<Arc<Mailer>>,
    allow_commands: bool,
    clock: Clock,
}

impl Tools {
    /// # Errors
    /// When the SMTP settings are invalid.
    pub fn new(services: &NotifyServices, options: &NotifyOptions) -> anyhow::Result<Self> {
        Ok(Self {
            outbound: services.outbound.clone(),
            mailer: options.smtp.as_ref().map(Mailer::new).transpose()?.map(Arc::new),
            allow_commands: options.allow_commands,
            clock: services.clock.clone(),
        })
    }
}

/// Creates the sender for a receiver.
///
/// # Errors
/// When the receiver cannot be used on this instance.
pub fn sender(found: &ReceiverWithSecrets, tools: &Tools) -> Result<Box<dyn Sender>, ReceiverError> {
    match &found.receiver.channel {
        Channel::Webhook { .. } => Ok(Box::new(Webhook::new(found, tools)?)),
        Channel::Email { to } => {
            let mailer = tools.mailer.clone().ok_or(ReceiverError::NoMailServer)?;
            Ok(Box::new(Email::new(mailer, to, found.receiver.templates.clone())?))
        }
        Channel::Command { command, timeout } if tools.allow_commands => {
            Ok(Box::new(Command::new(command.clone(), timeout.0)))
        }
        Channel::Command { .. } => Err(ReceiverError::CommandsForbidden),
        Channel::Slack {}
        | Channel::PagerDuty { .. }
        | Channel::Opsgenie { .. }
        | Channel::Teams {}
        | Channel::Discord {}
        | Channel::Telegram { .. }
        | Channel::Ntfy { .. }
        | Channel::Alertmanager { .. } => Ok(Box::new(ServiceSender::new(found, tools)?)),
    }
}
