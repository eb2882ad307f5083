//! A rule as people write it: read field by field, so that all errors are reported at once.

mod reader;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;

use self::reader::Reader;
use super::{Condition, RuleSpec};
use crate::domain::FieldError;
use crate::domain::alert::{Class, Direction, Distinct, GroupBy, Labels, NoData, RuleKind, Scope, Severity};
use crate::domain::human_duration::HumanDuration;

/// A rule as the API and the configuration write it. What is missing has a default.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RuleDraft {
    /// Unique among rules; the `alert_type` of its alerts.
    pub name: String,
    pub kind: RuleKind,
    /// What is counted: `posts`, `sentiment:LABEL` or `emotion:LABEL`. Default: `sentiment:negative`; of a volume or
    /// a spike `posts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "sentiment:negative")]
    pub of: Option<Class>,
    /// Default: `above`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// What must be passed: a share in [0, 1]; negative posts per positive one; posts; robust standard deviations; the
    /// least difference of shares. An absence has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Of a shift, a share or a ratio: an excess that chance makes more often than this is none; between 0 and 0.5. The
    /// fewer posts there are, the more they must exceed the threshold. Default: 0.0001 of a shift; else none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub significance: Option<f64>,
    /// Of a shift: how long the period before the window is that it is compared with, whole minutes from the window's
    /// length up to a day. Default: 12 windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "1h")]
    pub baseline_window: Option<HumanDuration>,
    /// Whose posts: `all` (default), `source:NAME`, `author:NAME`, `topic:NAME` (a tracked topic) or `text:WORDS`.
    #[schema(value_type = String, example = "all")]
    pub scope: Scope,
    /// Default: `none`.
    pub group_by: GroupBy,
    /// Whole minutes up to a day. Default: 5min.
    #[schema(value_type = String, example = "5min")]
    pub window: HumanDuration,
    /// Between two evaluations, up to a day; never more often than `alerts.interval`. Default: 1min.
    #[schema(value_type = String, example = "1min")]
    pub interval: HumanDuration,
    /// The condition does not hold with fewer posts in the window. Default: 10.
    pub min_posts: i64,
    /// The condition does not hold with fewer different authors of the counted posts. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_authors: Option<i64>,
    /// What counts: every post (`posts`), copies of a text once (`texts`), or each author once (`authors`).
    /// Default: `posts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<Distinct>,
    /// What a window without posts means: the state stays (`keep`), a firing alert resolves (`resolve`), or the condition
    /// holds (`alert`). Default: `resolve`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_data: Option<NoData>,
    /// How much earlier windows end, so that posts that arrive late are in them, up to 3h. Default: as late as 95 % of the
    /// posts of the source arrive, measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "30min")]
    pub delay: Option<HumanDuration>,
    /// How long the condition must hold before the alert fires. Default: 0s.
    #[serde(rename = "for")]
    #[schema(value_type = String, example = "2min")]
    pub pending_for: HumanDuration,
    /// How long the condition must not hold before the alert is over. Default: 0s.
    #[schema(value_type = String, example = "5min")]
    pub keep_firing_for: HumanDuration,
    /// A firing alert recovers only beyond this value. Default: the threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_threshold: Option<f64>,
    /// Default: `warning`.
    pub severity: Severity,
    /// Added to the alert's own labels.
    pub labels: Labels,
    /// Texts about the alert, which may hold {{value}}, {{threshold}}, {{posts}}, {{baseline}}, {{window}}, {{scope}},
    /// {{source}}, {{rule}} and {{severity}}.
    pub annotations: Labels,
    /// Default: true.
    pub enabled: bool,
}

impl From<&RuleSpec> for RuleDraft {
    fn from(spec: &RuleSpec) -> Self {
        let kind = spec.condition.kind();
        let counts_a_class = !matches!(kind, RuleKind::Ratio | RuleKind::Absence);
        let has_direction = matches!(kind, RuleKind::Share | RuleKind::Volume | RuleKind::Shift);
        let baseline_window = match spec.condition {
            Condition::Shift { baseline_window, .. } => Some(HumanDuration(baseline_window)),
            _ => None,
        };
        Self {
            name: spec.name.clone(),
            kind,
            of: counts_a_class.then(|| spec.condition.class()),
            direction: has_direction.then(|| spec.condition.direction()),
            threshold: (kind != RuleKind::Absence).then(|| spec.condition.threshold()),
            significance: spec.condition.significance(),
            baseline_window,
            scope: spec.scope.clone(),
            group_by: spec.group_by,
            window: HumanDuration(spec.window),
            interval: HumanDuration(spec.interval),
            min_posts: spec.min_posts,
            min_authors: (spec.min_authors > 1).then_some(spec.min_authors),
            distinct: (spec.distinct != Distinct::Posts).then_some(spec.distinct),
            no_data: (spec.no_data != NoData::Resolve).then_some(spec.no_data),
            delay: spec.delay.map(HumanDuration),
            pending_for: HumanDuration(spec.pending_for),
            keep_firing_for: HumanDuration(spec.keep_firing_for),
            recovery_threshold: spec.recovery_threshold,
            severity: spec.severity,
            labels: spec.labels.clone(),
            annotations: spec.annotations.clone(),
            enabled: spec.enabled,
        }
    }
}

impl RuleSpec {
    /// The rule as JSON, which [`Self::parse`] reads.
    pub fn to_json(&self) -> Value {
        // Our own type holds nothing that JSON cannot.
        serde_json::to_value(RuleDraft::from(self)).unwrap_or_default()
    }

    /// Reads a rule.
    ///
    /// # Errors
    /// Everything that is wrong, by field.
    pub fn parse(value: Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(fields) = value else {
            return Err(vec![FieldError::new("body", "must be a JSON object")]);
        };
        Reader::new(fields).read()
    }
}
