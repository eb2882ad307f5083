//! Tracked topics: their queries, the progress of matching stored posts, and comparisons between them.

pub mod edit;
pub mod preview;
pub mod share;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::{Counts, Timestamp, Topic, TopicId, TopicName, TopicOrigin};
use crate::topics::{Query, QueryNote};

use super::answer;
use super::auth::{Authorized, Read};
use super::error::{ApiError, Problem};
use super::params::{last_segment, no_params};
use super::shape::Measures;
use super::state::State;

/// A tracked topic.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TopicView {
    name: String,
    query: String,
    description: String,
    origin: TopicOrigin,
    /// The revision of the topic, which increases with each change. The `ETag` contains it.
    revision: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    backfill: BackfillView,
    /// Possible mistakes in the query.
    #[schema(required = false)]
    warnings: Vec<QueryNote>,
    /// The measures of all posts that the topic matched, including posts that were deleted after their retention time.
    posts: Measures,
}

/// The progress of matching the posts that were stored before the query was saved.
#[derive(Serialize, utoipa::ToSchema)]
pub struct BackfillView {
    running: bool,
    /// The progress in percent.
    progress: f64,
}

/// All topics.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TopicList {
    /// The topics, sorted by name.
    topics: Vec<TopicView>,
    total: usize,
}

impl TopicView {
    fn new(topic: Topic, totals: &BTreeMap<TopicId, Counts>) -> Self {
        let warnings = Query::parse(&topic.query).map(|query| query.warnings().to_vec()).unwrap_or_default();
        let done = if topic.backfill.last > 0 { topic.backfill.done as f64 / topic.backfill.last as f64 } else { 1.0 };
        Self {
            posts: Measures::of(&totals.get(&topic.id).copied().unwrap_or_default()),
            name: topic.name.to_string(),
            query: topic.query,
            description: topic.description,
            origin: topic.origin,
            revision: topic.revision,
            created_at: topic.created_at,
            updated_at: topic.updated_at,
            backfill: BackfillView {
                running: topic.backfill.is_running(),
                progress: (done.min(1.0) * 1e4).round() / 1e2,
            },
            warnings,
        }
    }
}

/// The topics
///
/// Returns the topics with the counts of all their posts, and the progress of matching stored posts.
#[utoipa::path(get, path = "/api/topics", tag = "topics", responses((status = 200, body = TopicList)))]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let store = state.api.store.clone();
    let (topics, totals) = state.run(async move { tokio::try_join!(store.topics(), store.topic_totals()) }).await?;
    let topics: Vec<TopicView> = topics.into_iter().map(|topic| TopicView::new(topic, &totals)).collect();
    answer::json(&TopicList { total: topics.len(), topics })
}

/// One topic
#[utoipa::path(
    get, path = "/api/topics/{name}", tag = "topics", params(("name" = String, Path)),
    responses((status = 200, body = TopicView), (status = 404, body = Problem))
)]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let name = name_in_path(&last_segment(&request)?)?;
    let (store, wanted) = (state.api.store.clone(), name.clone());
    match state.run(async move { store.topic(&wanted).await }).await? {
        Some(topic) => show(&state, StatusCode::OK, topic).await,
        None => Err(no_such_topic(name.as_str())),
    }
}

/// A topic with its counts and its `ETag`.
async fn show(state: &State, status: StatusCode, topic: Topic) -> Result<HttpResponse, ApiError> {
    let store = state.api.store.clone();
    let totals = state.run(async move { store.topic_totals().await }).await?;
    let tag = format!("\"{}\"", topic.revision);
    let mut response = answer::json_with(status, &TopicView::new(topic, &totals))?;
    if let Ok(value) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    Ok(response)
}

fn name_in_path(segment: &str) -> Result<TopicName, ApiError> {
    TopicName::parse(segment).map_err(|_| no_such_topic(segment))
}

fn no_such_topic(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no topic {:?}", crate::domain::op::preview(name, 100)))
}
