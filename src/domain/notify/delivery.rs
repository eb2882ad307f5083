//! Deliveries: messages on their way, and what came of each attempt.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Message;
use crate::domain::Timestamp;

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is to be tried, for the first time or again.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It is not tried any more.
    Failed,
}

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// An alert began to fire.
    Firing,
    /// Alerts are over, and none began.
    Resolved,
    /// Nothing changed for a long time.
    Repeat,
    /// Someone tries the receiver out.
    Test,
}

macro_rules! words {
    ($name:ident { $($variant:ident = $text:literal),+ }) => {
        impl $name {
            /// The name used in the table and the API.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(format!("must be one of {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}

words!(DeliveryState { Pending = "pending", Delivered = "delivered", Failed = "failed" });
words!(Reason { Firing = "firing", Resolved = "resolved", Repeat = "repeat", Test = "test" });

/// A message to one receiver.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Delivery {
    pub id: i64,
    /// The receiver's name.
    pub receiver: String,
    /// The group that it is about.
    pub group_key: String,
    pub reason: Reason,
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: i32,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it is tried next; none when it is settled.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// Why the last attempt came to nothing.
    pub error: Option<String>,
    /// What it says; receivers that are no webhooks get it in their own form.
    pub message: Message,
}

/// One attempt to deliver a message.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Attempt {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub elapsed_ms: i64,
    /// The HTTP status, the code of SMTP, or the exit code of a command; none without an answer.
    pub status: Option<i32>,
    /// The first bytes of the answer.
    pub answer: Option<String>,
    /// Why it came to nothing; none when the receiver took it.
    pub error: Option<String>,
}
