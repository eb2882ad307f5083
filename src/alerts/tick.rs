//! One evaluation of all rules that are due: counts in, changed states out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::dues::Dues;
use super::evidence::Case;
use super::meta::{self, META};
use super::{AlertsOptions, AlertsRooms};
use crate::domain::alert::{Instance, InstanceState, Rule, Scope, fingerprint};
use crate::domain::{LiveEvent, TimeRange, Timestamp};
use crate::rules::backtest::needs_texts;
use crate::rules::judge::{Judgement, Verdict};
use crate::rules::load::{DelayCache, LoadError, QuarterCache, Wanted, Windows, feed, live};
use crate::rules::machine::SeriesState;
use crate::rules::{Delays, Group, Judged, Moment, annotations, judge_all, labels, needs_history, windows};
use crate::store::alerts::{Applied, NewAlert, Step};
use crate::store::{Lease, StoreError};
use crate::stream::StreamError;

/// Windows begin and end at whole seconds, which rollups serve.
const SECOND: Duration = Duration::from_secs(1);
/// The longest time that counting the posts of one scope without rollups may take.
const READ_LIMIT: Duration = Duration::from_secs(10);
/// Alerts of one evaluation whose posts are searched for evidence; further ones have their numbers only.
const EXPLAINED: usize = 50;
/// A pause of the evaluations that is longer than this, and than four intervals, is downtime.
const DOWNTIME: Duration = Duration::from_secs(60);

/// Why an evaluation failed.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl TickError {
    /// Whether the next evaluation may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Stream(error) => error.is_transient(),
        }
    }
}

/// What one evaluation keeps for the next. Nothing in it is needed after a restart.
#[derive(Debug, Default)]
pub struct Memory {
    dues: Dues,
    unreadable: Vec<String>,
    quarters: QuarterCache,
    delays: DelayCache,
}

/// The counts of a feed.
#[derive(Default)]
struct Feed {
    windows: Windows,
    delays: Delays,
}

/// Why the posts of a feed could not be counted.
#[derive(Debug, thiserror::Error)]
enum Uncounted {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("counting the posts took longer than {} s: choose a narrower scope or a shorter window", READ_LIMIT.as_secs())]
    Slow,
}

type Counted = Result<Feed, Uncounted>;

/// Judges the rules that are due, writes the changes, and publishes them.
///
/// # Errors
/// When a backend does not answer, or another instance has taken over; nothing was changed then.
pub async fn tick(
    rooms: &AlertsRooms,
    options: &AlertsOptions,
    lease: &Lease,
    memory: &mut Memory,
) -> Result<(), TickError> {
    let started = Instant::now();
    let now = rooms.clock.now();
    rooms.store.observe(DOWNTIME.max(options.interval * 4)).await?;
    let end = window_end(rooms, options, now).await?;
    let applied = evaluate(rooms, lease, memory, Evaluation { now, end, only: None }).await?;
    metrics::histogram!("sentistream_alert_evaluation_seconds").record(started.elapsed().as_secs_f64());
    publish(rooms, applied).await;
    Ok(())
}

/// When rules are evaluated, and which.
pub(super) struct Evaluation<'a> {
    /// The time of what changes.
    pub now: Timestamp,
    /// Where windows without a delay end.
    pub end: Timestamp,
    /// The ids of the rules to judge; `None`: those that are due.
    pub only: Option<&'a [i64]>,
}

/// Judges rules and writes the changes; the transitions that were written.
pub(super) async fn evaluate(
    rooms: &AlertsRooms,
    lease: &Lease,
    memory: &mut Memory,
    evaluation: Evaluation<'_>,
) -> Result<Vec<Applied>, TickError> {
    let Evaluation { now, end, only } = evaluation;
    let mut list = rooms.store.alert_rules().await?;
    if list.unreadable != memory.unreadable {
        memory.unreadable.clone_from(&list.unreadable);
        tracing::warn!(rules = ?list.unreadable, "rules skipped: another version of this program wrote them");
    }
    list.rules.retain(|rule| rule.spec.enabled);
    let mut known: BTreeMap<i64, Vec<Instance>> = BTreeMap::new();
    for instance in rooms.store.alert_instances().await? {
        known.entry(instance.rule_id).or_default().push(instance);
    }
    let open = rooms.store.open_alerts().await?;
    let has_series = |id: i64| known.values().flatten().any(|series| series.alert_id == Some(id));
    let orphans: Vec<i64> = open.iter().map(|alert| alert.id).filter(|id| !has_series(*id)).collect();

    let mut look = Look { end, now, explained: 0, steps: Vec::new() };
    // Series of rules that are gone are resolved first: another rule may have taken the name.
    let alive: HashSet<i64> = list.rules.iter().map(|rule| rule.id).collect();
    let is_gone = |id: &i64| *id != META && !alive.contains(id);
    for series in known.iter().filter(|(id, _)| is_gone(id)).flat_map(|(_, series)| series) {
        look.end_series(series, "the rule was deleted or disabled");
    }
    let receivers = rooms.store.failing_receivers().await?;
    let trouble = meta::Trouble { receivers: &receivers, series: &known, rules: &list.rules };
    look.steps.extend(meta::steps(&trouble, known.get(&META).map_or(&[], Vec::as_slice), now));
    // An evaluation that fails is repeated by the next one.
    let mut dues = std::mem::take(&mut memory.dues);
    let due = match only {
        Some(ids) => list.rules.iter().filter(|rule| ids.contains(&rule.id)).collect(),
        None => dues.take(&list.rules, Instant::now()),
    };
    let judged = due.len() as u64;
    let mut feeds = read(rooms, &due, end, memory).await?;
    for rule in due {
        let series = known.remove(&rule.id).unwrap_or_default();
        if let Some(counted) = feeds.get_mut(&feed(&rule.spec.scope)) {
            look.rule(rooms, rule, counted, series).await?;
        }
    }
    let applied = if look.steps.is_empty() && orphans.is_empty() {
        Vec::new()
    } else {
        rooms.store.apply_alert_steps(lease, &look.steps, &orphans).await?
    };
    memory.dues = dues;
    metrics::counter!("sentistream_alert_evaluations_total").increment(judged);
    Ok(applied)
}

/// The window ends before the oldest post that is not analysed yet, so that lag delays alerts rather than hiding them, but
/// at most `max_lateness` ago.
async fn window_end(rooms: &AlertsRooms, options: &AlertsOptions, now: Timestamp) -> Result<Timestamp, StreamError> {
    let oldest = rooms.stream.depth().await?.oldest_unsettled;
    Ok(oldest.map_or(now, |oldest| oldest.clamp(now - options.max_lateness, now)).floor(SECOND))
}

/// The counts that `rules` need, each window once.
async fn read(
    rooms: &AlertsRooms,
    rules: &[&Rule],
    end: Timestamp,
    memory: &mut Memory,
) -> Result<HashMap<Scope, Counted>, StoreError> {
    let mut by_feed: HashMap<Scope, Vec<&Rule>> = HashMap::new();
    for rule in rules {
        by_feed.entry(feed(&rule.spec.scope)).or_default().push(rule);
    }
    let mut feeds = HashMap::with_capacity(by_feed.len());
    for (scope, rules) in by_feed {
        let counting = count(rooms, FeedRules { scope: &scope, rules: &rules, end }, memory);
        let counted = if scope.is_rolled_up() {
            counting.await
        } else {
            // One scope that takes long to count must not delay the others.
            tokio::time::timeout(READ_LIMIT, counting).await.unwrap_or(Err(Uncounted::Slow))
        };
        if let Err(Uncounted::Load(LoadError::Store(error))) = counted {
            return Err(error);
        }
        feeds.insert(scope, counted);
    }
    Ok(feeds)
}

/// The rules of a feed that are due.
struct FeedRules<'a> {
    scope: &'a Scope,
    rules: &'a [&'a Rule],
    /// Where windows without a delay end.
    end: Timestamp,
}

async fn count(rooms: &AlertsRooms, due: FeedRules<'_>, memory: &mut Memory) -> Counted {
    let FeedRules { scope, rules, end } = due;
    let delays = memory.delays.of(&rooms.store, scope, rooms.clock.now()).await?;
    let mut wanted = Wanted::default();
    for rule in rules {
        wanted.ranges.extend(windows(&rule.spec, end, &delays));
        if needs_history(&rule.spec) {
            wanted.baseline = Some(end);
        }
    }
    let windows = live(&rooms.store, scope, &wanted, &mut memory.quarters).await?;
    Ok(Feed { windows, delays })
}

/// An evaluation under way.
struct Look {
    /// Where windows without a delay end.
    end: Timestamp,
    now: Timestamp,
    /// Alerts whose posts were searched for evidence.
    explained: usize,
    steps: Vec<Step>,
}

/// A series that was judged, with the rule and the counts.
struct Evaluated<'a> {
    rule: &'a Rule,
    windows: &'a Windows,
    judged: &'a Judged,
    before: Option<&'a Instance>,
}

impl Look {
    async fn rule(
        &mut self,
        rooms: &AlertsRooms,
        rule: &Rule,
        counted: &mut Counted,
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
        let mut judged = judge_all(&rule.spec, windows, moment);
        let reads = judged.iter().filter(|one| needs_texts(&rule.spec, one.judgement.verdict));
        let ranges: HashSet<TimeRange> = reads.map(|one| TimeRange::last(rule.spec.window, one.end)).collect();
        if !ranges.is_empty() {
            for range in ranges {
                match windows.read_texts(&rooms.store, &feed(&rule.spec.scope), range).await {
                    Ok(()) => {}
                    Err(LoadError::Store(error)) => return Err(error),
                    Err(error) => {
                        self.failed(rule, known, &error.to_string());
                        return Ok(());
                    }
                }
            }
            judged = judge_all(&rule.spec, windows, moment);
        }
        for series in known.iter().filter(|series| !judged.iter().any(|one| one.group.scope == series.scope)) {
            self.end_series(series, "the rule no longer watches it");
        }
        for judged in &judged {
            let before = known.iter().find(|series| series.scope == judged.group.scope);
            // The window does not go back in time, as it would when an old entry is replayed or a delay grows.
            if before.is_some_and(|before| before.evaluated_at > judged.end) {
                continue;
            }
            self.series(rooms, Evaluated { rule, windows, judged, before }).await?;
        }
        Ok(())
    }

    async fn series(&mut self, rooms: &AlertsRooms, evaluated: Evaluated<'_>) -> Result<(), StoreError> {
        let Evaluated { rule, windows, judged, before } = evaluated;
        let Judged { group, end, judgement } = judged;
        let current = state_of(before, *end);
        let after = current.after(&rule.spec, Some(judgement.verdict), *end);
        if after.state == current.state && !is_followed(after.state) {
            return Ok(());
        }
        // An alert keeps the labels with which it began.
        let (labels, severity) = match before {
            Some(before) if before.state.is_alerting() => (before.labels.clone(), before.severity),
            _ => (labels(rule.id, &rule.spec, group), rule.spec.severity),
        };
        let opens = if after.state.is_alerting() && !current.state.is_alerting() {
            let window = TimeRange::last(rule.spec.window, *end);
            let case = Case { spec: &rule.spec, group, window, judgement, view: windows };
            self.explained += 1;
            let details = if self.explained > EXPLAINED { case.numbers() } else { case.details(&rooms.store).await? };
            Some(NewAlert {
                alert_type: rule.spec.name.clone(),
                actual_value: judgement.value.unwrap_or_default(),
                window_start: window.start(),
                window_end: window.end(),
                post_count: i32::try_from(judgement.posts).unwrap_or(i32::MAX),
                details: details.into(),
            })
        } else {
            None
        };
        let instance = Instance {
            rule_id: rule.id,
            scope: group.scope.clone(),
            fingerprint: fingerprint(&labels),
            state: after.state,
            since: after.since,
            began: after.began,
            evaluated_at: *end,
            alert_id: before.and_then(|before| before.alert_id),
            value: judgement.value,
            threshold: rule.spec.condition.threshold(),
            severity,
            labels,
            annotations: annotations(&rule.spec, group, judgement),
            reason: reason(judgement),
        };
        self.steps.push(Step { from: current.state, instance, at: self.now, opens });
        Ok(())
    }

    /// Ends a series that is no longer watched.
    fn end_series(&mut self, series: &Instance, reason: &str) {
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

    /// The posts of a rule could not be counted: its alerts stay, and series that do not fire are in error.
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

/// The state of a series before an evaluation at `end`.
fn state_of(before: Option<&Instance>, end: Timestamp) -> SeriesState {
    match before {
        Some(before) => SeriesState { state: before.state, since: before.since, began: before.began },
        None => SeriesState::normal(end),
    }
}

/// Why a series could not be judged, if it could not.
fn reason(judgement: &Judgement) -> Option<String> {
    (judgement.verdict == Verdict::NoBaseline).then(|| "there is too little history for a baseline".to_owned())
}

/// Whether each evaluation is written, because people watch its value.
fn is_followed(state: InstanceState) -> bool {
    state.is_alerting() || state == InstanceState::Pending
}

/// Publishes what was committed to live clients. They read the store when this fails.
async fn publish(rooms: &AlertsRooms, applied: Vec<Applied>) {
    let mut events = Vec::with_capacity(2 * applied.len());
    for Applied { transition, alert } in applied {
        let (rule, scope) = (transition.labels.get("alertname"), &transition.scope);
        if transition.fires() {
            metrics::counter!("sentistream_alerts_opened_total", "severity" => transition.severity.as_str())
                .increment(1);
            tracing::warn!(rule, scope, value = transition.value, threshold = transition.threshold, "alert firing");
        } else if transition.resolves() {
            tracing::info!(rule, scope, "alert resolved");
        }
        events.extend(alert.map(LiveEvent::Alert));
        events.push(LiveEvent::AlertState(transition));
    }
    if events.is_empty() {
        return;
    }
    if let Err(error) = rooms.live.publish(events).await {
        tracing::warn!(%error, "alert events not published; clients find the alerts in the API");
    }
}
