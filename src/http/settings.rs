//! The current settings: list, change, reset.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::settings::{Change, ChangeError, LiveSettings, SectionView, SettingView};

use super::auth::{Actor, Admin, Authorized};
use super::error::{ApiError, Problem};
use super::params::{last_segment, no_params};
use super::state::State;
use super::{answer, body, etag};

/// All settings.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SettingList {
    /// The settings, in the order of the configuration reference.
    settings: Vec<SettingView>,
    /// The sections of the settings, in the same order.
    sections: Vec<SectionView>,
}

/// A new value.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"value": "90d"}))]
pub struct SettingRequest {
    /// The new value, of the type of the setting.
    #[schema(value_type = Value)]
    value: Value,
}

/// Settings
///
/// Returns every setting with its current value (secrets masked), the origin of the value, a description, and whether
/// the setting can be changed while the server runs.
#[utoipa::path(
    get, path = "/api/settings", tag = "operations",
    responses((status = 200, body = SettingList), (status = 403, body = Problem))
)]
pub async fn list(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let settings = live(&state)?;
    answer::json(&SettingList { settings: settings.list(), sections: settings.sections() })
}

/// One setting
#[utoipa::path(
    get, path = "/api/settings/{key}", tag = "operations",
    params(("key" = String, Path, description = "`section.key`", example = "retention.posts")),
    responses((status = 200, body = SettingView), (status = 404, body = Problem))
)]
pub async fn get(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    shown(&live(&state)?, &last_segment(&request)?)
}

/// Change a setting
///
/// Stores a value that replaces the default. This instance uses it immediately, other instances within two seconds. A
/// value that the configuration file, the environment or a flag sets cannot be changed here. The change is recorded in
/// `/api/alerts/audit` with the old and the new value.
#[utoipa::path(
    put, path = "/api/settings/{key}", tag = "operations", request_body = SettingRequest,
    params(
        ("key" = String, Path, description = "`section.key`", example = "retention.posts"),
        ("If-Match" = String, Header, description = "The version in quotes (`\"0\"` if it was never changed), or `*`")
    ),
    responses(
        (status = 200, body = SettingView), (status = 412, body = Problem), (status = 422, body = Problem),
        (status = 428, body = Problem),
    )
)]
pub async fn change(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let SettingRequest { value } = body::json(&request, payload, &state.options).await?;
    save(&state, &request, Some(value)).await
}

/// Reset a setting
///
/// Removes the stored value. The value of the configuration applies again.
#[utoipa::path(
    delete, path = "/api/settings/{key}", tag = "operations",
    params(
        ("key" = String, Path, description = "`section.key`", example = "retention.posts"),
        ("If-Match" = String, Header, description = "The version in quotes, or `*`")
    ),
    responses(
        (status = 200, body = SettingView), (status = 412, body = Problem), (status = 422, body = Problem),
        (status = 428, body = Problem),
    )
)]
pub async fn reset(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    save(&state, &request, None).await
}

async fn save(state: &State, request: &HttpRequest, value: Option<Value>) -> Result<HttpResponse, ApiError> {
    let (settings, key) = (live(state)?, last_segment(request)?);
    let version = etag::if_match(request)?;
    let change = Change { key: key.clone(), value, version, actor: Actor::of(request).0 };
    let changing = settings.clone();
    state.run(async move { changing.change(change).await }).await?;
    shown(&settings, &key)
}

fn shown(settings: &LiveSettings, key: &str) -> Result<HttpResponse, ApiError> {
    let setting = settings.get(key).ok_or_else(|| ApiError::not_found("there is no setting with this key"))?;
    Ok(etag::with(answer::json(&setting)?, setting.version))
}

fn live(state: &State) -> Result<LiveSettings, ApiError> {
    let settings = state.api.administration.settings.clone();
    settings.ok_or_else(|| ApiError::not_found("this process does not manage settings"))
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Invalid(message) => Self::invalid_field("value", message),
            ChangeError::Outdated => etag::changed(),
            ChangeError::Store(error) => error.into(),
        }
    }
}
