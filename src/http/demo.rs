//! The demonstration: its progress, and its removal.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::Timestamp;
use crate::store::StoreError;
use crate::store::demonstration::{DemoState, Demonstration};

use super::answer;
use super::auth::{Authorized, Edit, Read};
use super::error::{ApiError, Problem};
use super::params::no_params;
use super::state::State;

/// The demonstration: generated posts, with topics and rules.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "state": "filling", "planned": 19_800, "stored": 8_250, "began_at": "2026-03-01T12:00:00.000Z",
    "topics": ["nimbus-9"], "rules": ["Nimbus 9: mood turns negative"]
}))]
pub struct DemoView {
    /// `none`, `filling` (posts are analysed), `evaluating` (its rules are evaluated over the generated history),
    /// `ready`, `removing` or `removed`.
    state: &'static str,
    /// The number of posts in the generated history of the demonstration.
    planned: i64,
    /// An estimate of how many of these posts are stored: the number of posts that were appended, minus the number of
    /// entries of the stream that are not yet processed.
    stored: i64,
    /// When the demonstration started, which is also the end of the generated history; `null` if there is none.
    #[schema(value_type = Option<String>, format = DateTime)]
    began_at: Option<Timestamp>,
    /// The names of the topics of the demonstration.
    topics: Vec<String>,
    /// The names of the rules of the demonstration.
    rules: Vec<String>,
}

/// The demonstration
///
/// Returns the progress of the demonstration: a week of generated posts with topics, rules and alerts. The
/// demonstration is created in an empty database if `ingester.demo` allows it.
#[utoipa::path(get, path = "/api/demo", tag = "operations", responses((status = 200, body = DemoView)))]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    answer::json(&view(&state).await?)
}

/// Remove the demonstration
///
/// Removes the posts, topics, rules and alerts of the demonstration in the background, and pauses its source. The state
/// is `removed` when nothing is left.
#[utoipa::path(
    delete, path = "/api/demo", tag = "operations",
    responses((status = 202, body = DemoView), (status = 404, description = "There is no demonstration", body = Problem))
)]
pub async fn remove(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let store = state.api.store.clone();
    if !state.run(async move { store.request_demonstration_removal().await }).await? {
        return Err(ApiError::not_found("there is no demonstration: it was removed or never started"));
    }
    answer::json_with(StatusCode::ACCEPTED, &view(&state).await?)
}

async fn view(state: &State) -> Result<DemoView, ApiError> {
    let (store, stream) = (state.api.store.clone(), state.api.stream.clone());
    state
        .run(async move {
            let Some(demo) = store.demonstration().await? else {
                return Ok(DemoView {
                    state: "none",
                    planned: 0,
                    stored: 0,
                    began_at: None,
                    topics: Vec::new(),
                    rules: Vec::new(),
                });
            };
            let pending = match demo.state {
                DemoState::Filling => stream.depth().await.map_or(0, |depth| depth.pending()),
                _ => 0,
            };
            let (topics, rules) = names(&store, &demo).await?;
            let pending = i64::try_from(pending).unwrap_or(i64::MAX);
            Ok::<_, StoreError>(DemoView {
                state: demo.state.as_str(),
                planned: demo.planned,
                stored: demo.appended.saturating_sub(pending).max(0),
                began_at: Some(demo.began_at),
                topics,
                rules,
            })
        })
        .await
}

/// The names of the topics and rules of the demonstration.
async fn names(store: &crate::store::Store, demo: &Demonstration) -> Result<(Vec<String>, Vec<String>), StoreError> {
    let topics = store.topics().await?.into_iter().filter(|topic| demo.topics.contains(&topic.id.0));
    let topics = topics.map(|topic| topic.name.to_string()).collect();
    let rules = store.alert_rules().await?.rules.into_iter().filter(|rule| demo.rules.contains(&rule.id));
    Ok((topics, rules.map(|rule| rule.spec.name).collect()))
}
