//! Creating, changing and deleting topics.

use actix_web::http::{StatusCode, header};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::domain::{FieldError, TopicName, TopicOrigin};
use crate::store::topics::{Edited, ExistingPosts, NewTopic, TopicEdit};
use crate::topics::Query;

use super::super::auth::{Authorized, Edit};
use super::super::body;
use super::super::error::{ApiError, Problem};
use super::super::params::{last_segment, no_params, segment_before_last};
use super::super::state::State;
use super::{TopicView, name_in_path, no_such_topic, show};

/// The maximum number of topics.
const MAX_TOPICS: usize = 5_000;
/// The maximum length of a description, in characters.
const MAX_DESCRIPTION_CHARS: usize = 1_000;

/// A new topic.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "acme", "query": "\"acme phone\" OR #acme -giveaway lang:en"}))]
pub struct TopicDraft {
    /// The name in links and filters: 1 to 64 of `a-z`, `0-9`, `_`, `.` and `-`, but not `preview`, `share`, `.` or
    /// `..`. Upper case becomes lower case.
    name: String,
    /// Words, `"phrases"`, `#tags`, `@names` and `wildcard*`s that must all occur; `OR`, `-`, brackets, `NEAR/5`,
    /// `{Exact}`, `raw:"C++"`, and fields such as `lang:`, `source:` and `site:`. docs/topics.md describes all
    /// operators.
    query: String,
    #[serde(default)]
    description: String,
    /// Whether posts that are already stored are matched too.
    #[serde(default = "default_true")]
    #[schema(default = true)]
    backfill: bool,
}

fn default_true() -> bool {
    true
}

/// The new content of a topic.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicChange {
    /// Stored posts are matched again when the query changes.
    query: String,
    #[serde(default)]
    description: String,
}

/// Track a topic
///
/// Matches every new post from now on. With `backfill`, also matches the stored posts, in the background.
#[utoipa::path(
    post, path = "/api/topics", tag = "topics", request_body = TopicDraft,
    responses(
        (status = 201, body = TopicView),
        (status = 409, description = "The name is taken, or there are 5,000 topics", body = Problem),
        (status = 422, body = Problem),
    )
)]
pub async fn create(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let draft: TopicDraft = body::json(&request, payload, &state.options).await?;
    let mut errors = check(&draft.query, &draft.description);
    let name = TopicName::parse(&draft.name).map_err(|message| errors.push(FieldError::new("name", message))).ok();
    let (Some(name), true) = (name, errors.is_empty()) else { return Err(ApiError::invalid(errors)) };
    let new = NewTopic {
        name: name.clone(),
        query: draft.query,
        description: draft.description,
        origin: TopicOrigin::Api,
        existing_posts: if draft.backfill { ExistingPosts::Match } else { ExistingPosts::Leave },
    };
    let api = state.api.clone();
    let created = state
        .run(async move {
            if api.topics.refresh().await?.all().len() >= MAX_TOPICS {
                return Err(ApiError::new(
                    StatusCode::CONFLICT,
                    format!("there are {MAX_TOPICS} topics, the maximum: delete one first"),
                ));
            }
            let created = api.store.create_topic(new).await?;
            api.topics.refresh().await?;
            Ok(created)
        })
        .await?;
    let Some(topic) = created else {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            format!("the topic {name} already exists; change it with PUT"),
        ));
    };
    let mut response = show(&state, StatusCode::CREATED, topic).await?;
    if let Ok(location) = header::HeaderValue::from_str(&format!("/api/topics/{name}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Change a topic
///
/// With `If-Match`, the change is refused (412) if the topic has another revision. Topics of the configuration cannot
/// be changed (409).
#[utoipa::path(
    put, path = "/api/topics/{name}", tag = "topics", request_body = TopicChange,
    params(("name" = String, Path), ("If-Match" = Option<String>, Header, description = "The `ETag` that was read")),
    responses(
        (status = 200, body = TopicView), (status = 404, body = Problem),
        (status = 409, description = "The topic belongs to the configuration", body = Problem),
        (status = 412, description = "The topic has another revision", body = Problem), (status = 422, body = Problem),
    )
)]
pub async fn change(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let name = name_in_path(&last_segment(&request)?)?;
    let revision = if_match(&request)?;
    let change: TopicChange = body::json(&request, payload, &state.options).await?;
    let errors = check(&change.query, &change.description);
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    check_editable(&state, &name).await?;
    let TopicChange { query, description } = change;
    let edit = TopicEdit { name: name.clone(), query, description, origin: TopicOrigin::Api, revision };
    let api = state.api.clone();
    let edited = state
        .run(async move {
            let edited = api.store.edit_topic(edit).await?;
            api.topics.refresh().await?;
            Ok::<_, ApiError>(edited)
        })
        .await?;
    answer(&state, &name, edited).await
}

/// Stop tracking a topic
///
/// Deletes the topic with its matches and counts. With `If-Match`, the deletion is refused (412) if the topic has
/// another revision.
#[utoipa::path(
    delete, path = "/api/topics/{name}", tag = "topics",
    params(("name" = String, Path), ("If-Match" = Option<String>, Header, description = "The `ETag` that was read")),
    responses(
        (status = 204, description = "Deleted"), (status = 404, body = Problem),
        (status = 409, description = "The topic belongs to the configuration", body = Problem),
        (status = 412, description = "The topic has another revision", body = Problem),
    )
)]
pub async fn remove(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let name = name_in_path(&last_segment(&request)?)?;
    let revision = if_match(&request)?;
    check_editable(&state, &name).await?;
    let (api, gone) = (state.api.clone(), name.clone());
    let edited = state
        .run(async move {
            let edited = api.store.drop_topic(&gone, revision).await?;
            api.topics.refresh().await?;
            if let Some(cache) = &api.cache {
                cache.clear().await;
            }
            Ok::<_, ApiError>(edited)
        })
        .await?;
    match edited {
        Edited::Done(_) => Ok(HttpResponse::NoContent().finish()),
        other => answer(&state, &name, other).await,
    }
}

/// Match stored posts again
///
/// Matches all stored posts against the query in the background. `GET /api/topics/{name}` returns the progress.
#[utoipa::path(
    post, path = "/api/topics/{name}/backfill", tag = "topics", params(("name" = String, Path)),
    responses((status = 202, body = TopicView), (status = 404, body = Problem))
)]
pub async fn backfill(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let name = name_in_path(&segment_before_last(&request)?)?;
    let (store, wanted) = (state.api.store.clone(), name.clone());
    match state.run(async move { store.rematch_topic(&wanted).await }).await? {
        Edited::Done(topic) => show(&state, StatusCode::ACCEPTED, topic).await,
        other => answer(&state, &name, other).await,
    }
}

/// Refuses changes of topics of the configuration, because the next start would revert them.
async fn check_editable(state: &State, name: &TopicName) -> Result<(), ApiError> {
    let (store, wanted) = (state.api.store.clone(), name.clone());
    match state.run(async move { store.topic(&wanted).await }).await? {
        Some(topic) if topic.origin == TopicOrigin::Config => Err(ApiError::new(
            StatusCode::CONFLICT,
            format!("the topic {name} belongs to the configuration ([[topics]]): change it there"),
        )),
        Some(_) => Ok(()),
        None => Err(no_such_topic(name.as_str())),
    }
}

async fn answer(state: &State, name: &TopicName, edited: Edited) -> Result<HttpResponse, ApiError> {
    match edited {
        Edited::Done(topic) => show(state, StatusCode::OK, topic).await,
        Edited::Missing => Err(no_such_topic(name.as_str())),
        Edited::Stale(revision) => Err(ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            format!("the topic {name} now has revision {revision}: read it again and repeat the change"),
        )),
    }
}

/// The revision in `If-Match`; `None` without the header or with `*`.
fn if_match(request: &HttpRequest) -> Result<Option<i64>, ApiError> {
    let Some(value) = request.headers().get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    match text.trim_matches('"').parse() {
        Ok(revision) => Ok(Some(revision)),
        Err(_) => Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "If-Match must be an ETag of this topic")),
    }
}

fn check(query: &str, description: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Err(error) = Query::parse(query) {
        errors.push(FieldError::new("query", error.to_string()));
    }
    let length = description.chars().count();
    if length > MAX_DESCRIPTION_CHARS || description.contains('\0') {
        errors.push(FieldError::new(
            "description",
            format!("must be at most {MAX_DESCRIPTION_CHARS} characters without U+0000, has {length}"),
        ));
    }
    errors
}
