//! What rules make of counts: the same for the alerts role, which judges live windows, and for a backtest, which judges
//! stored ones. All decisions are pure; [`load`] alone reads the store.
//!
//! A rule looks at one or more series: all posts of its scope, those of each source in it, or both. Each evaluation
//! gives a [`Judgement`] per series from a [`View`] of the counts; [`machine`] makes a state of judgements over time.

pub mod backtest;
pub mod baseline;
mod chance;
pub mod judge;
pub mod load;
pub mod machine;
pub mod series;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::alert::rule::fill;
use crate::domain::alert::{Condition, Direction, GroupBy, Labels, RuleKind, RuleSpec, Scope};
use crate::domain::human_duration::HumanDuration;
use crate::domain::{TimeRange, Timestamp};

use judge::Judgement;
use series::{Series, Tally};

/// The time whose windows make a baseline.
pub const DAY: Duration = Duration::from_secs(86_400);
/// The days whose same hour is blended into a baseline.
pub const DAYS: u32 = 7;

/// The counts that rules are judged by, of the posts of one scope.
pub trait View: Sync {
    /// Counts of a window, of one source or of all.
    fn window(&self, range: TimeRange, source: Option<&str>) -> Tally;
    /// The sources with posts in a window.
    fn sources(&self, range: TimeRange) -> BTreeSet<String>;
    /// What came before, for baselines.
    fn history(&self) -> Option<&History>;
}

/// Counts from before a window.
#[derive(Clone, Debug)]
pub struct History {
    /// By minute, over a day and more.
    pub minutes: Series,
    /// By quarter of an hour, over [`DAYS`]; none for scopes that no rollup counts.
    pub quarters: Option<Series>,
}

/// One series of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The alert's `scope`.
    pub scope: String,
    /// The source that its posts are of; `None`: any.
    pub source: Option<String>,
}

/// The windows that `spec` needs at `end`.
pub fn windows(spec: &RuleSpec, end: Timestamp) -> Vec<TimeRange> {
    let window = TimeRange::last(spec.window, end);
    let mut windows = vec![window];
    match spec.condition.kind() {
        RuleKind::Shift => windows.extend(before(spec, window)),
        // A source that has fallen silent is known by its earlier posts.
        RuleKind::Absence if spec.group_by != GroupBy::None => windows.push(TimeRange::last(DAY, end)),
        _ => {}
    }
    windows
}

/// The period that a shift compares `window` with.
fn before(spec: &RuleSpec, window: TimeRange) -> Option<TimeRange> {
    match spec.condition {
        Condition::Shift { baseline_window, .. } => Some(TimeRange::last(baseline_window, window.start())),
        _ => None,
    }
}

/// Whether `spec` is judged by a baseline.
pub fn needs_history(spec: &RuleSpec) -> bool {
    spec.condition.kind() == RuleKind::Spike
}

/// Judges the series of `spec` at `end`: those that have posts, and those of `known`, which had something to say before.
pub fn judge_all(
    spec: &RuleSpec,
    view: &dyn View,
    end: Timestamp,
    known: &BTreeSet<String>,
) -> BTreeMap<Group, Judgement> {
    let mut groups = BTreeSet::new();
    let own = match &spec.scope {
        Scope::Source(name) => Some(name.as_str().to_owned()),
        _ => None,
    };
    let scope = spec.scope.to_string();
    if spec.group_by != GroupBy::Source {
        groups.insert(Group { scope: scope.clone(), source: own });
    }
    if spec.group_by != GroupBy::None {
        let prefix = if spec.scope == Scope::All { "source:".to_owned() } else { format!("{scope},source:") };
        // The period before a shift says nothing of a source that has no posts now.
        let is_absence = spec.condition.kind() == RuleKind::Absence;
        let ranges = windows(spec, end).into_iter().take(if is_absence { usize::MAX } else { 1 });
        let seen = ranges.flat_map(|range| view.sources(range));
        let known = known.iter().filter_map(|scope| scope.strip_prefix(&prefix).map(str::to_owned));
        let sources: BTreeSet<String> = seen.chain(known).collect();
        groups.extend(
            sources.into_iter().map(|source| Group { scope: format!("{prefix}{source}"), source: Some(source) }),
        );
    }
    groups
        .into_iter()
        .map(|group| {
            let judgement = judge::judge(spec, view, end, group.source.as_deref());
            (group, judgement)
        })
        .collect()
}

/// The labels of an alert of rule `id`.
pub fn labels(id: i64, spec: &RuleSpec, group: &Group) -> Labels {
    let mut labels = spec.labels.clone();
    let mut set = |name: &str, value: String| labels.insert(name.to_owned(), value);
    set("alertname", spec.name.clone());
    set("severity", spec.severity.to_string());
    set("kind", spec.condition.kind().to_string());
    set("rule_id", id.to_string());
    match &spec.scope {
        Scope::Author(name) => _ = set("author", name.as_str().to_owned()),
        Scope::Topic(name) => _ = set("topic", name.as_str().to_owned()),
        Scope::Text(words) => _ = set("text", words.clone()),
        Scope::All | Scope::Source(_) => {}
    }
    if let Some(source) = &group.source {
        set("source", source.clone());
    }
    labels
}

/// The rule's annotations with their placeholders filled.
pub fn annotations(spec: &RuleSpec, group: &Group, judgement: &Judgement) -> Labels {
    let number = |number: Option<f64>| number.map_or_else(|| "none".to_owned(), |number| round(number).to_string());
    let value = |name: &str| match name {
        "value" => number(judgement.value),
        "threshold" => number(Some(spec.condition.threshold())),
        "posts" => judgement.posts.to_string(),
        "baseline" => number(judgement.baseline),
        "window" => HumanDuration(spec.window).to_string(),
        "scope" => group.scope.clone(),
        "source" => group.source.clone().unwrap_or_else(|| "all sources".to_owned()),
        "rule" => spec.name.clone(),
        _ => spec.severity.to_string(),
    };
    let filled = |text: &String| fill(text, &value).unwrap_or_else(|_| text.clone());
    spec.annotations.iter().map(|(name, text)| (name.clone(), filled(text))).collect()
}

/// `number` with four significant places behind the point, as people read it.
fn round(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

/// Whether `value` is beyond `threshold`.
fn beyond(condition: &Condition, value: f64, threshold: f64) -> bool {
    match condition.direction() {
        Direction::Above => value > threshold,
        Direction::Below => value < threshold,
    }
}
