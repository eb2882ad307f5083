//! Silences, which suppress the notifications of alerts for a time.

use serde::de::value::Error as WordError;
use serde::{Deserialize, Serialize};

use super::{Checks, Kind, Managed, Matcher, matcher, parse_word};
use crate::domain::alert::Labels;
use crate::domain::{FieldError, Timestamp};

const MAX_AUTHOR_CHARS: usize = 100;
const MAX_COMMENT_CHARS: usize = 1_000;

/// While a silence is active, the alerts that it matches send no notifications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// 1 to 20 matchers of alerts: all must match. At least one of them must require a value, so that a silence cannot
    /// cover all alerts by mistake.
    #[schema(min_items = 1, value_type = Vec<matcher::MatcherSpec>)]
    pub matchers: Vec<Matcher>,
    /// The start, inclusive.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// The end, exclusive. It must be after `starts_at`.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// Who created the silence: 1 to 100 characters. A signed-in user can set only their own name.
    #[schema(example = "ada")]
    pub author: String,
    /// The reason for the silence: 1 to 1,000 characters.
    #[schema(example = "planned maintenance of the shop")]
    pub comment: String,
}

/// The state of a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SilenceState {
    /// The silence has not started yet.
    Pending,
    /// The silence suppresses notifications now.
    Active,
    /// The silence has ended.
    Expired,
}

impl std::str::FromStr for SilenceState {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        parse_word(text)
    }
}

impl Silence {
    /// The state at `now`.
    pub fn state(&self, now: Timestamp) -> SilenceState {
        match () {
            () if now < self.starts_at => SilenceState::Pending,
            () if now < self.ends_at => SilenceState::Active,
            () => SilenceState::Expired,
        }
    }

    /// Whether the silence applies to an alert with these labels at `now`.
    pub fn covers(&self, labels: &Labels, now: Timestamp) -> bool {
        self.state(now) == SilenceState::Active && matcher::all_match(&self.matchers, labels)
    }
}

impl Managed for Silence {
    const KIND: Kind = Kind::Silence;

    fn name(&self) -> Option<&str> {
        None
    }

    fn check(&self) -> Vec<FieldError> {
        let mut checks = Checks::default();
        checks.require(!self.matchers.is_empty(), "matchers", "must have at least one matcher");
        checks.matchers("matchers", &self.matchers);
        // A silence that matches alerts without any label would suppress all notifications.
        let narrow = self.matchers.is_empty() || !matcher::all_match(&self.matchers, &Labels::new());
        checks.require(
            narrow,
            "matchers",
            "at least one must require a value, such as alertname=\"Name\", or the silence could cover all alerts",
        );
        checks.require(self.starts_at < self.ends_at, "ends_at", "must be after starts_at");
        let text = |text: &str, most| (1..=most).contains(&text.trim().chars().count());
        checks.require(
            text(&self.author, MAX_AUTHOR_CHARS),
            "author",
            format!("must be 1 to {MAX_AUTHOR_CHARS} characters"),
        );
        checks.require(text(&self.comment, MAX_COMMENT_CHARS), "comment", {
            format!("must be 1 to {MAX_COMMENT_CHARS} characters")
        });
        checks.0
    }
}
