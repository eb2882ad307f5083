//! The typed `[alerts]` section: alert rules, and the delivery of notifications.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::notifications::SmtpConfig;
use super::values::*;
use crate::domain::alert::RuleSpec;
use crate::domain::alert::rule::BUILT_IN;
use crate::domain::notify::{InhibitRule, MuteTiming, Receiver, Route, Secrets};

/// `[alerts]`: alert rules, and the delivery of notifications.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsConfig {
    /// The time between two checks for rules whose own interval has passed; above zero. It is also the interval of the
    /// built-in rules, up to one day.
    #[serde(deserialize_with = "positive_duration")]
    pub interval: Duration,
    /// The length of the window of the three built-in rules: whole minutes, from one minute to six hours. The rule for
    /// spikes uses at most three hours, the longest window of a spike.
    #[serde(deserialize_with = "minutes_to_six_hours")]
    pub window: Duration,
    /// The smallest number of posts in a window that can raise an alert; at least 1.
    #[serde(deserialize_with = "count::<_, _, 1, 2_147_483_647>")]
    pub min_posts: u32,
    /// An alert fires when the share of negative posts is above this; 0 to 1.
    #[serde(deserialize_with = "share")]
    pub negative_share: f64,
    /// An alert fires when there are more than this many negative posts per positive post; above 0.
    #[serde(deserialize_with = "ratio")]
    pub negative_ratio: f64,
    /// An alert fires when the negative posts are this many standard deviations above the usual number; at least 1.
    #[serde(deserialize_with = "deviations")]
    pub negative_spike: f64,
    /// The largest accepted probability that a share or ratio exceeds its threshold by chance; above 0, at most 0.5.
    #[serde(deserialize_with = "significance")]
    pub significance: f64,
    /// The number of different authors that the negative posts of an alert must have; at least 1.
    #[serde(deserialize_with = "count::<_, _, 1, 2_147_483_647>")]
    pub min_authors: u32,
    /// An alert of a built-in rule is resolved when, for this long, its value has been at most 80 % of the threshold,
    /// or its window has had too few posts or authors; at most one day.
    #[serde(deserialize_with = "up_to_a_day")]
    pub keep_firing_for: Duration,
    /// The longest time that a window waits for posts that are not analysed yet.
    #[serde(deserialize_with = "any_duration")]
    pub max_lateness: Duration,
    /// The URL of the dashboard for links in notifications. `None`: `http://localhost` with the port of the
    /// first address in `server.listen`.
    #[serde(deserialize_with = "optional_web_url")]
    pub external_url: Option<String>,
    /// A delivery is retried for this long after its creation, then it fails; at most one day.
    #[serde(deserialize_with = "up_to_a_day")]
    pub give_up_after: Duration,
    /// Whether receivers may run programs on the machine that sends notifications.
    pub allow_commands: bool,
    /// The configured receivers of notifications with their secrets. The API cannot change them.
    #[serde(deserialize_with = "super::notifications::receivers")]
    pub receivers: Vec<(Receiver, Secrets)>,
    /// The configured routes of alerts to receivers.
    #[serde(deserialize_with = "super::notifications::managed")]
    pub routes: Vec<Route>,
    /// The configured recurring times. A route sends no notifications in its mute timings, and only in its active
    /// timings if it has any.
    #[serde(deserialize_with = "super::notifications::managed")]
    pub mute_timings: Vec<MuteTiming>,
    /// The configured rules by which alerts suppress the notifications of other alerts.
    #[serde(deserialize_with = "super::notifications::managed")]
    pub inhibit_rules: Vec<InhibitRule>,
    /// The mail server for notifications.
    pub smtp: SmtpConfig,
    /// The configured rules in addition to the three built-in ones. The API cannot change them.
    #[serde(deserialize_with = "rules")]
    pub rules: Vec<RuleSpec>,
}

/// Reads rules. Their names must be unique and differ from [`BUILT_IN`].
fn rules<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<RuleSpec>, D::Error> {
    let mut names: Vec<String> = BUILT_IN.map(str::to_owned).into();
    let mut rules = Vec::new();
    for (index, value) in Vec::<serde_json::Value>::deserialize(de)?.into_iter().enumerate() {
        let rule = RuleSpec::parse(value).map_err(|errors| {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            D::Error::custom(format!("rule number {} is not valid: {}", index + 1, errors.join("; ")))
        })?;
        if names.contains(&rule.name) {
            return Err(D::Error::custom(format!("the name {:?} is taken by another rule", rule.name)));
        }
        names.push(rule.name.clone());
        rules.push(rule);
    }
    Ok(rules)
}
