//! Silences in Alertmanager's format.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{Filter, silence_id, uuid};
use crate::domain::alert::Labels;
use crate::domain::notify::matcher::{MatchFlags, MatcherSpec};
use crate::domain::notify::{Managed as _, MatchOp, Matcher, Secrets, Silence, SilenceState, Stored};
use crate::domain::{FieldError, Timestamp};
use crate::http::auth::{Authorized, Read, Respond, author};
use crate::http::error::{ApiError, Problem};
use crate::http::notify::managed::{all, change, checked};
use crate::http::state::State;
use crate::http::{answer, body};
use crate::store::notify::{Action, Draft};

/// A matcher in the format of Alertmanager's API.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SilenceMatcher {
    name: String,
    value: String,
    is_regex: bool,
    /// `true` for the operators `=` and `=~`, `false` for `!=` and `!~`. Default: true.
    #[serde(default = "default_true")]
    is_equal: bool,
}

fn default_true() -> bool {
    true
}

/// A silence to write, in the format of Alertmanager's API.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostableSilence {
    /// The id of the silence to replace; absent for a new silence.
    id: Option<String>,
    matchers: Vec<SilenceMatcher>,
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    created_by: String,
    comment: String,
}

/// A silence in the format of Alertmanager's API.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GettableSilence {
    id: String,
    status: GettableSilenceStatus,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    matchers: Vec<SilenceMatcher>,
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    created_by: String,
    comment: String,
}

/// The state of a silence.
#[derive(Serialize, utoipa::ToSchema)]
pub struct GettableSilenceStatus {
    state: SilenceState,
}

/// The id of the silence that was written.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SilenceId {
    #[serde(rename = "silenceID")]
    silence_id: String,
}

impl GettableSilence {
    fn of(stored: Stored<Silence>, now: Timestamp) -> Self {
        let matcher = |matcher: Matcher| {
            let MatcherSpec { label, op, value } = matcher.into();
            let MatchFlags { is_equal, is_regex } = op.flags();
            SilenceMatcher { name: label, value, is_regex, is_equal }
        };
        let silence = stored.spec;
        Self {
            id: uuid(stored.id),
            status: GettableSilenceStatus { state: silence.state(now) },
            updated_at: stored.updated_at,
            matchers: silence.matchers.into_iter().map(matcher).collect(),
            starts_at: silence.starts_at,
            ends_at: silence.ends_at,
            created_by: silence.author,
            comment: silence.comment,
        }
    }

    /// The names and values of all matchers as labels, for any operator. Alertmanager compares `filter` with these
    /// labels.
    fn labels(&self) -> Labels {
        self.matchers.iter().map(|matcher| (matcher.name.clone(), matcher.value.clone())).collect()
    }
}

/// Alertmanager: silences
///
/// Returns the silences. `filter` is a matcher such as `alertname="Acme"` that is compared with the matchers of each
/// silence. `filter` may be repeated.
#[utoipa::path(
    get, path = "/api/v2/silences", tag = "alertmanager", params(("filter" = Option<Vec<String>>, Query)),
    responses((status = 200, body = Vec<GettableSilence>), (status = 422, body = Problem))
)]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let filter = Filter::of(&request)?;
    let now = state.api.clock.now();
    let views = all::<Silence>(&state).await?.into_iter().map(|stored| GettableSilence::of(stored, now));
    answer::json(&views.filter(|view| filter.matches(&view.labels())).collect::<Vec<_>>())
}

/// Alertmanager: one silence
#[utoipa::path(
    get, path = "/api/v2/silence/{id}", tag = "alertmanager", params(("id" = String, Path)),
    responses((status = 200, body = GettableSilence), (status = 404, body = Problem))
)]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let stored = one(&state, &request).await?;
    answer::json(&GettableSilence::of(stored, state.api.clock.now()))
}

/// Alertmanager: add or replace a silence
///
/// With `id`, the silence is updated if its matchers stay the same and its start is allowed: the start of an active
/// silence must stay the same, and the start of a pending silence must not be in the past. Otherwise the silence ends
/// and a new silence is created. Without `id`, a start in the past is replaced by the current time.
#[utoipa::path(
    post, path = "/api/v2/silences", tag = "alertmanager", request_body = PostableSilence,
    responses(
        (status = 200, body = SilenceId), (status = 404, body = Problem),
        (status = 409, description = "There are 1,000 silences", body = Problem), (status = 422, body = Problem),
    )
)]
pub async fn save(
    _: Authorized<Respond>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let given: PostableSilence = body::json(&request, payload, &state.options).await?;
    let now = state.api.clock.now();
    let replaced = given.id.as_deref().filter(|id| !id.is_empty());
    let silence = Silence {
        matchers: given.matchers.iter().map(matcher).collect::<Result<_, _>>()?,
        // A new silence cannot start in the past.
        starts_at: if replaced.is_some() { given.starts_at } else { given.starts_at.max(now) },
        ends_at: given.ends_at,
        author: author(&request, given.created_by),
        comment: given.comment,
    };
    let mut errors = silence.check();
    if silence.ends_at <= now {
        errors.push(FieldError::new("endsAt", "must be in the future"));
    }
    checked(errors)?;
    let before = match replaced {
        None => None,
        Some(id) => Some(find(&state, id).await?),
    };
    let draft = |silence: &Silence| Draft::of(silence, Secrets::default());
    let action = match before {
        Some(before) if can_replace(&before.spec, &silence, now) => {
            Action::Update { id: before.id, version: Some(before.version), draft: draft(&silence) }
        }
        Some(before) => {
            end(&state, &request, before).await?;
            Action::Create(draft(&Silence { starts_at: silence.starts_at.max(now), ..silence }))
        }
        None => Action::Create(draft(&silence)),
    };
    let made = change::<Silence>(&state, &request, action).await?;
    let made = made.ok_or_else(|| ApiError::internal("the silence that was written cannot be read"))?;
    answer::json(&SilenceId { silence_id: uuid(made.stored.id) })
}

/// Alertmanager: expire a silence
#[utoipa::path(
    delete, path = "/api/v2/silence/{id}", tag = "alertmanager", params(("id" = String, Path)),
    responses((status = 200), (status = 404, body = Problem))
)]
pub async fn expire(
    _: Authorized<Respond>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let stored = one(&state, &request).await?;
    end(&state, &request, stored).await?;
    Ok(HttpResponse::Ok().finish())
}

fn matcher(given: &SilenceMatcher) -> Result<Matcher, ApiError> {
    let op = MatchOp::from_flags(MatchFlags { is_equal: given.is_equal, is_regex: given.is_regex });
    Matcher::new(&given.name, op, &given.value).map_err(|error| ApiError::invalid_field("matchers", error.to_string()))
}

/// Whether the silence can be updated in place, by the rules of Alertmanager.
fn can_replace(before: &Silence, after: &Silence, now: Timestamp) -> bool {
    match before.state(now) {
        SilenceState::Pending => after.starts_at >= now && before.matchers == after.matchers,
        SilenceState::Active => before.matchers == after.matchers && before.starts_at == after.starts_at,
        SilenceState::Expired => false,
    }
}

async fn one(state: &State, request: &HttpRequest) -> Result<Stored<Silence>, ApiError> {
    let uuid = request.match_info().get("id").unwrap_or_default().to_owned();
    find(state, &uuid).await
}

async fn find(state: &State, uuid: &str) -> Result<Stored<Silence>, ApiError> {
    let found = match silence_id(uuid) {
        Some(id) => all::<Silence>(state).await?.into_iter().find(|stored| stored.id == id),
        None => None,
    };
    found.ok_or_else(|| ApiError::not_found("no silence has this id"))
}

/// Ends an active silence now, and deletes a pending one.
async fn end(state: &State, request: &HttpRequest, stored: Stored<Silence>) -> Result<(), ApiError> {
    let now = state.api.clock.now();
    let (id, version) = (stored.id, Some(stored.version));
    let action = match stored.spec.state(now) {
        SilenceState::Expired => return Ok(()),
        SilenceState::Pending => Action::Delete { id, version },
        SilenceState::Active => {
            let ended = Silence { ends_at: now, ..stored.spec };
            Action::Update { id, version, draft: Draft::of(&ended, Secrets::default()) }
        }
    };
    change::<Silence>(state, request, action).await.map(drop)
}
