//! One evaluation of all rules that are due: reads the counts and writes the changed states.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::collector::{Collector, Figures};
use super::dues::Dues;
use super::feeds::{CountError, CountResult, Feed, READ_LIMIT};
use super::histories::Histories;
use super::meta::{self, META};
use super::{AlertsOptions, AlertsServices};
use crate::domain::alert::{Instance, Rule, Scope};
use crate::domain::{Alert, LiveEvent, Timestamp};
use crate::rules::load::{DelayCache, QuarterCache, RuleLoadError, Wanted, feed, live};
use crate::rules::{MAX_SOURCES, needs_history, windows};
use crate::store::alerts::Applied;
use crate::store::{Lease, StoreError};
use crate::stream::StreamError;

/// Windows start and end at whole seconds, because counts are not available for fractions of seconds.
const SECOND: Duration = Duration::from_secs(1);
/// A pause between evaluations counts as downtime if it is longer than this and longer than four intervals, and if no
/// posts were stored in its first half.
const DOWNTIME: Duration = Duration::from_secs(60);

/// Why an evaluation failed.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The store failed, or another instance has taken over the lease.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stream failed.
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

/// Data that an evaluation keeps for the next one. It is not stored, because losing it has no effect on alerts.
#[derive(Debug, Default)]
pub struct Memory {
    dues: Dues,
    unreadable: Vec<String>,
    quarters: QuarterCache,
    delays: DelayCache,
    /// When the evidence of each open alert was last searched, by alert id.
    explained: HashMap<i64, Timestamp>,
    /// The number of sources that each rule left out because there are more than [`MAX_SOURCES`], by rule id.
    left_out: BTreeMap<i64, usize>,
}

impl Memory {
    /// Logs the rules that have begun to leave out sources, and sets the metric of left-out sources.
    fn report_left_out(&mut self, evaluated: &BTreeMap<i64, usize>, rules: &[Rule]) {
        self.left_out.retain(|id, _| rules.iter().any(|rule| rule.id == *id));
        for (id, left_out) in evaluated {
            let before = self.left_out.insert(*id, *left_out).unwrap_or_default();
            if let (0, 1.., Some(rule)) = (before, *left_out, rules.iter().find(|rule| rule.id == *id)) {
                let rule = rule.spec.name.as_str();
                tracing::warn!(
                    rule,
                    left_out,
                    limit = MAX_SOURCES,
                    "rule watches only the sources with the most posts"
                );
            }
        }
        let all: usize = self.left_out.values().sum();
        metrics::gauge!("sentistream_alert_sources_left_out").set(all as f64);
    }
}

/// Evaluates the rules that are due, stores the changes, and publishes them.
///
/// # Errors
/// When a backend does not respond, or another instance has taken over. Then either no changes are stored, or only the
/// changes of states, because values and evidence of open alerts are stored afterwards. Stored changes are published in
/// either case.
pub async fn tick(
    services: &AlertsServices,
    options: &AlertsOptions,
    lease: &Lease,
    memory: &mut Memory,
) -> Result<(), TickError> {
    let started = Instant::now();
    let now = services.clock.now();
    services.store.observe(DOWNTIME.max(options.interval * 4)).await?;
    let end = window_end(services, options, now).await?;
    let request = EvaluationRequest { now, end, only: None };
    let Changes { applied, updated } = evaluate(services, lease, memory, request).await?;
    metrics::histogram!("sentistream_alert_evaluation_seconds").record(started.elapsed().as_secs_f64());
    publish(services, applied, updated.as_deref().unwrap_or_default()).await;
    updated?;
    Ok(())
}

/// The rules to evaluate, and the time of the evaluation.
pub(super) struct EvaluationRequest<'a> {
    /// The time that is stored with the changes.
    pub now: Timestamp,
    /// The end of the window of a series whose posts arrive without delay.
    pub end: Timestamp,
    /// The ids of the rules to evaluate. `None`: the rules that are due.
    pub only: Option<&'a [i64]>,
}

/// The changes that an evaluation has stored.
pub(super) struct Changes {
    /// The changes of states.
    applied: Vec<Applied>,
    /// The open alerts whose values or evidence have changed, or why these changes are not stored.
    pub updated: Result<Vec<Alert>, StoreError>,
}

/// Evaluates rules and stores the changes.
pub(super) async fn evaluate(
    services: &AlertsServices,
    lease: &Lease,
    memory: &mut Memory,
    evaluation: EvaluationRequest<'_>,
) -> Result<Changes, TickError> {
    let EvaluationRequest { now, end, only } = evaluation;
    let mut list = services.store.alert_rules().await?;
    if list.unreadable != memory.unreadable {
        memory.unreadable.clone_from(&list.unreadable);
        tracing::warn!(rules = ?list.unreadable, "rules skipped: stored by another version of SentiStream, and not readable by this one");
    }
    list.rules.retain(|rule| rule.spec.enabled);
    let with_history = list.rules.iter().filter(|rule| needs_history(&rule.spec));
    let cached: HashSet<Scope> = with_history.map(|rule| feed(&rule.spec.scope)).collect();
    memory.quarters.retain(|scope| cached.contains(scope));
    let mut known: BTreeMap<i64, Vec<Instance>> = BTreeMap::new();
    for instance in services.store.alert_instances().await? {
        known.entry(instance.rule_id).or_default().push(instance);
    }
    let open = services.store.open_alerts().await?;
    let has_series = |id: i64| known.values().flatten().any(|series| series.alert_id == Some(id));
    let orphans: Vec<i64> = open.iter().map(|alert| alert.id).filter(|id| !has_series(*id)).collect();

    memory.explained.retain(|id, _| open.iter().any(|alert| alert.id == *id));
    let figures = open.iter().map(|alert| (alert.id, figures(alert, &memory.explained))).collect();
    let mut collector = Collector::new(end, now, figures);
    // Series of deleted rules are resolved first, because a new rule may have the same name.
    let alive: HashSet<i64> = list.rules.iter().map(|rule| rule.id).collect();
    let is_gone = |id: &i64| *id != META && !alive.contains(id);
    for series in known.iter().filter(|(id, _)| is_gone(id)).flat_map(|(_, series)| series) {
        collector.end_series(series, "the rule was deleted or disabled");
    }
    let receivers = services.store.failing_receivers().await?;
    let inputs = meta::Inputs { receivers: &receivers, series: &known, rules: &list.rules };
    collector.steps.extend(meta::steps(&inputs, known.get(&META).map_or(&[], Vec::as_slice), now));
    // The due times are restored only after success, so that the same rules are evaluated again after a failure.
    let mut dues = std::mem::take(&mut memory.dues);
    let due = match only {
        Some(ids) => list.rules.iter().filter(|rule| ids.contains(&rule.id)).collect(),
        None => dues.take(&list.rules, Instant::now()),
    };
    let evaluated = due.len() as u64;
    let mut feeds = read(services, &due, end, memory).await?;
    // The start of a history import is stored before its first post, so the imports of all counted posts are known
    // here.
    collector.histories = Histories::read(&services.store).await?;
    for rule in due {
        let series = known.remove(&rule.id).unwrap_or_default();
        if let Some(counted) = feeds.get_mut(&feed(&rule.spec.scope)) {
            collector.rule(services, rule, counted, series).await?;
        }
    }
    let applied = if collector.steps.is_empty() && orphans.is_empty() {
        Vec::new()
    } else {
        services.store.apply_alert_steps(lease, &collector.steps, &orphans).await?
    };
    let mut updated = if collector.updates.is_empty() {
        Ok(Vec::new())
    } else {
        services.store.update_alerts(lease, &collector.updates).await
    };
    if let Ok(updated) = &mut updated {
        // An update that changes only the window is not published, because every evaluation moves the window.
        updated.retain(|alert| !open.iter().any(|before| before.id == alert.id && has_same_figures(before, alert)));
        memory.explained.extend(collector.explained.iter().map(|id| (*id, now)));
        memory.dues = dues;
    }
    memory.report_left_out(&collector.left_out, &list.rules);
    metrics::counter!("sentistream_alert_evaluations_total").increment(evaluated);
    Ok(Changes { applied, updated })
}

/// Whether two versions of an alert have the same value, counts and evidence.
fn has_same_figures(one: &Alert, other: &Alert) -> bool {
    one.actual_value == other.actual_value
        && one.post_count == other.post_count
        && ["counts", "evidence"].iter().all(|field| one.details[*field] == other.details[*field])
}

/// The data about an open alert that an evaluation needs.
fn figures(alert: &Alert, explained: &HashMap<i64, Timestamp>) -> Figures {
    Figures {
        peak: alert.details["peak"].as_f64(),
        explained_at: explained.get(&alert.id).copied().unwrap_or(alert.triggered_at),
    }
}

/// The end of windows: the time at which the oldest post that is not analysed yet was appended, but not earlier than
/// `max_lateness` ago; `now` if all posts are analysed. If the analysis lags behind by less than `max_lateness`, alerts
/// are delayed and not lost.
async fn window_end(
    services: &AlertsServices,
    options: &AlertsOptions,
    now: Timestamp,
) -> Result<Timestamp, StreamError> {
    let oldest = services.stream.depth().await?.oldest_unsettled;
    Ok(oldest.map_or(now, |oldest| oldest.clamp(now - options.max_lateness, now)).floor(SECOND))
}

/// The counts that `rules` need. Each window is read once.
async fn read(
    services: &AlertsServices,
    rules: &[&Rule],
    end: Timestamp,
    memory: &mut Memory,
) -> Result<HashMap<Scope, CountResult>, StoreError> {
    let mut by_feed: HashMap<Scope, Vec<&Rule>> = HashMap::new();
    for rule in rules {
        by_feed.entry(feed(&rule.spec.scope)).or_default().push(rule);
    }
    let mut feeds = HashMap::with_capacity(by_feed.len());
    for (scope, rules) in by_feed {
        let counting = count(services, FeedRules { scope: &scope, rules: &rules, end }, memory);
        let counted = if scope.is_rolled_up() {
            counting.await
        } else {
            // A scope that is slow to count must not delay the rules of other scopes.
            tokio::time::timeout(READ_LIMIT, counting).await.unwrap_or(Err(CountError::Slow))
        };
        if let Err(CountError::Load(RuleLoadError::Store(error))) = counted {
            return Err(error);
        }
        feeds.insert(scope, counted);
    }
    Ok(feeds)
}

/// The due rules whose counts come from one feed.
struct FeedRules<'a> {
    scope: &'a Scope,
    rules: &'a [&'a Rule],
    /// The end of the window of a series whose posts arrive without delay.
    end: Timestamp,
}

async fn count(services: &AlertsServices, due: FeedRules<'_>, memory: &mut Memory) -> CountResult {
    let FeedRules { scope, rules, end } = due;
    let delays = memory.delays.of(&services.store, scope, services.clock.now()).await?;
    let mut wanted = Wanted::default();
    for rule in rules {
        wanted.ranges.extend(windows(&rule.spec, end, &delays));
        if needs_history(&rule.spec) {
            wanted.baseline = Some(end);
        }
    }
    let windows = live(&services.store, scope, &wanted, &mut memory.quarters).await?;
    Ok(Feed { windows, delays })
}

/// Publishes committed changes to live clients. If publishing fails, clients read the changes from the store.
async fn publish(services: &AlertsServices, applied: Vec<Applied>, updated: &[Alert]) {
    let mut events = Vec::with_capacity(2 * applied.len() + updated.len());
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
    events.extend(updated.iter().cloned().map(LiveEvent::Alert));
    if events.is_empty() {
        return;
    }
    if let Err(error) = services.live.publish(events).await {
        tracing::warn!(%error, "alert events not published: clients must read the alerts through the API");
    }
}
