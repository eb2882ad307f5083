//! Firing alerts.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::status::ReceiverName;
use super::{Filter, uuid};
use crate::domain::Timestamp;
use crate::domain::alert::{Instance, Labels};
use crate::domain::notify::inhibit::{AFTERMATH, RecentAlert};
use crate::domain::notify::{InhibitRule, Inhibition, Route, Router, Silence, Stored};
use crate::http::answer;
use crate::http::auth::{Authorized, Read};
use crate::http::error::{ApiError, Problem};
use crate::http::notify::managed::all;
use crate::http::state::State;

/// The `resolve_timeout` of Alertmanager. The `endsAt` of a firing alert is the current time plus this duration.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(300);

/// An alert in the format of Alertmanager's API.
#[derive(Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GettableAlert {
    labels: Labels,
    annotations: Labels,
    receivers: Vec<ReceiverName>,
    fingerprint: String,
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    status: GettableAlertStatus,
}

/// Whether an alert sends notifications.
#[derive(Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GettableAlertStatus {
    /// `active`, or `suppressed` when it is silenced or inhibited.
    #[schema(example = "active")]
    state: &'static str,
    /// The ids of the silences that match the alert.
    silenced_by: Vec<String>,
    /// The fingerprints of the alerts that inhibit the alert.
    inhibited_by: Vec<String>,
    /// Always empty.
    muted_by: [String; 0],
}

/// The alerts of one route with the same group labels.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AlertGroup {
    labels: Labels,
    receiver: ReceiverName,
    alerts: Vec<GettableAlert>,
}

/// Alertmanager: alerts
///
/// Returns the firing alerts. `filter` is a matcher such as `severity="critical"` and may be repeated. `active=false`
/// excludes alerts that are neither silenced nor inhibited, `silenced=false` silenced alerts, and `inhibited=false`
/// inhibited alerts. `receiver` must match the whole name of one of the receivers of an alert.
#[utoipa::path(
    get, path = "/api/v2/alerts", tag = "alertmanager",
    params(
        ("filter" = Option<Vec<String>>, Query), ("active" = Option<bool>, Query), ("silenced" = Option<bool>, Query),
        ("inhibited" = Option<bool>, Query), ("receiver" = Option<String>, Query, description = "A regular expression"),
    ),
    responses((status = 200, body = Vec<GettableAlert>), (status = 422, body = Problem))
)]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let filter = Filter::of(&request)?;
    let snapshot = Snapshot::read(&state).await?;
    let alerts: Vec<_> =
        snapshot.firing.iter().map(|alert| snapshot.view(alert)).filter(|view| shows(&filter, view)).collect();
    answer::json(&alerts)
}

/// Alertmanager: groups of alerts
///
/// Returns the firing alerts, grouped by route and group labels. The parameters are those of `GET /api/v2/alerts`,
/// except that `receiver` selects the groups of the matching receivers.
#[utoipa::path(
    get, path = "/api/v2/alerts/groups", tag = "alertmanager",
    params(
        ("filter" = Option<Vec<String>>, Query), ("active" = Option<bool>, Query), ("silenced" = Option<bool>, Query),
        ("inhibited" = Option<bool>, Query), ("receiver" = Option<String>, Query, description = "A regular expression"),
    ),
    responses((status = 200, body = Vec<AlertGroup>), (status = 422, body = Problem))
)]
pub async fn groups(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let filter = Filter::of(&request)?;
    let snapshot = Snapshot::read(&state).await?;
    let mut groups: BTreeMap<String, AlertGroup> = BTreeMap::new();
    for alert in &snapshot.firing {
        let view = snapshot.view(alert);
        if !shows(&filter, &view) {
            continue;
        }
        for route in snapshot.router.routes_of(&alert.labels) {
            if !filter.sends_to(&route.receiver) {
                continue;
            }
            let labels = route.group_of(&alert.labels);
            let receiver = ReceiverName { name: route.receiver.clone() };
            let group = groups.entry(format!("{}:{labels:?}", route.name)).or_insert_with(|| AlertGroup {
                labels,
                receiver,
                alerts: Vec::new(),
            });
            group.alerts.push(view.clone());
        }
    }
    answer::json(&groups.into_values().collect::<Vec<_>>())
}

fn shows(filter: &Filter, view: &GettableAlert) -> bool {
    let status = &view.status;
    filter.matches(&view.labels)
        && (filter.active != Some(false) || status.state != "active")
        && (filter.silenced != Some(false) || status.silenced_by.is_empty())
        && (filter.inhibited != Some(false) || status.inhibited_by.is_empty())
        && (filter.receiver.is_none() || view.receivers.iter().any(|receiver| filter.sends_to(&receiver.name)))
}

/// The data that the views of alerts are built from.
struct Snapshot {
    now: Timestamp,
    external_url: String,
    firing: Vec<Instance>,
    router: Router,
    silences: Vec<Stored<Silence>>,
    inhibition: Inhibition,
}

impl Snapshot {
    async fn read(state: &State) -> Result<Self, ApiError> {
        let store = state.api.store.clone();
        let now = state.api.clock.now();
        let (firing, recent) = state
            .run(async move {
                Ok::<_, ApiError>((store.firing_instances().await?, store.recent_alerts(now - AFTERMATH).await?))
            })
            .await?;
        let rules = all::<InhibitRule>(state).await?.into_iter().map(|stored| stored.spec).collect();
        Ok(Self {
            now,
            external_url: state.options.external_url.trim_end_matches('/').to_owned(),
            router: Router::new(all::<Route>(state).await?.into_iter().map(|stored| stored.spec).collect()),
            silences: all(state).await?,
            inhibition: Inhibition::new(rules, recent),
            firing,
        })
    }

    fn view(&self, alert: &Instance) -> GettableAlert {
        let covering = self.silences.iter().filter(|silence| silence.spec.covers(&alert.labels, self.now));
        let silenced_by: Vec<String> = covering.map(|silence| uuid(silence.id)).collect();
        let inhibitors = self.inhibition.inhibitors(&alert.labels).into_iter();
        let inhibited_by: Vec<String> = inhibitors.map(RecentAlert::fingerprint).collect();
        let is_active = silenced_by.is_empty() && inhibited_by.is_empty();
        let routes = self.router.routes_of(&alert.labels).into_iter();
        let page = alert.alert_id.map(|id| format!("/{id}")).unwrap_or_default();
        GettableAlert {
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            receivers: routes.map(|route| ReceiverName { name: route.receiver.clone() }).collect(),
            fingerprint: alert.fingerprint.clone(),
            starts_at: alert.since,
            ends_at: self.now + RESOLVE_TIMEOUT,
            updated_at: alert.evaluated_at,
            generator_url: format!("{}/alerts{page}", self.external_url),
            status: GettableAlertStatus {
                state: if is_active { "active" } else { "suppressed" },
                silenced_by,
                inhibited_by,
                muted_by: [],
            },
        }
    }
}
