//! Evaluates rules over counts. The alerts role, which evaluates current windows, and backtests, which evaluate past
//! windows, share this code. All decisions are pure functions; only [`load`] reads the store.
//!
//! A rule watches one or more series: all posts of its scope together, the posts of each source in the scope, or both.
//! Each evaluation gives an [`Evaluation`] per series from a [`View`] of the counts; [`machine`] turns evaluations over
//! time into states.

pub mod backtest;
pub mod baseline;
mod chance;
pub mod copies;
pub mod evaluate;
pub mod history;
pub mod load;
pub mod machine;
mod profile;
pub mod series;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::alert::rule::fill;
use crate::domain::alert::{Condition, Direction, GroupBy, Labels, RuleKind, RuleSpec, Scope};
use crate::domain::human_duration::HumanDuration;
use crate::domain::{TimeRange, Timestamp};

pub use copies::DistinctCounts;
use evaluate::{Evaluation, Target};
pub use history::{Gaps, History};
use series::Tally;

/// One day: the period before a window from which the variation of the counts is estimated.
pub const DAY: Duration = Duration::from_secs(86_400);
/// The length of the history that a weekly profile is built from.
pub const PROFILE: Duration = Duration::from_secs(28 * 86_400);
/// A post is punctual if it is stored at most this long after it was written. If the posts of a source are usually
/// later, the windows of that source are delayed.
pub const PUNCTUAL: Duration = Duration::from_secs(60);
/// The longest time by which the windows of a series are delayed because its posts arrive late.
pub const LONGEST_DELAY: Duration = Duration::from_secs(3 * 3_600);
/// The maximum number of sources that a rule watches. If there are more sources, the rule watches those that were not
/// normal at the last evaluation, and those with the most posts.
pub const MAX_SOURCES: usize = 500;

/// The counts of the posts of one scope, from which rules are evaluated.
pub trait View: Sync {
    /// The counts of a window, of one source or of all sources.
    fn window(&self, range: TimeRange, source: Option<&str>) -> Tally;
    /// The sources with posts in a window.
    fn sources(&self, range: TimeRange) -> BTreeSet<String>;
    /// The counts from the time before a window, from which baselines are computed. `None`: no rule needs a baseline.
    fn history(&self) -> Option<&History>;
    /// The counts in which each text or each author counts once, according to `spec`. `None`: the posts of this window
    /// were not read.
    fn distinct(&self, spec: &RuleSpec, range: TimeRange, source: Option<&str>) -> Option<DistinctCounts>;
    /// The part of `range` in which the system was down, in [0, 1].
    fn unobserved(&self, range: TimeRange) -> f64;
}

/// One series of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The value of the alert's field `scope`.
    pub scope: String,
    /// The source of the posts in the series. `None`: any source.
    pub source: Option<String>,
}

/// How late posts arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// The delay of all sources together.
    pub together: Duration,
    /// The delay of each source. A source without an entry counts as punctual.
    pub by_source: BTreeMap<String, Duration>,
}

impl Delays {
    /// The delay of a series: how long before the current time its windows end.
    pub fn of(&self, spec: &RuleSpec, source: Option<&str>) -> Duration {
        let measured = || match source {
            Some(name) => self.by_source.get(name).copied().unwrap_or_default(),
            None => self.together,
        };
        spec.delay.unwrap_or_else(measured)
    }

    /// All different delays that the series of `spec` may have.
    fn all(&self, spec: &RuleSpec) -> BTreeSet<Duration> {
        if let Some(delay) = spec.delay {
            return BTreeSet::from([delay]);
        }
        let mut delays = BTreeSet::new();
        match (&spec.scope, spec.group_by) {
            (Scope::Source(name), _) => _ = delays.insert(self.of(spec, Some(name.as_str()))),
            (_, GroupBy::None) => _ = delays.insert(self.together),
            _ => {
                delays.extend(self.by_source.values());
                delays.extend([self.together, Duration::ZERO]);
            }
        }
        delays
    }
}

/// The time at which the series of a rule are evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The end of windows without a delay.
    pub end: Timestamp,
    /// The delays of the scope. The windows of a delayed series end earlier.
    pub delays: &'a Delays,
    /// The series that are not normal, by scope, each with its [`machine::SeriesState::began`].
    pub known: &'a BTreeMap<String, Option<Timestamp>>,
}

/// The windows that `spec` needs at `end`, for every delay that its series may have.
pub fn windows(spec: &RuleSpec, end: Timestamp, delays: &Delays) -> Vec<TimeRange> {
    delays.all(spec).into_iter().flat_map(|delay| windows_at(spec, end - delay)).collect()
}

fn windows_at(spec: &RuleSpec, end: Timestamp) -> Vec<TimeRange> {
    let window = TimeRange::last(spec.window, end);
    let mut windows = vec![window];
    match spec.condition.kind() {
        RuleKind::Shift => windows.extend(before(spec, window)),
        // A source without posts in the window is known from its posts of the last day.
        RuleKind::Absence if spec.group_by != GroupBy::None => windows.push(TimeRange::last(DAY, end)),
        _ => {}
    }
    windows
}

/// The earlier period that a shift rule compares `window` with; `None` for other rules.
fn before(spec: &RuleSpec, window: TimeRange) -> Option<TimeRange> {
    match spec.condition {
        Condition::Shift { baseline_window, .. } => Some(TimeRange::last(baseline_window, window.start())),
        _ => None,
    }
}

/// Whether `spec` compares counts with a baseline.
pub fn needs_history(spec: &RuleSpec) -> bool {
    spec.condition.kind() == RuleKind::Spike
}

/// A series with the result of its evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluatedSeries {
    /// The series.
    pub group: Group,
    /// The end of the window that was evaluated.
    pub end: Timestamp,
    /// Whether the condition holds for the series, and the numbers on which the decision is based.
    pub evaluation: Evaluation,
}

/// The results of all series of a rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvaluatedRule {
    /// The series that were evaluated.
    pub series: Vec<EvaluatedSeries>,
    /// The number of sources with posts that were not evaluated, because there are more than [`MAX_SOURCES`].
    pub left_out: usize,
}

/// Evaluates the series of `spec`. If the rule watches all posts of its scope together, they are one series. If the
/// rule watches sources, each source that has posts or was not normal at the last evaluation is one series.
pub fn evaluate_all(spec: &RuleSpec, view: &dyn View, moment: Moment<'_>) -> EvaluatedRule {
    let evaluated = |group: Group| {
        let end = moment.end - moment.delays.of(spec, group.source.as_deref());
        let incident = moment.known.get(&group.scope).copied().flatten();
        let evaluation = evaluate::evaluate(spec, view, Target { source: group.source.as_deref(), end, incident });
        EvaluatedSeries { group, end, evaluation }
    };
    let (groups, left_out) = groups(spec, view, moment);
    EvaluatedRule { series: groups.into_iter().map(evaluated).collect(), left_out }
}

/// The series to evaluate, and the number of sources that are left out.
fn groups(spec: &RuleSpec, view: &dyn View, moment: Moment<'_>) -> (BTreeSet<Group>, usize) {
    let mut groups = BTreeSet::new();
    let mut left_out = 0;
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
        // Only absence rules watch sources that had posts earlier. All other rules watch the sources that have posts in
        // the current window, which is the first range.
        let is_absence = spec.condition.kind() == RuleKind::Absence;
        let ranges: Vec<TimeRange> = moment
            .delays
            .all(spec)
            .into_iter()
            .flat_map(|delay| {
                windows_at(spec, moment.end - delay).into_iter().take(if is_absence { usize::MAX } else { 1 })
            })
            .collect();
        let mut sources: BTreeSet<String> =
            moment.known.keys().filter_map(|scope| scope.strip_prefix(&prefix).map(str::to_owned)).collect();
        let mut seen: BTreeSet<String> = ranges.iter().flat_map(|range| view.sources(*range)).collect();
        seen.retain(|source| !sources.contains(source));
        let room = MAX_SOURCES.saturating_sub(sources.len());
        left_out = seen.len().saturating_sub(room);
        if left_out > 0 {
            sources.extend(busiest(seen, view, &ranges).into_iter().take(room));
        } else {
            sources.append(&mut seen);
        }
        groups.extend(
            sources.into_iter().map(|source| Group { scope: format!("{prefix}{source}"), source: Some(source) }),
        );
    }
    (groups, left_out)
}

/// The sources, sorted by their highest number of posts in any of `ranges`. The source with the most posts comes first.
fn busiest(sources: BTreeSet<String>, view: &dyn View, ranges: &[TimeRange]) -> Vec<String> {
    let posts = |source: &str| ranges.iter().map(|range| view.window(*range, Some(source)).posts()).max();
    let mut counted: Vec<(Option<i64>, String)> = sources.into_iter().map(|source| (posts(&source), source)).collect();
    counted.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    counted.into_iter().map(|(_, source)| source).collect()
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

/// The annotations of the rule. Their placeholders are replaced by values.
pub fn annotations(spec: &RuleSpec, group: &Group, evaluation: &Evaluation) -> Labels {
    let is_share = matches!(spec.condition, Condition::Share { .. } | Condition::Shift { .. });
    let shown =
        |number: f64| if is_share { format!("{} %", round(100.0 * number, 1)) } else { round(number, 2).to_string() };
    let number = |number: Option<f64>| number.map_or_else(|| "none".to_owned(), shown);
    let value = |name: &str| match name {
        "value" => number(evaluation.value),
        "threshold" => number(Some(spec.condition.threshold())),
        "posts" => evaluation.posts.to_string(),
        "baseline" => number(evaluation.baseline),
        "window" => HumanDuration(spec.window).to_string(),
        "scope" => group.scope.clone(),
        "source" => group.source.clone().unwrap_or_else(|| "all sources".to_owned()),
        "rule" => spec.name.clone(),
        _ => spec.severity.to_string(),
    };
    let filled = |text: &String| fill(text, &value).unwrap_or_else(|_| text.clone());
    spec.annotations.iter().map(|(name, text)| (name.clone(), filled(text))).collect()
}

/// `number` rounded to `places` decimal places.
fn round(number: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (number * scale).round() / scale
}

/// Whether `value` is on the side of `threshold` on which the condition holds.
fn beyond(condition: &Condition, value: f64, threshold: f64) -> bool {
    match condition.direction() {
        Direction::Above => value > threshold,
        Direction::Below => value < threshold,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A view of numbered sources. Source number `n` has `n` posts.
    struct Crowd(i64);

    impl View for Crowd {
        fn window(&self, _: TimeRange, source: Option<&str>) -> Tally {
            let mut tally = Tally::default();
            tally.add(None, source.and_then(|name| name.parse().ok()).unwrap_or(1));
            tally
        }

        fn sources(&self, _: TimeRange) -> BTreeSet<String> {
            (1..=self.0).map(|number| number.to_string()).collect()
        }

        fn history(&self) -> Option<&History> {
            None
        }

        fn distinct(&self, _: &RuleSpec, _: TimeRange, _: Option<&str>) -> Option<DistinctCounts> {
            None
        }

        fn unobserved(&self, _: TimeRange) -> f64 {
            0.0
        }
    }

    #[test]
    fn rule_watches_the_largest_and_the_alerting_sources() {
        let rule = json!({"name": "x", "kind": "volume", "threshold": 5, "group_by": "source"});
        let spec = RuleSpec::parse(rule).unwrap();
        let delays = Delays::default();
        let known = BTreeMap::from([("source:3".to_owned(), None), ("source:gone".to_owned(), None)]);
        let moment = Moment { end: Timestamp::from_unix(1_767_225_600).unwrap(), delays: &delays, known: &known };
        let few = evaluate_all(&spec, &Crowd(498), moment);
        assert_eq!((few.series.len(), few.left_out), (499, 0));
        let many = evaluate_all(&spec, &Crowd(3_000), moment);
        assert_eq!((many.series.len(), many.left_out), (MAX_SOURCES, 3_000 - 499));
        let watches = |name: &str| many.series.iter().any(|one| one.group.source.as_deref() == Some(name));
        assert_eq!(["3", "gone", "3000", "2503", "2502"].map(watches), [true, true, true, true, false]);
    }
}
