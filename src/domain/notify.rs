//! Notifications: who is told of which alerts, when not, and what came of it.

pub mod delivery;
pub mod matcher;
pub mod message;
pub mod mute;
pub mod receiver;
pub mod route;
pub mod router;
pub mod silence;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FieldError, Timestamp};

pub use delivery::{Attempt, Delivery, DeliveryState, Reason};
pub use matcher::{MatchOp, Matcher};
pub use message::{Message, MessageAlert, Status};
pub use mute::{MuteInterval, MuteTiming, Weekday};
pub use receiver::{Channel, Receiver, Secrets};
pub use route::Route;
pub use router::Router;
pub use silence::{Silence, SilenceState};

/// Longest name of a receiver, route or mute timing, in characters.
const MAX_NAME_CHARS: usize = 100;

/// What people set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Receiver,
    Route,
    Silence,
    MuteTiming,
}

impl Kind {
    /// The name used in the audit trail and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Route => "route",
            Self::Silence => "silence",
            Self::MuteTiming => "mute_timing",
        }
    }
}

/// Something of a [`Kind`].
pub trait Managed: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Which.
    const KIND: Kind;

    /// Its name, unique among its kind; silences have none.
    fn name(&self) -> Option<&str>;

    /// Everything that is wrong with it.
    fn check(&self) -> Vec<FieldError>;
}

/// Something as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Stored<T> {
    pub id: i64,
    /// Grows with each change: the ETag.
    pub version: i64,
    /// Whether it comes from the configuration file, and cannot be changed here.
    pub provisioned: bool,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    #[serde(flatten)]
    pub spec: T,
}

/// Collects what is wrong.
#[derive(Default)]
struct Checks(Vec<FieldError>);

impl Checks {
    fn require(&mut self, holds: bool, field: &str, message: impl Into<String>) {
        if !holds {
            self.0.push(FieldError::new(field, message));
        }
    }

    fn name(&mut self, name: &str) {
        let length = name.chars().count();
        self.require(
            (1..=MAX_NAME_CHARS).contains(&length) && name.trim() == name && !name.contains(char::is_control),
            "name",
            format!("must be 1 to {MAX_NAME_CHARS} characters without control characters or blanks around them"),
        );
    }

    fn matchers(&mut self, matchers: &[Matcher]) {
        self.require(matchers.len() <= matcher::MAX_MATCHERS, "matchers", {
            format!("must be at most {}", matcher::MAX_MATCHERS)
        });
        for (index, matcher) in matchers.iter().enumerate() {
            let wrong = matcher.wrong();
            self.require(wrong.is_none(), &format!("matchers[{index}]"), wrong.unwrap_or_default());
        }
    }
}
