//! Deliveries: messages in the outbox, and the log of their attempts.

use std::fmt;
use std::str::FromStr;

use serde::de::value::Error as WordError;
use serde::{Deserialize, Serialize};

use super::{Message, parse_word};
use crate::domain::Timestamp;

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waiting for the first or the next attempt.
    Pending,
    /// The receiver accepted the message.
    Delivered,
    /// The message was not delivered, and there are no further attempts.
    Failed,
}

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// At least one alert started to fire.
    Firing,
    /// Alerts were resolved, and none started to fire.
    Resolved,
    /// Alerts still fire after the repeat interval.
    Repeat,
    /// A user tests the receiver.
    Test,
    /// A user sends an earlier message again.
    Resend,
}

impl DeliveryState {
    /// The name used in the table and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

impl Reason {
    /// The name used in the table and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Repeat => "repeat",
            Self::Test => "test",
            Self::Resend => "resend",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for DeliveryState {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        parse_word(text)
    }
}

impl FromStr for Reason {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        parse_word(text)
    }
}

/// A message to one receiver, or to one recipient of a receiver.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Delivery {
    /// The id of the delivery. Later deliveries have higher ids.
    pub id: i64,
    /// The receiver's name.
    pub receiver: String,
    /// The address, for receivers that send one message per recipient (email); null for other receivers.
    pub recipient: Option<String>,
    /// The group of alerts that the message is about.
    pub group_key: String,
    /// Why the message is sent.
    pub reason: Reason,
    /// Whether the message was delivered, failed, or waits for an attempt.
    pub state: DeliveryState,
    /// The number of attempts so far.
    pub attempts: i32,
    /// When the message was written to the outbox.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The time of the next attempt; null if there are no further attempts.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// When the message was delivered or failed; null while it waits for an attempt.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// The error of the last attempt; null if the attempt succeeded, or there was no attempt yet.
    pub error: Option<String>,
    /// The content in the format of webhooks. Other kinds of receivers get their own formats.
    pub message: Message,
}

/// One attempt to deliver a message.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Attempt {
    /// When the attempt started.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The duration of the attempt, in milliseconds.
    pub elapsed_ms: i64,
    /// The HTTP status, the SMTP code, or the exit code of a command; null if there was no answer.
    pub status: Option<i32>,
    /// The first 500 characters of the answer; null without an answer, or if the mail server rejected the message (see
    /// `error`).
    pub answer: Option<String>,
    /// Why the attempt failed; null if the receiver accepted the message.
    pub error: Option<String>,
}
