//! Routes decide which receiver gets which alerts, how alerts are grouped, and how often notifications are sent.

mod draft;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checks, Kind, Managed, Matcher, matcher};
use crate::domain::FieldError;
use crate::domain::alert::Labels;
use crate::domain::human_duration::HumanDuration;

/// The maximum number of labels to group by.
const MAX_GROUP_BY: usize = 10;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A node of the routing tree. Siblings are tried in the order of their positions. The first one whose matchers all
/// hold handles the alert; with `continue` the following siblings are tried too. A route passes the alert to its
/// children first, and handles it itself if no child matches. As in Alertmanager, a route inherits the settings that it
/// does not define from its parent; routes at the top level inherit those of the default route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, from = "draft::RouteDraft")]
pub struct Route {
    /// The name: 1 to 100 characters. It must be unique, and cannot be changed.
    #[schema(example = "critical-to-on-call")]
    pub name: String,
    /// The name of the parent route; null for a route at the top level. The default route is the root of the tree: its
    /// children are the routes at the top level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Routes with lower positions are tried first. Routes with equal positions are sorted by name.
    #[serde(default)]
    pub position: i32,
    /// Matchers of the alert, at most 20: all must match. The route at the top level without matchers is the default
    /// route, which handles the alerts that no other route handles.
    #[serde(default)]
    #[schema(value_type = Vec<matcher::MatcherSpec>)]
    pub matchers: Vec<Matcher>,
    /// The name of a receiver. A route with a `parent` may omit it.
    #[schema(example = "on-call")]
    pub receiver: String,
    /// Whether the following siblings are tried too if this route matches. `continue` does not reach the default route.
    #[serde(default, rename = "continue")]
    pub continues: bool,
    /// At most 10 labels. Alerts with the same values of these labels share one notification. Default: inherited;
    /// `alertname` if no route above defines the setting.
    #[serde(default = "by_name")]
    pub group_by: Vec<String>,
    /// How long the first notification of a group waits for more alerts, at most 1d. Default: inherited; 30s if no
    /// route above defines the setting.
    #[serde(default = "default_wait")]
    #[schema(value_type = String, example = "30s")]
    pub group_wait: HumanDuration,
    /// The minimum time between two notifications about a group, 1s to 1d. Default: inherited; 5min if no route above
    /// defines the setting.
    #[serde(default = "default_interval")]
    #[schema(value_type = String, example = "5min")]
    pub group_interval: HumanDuration,
    /// The time after which a notification is repeated while any of its alerts fires and is not acknowledged: at least
    /// `group_interval`, and at most 31d. Receivers of the kind `alertmanager` also get repeated notifications of
    /// acknowledged alerts. Default: inherited; 4h if no route above defines the setting.
    #[serde(default = "default_repeat")]
    #[schema(value_type = String, example = "4h")]
    pub repeat_interval: HumanDuration,
    /// Names of at most 10 mute timings. While one of them is active, the route sends no notifications.
    #[serde(default)]
    pub mute_timings: Vec<String>,
    /// Names of at most 10 mute timings that are used as active intervals. If there are any, the route sends
    /// notifications only while one of them is active.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub active_timings: Vec<String>,
    /// The settings that the route inherits from its parent; none for the default route. To inherit a setting, a
    /// request omits it or lists it here. If an update changes the value of a listed setting, the route no longer
    /// inherits this setting. Responses contain the inherited values.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub inherited: BTreeSet<RouteSetting>,
    /// The settings that the request contains, including those that it lists in `inherited`.
    #[serde(skip)]
    #[schema(ignore)]
    written: BTreeSet<RouteSetting>,
}

/// A setting of a route that its children inherit. Mute timings and `continue` are not inherited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteSetting {
    /// The setting `receiver`.
    Receiver,
    /// The setting `group_by`.
    GroupBy,
    /// The setting `group_wait`.
    GroupWait,
    /// The setting `group_interval`.
    GroupInterval,
    /// The setting `repeat_interval`.
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
    /// Whether the route's own matchers hold for an alert with these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        matcher::all_match(&self.matchers, labels)
    }

    /// Whether this is the default route.
    pub fn is_default(&self) -> bool {
        self.parent.is_none() && self.matchers.is_empty()
    }

    /// Sets the inherited settings of routes. A route whose parent does not exist is treated as a route
    /// at the top level.
    pub fn inherit(routes: &mut [&mut Self]) {
        let index: BTreeMap<String, usize> =
            routes.iter().enumerate().map(|(index, route)| (route.name.clone(), index)).collect();
        let default = routes.iter().position(|route| route.is_default());
        for at in 0..routes.len() {
            for setting in routes[at].inherited.clone() {
                let mut from = at;
                // The number of steps is limited to the number of routes, because parents may form a cycle.
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

    /// The labels by which an alert is grouped.
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

    /// A setting that `shown` inherited becomes a setting of the route itself if the user changed its value.
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
            format!("must have at most {MAX_GROUP_BY} labels"),
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
