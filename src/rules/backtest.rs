//! Evaluates a rule over stored counts, to show when it would have fired.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::Serialize;

use super::copies::{DistinctCounts, PostText};
use super::evaluate::{Verdict, needs_texts};
use super::load::scaled;
use super::machine::SeriesState;
use super::series::Tally;
use super::{Delays, EvaluatedSeries, History, Moment, View, evaluate_all};
use crate::domain::alert::{InstanceState, RuleSpec};
use crate::domain::{TimeRange, Timestamp};

/// The minimum time between two evaluations. Evaluations are at whole minutes.
pub const STEP: Duration = Duration::from_secs(60);
/// The maximum number of steps from the first to the last evaluation of one backtest.
pub const MAX_EVALUATIONS: usize = 11_000;
/// The maximum number of points of a track. If there are more evaluations, every n-th evaluation and each change of
/// state are listed.
const MAX_POINTS: u64 = 500;

/// The result of a backtest: when the rule would have fired.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Backtest {
    /// The number of times at which the rule was evaluated. Each time, all its series are evaluated.
    pub evaluations: usize,
    /// The alerts that the rule would have raised, in the order of time.
    pub firings: Vec<Firing>,
    /// The values of each series over time.
    pub series: Vec<Track>,
}

/// An alert that the rule would have raised.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Firing {
    /// The posts of the series: `all`, `source:NAME`, …
    pub scope: String,
    /// The time of the evaluation at which the condition started to hold.
    #[schema(value_type = String, format = DateTime)]
    pub pending_at: Timestamp,
    /// The time of the evaluation at which the alert would have fired.
    #[schema(value_type = String, format = DateTime)]
    pub fired_at: Timestamp,
    /// The time of the evaluation at which the alert would have been resolved; null if it would still fire at the end
    /// of the range.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// How long the alert would have fired, at most until the end of the range, in seconds.
    pub duration_seconds: u64,
    /// The most extreme value while the alert would have fired: the highest value, or the lowest if the direction is
    /// `below`. Windows without a value are left out; 0 if no window has a value.
    pub peak: f64,
}

/// The evaluations of one series over time.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Track {
    /// The posts of the series: `all`, `source:NAME`, …
    pub scope: String,
    /// The evaluations in the order of time. If there are more than 500, every n-th evaluation and each change of state
    /// are listed.
    pub points: Vec<Point>,
}

/// An evaluation of a series.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Point {
    /// The time of the evaluation.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The measured value; null if the window has no posts from which the value can be computed, or there is too little
    /// history for a baseline.
    pub value: Option<f64>,
    /// The usual number of posts for a spike, or the earlier share for a shift; null for other rules, and if there is
    /// too little history.
    pub baseline: Option<f64>,
    /// The number of posts in the window that were already stored at this time. Unscored posts count only if the rule
    /// counts all posts. If the rule counts each text or author once, and this may change the result, this is the
    /// number of texts or authors.
    pub posts: i64,
    /// The state of the series after the evaluation.
    pub state: InstanceState,
}

/// The stored data that a backtest runs over.
#[derive(Debug)]
pub struct Recording {
    /// The counts that the windows and baselines are computed from.
    pub history: History,
    /// The delay of each window: how long before the time of an evaluation the window ends. The delays are the same for
    /// the whole range.
    pub delays: Delays,
    /// The posts of the windows that must be read, by window. Only rules that compare texts or authors need them.
    pub texts: HashMap<TimeRange, Vec<PostText>>,
}

impl Recording {
    /// Creates a recording in which all posts are punctual.
    pub fn new(history: History) -> Self {
        Self { history, delays: Delays::default(), texts: HashMap::new() }
    }
}

/// The recording as it was at a past time: without the posts that were stored later.
struct Past<'a> {
    recording: &'a Recording,
    now: Timestamp,
}

impl View for Past<'_> {
    fn window(&self, range: TimeRange, source: Option<&str>) -> Tally {
        self.recording.history.seen(range, source, self.now)
    }

    fn sources(&self, range: TimeRange) -> BTreeSet<String> {
        self.recording.history.minutes.sources(range)
    }

    fn history(&self) -> Option<&History> {
        Some(&self.recording.history)
    }

    fn distinct(&self, spec: &RuleSpec, range: TimeRange, source: Option<&str>) -> Option<DistinctCounts> {
        let texts = self.recording.texts.get(&range)?;
        Some(scaled(spec, texts, source, self.window(range, None)))
    }

    fn unobserved(&self, range: TimeRange) -> f64 {
        self.recording.history.gaps.share_of(range)
    }
}

/// The time between two evaluations: the rule's interval in whole minutes, or longer if [`MAX_EVALUATIONS`] requires
/// it.
pub fn step(spec: &RuleSpec, range: TimeRange) -> Duration {
    let minutes = |duration: Duration| duration.as_secs().div_ceil(STEP.as_secs()).max(1);
    let least = range.length().as_secs().div_ceil(STEP.as_secs() * MAX_EVALUATIONS as u64);
    STEP * u32::try_from(minutes(spec.interval).max(least)).unwrap_or(u32::MAX)
}

/// Evaluates `spec` over a recording at whole minutes of `range`.
pub fn run(spec: &RuleSpec, recording: &Recording, range: TimeRange) -> Backtest {
    let step = step(spec, range);
    let mut known: BTreeMap<String, SeriesRun> = BTreeMap::new();
    let mut result = Backtest::default();
    let every = (range.length().as_secs() / step.as_secs()).div_ceil(MAX_POINTS).max(1) as usize;
    let mut at = range.start().ceil(STEP);
    while at <= range.end() {
        result.evaluations += 1;
        let active = |(scope, run): (&String, &SeriesRun)| {
            (run.current.state != InstanceState::Normal).then(|| (scope.clone(), run.current.began))
        };
        let active: BTreeMap<String, Option<Timestamp>> = known.iter().filter_map(active).collect();
        let moment = Moment { end: at, delays: &recording.delays, known: &active };
        for EvaluatedSeries { group, end, evaluation } in
            evaluate_all(spec, &Past { recording, now: at }, moment).series
        {
            let run = known.entry(group.scope).or_insert_with(|| SeriesRun::new(end));
            let before = run.current.state;
            run.advance(spec, BacktestStep { at, end, verdict: evaluation.verdict, value: evaluation.value });
            if before == run.current.state && !result.evaluations.is_multiple_of(every) {
                continue;
            }
            run.points.push(Point {
                at,
                value: evaluation.value,
                baseline: evaluation.baseline,
                posts: evaluation.posts,
                state: run.current.state,
            });
        }
        at = at + step;
    }
    for (scope, mut run) in known {
        run.firings.extend(run.open.take());
        for firing in &mut run.firings {
            firing.scope.clone_from(&scope);
            firing.duration_seconds = firing.resolved_at.unwrap_or(range.end()).since(firing.fired_at).as_secs();
        }
        result.firings.append(&mut run.firings);
        result.series.push(Track { scope, points: run.points });
    }
    result.firings.sort_by(|one, other| (one.fired_at, &one.scope).cmp(&(other.fired_at, &other.scope)));
    result
}

/// The windows whose posts must be read, because copies of texts or repeated authors may change the result of the
/// evaluation.
pub fn windows_to_read(spec: &RuleSpec, recording: &Recording, range: TimeRange) -> BTreeSet<TimeRange> {
    let mut windows = BTreeSet::new();
    let known = BTreeMap::new();
    let step = step(spec, range);
    let mut at = range.start().ceil(STEP);
    while at <= range.end() {
        let moment = Moment { end: at, delays: &recording.delays, known: &known };
        for evaluated in evaluate_all(spec, &Past { recording, now: at }, moment).series {
            if needs_texts(spec, evaluated.evaluation.verdict) {
                windows.insert(TimeRange::last(spec.window, evaluated.end));
            }
        }
        at = at + step;
    }
    windows
}

/// One evaluation of a series.
#[derive(Clone, Copy)]
struct BacktestStep {
    at: Timestamp,
    /// The end of the window.
    end: Timestamp,
    verdict: Verdict,
    value: Option<f64>,
}

/// The state of a series during a backtest.
struct SeriesRun {
    current: SeriesState,
    /// The time of the evaluation at which the condition started to hold.
    pending_at: Option<Timestamp>,
    open: Option<Firing>,
    /// The most extreme value of the newest alert; `None` if no window of the alert had a value.
    peak: Option<f64>,
    firings: Vec<Firing>,
    points: Vec<Point>,
}

impl SeriesRun {
    fn new(end: Timestamp) -> Self {
        let current = SeriesState::normal(end);
        Self { current, pending_at: None, open: None, peak: None, firings: Vec::new(), points: Vec::new() }
    }

    fn advance(&mut self, spec: &RuleSpec, now: BacktestStep) {
        let before = self.current;
        self.current = before.after(spec, Some(now.verdict), now.end);
        self.pending_at = self.current.began.and(self.pending_at.or(Some(now.at)));
        let alerting = self.current.state.is_alerting();
        if alerting && !before.state.is_alerting() {
            let pending_at = self.pending_at.unwrap_or(now.at);
            let (scope, fired_at) = (String::new(), now.at);
            self.peak = None;
            self.open = Some(Firing { scope, pending_at, fired_at, resolved_at: None, duration_seconds: 0, peak: 0.0 });
        }
        if !alerting {
            self.firings.extend(self.open.take().map(|open| Firing { resolved_at: Some(now.at), ..open }));
        } else if let (Some(open), Some(value)) = (&mut self.open, now.value) {
            open.peak = self.peak.map_or(value, |peak| spec.condition.direction().further(peak, value));
            self.peak = Some(open.peak);
        }
    }
}

#[cfg(test)]
mod tests;
