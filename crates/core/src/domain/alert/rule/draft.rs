//! Parses a rule from JSON, field by field, so that all errors are reported at once.

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

/// A rule in the format of the API and the configuration. Missing fields have defaults.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RuleDraft {
    /// The name: 1 to 100 characters, unique among rules. It is the `alert_type` of the rule's alerts.
    pub name: String,
    /// The quantity that is compared with the threshold.
    pub kind: RuleKind,
    /// The class of posts to count: `sentiment:LABEL` or `emotion:LABEL`; for a volume or a spike also `posts`.
    /// Default: `sentiment:negative`; `posts` for a volume or a spike. A rule of the kind `ratio` or `absence` has no
    /// class.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "sentiment:negative")]
    pub of: Option<Class>,
    /// For a share, a volume or a shift: whether the condition holds above or below the threshold. Default: `above`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The threshold of the value: a share in [0, 1], negative posts per positive post (above 0), a number of posts,
    /// robust standard deviations (at least 1), or a difference of shares in [0, 1]. Required, except for a rule of the
    /// kind `absence`, which has no threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// For a shift, a share or a ratio: the p-value below which a deviation is significant, above 0 and at most 0.5.
    /// The fewer posts there are, the further the value must be beyond the threshold. Default: 0.0001 for a shift; no
    /// test of significance for a share or a ratio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub significance: Option<f64>,
    /// For a shift: the length of the period before the window, with which the window is compared. In whole minutes,
    /// from the length of the window up to a day. Default: 12 windows, at most a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "1h")]
    pub baseline_window: Option<HumanDuration>,
    /// The posts to watch: `all` (default), `source:NAME`, `author:NAME`, `topic:NAME` (a tracked topic) or
    /// `text:WORDS`.
    #[schema(value_type = String, example = "all")]
    pub scope: Scope,
    /// How the posts are split into series. Each series has its own state and alerts. Default: `none`, which is
    /// required if the scope is a source.
    pub group_by: GroupBy,
    /// The length of the window, in whole minutes, up to a day; up to 6h if the scope is an author or a text, or with
    /// `min_authors` or `distinct`; up to 3h for a spike. Default: 5min.
    #[schema(value_type = String, example = "5min")]
    pub window: HumanDuration,
    /// The time between two evaluations, up to a day. An interval below `alerts.interval` has the effect of
    /// `alerts.interval`. Default: 1min.
    #[schema(value_type = String, example = "1min")]
    pub interval: HumanDuration,
    /// The minimum number of posts in the window (for a spike: posts of its class; for a shift: also in the period
    /// before the window). With fewer posts the condition does not hold. Not used for a volume or an absence. Default:
    /// 10.
    pub min_posts: i64,
    /// The minimum number of different authors of the counted posts. With fewer authors the condition does not hold.
    /// Not used for an absence, or for a volume with the direction `below`. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_authors: Option<i64>,
    /// What is counted: every post (`posts`), copies of a text once (`texts`), or each author once (`authors`).
    /// Default: `posts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<Distinct>,
    /// How a share, a ratio or a shift handles a window without posts: a firing alert stays open (`keep`), a firing
    /// alert resolves (`resolve`), or the condition holds (`alert`). Default: `resolve`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_data: Option<NoData>,
    /// Windows end this long before the current time, so that they contain posts that arrive late. At most 3h. Default:
    /// the measured time within which 95 % of the posts arrive (of the series' source, or of all sources together). The
    /// measurement ignores posts that are more than 3h late.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "30min")]
    pub delay: Option<HumanDuration>,
    /// How long the condition must hold before the alert fires, up to a day. Default: 0s.
    #[serde(rename = "for")]
    #[schema(value_type = String, example = "2min")]
    pub pending_for: HumanDuration,
    /// How long the condition must not hold before the alert is resolved, up to a day. Default: 0s.
    #[schema(value_type = String, example = "5min")]
    pub keep_firing_for: HumanDuration,
    /// The value that must be crossed before a firing alert starts to recover: at most the threshold; for a share or a
    /// volume with the direction `below`, at least the threshold. Not for a rule of the kind `absence`. Default: the
    /// threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_threshold: Option<f64>,
    /// The severity of the rule's alerts. Default: `warning`.
    pub severity: Severity,
    /// Up to 20 additional labels for the rule's alerts, with values of 1 to 200 characters. The labels that
    /// SentiStream sets, such as `severity` and `source`, cannot be used.
    pub labels: Labels,
    /// Up to 10 texts about the rule's alerts, by name, of at most 1,000 characters each. The texts may contain
    /// {{value}}, {{threshold}}, {{posts}}, {{baseline}}, {{window}}, {{scope}}, {{source}}, {{rule}} and {{severity}}.
    pub annotations: Labels,
    /// Whether the rule is evaluated. The open alerts of a disabled rule are resolved. Default: true.
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
    /// The rule as JSON in the format that [`Self::parse`] reads.
    pub fn to_json(&self) -> Value {
        // The type can always be serialised to JSON.
        serde_json::to_value(RuleDraft::from(self)).unwrap_or_default()
    }

    /// Parses a rule.
    ///
    /// # Errors
    /// Every invalid field, with its error.
    pub fn parse(value: Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(fields) = value else {
            return Err(vec![FieldError::new("body", "must be a JSON object")]);
        };
        Reader::new(fields).read()
    }
}
