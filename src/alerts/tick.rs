//! One look at all rules that are due: counts in, changed states out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::dues::Dues;
use super::evidence::Case;
use super::meta::{self, META};
use super::{AlertsOptions, AlertsRooms};
use crate::domain::alert::{Instance, InstanceState, Rule, Scope, fingerprint};
use crate::domain::{LiveEvent, TimeRange, Timestamp};
use crate::rules::judge::Judgement;
use crate::rules::load::{Windows, feed, live};
use crate::rules::machine::Standing;
use crate::rules::{Group, annotations, judge_all, labels, needs_history, windows};
use crate::store::alerts::{Applied, NewAlert, Step};
use crate::store::{Lease, StoreError};
use crate::stream::StreamError;

/// Windows begin and end at whole seconds: as exact as people can tell, and served by rollups.
const SECOND: Duration = Duration::from_secs(1);
/// The longest that counting the posts of one scope may take which no rollup counts.
const READ_LIMIT: Duration = Duration::from_secs(10);
/// Alerts of one look whose posts are searched for evidence; more at once have their numbers alone.
const EXPLAINED: usize = 50;

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl TickError {
    /// Whether the next look may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Stream(error) => error.is_transient(),
        }
    }
}

/// What a look keeps for the next one. Nothing in it is needed after a restart.
#[derive(Debug, Default)]
pub struct Memory {
    dues: Dues,
    unreadable: Vec<String>,
}

/// The counts of a feed, or why there are none.
type Counted = Result<Windows, String>;

/// Judges the rules that are due, writes what came of it, and tells of it.
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
    let end = window_end(rooms, options, now).await?;
    let mut list = rooms.store.alert_rules().await?;
    if list.unreadable != memory.unreadable {
        memory.unreadable.clone_from(&list.unreadable);
        tracing::warn!(rules = ?list.unreadable, "rules of another version of this program are not looked at");
    }
    list.rules.retain(|rule| rule.spec.enabled);
    let mut known: BTreeMap<i64, Vec<Instance>> = BTreeMap::new();
    for instance in rooms.store.alert_instances().await? {
        known.entry(instance.rule_id).or_default().push(instance);
    }
    let open = rooms.store.open_alerts().await?;
    let has_series = |id: i64| known.values().flatten().any(|series| series.alert_id == Some(id));
    let orphans: Vec<i64> = open.iter().map(|alert| alert.id).filter(|id| !has_series(*id)).collect();

    // What is gone is resolved first: another rule may have taken its name.
    let mut steps = Vec::new();
    let alive: HashSet<i64> = list.rules.iter().map(|rule| rule.id).collect();
    let is_gone = |id: &i64| *id != META && !alive.contains(id);
    for series in known.iter().filter(|(id, _)| is_gone(id)).flat_map(|(_, series)| series) {
        steps.push(end_of(series, (end, now), "the rule was deleted or disabled"));
    }
    let receivers = rooms.store.failing_receivers().await?;
    let trouble = meta::Trouble { receivers: &receivers, series: &known, rules: &list.rules };
    steps.extend(meta::steps(&trouble, known.get(&META).map_or(&[], Vec::as_slice), now));
    let mut look = Look { end, now, explained: 0, steps };
    // The rest of a look that fails is made up for by the next one.
    let mut dues = std::mem::take(&mut memory.dues);
    let due = dues.take(&list.rules, Instant::now());
    let judged = due.len() as u64;
    let feeds = read(rooms, &due, end).await?;
    for rule in due {
        let series = known.remove(&rule.id).unwrap_or_default();
        look.rule(rooms, rule, &feeds[&feed(&rule.spec.scope)], series).await?;
    }
    let applied = if look.steps.is_empty() && orphans.is_empty() {
        Vec::new()
    } else {
        rooms.store.apply_alert_steps(lease, &look.steps, &orphans).await?
    };
    memory.dues = dues;
    metrics::counter!("sentistream_alert_evaluations_total").increment(judged);
    metrics::histogram!("sentistream_alert_evaluation_seconds").record(started.elapsed().as_secs_f64());
    tell(rooms, applied).await;
    Ok(())
}

/// Posts that are not analysed yet may belong to the window: it ends before the oldest of them, so that
/// lag delays alerts rather than hiding them, though not for ever.
async fn window_end(rooms: &AlertsRooms, options: &AlertsOptions, now: Timestamp) -> Result<Timestamp, StreamError> {
    let oldest = rooms.stream.depth().await?.oldest_unsettled;
    Ok(oldest.map_or(now, |oldest| oldest.clamp(now - options.max_lateness, now)).floor(SECOND))
}

/// The counts that `rules` need, each window once.
async fn read(rooms: &AlertsRooms, rules: &[&Rule], end: Timestamp) -> Result<HashMap<Scope, Counted>, StoreError> {
    let mut wanted: HashMap<Scope, (HashSet<TimeRange>, Option<Timestamp>)> = HashMap::new();
    for rule in rules {
        let (ranges, baseline) = wanted.entry(feed(&rule.spec.scope)).or_default();
        ranges.extend(windows(&rule.spec, end));
        if needs_history(&rule.spec) {
            *baseline = Some(end);
        }
    }
    let mut feeds = HashMap::with_capacity(wanted.len());
    for (scope, (ranges, baseline)) in wanted {
        let read = live(&rooms.store, &scope, &ranges, baseline);
        let counted = if scope.is_rolled_up() {
            match read.await {
                Ok(windows) => Ok(windows),
                Err(crate::rules::load::LoadError::Store(error)) => return Err(error),
                Err(error) => Err(error.to_string()),
            }
        } else {
            // One scope that is costly to count must not keep the others from being judged.
            match tokio::time::timeout(READ_LIMIT, read).await {
                Ok(counted) => counted.map_err(|error| error.to_string()),
                Err(_) => Err(format!("the posts could not be counted within {} s", READ_LIMIT.as_secs())),
            }
        };
        feeds.insert(scope, counted);
    }
    Ok(feeds)
}

/// The series stops being watched.
fn end_of(series: &Instance, (end, now): (Timestamp, Timestamp), reason: &str) -> Step {
    let instance = Instance {
        state: InstanceState::Normal,
        since: end,
        evaluated_at: end,
        reason: Some(reason.to_owned()),
        ..series.clone()
    };
    Step { from: series.state, instance, at: now, opens: None }
}

struct Look {
    /// Where windows end.
    end: Timestamp,
    now: Timestamp,
    /// Alerts that have got their evidence.
    explained: usize,
    steps: Vec<Step>,
}

impl Look {
    async fn rule(
        &mut self,
        rooms: &AlertsRooms,
        rule: &Rule,
        counted: &Counted,
        known: Vec<Instance>,
    ) -> Result<(), StoreError> {
        let windows = match counted {
            Ok(windows) => windows,
            Err(reason) => {
                self.failed(rule, known, reason);
                return Ok(());
            }
        };
        let scopes: BTreeSet<String> = known.iter().map(|series| series.scope.clone()).collect();
        let judged = judge_all(&rule.spec, windows, self.end, &scopes);
        for series in known.iter().filter(|series| !judged.keys().any(|group| group.scope == series.scope)) {
            self.steps.push(end_of(series, (self.end, self.now), "the rule does not watch it any more"));
        }
        for (group, judgement) in judged {
            let before = known.iter().find(|series| series.scope == group.scope);
            // The window does not go back in time, as it might when an old entry is replayed.
            if before.is_some_and(|before| before.evaluated_at > self.end) {
                continue;
            }
            self.series(rooms, (rule, windows), (&group, &judgement), before).await?;
        }
        Ok(())
    }

    async fn series(
        &mut self,
        rooms: &AlertsRooms,
        (rule, windows): (&Rule, &Windows),
        (group, judgement): (&Group, &Judgement),
        before: Option<&Instance>,
    ) -> Result<(), StoreError> {
        let standing = self.standing(before);
        let after = standing.after(&rule.spec, Some(judgement.verdict), self.end);
        if after.state == standing.state && !is_followed(after.state) {
            return Ok(());
        }
        // An alert keeps the labels with which it began.
        let (labels, severity) = match before {
            Some(before) if before.state.is_alerting() => (before.labels.clone(), before.severity),
            _ => (labels(rule.id, &rule.spec, group), rule.spec.severity),
        };
        let opens = if after.state.is_alerting() && !standing.state.is_alerting() {
            let window = TimeRange::last(rule.spec.window, self.end);
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
            evaluated_at: self.end,
            alert_id: before.and_then(|before| before.alert_id),
            value: judgement.value,
            threshold: rule.spec.condition.threshold(),
            severity,
            labels,
            annotations: annotations(&rule.spec, group, judgement),
            reason: None,
        };
        self.steps.push(Step { from: standing.state, instance, at: self.now, opens });
        Ok(())
    }

    /// The posts of a rule could not be counted: its alerts stay, and what does not fire is in error.
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
            let after = self.standing(Some(&before)).after(&rule.spec, None, self.end);
            if after.state != before.state || before.reason.as_deref() != Some(reason) {
                let from = before.state;
                let reason = Some(reason.to_owned());
                let instance =
                    Instance { state: after.state, since: after.since, evaluated_at: self.end, reason, ..before };
                self.steps.push(Step { from, instance, at: self.now, opens: None });
            }
        }
    }

    fn standing(&self, before: Option<&Instance>) -> Standing {
        match before {
            Some(before) => Standing { state: before.state, since: before.since },
            None => Standing { state: InstanceState::Normal, since: self.end },
        }
    }
}

/// Whether each evaluation is written, for people who look on.
fn is_followed(state: InstanceState) -> bool {
    state.is_alerting() || state == InstanceState::Pending
}

/// Tells live clients of what is committed. They read the store when this fails.
async fn tell(rooms: &AlertsRooms, applied: Vec<Applied>) {
    let mut events = Vec::with_capacity(2 * applied.len());
    for Applied { transition, alert } in applied {
        let (rule, scope) = (transition.labels.get("alertname"), &transition.scope);
        if transition.fires() {
            metrics::counter!("sentistream_alerts_opened_total", "severity" => transition.severity.as_str())
                .increment(1);
            tracing::warn!(rule, scope, value = transition.value, threshold = transition.threshold, "an alert fires");
        } else if transition.resolves() {
            tracing::info!(rule, scope, "an alert is resolved");
        }
        events.extend(alert.map(LiveEvent::Alert));
        events.push(LiveEvent::AlertState(transition));
    }
    if events.is_empty() {
        return;
    }
    if let Err(error) = rooms.live.publish(events).await {
        tracing::warn!(%error, "live clients were not told of an alert; the API has it");
    }
}
