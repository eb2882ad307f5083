//! What a rule would have done: the judgements and states of the engine, over stored counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::judge::Verdict;
use super::machine::Standing;
use super::{History, judge_all};
use crate::domain::alert::{InstanceState, RuleSpec};
use crate::domain::{TimeRange, Timestamp};

/// Evaluations happen at whole minutes, at least so far apart.
pub const STEP: Duration = Duration::from_secs(60);
/// Most evaluations of one backtest.
pub const MAX_EVALUATIONS: usize = 11_000;
/// Most points of a track: of more evaluations every n-th is told, and each change of state.
const MAX_POINTS: u64 = 500;

/// What a rule would have done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Backtest {
    /// The times at which it was evaluated.
    pub evaluations: usize,
    /// When it would have fired, by the time it began.
    pub firings: Vec<Firing>,
    /// What was measured, by scope; of each scope in the order of time.
    pub series: Vec<Track>,
}

/// An alert that would have been.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Firing {
    pub scope: String,
    /// When the condition began to hold.
    #[schema(value_type = String, format = DateTime)]
    pub pending_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub fired_at: Timestamp,
    /// None when it would still fire at the end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// How long it fired, up to the end.
    pub duration_seconds: u64,
    /// The value furthest from the baseline while it fired.
    pub peak: f64,
}

/// A series over time.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Track {
    pub scope: String,
    pub points: Vec<Point>,
}

/// An evaluation of a series.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Point {
    /// The end of the window.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// None without data.
    pub value: Option<f64>,
    /// The level that is usual, or the share before.
    pub baseline: Option<f64>,
    /// Posts in the window.
    pub posts: i64,
    pub state: InstanceState,
}

/// Evaluations from one to the next: the rule's interval in whole minutes, and as many as fit into the limit.
pub fn step(spec: &RuleSpec, range: TimeRange) -> Duration {
    let minutes = |duration: Duration| duration.as_secs().div_ceil(STEP.as_secs()).max(1);
    let least = range.length().as_secs().div_ceil(STEP.as_secs() * MAX_EVALUATIONS as u64);
    STEP * u32::try_from(minutes(spec.interval).max(least)).unwrap_or(u32::MAX)
}

/// Runs `spec` over `history` at the whole minutes of `range`.
pub fn run(spec: &RuleSpec, history: &History, range: TimeRange) -> Backtest {
    let step = step(spec, range);
    let mut known: BTreeMap<String, Course> = BTreeMap::new();
    let mut result = Backtest::default();
    let every = (range.length().as_secs() / step.as_secs()).div_ceil(MAX_POINTS).max(1) as usize;
    let mut at = range.start().ceil(STEP);
    while at <= range.end() {
        result.evaluations += 1;
        let active = |(scope, course): (&String, &Course)| {
            (course.standing.state != InstanceState::Normal).then(|| scope.clone())
        };
        let active: BTreeSet<String> = known.iter().filter_map(active).collect();
        for (group, judgement) in judge_all(spec, history, at, &active) {
            let course = known.entry(group.scope).or_insert_with(|| Course::new(at));
            let before = course.standing.state;
            course.go(spec, at, judgement.verdict, judgement.value.unwrap_or_default());
            if before == course.standing.state && !result.evaluations.is_multiple_of(every) {
                continue;
            }
            course.points.push(Point {
                at,
                value: judgement.value,
                baseline: judgement.baseline,
                posts: judgement.posts,
                state: course.standing.state,
            });
        }
        at = at + step;
    }
    for (scope, mut course) in known {
        course.firings.extend(course.open.take());
        for firing in &mut course.firings {
            firing.scope.clone_from(&scope);
            firing.duration_seconds = firing.resolved_at.unwrap_or(range.end()).since(firing.fired_at).as_secs();
        }
        result.firings.append(&mut course.firings);
        result.series.push(Track { scope, points: course.points });
    }
    result.firings.sort_by(|one, other| (one.fired_at, &one.scope).cmp(&(other.fired_at, &other.scope)));
    result
}

struct Course {
    standing: Standing,
    open: Option<Firing>,
    firings: Vec<Firing>,
    points: Vec<Point>,
}

impl Course {
    fn new(at: Timestamp) -> Self {
        let standing = Standing { state: InstanceState::Normal, since: at };
        Self { standing, open: None, firings: Vec::new(), points: Vec::new() }
    }

    fn go(&mut self, spec: &RuleSpec, at: Timestamp, verdict: Verdict, value: f64) {
        let before = self.standing;
        self.standing = before.after(spec, Some(verdict), at);
        let alerting = self.standing.state.is_alerting();
        if alerting && !before.state.is_alerting() {
            let pending_at = if before.state == InstanceState::Pending { before.since } else { at };
            let scope = String::new();
            self.open =
                Some(Firing { scope, pending_at, fired_at: at, resolved_at: None, duration_seconds: 0, peak: value });
        }
        match &mut self.open {
            Some(open) if alerting => {
                let further = if spec.condition.direction() == crate::domain::alert::Direction::Above {
                    value > open.peak
                } else {
                    value < open.peak
                };
                if further {
                    open.peak = value;
                }
            }
            Some(open) => {
                open.resolved_at = Some(at);
                self.firings.extend(self.open.take());
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{Emotion, Sentiment};
    use crate::rules::series::Series;

    #[test]
    fn a_backtest_tells_when_a_rule_would_have_fired_and_for_how_long() {
        let start = Timestamp::from_unix(1_767_225_600).unwrap();
        let minute = |number: u32| start + STEP * number;
        let counts = (0..240).flat_map(|number| {
            let upset = (100..112).contains(&number);
            let one = |sentiment, emotion, count| (minute(number), "web".to_owned(), sentiment, emotion, count);
            [
                one(Sentiment::Negative, Emotion::Anger, if upset { 9 } else { 1 }),
                one(Sentiment::Positive, Emotion::Joy, 4),
            ]
        });
        let range = TimeRange::new(start, minute(240)).unwrap();
        let history = History { minutes: Series::new(range, STEP, counts), quarters: None };
        let spec = RuleSpec::parse(json!({"name": "x", "kind": "share", "threshold": 0.5, "window": "5min",
            "for": "2min", "keep_firing_for": "3min", "group_by": "source_and_total"}))
        .unwrap();
        let test = run(&spec, &history, range);
        assert_eq!(test.evaluations, 241);
        let times: Vec<_> =
            test.firings.iter().map(|f| (f.scope.as_str(), f.pending_at, f.fired_at, f.resolved_at)).collect();
        // Two upset minutes of five make 21 negative posts of 41, one makes 13 of 33.
        let expected = (minute(102), minute(104), Some(minute(119)));
        assert_eq!(
            times,
            [("all", expected.0, expected.1, expected.2), ("source:web", expected.0, expected.1, expected.2),]
        );
        assert_eq!(test.firings[0].duration_seconds, 15 * 60);
        assert!((test.firings[0].peak - 9.0 / 13.0).abs() < 1e-9);
        assert_eq!(run(&spec, &history, range), test, "it is deterministic");
        let half = run(&spec, &history, TimeRange::new(start, minute(110)).unwrap());
        assert_eq!((half.firings[0].resolved_at, half.firings[0].duration_seconds), (None, 360));
    }
}
