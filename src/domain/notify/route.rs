//! Which receiver is told of which alerts, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checks, Kind, Managed, Matcher, matcher};
use crate::domain::FieldError;
use crate::domain::alert::Labels;
use crate::domain::human_duration::HumanDuration;

/// Most labels to group by.
const MAX_GROUP_BY: usize = 10;
const MAX_MUTE_TIMINGS: usize = 10;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A way from alerts to a receiver. Routes are tried in the order of their positions; the first whose
/// matchers all hold takes the alert, unless it says `continue`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Unique, and kept for good.
    #[schema(example = "critical-to-on-call")]
    pub name: String,
    /// Lower ones are tried first; those of equal position by name. A route without matchers, the default route,
    /// comes last whatever its position.
    #[serde(default)]
    pub position: i32,
    /// All must hold.
    #[serde(default)]
    #[schema(value_type = Vec<matcher::Written>)]
    pub matchers: Vec<Matcher>,
    /// The name of a receiver.
    #[schema(example = "on-call")]
    pub receiver: String,
    /// Whether the routes after this one are tried too.
    #[serde(default, rename = "continue")]
    pub goes_on: bool,
    /// Alerts that share the values of these labels are told of together.
    #[serde(default = "by_name")]
    pub group_by: Vec<String>,
    /// How long the first alert of a group waits for others.
    #[serde(default = "default_wait")]
    #[schema(value_type = String, example = "30s")]
    pub group_wait: HumanDuration,
    /// How long changes of a group wait after it was told of.
    #[serde(default = "default_interval")]
    #[schema(value_type = String, example = "5min")]
    pub group_interval: HumanDuration,
    /// After this long what still fires, and is not acknowledged, is told again.
    #[serde(default = "default_repeat")]
    #[schema(value_type = String, example = "4h")]
    pub repeat_interval: HumanDuration,
    /// Names of mute timings, in which nothing is told.
    #[serde(default)]
    pub mute_timings: Vec<String>,
}

fn by_name() -> Vec<String> {
    vec!["alertname".to_owned()]
}

fn default_wait() -> HumanDuration {
    HumanDuration(Duration::from_secs(30))
}

fn default_interval() -> HumanDuration {
    HumanDuration(Duration::from_secs(5 * 60))
}

fn default_repeat() -> HumanDuration {
    HumanDuration(Duration::from_secs(4 * 3600))
}

impl Route {
    /// Whether it takes an alert with these labels.
    pub fn takes(&self, labels: &Labels) -> bool {
        matcher::all_match(&self.matchers, labels)
    }

    /// Where it stands among others: less is tried first.
    pub fn rank(&self) -> (bool, i32, &str) {
        (self.matchers.is_empty(), self.position, &self.name)
    }

    /// The part of `labels` that its groups have in common.
    pub fn group_of(&self, labels: &Labels) -> Labels {
        let value = |name: &String| Some((name.clone(), labels.get(name)?.clone()));
        self.group_by.iter().filter_map(value).collect()
    }
}

impl Managed for Route {
    const KIND: Kind = Kind::Route;

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn check(&self) -> Vec<FieldError> {
        let mut checks = Checks::default();
        checks.name(&self.name);
        checks.matchers(&self.matchers);
        checks.require(!self.receiver.is_empty(), "receiver", "must be the name of a receiver");
        checks.require(
            self.group_by.len() <= MAX_GROUP_BY,
            "group_by",
            format!("must be at most {MAX_GROUP_BY} labels"),
        );
        let labels = self.group_by.iter().all(|label| (1..=100).contains(&label.len()));
        checks.require(labels, "group_by", "must be names of labels, 1 to 100 bytes each");
        checks.require(self.mute_timings.len() <= MAX_MUTE_TIMINGS, "mute_timings", {
            format!("must be at most {MAX_MUTE_TIMINGS} names")
        });
        checks.require(self.group_wait.0 <= DAY, "group_wait", "must be at most 1d");
        let second = Duration::from_secs(1);
        checks.require((second..=DAY).contains(&self.group_interval.0), "group_interval", "must be 1s to 1d");
        checks.require(
            self.repeat_interval.0 >= self.group_interval.0 && self.repeat_interval.0 <= 31 * DAY,
            "repeat_interval",
            "must be at least group_interval, and at most 31d",
        );
        checks.0
    }
}
