//! Where an alert would go.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::alert::Labels;
use crate::domain::notify::{MuteTiming, Route, Router, Silence};
use crate::http::auth::{Authorized, Read};
use crate::http::error::{ApiError, Problem};
use crate::http::params::no_params;
use crate::http::state::State;
use crate::http::{answer, body};

use super::all;

/// Most labels of an alert.
const MAX_LABELS: usize = 64;

/// An alert that might be.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutePreviewRequest {
    /// Its labels: `alertname`, `severity`, `source`, …
    labels: Labels,
}

/// Where an alert would go now.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RoutePreview {
    /// The routes that take it, in the order in which they are tried. None: it is only on the dashboard.
    routes: Vec<TakingRoute>,
    /// The ids of the silences that cover it now: nobody is told.
    silences: Vec<i64>,
}

/// A route that takes an alert.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TakingRoute {
    name: String,
    receiver: String,
    /// What its group has in common.
    group: Labels,
    /// Its mute timings that hold now: the receiver is told when they end.
    muted_by: Vec<String>,
}

/// Where an alert would go
///
/// With the code that sends notifications; nothing is sent.
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
        return Err(ApiError::invalid_field("labels", format!("must be at most {MAX_LABELS}")));
    }
    let now = state.api.clock.now();
    let muted: Vec<String> = all::<MuteTiming>(&state)
        .await?
        .into_iter()
        .filter(|timing| timing.spec.is_muted(now))
        .map(|timing| timing.spec.name)
        .collect();
    let router = Router::new(all::<Route>(&state).await?.into_iter().map(|stored| stored.spec).collect());
    let taking = |route: &Route| TakingRoute {
        name: route.name.clone(),
        receiver: route.receiver.clone(),
        group: route.group_of(&labels),
        muted_by: route.mute_timings.iter().filter(|name| muted.contains(name)).cloned().collect(),
    };
    let routes = router.routes_of(&labels).into_iter().map(taking).collect();
    let silences = all::<Silence>(&state).await?.into_iter();
    let silences = silences.filter(|stored| stored.spec.covers(&labels, now)).map(|stored| stored.id).collect();
    answer::json(&RoutePreview { routes, silences })
}
