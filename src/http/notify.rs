//! Who is told of alerts: receivers, routes, silences, mute timings, and the log of deliveries.

pub mod deliveries;
pub mod mute_timings;
pub mod preview;
pub mod receivers;
#[path = "notify/routes.rs"]
pub mod routing;
pub mod silences;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::domain::FieldError;
use crate::domain::notify::{Managed, Secrets, Stored};
use crate::store::notify::{Action, Draft, ManagedChange, Refusal};

use super::auth::Actor;
use super::error::ApiError;
use super::params::no_params;
use super::state::State;
use super::{answer, body, etag};

/// The id in the path.
///
/// # Errors
/// 404 for what is no id.
fn id(request: &HttpRequest) -> Result<i64, ApiError> {
    let text = request.match_info().get("id").unwrap_or_default();
    text.parse().ok().filter(|id| *id > 0).ok_or_else(|| ApiError::from_status(StatusCode::NOT_FOUND, request.path()))
}

/// 422 when something is wrong.
fn checked(errors: Vec<FieldError>) -> Result<(), ApiError> {
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(errors)) }
}

/// All of a kind.
async fn all<T: Managed>(state: &State) -> Result<Vec<Stored<T>>, ApiError> {
    let store = state.api.store.clone();
    state.run(async move { store.managed::<T>().await }).await
}

/// The one that the path names.
async fn one<T: Managed>(state: &State, request: &HttpRequest) -> Result<(Stored<T>, Secrets), ApiError> {
    let (id, store) = (id(request)?, state.api.store.clone());
    let all = state.run(async move { store.managed_with_secrets::<T>().await }).await?;
    let found = all.into_iter().find(|(stored, _)| stored.id == id);
    found.ok_or_else(|| ApiError::from_status(StatusCode::NOT_FOUND, request.path()))
}

/// Makes a change.
async fn change<T: Managed>(
    state: &State,
    request: &HttpRequest,
    action: Action,
) -> Result<Option<(Stored<T>, Secrets)>, ApiError> {
    let change = ManagedChange { kind: T::KIND, action, actor: Actor::of(request).0 };
    let store = state.api.store.clone();
    let done = state.run(async move { store.change_managed::<T>(&change).await }).await?;
    done.map_err(|refusal| refused(&refusal, request))
}

/// Makes the change of a `draft`: a new one, or what the path names from the version of `If-Match`.
async fn put<T: Managed>(state: &State, request: &HttpRequest, draft: Draft) -> Result<(Stored<T>, Secrets), ApiError> {
    let action = match request.match_info().get("id") {
        None => Action::Create(draft),
        Some(_) => Action::Update { id: id(request)?, version: etag::if_match(request)?, draft },
    };
    let made = change::<T>(state, request, action).await?;
    made.ok_or_else(|| ApiError::internal("what was written cannot be read"))
}

/// Shows what the path names.
async fn show<T: Managed>(state: &State, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(request)?;
    let (stored, _) = one::<T>(state, request).await?;
    shown(StatusCode::OK, stored.version, &stored)
}

/// Keeps what the body says: as a new one, or in the place of what the path names.
async fn save<T: Managed>(state: &State, request: &HttpRequest, payload: Payload) -> Result<HttpResponse, ApiError> {
    no_params(request)?;
    let spec: T = body::json(request, payload, &state.options).await?;
    checked(spec.check())?;
    let (stored, _) = put::<T>(state, request, Draft::of(&spec, Secrets::default())).await?;
    shown(made(request), stored.version, &stored)
}

/// 201 for a new one.
fn made(request: &HttpRequest) -> StatusCode {
    if request.match_info().get("id").is_none() { StatusCode::CREATED } else { StatusCode::OK }
}

/// Removes what the path names.
async fn remove<T: Managed>(state: &State, request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(request)?;
    let action = Action::Delete { id: id(request)?, version: etag::if_match(request)? };
    change::<T>(state, request, action).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn shown<T: Serialize>(status: StatusCode, version: i64, view: &T) -> Result<HttpResponse, ApiError> {
    Ok(etag::with(answer::json_with(status, view)?, version))
}

fn refused(refusal: &Refusal, request: &HttpRequest) -> ApiError {
    let conflict = |detail: String| ApiError::new(StatusCode::CONFLICT, detail);
    match refusal {
        Refusal::Unknown => ApiError::from_status(StatusCode::NOT_FOUND, request.path()),
        Refusal::Changed { .. } => etag::changed(),
        Refusal::Provisioned => conflict("it comes from the configuration file: change it there".to_owned()),
        Refusal::NameTaken => ApiError::invalid_field("name", "is taken by another one"),
        Refusal::NameFixed { name } => ApiError::invalid_field("name", format!("is kept for good: {name:?}")),
        Refusal::InUse { routes } => conflict(format!("routes refer to it: {}", routes.join(", "))),
        Refusal::Missing { field, name } => {
            ApiError::invalid_field(field, format!("there is none of the name {name:?}"))
        }
        Refusal::SecondDefault { name } => ApiError::invalid_field(
            "matchers",
            format!("must hold at least one: {name:?} is the default route already"),
        ),
        Refusal::Full { limit } => conflict(format!("there are {limit} of them already: remove some")),
    }
}
