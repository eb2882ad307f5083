//! `[alerts]`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::notifications::SmtpConfig;
use super::values::*;
use crate::domain::alert::RuleSpec;
use crate::domain::notify::{InhibitRule, MuteTiming, Receiver, Route, Secrets};

/// `[alerts]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsConfig {
    #[serde(deserialize_with = "positive_duration")]
    pub interval: Duration,
    #[serde(deserialize_with = "minutes_to_day")]
    pub window: Duration,
    #[serde(deserialize_with = "count::<_, _, 1, 2_147_483_647>")]
    pub min_posts: u32,
    #[serde(deserialize_with = "share")]
    pub negative_share: f64,
    #[serde(deserialize_with = "ratio")]
    pub negative_ratio: f64,
    #[serde(deserialize_with = "ratio")]
    pub negative_spike: f64,
    #[serde(deserialize_with = "significance")]
    pub significance: f64,
    #[serde(deserialize_with = "count::<_, _, 1, 2_147_483_647>")]
    pub min_authors: u32,
    #[serde(deserialize_with = "up_to_a_day")]
    pub keep_firing_for: Duration,
    #[serde(deserialize_with = "any_duration")]
    pub max_lateness: Duration,
    /// `None`: the address of this machine.
    #[serde(deserialize_with = "optional_web_url")]
    pub external_url: Option<String>,
    #[serde(deserialize_with = "up_to_a_day")]
    pub give_up_after: Duration,
    pub allow_commands: bool,
    #[serde(deserialize_with = "super::notifications::receivers")]
    pub receivers: Vec<(Receiver, Secrets)>,
    #[serde(deserialize_with = "super::notifications::managed")]
    pub routes: Vec<Route>,
    #[serde(deserialize_with = "super::notifications::managed")]
    pub mute_timings: Vec<MuteTiming>,
    #[serde(deserialize_with = "super::notifications::managed")]
    pub inhibit_rules: Vec<InhibitRule>,
    pub smtp: SmtpConfig,
    #[serde(deserialize_with = "rules")]
    pub rules: Vec<RuleSpec>,
}

/// The names of the rules that the other values of `[alerts]` define.
pub const PROVISIONED: [&str; 3] = ["negative_share", "negative_ratio", "negative_spike"];

/// Reads rules; their names must be unique and differ from [`PROVISIONED`].
fn rules<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<RuleSpec>, D::Error> {
    let mut names: Vec<String> = PROVISIONED.map(str::to_owned).into();
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
