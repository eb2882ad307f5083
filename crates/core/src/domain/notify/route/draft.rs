//! A route as users write it. Missing settings are inherited; in the default route they have their defaults.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Route, RouteSetting, by_name, default_interval, default_repeat, default_wait};
use crate::domain::human_duration::HumanDuration;
use crate::domain::notify::Matcher;

/// The fields of a route as the request contains them. A setting that is `None` is inherited.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteDraft {
    name: String,
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    position: i32,
    #[serde(default)]
    matchers: Vec<Matcher>,
    receiver: Option<String>,
    #[serde(default, rename = "continue")]
    continues: bool,
    group_by: Option<Vec<String>>,
    group_wait: Option<HumanDuration>,
    group_interval: Option<HumanDuration>,
    repeat_interval: Option<HumanDuration>,
    #[serde(default)]
    mute_timings: Vec<String>,
    #[serde(default)]
    active_timings: Vec<String>,
    #[serde(default)]
    inherited: BTreeSet<RouteSetting>,
}

impl From<RouteDraft> for Route {
    fn from(draft: RouteDraft) -> Self {
        let settings = [
            (draft.receiver.is_some(), RouteSetting::Receiver),
            (draft.group_by.is_some(), RouteSetting::GroupBy),
            (draft.group_wait.is_some(), RouteSetting::GroupWait),
            (draft.group_interval.is_some(), RouteSetting::GroupInterval),
            (draft.repeat_interval.is_some(), RouteSetting::RepeatInterval),
        ];
        let (mut inherited, mut written) = (draft.inherited, BTreeSet::new());
        for (is_written, setting) in settings {
            if is_written {
                written.insert(setting)
            } else {
                inherited.insert(setting)
            };
        }
        let mut route = Self {
            name: draft.name,
            parent: draft.parent,
            position: draft.position,
            matchers: draft.matchers,
            receiver: draft.receiver.unwrap_or_default(),
            continues: draft.continues,
            group_by: draft.group_by.unwrap_or_else(by_name),
            group_wait: draft.group_wait.unwrap_or_else(default_wait),
            group_interval: draft.group_interval.unwrap_or_else(default_interval),
            repeat_interval: draft.repeat_interval.unwrap_or_else(default_repeat),
            mute_timings: draft.mute_timings,
            active_timings: draft.active_timings,
            inherited,
            written,
        };
        if route.is_default() {
            route.inherited.clear();
        }
        route
    }
}
