//! Routes: which receiver gets which alerts, grouped and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checks, Kind, Managed, Matcher, matcher};
use crate::domain::FieldError;
use crate::domain::alert::Labels;
use crate::domain::human_duration::HumanDuration;

/// Most labels to group by.
const MAX_GROUP_BY: usize = 10;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A node of the routing tree. Siblings are tried in the order of their positions; the first whose matchers all hold
/// takes the alert, unless it has `continue`. A route passes the alert to its children first and takes it itself when
/// no child matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Unique; cannot be changed.
    #[schema(example = "critical-to-on-call")]
    pub name: String,
    /// The name of the parent route; null for a route at the top level. The default route is the root of the tree: its
    /// children are the routes at the top level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Lower positions are tried first, then in the order of the names.
    #[serde(default)]
    pub position: i32,
    /// All must hold. The route at the top level without matchers is the default route: it takes the alerts that no
    /// other route takes.
    #[serde(default)]
    #[schema(value_type = Vec<matcher::MatcherSpec>)]
    pub matchers: Vec<Matcher>,
    /// The name of a receiver.
    #[schema(example = "on-call")]
    pub receiver: String,
    /// Whether the following siblings are tried too. `continue` does not reach the default route.
    #[serde(default, rename = "continue")]
    pub continues: bool,
    /// Alerts with the same values of these labels share one notification.
    #[serde(default = "by_name")]
    pub group_by: Vec<String>,
    /// How long the first notification of a group waits for more alerts.
    #[serde(default = "default_wait")]
    #[schema(value_type = String, example = "30s")]
    pub group_wait: HumanDuration,
    /// The time between two notifications about changes of a group.
    #[serde(default = "default_interval")]
    #[schema(value_type = String, example = "5min")]
    pub group_interval: HumanDuration,
    /// The time after which a notification is repeated while alerts fire and are not acknowledged.
    #[serde(default = "default_repeat")]
    #[schema(value_type = String, example = "4h")]
    pub repeat_interval: HumanDuration,
    /// Names of mute timings. While one is active, the route sends no notifications.
    #[serde(default)]
    pub mute_timings: Vec<String>,
    /// Names of mute timings used as active intervals. If there are any, the route sends notifications only while one
    /// is active.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub active_timings: Vec<String>,
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
    /// Whether its own matchers hold for an alert with these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        matcher::all_match(&self.matchers, labels)
    }

    /// Whether it is the root of the tree.
    pub fn is_default(&self) -> bool {
        self.parent.is_none() && self.matchers.is_empty()
    }

    /// The labels of an alert's group.
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
        checks.matchers("matchers", &self.matchers);
        checks.require(!self.receiver.is_empty(), "receiver", "must be the name of a receiver");
        checks.require(self.parent.as_ref() != Some(&self.name), "parent", "must be another route");
        checks.require(
            self.group_by.len() <= MAX_GROUP_BY,
            "group_by",
            format!("must be at most {MAX_GROUP_BY} labels"),
        );
        let labels = self.group_by.iter().all(|label| (1..=100).contains(&label.len()));
        checks.require(labels, "group_by", "must be label names of 1 to 100 bytes");
        checks.names("mute_timings", &self.mute_timings);
        checks.names("active_timings", &self.active_timings);
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
