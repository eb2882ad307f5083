//! The options of the alerts role, with the built-in rules.

use std::time::Duration;

use crate::alerts::AlertsOptions;
use crate::config::{self, Config};
use crate::domain::Sentiment;
use crate::domain::alert::rule::{BUILT_IN, LONGEST_SPIKE};
use crate::domain::alert::{Class, Condition, Direction, Distinct, GroupBy, Labels, NoData, RuleSpec, Scope, Severity};

use super::instance;

/// The alert lease expires after this many intervals.
const LEASE_INTERVALS: u32 = 3;

/// The maximum interval between two evaluations of a rule.
const LONGEST_INTERVAL: Duration = Duration::from_secs(86_400);

/// The built-in rules recover at or below this fraction of their threshold.
const RECOVERY: f64 = 0.8;

/// The settings of the alerts role: the built-in rules, then the rules of the configuration.
pub fn alerts(config: &Config) -> AlertsOptions {
    let alerts = &config.alerts;
    AlertsOptions {
        interval: alerts.interval,
        max_lateness: alerts.max_lateness,
        rules: alert_rules(config).into(),
        holder: instance(),
        lease_ttl: alerts.interval * LEASE_INTERVALS,
    }
}

/// The built-in rules, then the rules of the configuration.
pub fn alert_rules(config: &Config) -> Vec<RuleSpec> {
    let mut rules = default_rules(&config.alerts);
    rules.extend(config.alerts.rules.iter().cloned());
    rules
}

/// The alert rules that the values of `[alerts]` define.
fn default_rules(alerts: &config::AlertsConfig) -> Vec<RuleSpec> {
    let [share, ratio, spike] = BUILT_IN;
    let negative = Class::Sentiment(Sentiment::Negative);
    let significance = Some(alerts.significance);
    let rule = |name: &str, condition: Condition, summary: &str| RuleSpec {
        name: name.to_owned(),
        enabled: true,
        condition,
        scope: Scope::All,
        group_by: GroupBy::SourceAndTotal,
        window: alerts.window,
        interval: alerts.interval.min(LONGEST_INTERVAL),
        min_posts: i64::from(alerts.min_posts),
        min_authors: i64::from(alerts.min_authors),
        distinct: Distinct::Texts,
        no_data: NoData::Resolve,
        delay: None,
        pending_for: Duration::ZERO,
        keep_firing_for: alerts.keep_firing_for,
        recovery_threshold: Some(condition.threshold() * RECOVERY),
        severity: Severity::Warning,
        // Only the first of several alerts with the same label `incident` sends notifications (alerts.inhibit_rules).
        labels: Labels::from([("incident".to_owned(), "negative_mood".to_owned())]),
        annotations: Labels::from([("summary".to_owned(), summary.to_owned())]),
    };
    let (threshold, direction) = (alerts.negative_share, Direction::Above);
    let share_above = Condition::Share { of: negative, direction, threshold, significance };
    let ratio_above = Condition::Ratio { threshold: alerts.negative_ratio, significance };
    vec![
        rule(share, share_above, "{{source}}: {{value}} of {{posts}} posts are negative"),
        // The usual ratio differs between sources, so one threshold does not suit each source. This rule counts the
        // posts of all sources together.
        RuleSpec {
            group_by: GroupBy::None,
            ..rule(ratio, ratio_above, "{{source}}: {{value}} negative posts per positive one, of {{posts}} posts")
        },
        RuleSpec {
            window: alerts.window.min(LONGEST_SPIKE),
            ..rule(
                spike,
                Condition::Spike { of: negative, threshold: alerts.negative_spike },
                "{{source}}: far more negative posts than usual ({{baseline}}), among {{posts}} posts",
            )
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Inputs;

    #[test]
    fn built_in_rules_with_extreme_settings_can_be_read() {
        let settings = [
            ["window=1min", "window=6h"],
            ["interval=1ms", "interval=366d"],
            ["min_posts=1", "min_posts=2147483647"],
            ["min_authors=1", "min_authors=2147483647"],
            ["negative_share=0", "negative_share=1"],
            ["negative_ratio=0.001", "negative_ratio=1e300"],
            ["negative_spike=1.0", "negative_spike=1e6"],
            ["significance=0.000001", "significance=0.5"],
            ["keep_firing_for=0s", "keep_firing_for=1d"],
        ];
        for side in 0..2 {
            let sets = settings.iter().map(|pair| format!("alerts.{}", pair[side])).collect();
            let (config, _) = Config::load(&Inputs { sets, ..Inputs::default() }).unwrap();
            for rule in alert_rules(&config) {
                // The store keeps rules as JSON, and parses them before each evaluation.
                assert_eq!(RuleSpec::parse(rule.to_json()), Ok(rule));
            }
        }
    }

    #[test]
    fn window_above_three_hours_is_shortened_only_for_spikes() {
        for (set, expected) in [("3h", [3, 3, 3]), ("4h", [4, 4, 3])] {
            let sets = vec![format!("alerts.window={set}")];
            let (config, _) = Config::load(&Inputs { sets, ..Inputs::default() }).unwrap();
            let windows: Vec<Duration> = alert_rules(&config).iter().map(|rule| rule.window).collect();
            assert_eq!(windows, expected.map(|hours| Duration::from_secs(hours * 3_600)), "{set}");
        }
    }
}
