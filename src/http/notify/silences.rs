//! Silences.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::notify::{Managed as _, Secrets, Silence, SilenceState, Stored};
use crate::domain::{FieldError, Timestamp};
use crate::http::auth::{Authorized, Read, Respond, author};
use crate::http::error::{ApiError, Problem};
use crate::http::params::{Params, no_params};
use crate::http::state::State;
use crate::http::{answer, body, etag};
use crate::store::notify::{Action, Draft};

use super::managed::{all, change, checked, one, put, remove, shown, success};

/// A silence.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SilenceView {
    #[serde(flatten)]
    stored: Stored<Silence>,
    state: SilenceState,
}

impl SilenceView {
    fn of(stored: Stored<Silence>, now: Timestamp) -> Self {
        Self { state: stored.spec.state(now), stored }
    }
}

/// Silences.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SilenceList {
    silences: Vec<SilenceView>,
}

/// Silences
///
/// Returns the silences, newest first. Expired silences are kept for 30 days.
#[utoipa::path(
    get, path = "/api/alerts/silences", tag = "notifications",
    params(("state" = Option<SilenceState>, Query, description = "Only silences in this state.")),
    responses((status = 200, body = SilenceList), (status = 422, body = Problem))
)]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut params = Params::of(&request)?;
    let wanted: Option<SilenceState> = params.text("state");
    params.finish()?;
    let now = state.api.clock.now();
    let views = all::<Silence>(&state).await?.into_iter().rev().map(|stored| SilenceView::of(stored, now));
    let silences = views.filter(|view| wanted.is_none_or(|wanted| view.state == wanted)).collect();
    answer::json(&SilenceList { silences })
}

/// One silence
#[utoipa::path(
    get, path = "/api/alerts/silences/{id}", tag = "notifications", params(("id" = i64, Path)),
    responses((status = 200, body = SilenceView), (status = 404, body = Problem))
)]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let stored = one::<Silence>(&state, &request).await?.stored;
    shown(StatusCode::OK, stored.version, &SilenceView::of(stored, state.api.clock.now()))
}

/// Add a silence
///
/// If a user is signed in, the user becomes the author of the silence. Otherwise the request names the author.
#[utoipa::path(
    post, path = "/api/alerts/silences", tag = "notifications", request_body = Silence,
    responses(
        (status = 201, body = SilenceView),
        (status = 409, description = "There are 1,000 silences", body = Problem),
        (status = 422, body = Problem),
    )
)]
pub async fn create(
    _: Authorized<Respond>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let silence: Silence = body::json(&request, payload, &state.options).await?;
    save(&state, &request, Silence { author: author(&request, silence.author.clone()), ..silence }).await
}

/// Change a silence
///
/// Replaces the whole silence. If a user is signed in, the request can change the author only to this user. An expired
/// silence cannot be changed (409). `If-Match` contains the version that the change is based on.
#[utoipa::path(
    put, path = "/api/alerts/silences/{id}", tag = "notifications", request_body = Silence,
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
    responses(
        (status = 200, body = SilenceView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem), (status = 428, body = Problem),
    )
)]
pub async fn update(
    _: Authorized<Respond>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let before = one::<Silence>(&state, &request).await?.stored;
    if before.spec.state(state.api.clock.now()) == SilenceState::Expired {
        return Err(ApiError::new(StatusCode::CONFLICT, "the silence is expired: add a new one"));
    }
    let silence: Silence = body::json(&request, payload, &state.options).await?;
    // A signed-in user cannot set another author.
    let is_own = author(&request, silence.author.clone()) == silence.author;
    let author = if is_own { silence.author.clone() } else { before.spec.author };
    save(&state, &request, Silence { author, ..silence }).await
}

async fn save(state: &State, request: &HttpRequest, silence: Silence) -> Result<HttpResponse, ApiError> {
    no_params(request)?;
    let now = state.api.clock.now();
    let mut errors = silence.check();
    if silence.ends_at <= now {
        errors.push(FieldError::new("ends_at", "must be in the future"));
    }
    checked(errors)?;
    let stored = put::<Silence>(state, request, Draft::of(&silence, Secrets::default())).await?.stored;
    shown(success(request), stored.version, &SilenceView::of(stored, now))
}

/// Expire a silence
///
/// An active silence ends now and stays in the list. A pending silence is deleted. An expired silence does not change.
#[utoipa::path(
    delete, path = "/api/alerts/silences/{id}", tag = "notifications",
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
    responses(
        (status = 204), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem),
    )
)]
pub async fn expire(
    _: Authorized<Respond>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let version = etag::if_match(&request)?;
    let stored = one::<Silence>(&state, &request).await?.stored;
    let now = state.api.clock.now();
    match stored.spec.state(now) {
        SilenceState::Pending => return remove::<Silence>(&state, &request).await,
        SilenceState::Active => {
            let ended = Silence { ends_at: now, ..stored.spec };
            let draft = Draft::of(&ended, Secrets::default());
            change::<Silence>(&state, &request, Action::Update { id: stored.id, version, draft }).await?;
        }
        SilenceState::Expired => {}
    }
    Ok(HttpResponse::NoContent().finish())
}
