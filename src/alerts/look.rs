//! One look at the window: counts in, changed alerts out.

use serde_json::{Value, json};

use super::rules::{Decision, Measure, Scope, decide};
use super::{AlertsOptions, AlertsRooms};
use crate::domain::alert::{Condition, Direction, GroupBy, Instance, InstanceState, RuleSpec, Severity, fingerprint};
use crate::domain::counts::percentage;
use crate::domain::event::PREVIEW_CHARS;
use crate::domain::op::preview;
use crate::domain::{Alert, AlertState, Counts, LiveEvent, Sentiment, Source, TimeRange, Timestamp};
use crate::store::alerts::{NewAlert, Step};
use crate::store::posts::{PostFilter, Start, StoredPost};
use crate::store::{Lease, StoreError};
use crate::stream::StreamError;

/// Posts that an alert names.
const EVIDENCE: usize = 5;
/// The newest negative posts, among which the surest ones are named.
const CANDIDATES: i64 = 25;

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl LookError {
    /// Whether the next look may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Stream(error) => error.is_transient(),
        }
    }
}

/// Opens and resolves alerts as the window demands, then tells of it.
///
/// # Errors
/// When a backend does not answer, or another instance has taken over; nothing was changed then.
pub async fn look(rooms: &AlertsRooms, options: &AlertsOptions, lease: &Lease) -> Result<(), LookError> {
    let now = rooms.clock.now();
    let window = TimeRange::last(options.window, window_end(rooms, options, now).await?);
    let mut scopes = vec![(Scope::All, rooms.store.window(window, None).await?)];
    let by_source = rooms.store.window_by_source(window).await?;
    scopes.extend(by_source.into_iter().map(|(name, counts)| (Scope::Source(name), counts)));
    let open = rooms.store.open_alerts().await?;

    let decisions = decide(&options.rules, &scopes, &open);
    if decisions.is_empty() {
        return Ok(());
    }
    let kept = rooms.store.alert_rules().await?.rules;
    let instances = rooms.store.alert_instances().await?;
    let (mut steps, mut orphans) = (Vec::with_capacity(decisions.len()), Vec::new());
    for decision in &decisions {
        match decision {
            Decision::Resolve { id } => match instances.iter().find(|series| series.alert_id == Some(*id)) {
                Some(series) => {
                    let state = InstanceState::Normal;
                    let instance =
                        Instance { state, since: window.end(), evaluated_at: window.end(), ..series.clone() };
                    steps.push(Step { from: series.state, instance, at: now, opens: None });
                }
                None => orphans.push(*id),
            },
            Decision::Open { rule, scope, value, .. } => {
                let name = rule.measure.alert_type();
                let Some(rule_id) = kept.iter().find(|kept| kept.spec.name == name).map(|kept| kept.id) else {
                    continue;
                };
                let mut labels = crate::domain::alert::Labels::from([
                    ("alertname".to_owned(), name.to_owned()),
                    ("severity".to_owned(), "warning".to_owned()),
                    ("kind".to_owned(), rule.measure.condition(rule.threshold).kind().to_string()),
                    ("rule_id".to_owned(), rule_id.to_string()),
                ]);
                if let Scope::Source(source) = scope {
                    labels.insert("source".to_owned(), source.clone());
                }
                let instance = Instance {
                    rule_id,
                    scope: scope.to_string(),
                    fingerprint: fingerprint(&labels),
                    state: InstanceState::Firing,
                    since: window.end(),
                    evaluated_at: window.end(),
                    alert_id: None,
                    value: Some(*value),
                    threshold: rule.threshold,
                    severity: Severity::Warning,
                    labels,
                    annotations: Default::default(),
                    reason: None,
                };
                let opens = Some(change(rooms, decision, window).await?);
                steps.push(Step { from: InstanceState::Normal, instance, at: now, opens });
            }
        }
    }
    let changed = rooms.store.apply_alert_steps(lease, &steps, &orphans).await?;
    tell(rooms, changed.into_iter().filter_map(|applied| applied.alert).collect()).await;
    Ok(())
}

/// The rules of the configuration as they are kept.
pub fn specs(options: &AlertsOptions) -> Vec<RuleSpec> {
    let spec = |rule: &super::rules::Rule| RuleSpec {
        name: rule.measure.alert_type().to_owned(),
        enabled: true,
        condition: rule.measure.condition(rule.threshold),
        scope: crate::domain::alert::Scope::All,
        group_by: GroupBy::SourceAndTotal,
        window: options.window,
        interval: options.interval,
        min_posts: rule.min_posts,
        pending_for: std::time::Duration::ZERO,
        keep_firing_for: std::time::Duration::ZERO,
        recovery_threshold: None,
        severity: Severity::Warning,
        labels: Default::default(),
        annotations: Default::default(),
    };
    options.rules.iter().map(spec).collect()
}

impl Measure {
    fn condition(self, threshold: f64) -> Condition {
        match self {
            Self::NegativeShare => Condition::Share {
                of: crate::domain::alert::Class::Sentiment(Sentiment::Negative),
                direction: Direction::Above,
                threshold,
            },
            Self::NegativeRatio => Condition::Ratio { threshold },
        }
    }
}

/// Posts that are not analysed yet may belong to the window: it ends before the oldest of them, so that
/// lag delays alerts rather than hiding them, though not for ever.
async fn window_end(rooms: &AlertsRooms, options: &AlertsOptions, now: Timestamp) -> Result<Timestamp, LookError> {
    let oldest = rooms.stream.depth().await?.oldest_unsettled;
    Ok(oldest.map_or(now, |oldest| oldest.clamp(now - options.max_lateness, now)))
}

async fn change(rooms: &AlertsRooms, decision: &Decision<'_>, window: TimeRange) -> Result<NewAlert, LookError> {
    let Decision::Open { rule, scope, counts, value } = decision else { unreachable!("only opened alerts are new") };
    Ok(NewAlert {
        alert_type: rule.measure.alert_type().to_owned(),
        actual_value: *value,
        window_start: window.start(),
        window_end: window.end(),
        post_count: i32::try_from(counts.total()).unwrap_or(i32::MAX),
        details: details(counts, &evidence(rooms, scope, window).await?),
    })
}

/// What explains an alert: the window's numbers and some of its posts.
fn details(counts: &Counts, evidence: &[StoredPost]) -> Value {
    let total = counts.total();
    let by_sentiment = |value: &dyn Fn(Sentiment) -> Value| {
        Sentiment::ALL.iter().map(|&label| (label.as_str().to_owned(), value(label))).collect::<serde_json::Map<_, _>>()
    };
    let mut numbers = by_sentiment(&|label| json!(counts.sentiment(label)));
    numbers.insert("total".to_owned(), json!(total));
    let emotions: Vec<_> = counts
        .top_emotions()
        .into_iter()
        .map(|(emotion, count)| json!({"emotion": emotion, "count": count, "percentage": percentage(count, total)}))
        .collect();
    json!({
        "counts": numbers,
        "percentages": by_sentiment(&|label| json!(counts.percentage(label))),
        "negative_share": Measure::NegativeShare.of(counts),
        "negative_ratio": Measure::NegativeRatio.of(counts),
        "top_emotions": emotions,
        "evidence": evidence.iter().map(|post| json!({
            "post_id": post.post_id,
            "content": preview(&post.content, PREVIEW_CHARS),
            "source": post.source,
            "confidence": post.confidence,
        })).collect::<Vec<_>>(),
    })
}

/// The surest of the newest negative posts.
async fn evidence(rooms: &AlertsRooms, scope: &Scope, window: TimeRange) -> Result<Vec<StoredPost>, LookError> {
    let source = match scope {
        Scope::All => None,
        // The name of a stored source is always valid.
        Scope::Source(name) => Source::parse(name).ok(),
    };
    let filter = PostFilter {
        source,
        sentiment: Some(Sentiment::Negative),
        start: Some(window.start()),
        end: Some(window.end()),
        ..PostFilter::default()
    };
    let mut posts = rooms.store.posts(&filter, Start::Offset(0), CANDIDATES).await?.posts;
    posts.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    posts.truncate(EVIDENCE);
    Ok(posts)
}

/// Tells live clients of what is committed. They read the store when this fails.
async fn tell(rooms: &AlertsRooms, alerts: Vec<Alert>) {
    for alert in &alerts {
        let (kind, scope) = (&alert.alert_type, &alert.scope);
        match alert.state {
            AlertState::Firing => {
                metrics::counter!("sentistream_alerts_opened_total", "type" => kind.clone()).increment(1);
                let (value, threshold) = (alert.actual_value, alert.threshold_value);
                tracing::warn!(kind, scope, value, threshold, posts = alert.post_count, "an alert fires");
            }
            AlertState::Resolved => tracing::info!(kind, scope, "an alert is resolved"),
        }
    }
    if let Err(error) = rooms.live.publish(alerts.into_iter().map(LiveEvent::Alert).collect()).await {
        tracing::warn!(%error, "live clients were not told of an alert; the API has it");
    }
}
