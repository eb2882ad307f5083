//! The receivers of an alert with given labels.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::alert::Labels;
use crate::domain::notify::inhibit::AFTERMATH;
use crate::domain::notify::{InhibitRule, Inhibition, MuteTiming, Route, Router, Silence};
use crate::http::auth::{Authorized, Read};
use crate::http::error::{ApiError, Problem};
use crate::http::params::no_params;
use crate::http::state::State;
use crate::http::{answer, body};

use super::managed::all;

/// The maximum number of labels of an alert.
const MAX_LABELS: usize = 64;

/// An example of an alert.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutePreviewRequest {
    /// The labels: `alertname`, `severity`, `source`, …
    labels: Labels,
}

/// How the alert would be routed now.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RoutePreview {
    /// The routes that match the alert, in the order of the tree. If there are none, the alert sends no notifications.
    routes: Vec<TakingRoute>,
    /// The ids of the active silences that match the alert. If there are any, the alert sends no notifications.
    silences: Vec<i64>,
    /// The ids of the alerts that inhibit the alert: firing alerts, and with the mode `first` of an inhibition rule
    /// also alerts that ended within the last 30 minutes. If there are any, the alert sends no notifications.
    inhibited_by: Vec<i64>,
}

/// A route that matches an alert.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TakingRoute {
    name: String,
    receiver: String,
    /// The labels of the group that contains the alert.
    group: Labels,
    /// The mute timings that are active now. Notifications are sent when these mute timings end.
    muted_by: Vec<String>,
    /// Whether the route has active times and the current time is outside of them. Notifications are sent when the next
    /// active time begins.
    outside_active_timings: bool,
}

/// Preview routing
///
/// Returns the receivers of an alert with the given labels, computed by the code that sends notifications. No message
/// is sent.
#[utoipa::path(
    post, path = "/api/alerts/routes/preview", tag = "notifications", request_body = RoutePreviewRequest,
    responses((status = 200, body = RoutePreview), (status = 422, body = Problem))
)]
pub async fn preview(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let RoutePreviewRequest { labels } = body::json(&request, payload, &state.options).await?;
    if labels.len() > MAX_LABELS {
        return Err(ApiError::invalid_field("labels", format!("must have at most {MAX_LABELS} labels")));
    }
    let now = state.api.clock.now();
    let active: Vec<String> = all::<MuteTiming>(&state)
        .await?
        .into_iter()
        .filter(|timing| timing.spec.is_active(now))
        .map(|timing| timing.spec.name)
        .collect();
    let router = Router::new(all::<Route>(&state).await?.into_iter().map(|stored| stored.spec).collect());
    let taking = |route: &Route| TakingRoute {
        name: route.name.clone(),
        receiver: route.receiver.clone(),
        group: route.group_of(&labels),
        muted_by: route.mute_timings.iter().filter(|name| active.contains(name)).cloned().collect(),
        outside_active_timings: !route.active_timings.is_empty()
            && !route.active_timings.iter().any(|name| active.contains(name)),
    };
    let routes = router.routes_of(&labels).into_iter().map(taking).collect();
    let silences = all::<Silence>(&state).await?.into_iter();
    let silences = silences.filter(|stored| stored.spec.covers(&labels, now)).map(|stored| stored.id).collect();
    let rules: Vec<InhibitRule> = all(&state).await?.into_iter().map(|stored| stored.spec).collect();
    let store = state.api.store.clone();
    let recent = state.run(async move { store.recent_alerts(now - AFTERMATH).await }).await?;
    let inhibition = Inhibition::new(rules, recent);
    let inhibited_by = inhibition.inhibitors(&labels).into_iter().map(|alert| alert.id).collect();
    answer::json(&RoutePreview { routes, silences, inhibited_by })
}
