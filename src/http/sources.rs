//! Sources that users add: list the kinds, add, change, delete. `trial` tests a source before it is saved.

pub mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::FieldError;
use crate::domain::managed_source::SourceDefinition;
use crate::domain::notify::{Managed as _, Secrets, Stored};
use crate::domain::op::preview;
use crate::sources::managed::{SourceFactory, SourceKind};
use crate::store::notify::{Action, Draft, WithSecrets};

use super::auth::{Authorized, Edit, Read};
use super::error::{ApiError, Problem};
use super::notify::managed::{change, checked};
use super::params::{last_segment, no_params};
use super::state::State;
use super::{answer, body, etag};

/// The error for a secret that would be sent to another server than before.
const MOVED: &str = "enter the secret again, because the address changed";

/// A source to be added or tested.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "blog", "kind": "rss", "settings": {"feeds": ["https://blog.example.org/feed.xml"]}}))]
pub struct SourceRequest {
    /// The name: 1 to 64 of `a-z`, `0-9`, `_` and `-`. It cannot be changed.
    name: String,
    /// One of the kinds that `GET /api/sources/kinds` returns. It cannot be changed.
    kind: String,
    /// Settings by key. Missing settings have the defaults of the kind.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Value>)]
    settings: Map<String, Value>,
    /// Secrets by key: a text sets a secret, `null` removes it. Missing secrets stay unchanged. If the change would
    /// send secrets to another server, the request must contain them again.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    secrets: BTreeMap<String, Option<SecretString>>,
    /// For a test of a webhook: the body of a request, as text. It is not stored.
    #[serde(default)]
    sample: Option<String>,
}

/// A source as it was saved. Secrets are never shown.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ManagedSourceView {
    #[serde(flatten)]
    stored: Stored<SourceDefinition>,
    /// The keys of the secrets that are set.
    secrets: Vec<String>,
}

impl From<WithSecrets<SourceDefinition>> for ManagedSourceView {
    fn from(found: WithSecrets<SourceDefinition>) -> Self {
        Self { secrets: found.secrets.names(), stored: found.stored }
    }
}

/// The kinds of sources that can be added.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SourceKinds {
    kinds: Vec<SourceKind>,
}

/// Kinds of sources
///
/// Returns the kinds of sources with their settings: types, defaults and descriptions.
#[utoipa::path(get, path = "/api/sources/kinds", tag = "operations", responses((status = 200, body = SourceKinds)))]
pub async fn kinds(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    answer::json(&SourceKinds { kinds: factory(&state)?.kinds().to_vec() })
}

/// One added source
///
/// Returns an added source with its settings. Returns 404 for a source of the configuration.
#[utoipa::path(
    get, path = "/api/sources/{name}", tag = "operations", params(("name" = String, Path)),
    responses((status = 200, body = ManagedSourceView), (status = 404, body = Problem))
)]
pub async fn get(_: Authorized<Edit>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    shown(StatusCode::OK, named(&state, &last_segment(&request)?).await?)
}

/// Add a source
///
/// One instance with the ingester role starts to read the source within seconds.
#[utoipa::path(
    post, path = "/api/sources", tag = "operations", request_body = SourceRequest,
    responses(
        (status = 201, body = ManagedSourceView),
        (status = 409, description = "There are 1,000 added sources", body = Problem),
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
    let given: SourceRequest = body::json(&request, payload, &state.options).await?;
    let (definition, secrets) = read(&state, given, None)?;
    if factory(&state)?.reserved().contains(&definition.name) {
        return Err(ApiError::invalid_field("name", "is already the name of a source in the configuration"));
    }
    let draft = Draft::of(&definition, secrets);
    let made = change::<SourceDefinition>(&state, &request, Action::Create(draft)).await?;
    let made = made.ok_or_else(|| ApiError::internal("the source that was written cannot be read"))?;
    let location = format!("/api/sources/{}", made.stored.spec.name);
    let mut response = shown(StatusCode::CREATED, made)?;
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Change a source
///
/// Replaces the settings of the source. Secrets that the request does not name stay unchanged. If the change would send
/// secrets to another server, the request must contain them again. Reading continues at the stored cursor of the
/// source.
#[utoipa::path(
    put, path = "/api/sources/{name}", tag = "operations", request_body = SourceRequest,
    params(("name" = String, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
    responses(
        (status = 200, body = ManagedSourceView), (status = 404, body = Problem), (status = 412, body = Problem),
        (status = 422, body = Problem), (status = 428, body = Problem),
    )
)]
pub async fn update(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let before = named(&state, &last_segment(&request)?).await?;
    let given: SourceRequest = body::json(&request, payload, &state.options).await?;
    if given.kind != before.stored.spec.kind {
        let message = format!("cannot be changed: it is {:?}; add another source", before.stored.spec.kind);
        return Err(ApiError::invalid_field("kind", message));
    }
    let (definition, secrets) = read(&state, given, Some(&before))?;
    let (id, version) = (before.stored.id, etag::if_match(&request)?);
    let action = Action::Update { id, version, draft: Draft::of(&definition, secrets) };
    let made = change::<SourceDefinition>(&state, &request, action).await?;
    shown(StatusCode::OK, made.ok_or_else(|| ApiError::internal("the source that was written cannot be read"))?)
}

/// Delete a source
///
/// The source is no longer read. Its posts are kept.
#[utoipa::path(
    delete, path = "/api/sources/{name}", tag = "operations",
    params(("name" = String, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
    responses(
        (status = 204), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem),
    )
)]
pub async fn delete(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let found = named(&state, &last_segment(&request)?).await?;
    let action = Action::Delete { id: found.stored.id, version: etag::if_match(&request)? };
    change::<SourceDefinition>(&state, &request, action).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The definition and the secrets of a request. Secrets of `before` that the request does not name stay unchanged. If
/// another server would get them, the request must contain them again, because people who may edit a source must not be
/// able to read its secrets.
fn read(
    state: &State,
    given: SourceRequest,
    before: Option<&WithSecrets<SourceDefinition>>,
) -> Result<(SourceDefinition, Secrets), ApiError> {
    let factory = factory(state)?;
    let secrets = before.map(|before| before.secrets.clone()).unwrap_or_default().changed(&given.secrets);
    let definition = SourceDefinition { name: given.name, kind: given.kind, settings: given.settings };
    let mut errors: Vec<FieldError> = definition.check();
    errors.extend(factory.spec(&definition, &secrets).err().into_iter().flatten());
    checked(errors)?;
    if let Some(before) = before {
        let known = factory.destinations(&before.stored.spec, &before.secrets);
        if factory.destinations(&definition, &secrets).iter().any(|destination| !known.contains(destination)) {
            let kept = before.secrets.names().into_iter().filter(|name| !given.secrets.contains_key(name));
            checked(kept.map(|name| FieldError::new(format!("secrets.{name}"), MOVED)).collect())?;
        }
    }
    Ok((definition, secrets))
}

fn factory(state: &State) -> Result<&Arc<dyn SourceFactory>, ApiError> {
    state.api.sources.as_ref().ok_or_else(|| ApiError::not_found("this process does not manage sources"))
}

async fn named(state: &State, name: &str) -> Result<WithSecrets<SourceDefinition>, ApiError> {
    let store = state.api.store.clone();
    let all = state.run(async move { store.managed_with_secrets::<SourceDefinition>().await }).await?;
    let found = all.into_iter().find(|found| found.stored.spec.name == name);
    found.ok_or_else(|| ApiError::not_found(format!("there is no added source {:?}", preview(name, 100))))
}

fn shown(status: StatusCode, found: WithSecrets<SourceDefinition>) -> Result<HttpResponse, ApiError> {
    let view = ManagedSourceView::from(found);
    Ok(etag::with(answer::json_with(status, &view)?, view.stored.version))
}
