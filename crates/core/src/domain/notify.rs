//! Notifications: receivers, routes, silences, inhibition rules, mute timings, and the log of deliveries.
//!
//! The names and the semantics are those of Alertmanager (<https://prometheus.io/docs/alerting/latest/alertmanager/>).

pub mod alertmanager;
pub mod delivery;
pub mod details;
pub mod inhibit;
pub mod matcher;
pub mod message;
pub mod mute;
pub mod ranges;
pub mod receiver;
pub mod render;
pub mod route;
pub mod router;
pub mod secrets;
pub mod silence;
pub mod template;
pub mod text;

use serde::Serialize;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer as _};

use super::{FieldError, Timestamp};

pub use delivery::{Attempt, Delivery, DeliveryState, Reason};
pub use details::{AlertDetails, Quote};
pub use inhibit::{InhibitRule, Inhibition};
pub use matcher::{MatchOp, Matcher};
pub use message::{Message, MessageAlert, Status};
pub use mute::{MuteInterval, MuteTiming, Weekday};
pub use receiver::{Channel, Receiver};
pub use route::{Route, RouteSetting};
pub use router::Router;
pub use secrets::Secrets;
pub use silence::{Silence, SilenceState};
pub use template::Templates;

/// The maximum length of the name of a receiver, route, inhibition rule or mute timing, in characters.
const MAX_NAME_CHARS: usize = 100;

/// The kinds of objects that users manage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A destination of notifications.
    Receiver,
    /// A node of the routing tree.
    Route,
    /// A silence, which suppresses notifications for a time.
    Silence,
    /// Recurring times at which routes send no notifications.
    MuteTiming,
    /// A rule by which alerts suppress the notifications of other alerts.
    InhibitRule,
    /// A source of posts, see [`super::managed_source`].
    Source,
}

impl Kind {
    /// The name used in the audit log and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Route => "route",
            Self::Silence => "silence",
            Self::MuteTiming => "mute_timing",
            Self::InhibitRule => "inhibit_rule",
            Self::Source => "source",
        }
    }
}

/// An object of a [`Kind`].
pub trait Managed: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The kind of the object.
    const KIND: Kind;

    /// The name, unique among objects of the kind. Silences have none.
    fn name(&self) -> Option<&str>;

    /// Sets the fields that objects inherit from others of their kind.
    fn complete(_all: &mut [&mut Self]) {}

    /// Adjusts a changed object before it is stored. `shown` is the version that the user edited.
    #[must_use]
    fn revised(self, _shown: &Self) -> Self {
        self
    }

    /// All validation errors.
    fn check(&self) -> Vec<FieldError>;
}

/// An object as the store returns it.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Stored<T> {
    /// The id of the object, unique among objects of its kind.
    pub id: i64,
    /// Increases with each change of the object. The API sends the version as the ETag.
    pub version: i64,
    /// Whether the object comes from the configuration file. The API cannot change objects of the configuration file.
    pub provisioned: bool,
    /// When the object was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the object was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// The object as users write it, without its secrets.
    #[serde(flatten)]
    pub spec: T,
}

/// Parses a variant of a fieldless enum from its serialised name.
fn parse_word<T: DeserializeOwned>(text: &str) -> Result<T, WordError> {
    let text: StrDeserializer<'_, WordError> = text.into_deserializer();
    T::deserialize(text)
}

/// Collects validation errors.
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
            format!("must be 1 to {MAX_NAME_CHARS} characters without control characters or surrounding blanks"),
        );
    }

    fn matchers(&mut self, field: &str, matchers: &[Matcher]) {
        self.require(matchers.len() <= matcher::MAX_MATCHERS, field, {
            format!("must have at most {} matchers", matcher::MAX_MATCHERS)
        });
        for (index, matcher) in matchers.iter().enumerate() {
            let problem = matcher.problem();
            self.require(problem.is_none(), &format!("{field}[{index}]"), problem.unwrap_or_default());
        }
    }

    fn names(&mut self, field: &str, names: &[String]) {
        const MAX_NAMES: usize = 10;
        self.require(names.len() <= MAX_NAMES, field, format!("must have at most {MAX_NAMES} names"));
    }
}
