//! Routes: which receiver gets which alerts, grouped and how often.

mod draft;

use std::collections::{BTreeMap, BTreeSet};
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
/// no child matches. As in Alertmanager, a route takes the settings that it does not define from its parent; those of the
/// default route are inherited by the routes at the top level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, from = "draft::RouteDraft")]
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
    /// The name of a receiver. A route with a `parent` may leave it out.
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
    /// The settings that the route takes from its parent: those that were not given, or that are listed here. Their values
    /// are shown as they are inherited now.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub inherited: BTreeSet<RouteSetting>,
    /// The settings whose values were written, also those that are listed in `inherited`.
    #[serde(skip)]
    #[schema(ignore)]
    written: BTreeSet<RouteSetting>,
}

/// A setting of a route that its children inherit. Mute timings and `continue` are not inherited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteSetting {
    Receiver,
    GroupBy,
    GroupWait,
    GroupInterval,
    RepeatInterval,
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

    /// Gives routes the settings that they inherit. A route whose parent does not exist is at the top level.
    pub fn inherit(routes: &mut [&mut Self]) {
        let index: BTreeMap<String, usize> =
            routes.iter().enumerate().map(|(index, route)| (route.name.clone(), index)).collect();
        let default = routes.iter().position(|route| route.is_default());
        for at in 0..routes.len() {
            for setting in routes[at].inherited.clone() {
                let mut from = at;
                // As many steps as there are routes: parents may form a cycle.
                for _ in 0..routes.len() {
                    if !routes[from].inherited.contains(&setting) {
                        break;
                    }
                    let parent = routes[from].parent.as_ref().and_then(|name| index.get(name).copied()).or(default);
                    let Some(parent) = parent.filter(|parent| *parent != from) else { break };
                    from = parent;
                }
                let definer = (*routes[from]).clone();
                routes[at].take(setting, definer);
            }
        }
    }

    fn take(&mut self, setting: RouteSetting, from: Self) {
        match setting {
            RouteSetting::Receiver => self.receiver = from.receiver,
            RouteSetting::GroupBy => self.group_by = from.group_by,
            RouteSetting::GroupWait => self.group_wait = from.group_wait,
            RouteSetting::GroupInterval => self.group_interval = from.group_interval,
            RouteSetting::RepeatInterval => self.repeat_interval = from.repeat_interval,
        }
    }

    /// Whether the route defines the setting.
    pub fn defines(&self, setting: RouteSetting) -> bool {
        !self.inherited.contains(&setting)
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

    /// A setting that was shown as inherited and has another value now is defined by the route.
    fn revised(mut self, shown: &Self) -> Self {
        let settings = std::mem::take(&mut self.inherited);
        let is_shown = |setting: &RouteSetting| match setting {
            RouteSetting::Receiver => self.receiver == shown.receiver,
            RouteSetting::GroupBy => self.group_by == shown.group_by,
            RouteSetting::GroupWait => self.group_wait == shown.group_wait,
            RouteSetting::GroupInterval => self.group_interval == shown.group_interval,
            RouteSetting::RepeatInterval => self.repeat_interval == shown.repeat_interval,
        };
        let is_inherited = |setting: &RouteSetting| !self.written.contains(setting) || is_shown(setting);
        let inherited = settings.into_iter().filter(is_inherited).collect();
        Self { inherited, ..self }
    }

    fn complete(all: &mut [&mut Self]) {
        Self::inherit(all);
    }

    fn check(&self) -> Vec<FieldError> {
        let mut checks = Checks::default();
        checks.name(&self.name);
        checks.matchers("matchers", &self.matchers);
        let inherits_receiver = self.parent.is_some() && !self.defines(RouteSetting::Receiver);
        checks.require(inherits_receiver || !self.receiver.is_empty(), "receiver", "must be the name of a receiver");
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
        let defines_both = self.defines(RouteSetting::GroupInterval) && self.defines(RouteSetting::RepeatInterval);
        checks.require(
            (!defines_both || self.repeat_interval.0 >= self.group_interval.0) && self.repeat_interval.0 <= 31 * DAY,
            "repeat_interval",
            "must be at least group_interval, and at most 31d",
        );
        checks.0
    }
}
