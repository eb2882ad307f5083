//! Evaluates the series of the rules that are due, and collects the changes of their states and the updates of their
//! alerts.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde_json::json;

use super::AlertsServices;
use super::evidence::Case;
use super::feeds::{CountResult, Feed};
use super::histories::Histories;
use super::meta::NO_BASELINE;
use crate::domain::alert::{Instance, InstanceState, Rule, fingerprint};
use crate::domain::{TimeRange, Timestamp};
use crate::rules::evaluate::{Evaluation, Verdict, needs_texts};
use crate::rules::load::{RuleLoadError, Windows, feed};
use crate::rules::machine::SeriesState;
use crate::rules::{EvaluatedRule, EvaluatedSeries, Group, Moment, annotations, evaluate_all, labels};
use crate::store::StoreError;
use crate::store::alerts::{AlertUpdate, NewAlert, Step};

/// The maximum number of new alerts per evaluation whose posts are searched for evidence. Further new alerts contain
/// only the counts of the window.
const EXPLAINED: usize = 50;
/// The maximum number of open alerts per evaluation whose evidence is searched again.
const EXPLAINED_AGAIN: usize = 10;
/// The minimum time between two searches for evidence of the same alert.
const EXPLAINED_EVERY: Duration = Duration::from_secs(120);
/// The data about an open alert that an evaluation needs.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// The most extreme value so far; `None` if no window had a value.
    pub peak: Option<f64>,
    /// When the evidence of the alert was last searched.
    pub explained_at: Timestamp,
}

/// An evaluation in progress.
pub struct Collector {
    /// The end of the window of a series whose posts arrive without delay.
    end: Timestamp,
    now: Timestamp,
    /// The history imports of sources. Imported posts do not raise alerts.
    pub histories: Histories,
    /// The data of the open alerts, by alert id.
    open: BTreeMap<i64, Figures>,
    /// The number of new alerts so far.
    opened: usize,
    /// The ids of the open alerts whose evidence was searched again.
    pub explained: Vec<i64>,
    /// The collected changes of states.
    pub steps: Vec<Step>,
    /// The current values and evidence of open alerts.
    pub updates: Vec<AlertUpdate>,
    /// The number of sources that each evaluated rule left out because there are too many, by rule id.
    pub left_out: BTreeMap<i64, usize>,
}

/// A series that was evaluated, with its rule, its counts and its previous state.
struct Evaluated<'a> {
    rule: &'a Rule,
    windows: &'a Windows,
    result: &'a EvaluatedSeries,
    before: Option<&'a Instance>,
}

impl Collector {
    /// Creates an empty evaluation. `end` is the end of the window of a series whose posts arrive without delay.
    pub fn new(end: Timestamp, now: Timestamp, open: BTreeMap<i64, Figures>) -> Self {
        let (explained, steps, updates, left_out) = Default::default();
        Self { end, now, histories: Histories::default(), open, opened: 0, explained, steps, updates, left_out }
    }

    /// Evaluates the series of `rule`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn rule(
        &mut self,
        services: &AlertsServices,
        rule: &Rule,
        counted: &mut CountResult,
        known: Vec<Instance>,
    ) -> Result<(), StoreError> {
        let Feed { windows, delays } = match counted {
            Ok(feed) => feed,
            Err(reason) => {
                self.failed(rule, known, &reason.to_string());
                return Ok(());
            }
        };
        let active: BTreeMap<String, Option<Timestamp>> =
            known.iter().map(|series| (series.scope.clone(), series.began)).collect();
        let moment = Moment { end: self.end, delays, known: &active };
        let EvaluatedRule { series: mut result, left_out } = evaluate_all(&rule.spec, windows, moment);
        self.left_out.insert(rule.id, left_out);
        let reads = result.iter().filter(|one| needs_texts(&rule.spec, one.evaluation.verdict));
        let ranges: HashSet<TimeRange> = reads.map(|one| TimeRange::last(rule.spec.window, one.end)).collect();
        if !ranges.is_empty() {
            for range in ranges {
                match windows.read_texts(&services.store, &feed(&rule.spec.scope), range).await {
                    Ok(()) => {}
                    Err(RuleLoadError::Store(error)) => return Err(error),
                    Err(error) => {
                        self.failed(rule, known, &error.to_string());
                        return Ok(());
                    }
                }
            }
            result = evaluate_all(&rule.spec, windows, moment).series;
        }
        for series in known.iter().filter(|series| !result.iter().any(|one| one.group.scope == series.scope)) {
            self.end_series(series, "the rule no longer watches these posts");
        }
        for result in &result {
            let before = known.iter().find(|series| series.scope == result.group.scope);
            // Skips a window that ends before the last evaluated window, for example because an old entry is replayed
            // or posts arrive later than before. If the last window ends after `now`, the clock was ahead when it was
            // evaluated, so that window is ignored.
            if before.is_some_and(|before| before.evaluated_at > result.end && before.evaluated_at <= self.now) {
                continue;
            }
            self.series(services, Evaluated { rule, windows, result, before }).await?;
        }
        Ok(())
    }

    async fn series(&mut self, services: &AlertsServices, evaluated: Evaluated<'_>) -> Result<(), StoreError> {
        let Evaluated { rule, windows, result, before } = &evaluated;
        let EvaluatedSeries { group, end, evaluation } = result;
        let current = state_of(*before, *end);
        let window = TimeRange::last(rule.spec.window, *end);
        let is_history = || self.histories.reach(window, (&rule.spec.scope, group));
        if evaluation.verdict == Verdict::Holds && !current.state.is_alerting() && is_history() {
            return Ok(());
        }
        let after = current.after(&rule.spec, Some(evaluation.verdict), *end);
        if after.state == current.state && !is_followed(after.state) {
            return Ok(());
        }
        // An open alert keeps the labels with which it opened.
        let (labels, severity) = match before {
            Some(before) if before.state.is_alerting() => (before.labels.clone(), before.severity),
            _ => (labels(rule.id, &rule.spec, group), rule.spec.severity),
        };
        let opens = if after.state.is_alerting() && !current.state.is_alerting() {
            let case = Case { spec: &rule.spec, group, window, evaluation, view: *windows };
            self.opened += 1;
            let mut details =
                if self.opened > EXPLAINED { case.numbers() } else { case.details(&services.store).await? };
            details.insert("peak".to_owned(), json!(evaluation.value));
            Some(NewAlert {
                alert_type: rule.spec.name.clone(),
                actual_value: evaluation.value.unwrap_or_default(),
                window_start: window.start(),
                window_end: window.end(),
                post_count: i32::try_from(evaluation.posts).unwrap_or(i32::MAX),
                details: details.into(),
            })
        } else {
            None
        };
        if after.state == InstanceState::Firing {
            self.update(services, &evaluated).await?;
        }
        let instance = Instance {
            rule_id: rule.id,
            scope: group.scope.clone(),
            fingerprint: fingerprint(&labels),
            state: after.state,
            since: after.since,
            began: after.began,
            evaluated_at: *end,
            alert_id: before.and_then(|before| before.alert_id),
            value: evaluation.value,
            threshold: rule.spec.condition.threshold(),
            severity,
            labels,
            annotations: annotations(&rule.spec, group, evaluation),
            reason: reason(evaluation),
        };
        self.steps.push(Step { from: current.state, instance, at: self.now, opens });
        Ok(())
    }

    /// Records the current values of an alert that is already open, and searches its evidence again if the last search
    /// is at least [`EXPLAINED_EVERY`] ago.
    async fn update(&mut self, services: &AlertsServices, evaluated: &Evaluated<'_>) -> Result<(), StoreError> {
        let Evaluated { rule, windows, result: EvaluatedSeries { group, end, evaluation }, before } = evaluated;
        let Some(id) = before.and_then(|before| before.alert_id) else { return Ok(()) };
        let (Some(figures), Some(value)) = (self.open.get(&id), evaluation.value) else { return Ok(()) };
        let window = TimeRange::last(rule.spec.window, *end);
        let case = Case { spec: &rule.spec, group, window, evaluation, view: *windows };
        let is_due = evaluation.verdict == Verdict::Holds && self.now.since(figures.explained_at) >= EXPLAINED_EVERY;
        let mut details = if is_due && self.explained.len() < EXPLAINED_AGAIN {
            self.explained.push(id);
            case.details(&services.store).await?
        } else {
            let mut numbers = case.numbers();
            numbers.remove("evidence");
            numbers
        };
        let direction = rule.spec.condition.direction();
        let peak = figures.peak.map_or(value, |peak| direction.further(peak, value));
        details.insert("peak".to_owned(), json!(peak));
        self.updates.push(AlertUpdate {
            id,
            threshold_value: rule.spec.condition.threshold(),
            actual_value: value,
            window,
            post_count: i32::try_from(evaluation.posts).unwrap_or(i32::MAX),
            annotations: annotations(&rule.spec, group, evaluation),
            details,
        });
        Ok(())
    }

    /// Ends a series whose rule was deleted or disabled, or no longer watches it.
    pub fn end_series(&mut self, series: &Instance, reason: &str) {
        let instance = Instance {
            state: InstanceState::Normal,
            since: self.end,
            began: None,
            evaluated_at: self.end,
            reason: Some(reason.to_owned()),
            ..series.clone()
        };
        self.steps.push(Step { from: series.state, instance, at: self.now, opens: None });
    }

    /// Records that the posts of a rule could not be counted. Its open alerts stay open; its other series change to the
    /// state `error`.
    fn failed(&mut self, rule: &Rule, known: Vec<Instance>, reason: &str) {
        let group = Group { scope: rule.spec.scope.to_string(), source: None };
        let mut series = known;
        if series.is_empty() {
            let labels = labels(rule.id, &rule.spec, &group);
            series.push(Instance {
                rule_id: rule.id,
                scope: group.scope,
                fingerprint: fingerprint(&labels),
                state: InstanceState::Normal,
                since: self.end,
                began: None,
                evaluated_at: self.end,
                alert_id: None,
                value: None,
                threshold: rule.spec.condition.threshold(),
                severity: rule.spec.severity,
                labels,
                annotations: rule.spec.annotations.clone(),
                reason: None,
            });
        }
        for before in series {
            let after = state_of(Some(&before), self.end).after(&rule.spec, None, self.end);
            if after.state != before.state || before.reason.as_deref() != Some(reason) {
                let from = before.state;
                let (state, since, began) = (after.state, after.since, after.began);
                let reason = Some(reason.to_owned());
                let instance = Instance { state, since, began, evaluated_at: self.end, reason, ..before };
                self.steps.push(Step { from, instance, at: self.now, opens: None });
            }
        }
    }
}

/// The state of a series before an evaluation at `end`. Times after `end` were recorded while the clock was ahead, so
/// they are limited to `end`.
fn state_of(before: Option<&Instance>, end: Timestamp) -> SeriesState {
    match before {
        Some(before) => SeriesState {
            state: before.state,
            since: before.since.min(end),
            began: before.began.map(|began| began.min(end)),
        },
        None => SeriesState::normal(end),
    }
}

/// Why the series could not be evaluated; `None` if it was evaluated.
fn reason(evaluation: &Evaluation) -> Option<String> {
    (evaluation.verdict == Verdict::NoBaseline).then(|| NO_BASELINE.to_owned())
}

/// Whether every evaluation of a series in this state is stored, because the dashboard shows its current value.
fn is_followed(state: InstanceState) -> bool {
    state.is_alerting() || state == InstanceState::Pending
}
