//! Users: list, create, change, delete, invite.

pub mod edit;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::accounts::Draft;
use crate::accounts::password::NewPassword;
use crate::domain::account::{ActorName, User, UserRole};
use crate::domain::{FieldError, Page, Timestamp};
use crate::store::accounts::UserCreated;

use super::auth::{Actor, Admin, Authenticator, Authorized};
use super::error::{ApiError, Problem};
use super::params::{Params, last_segment, no_params};
use super::state::State;
use super::{answer, body, etag};

/// The allowed roles, for error messages.
const ROLES: &str = "must be one of viewer, analyst, editor, admin";

/// A person with an account.
#[derive(Serialize, utoipa::ToSchema)]
pub struct UserView {
    id: i64,
    name: String,
    role: UserRole,
    /// Whether the account is disabled, so that the user cannot sign in and the tokens of the user are refused.
    disabled: bool,
    /// Whether the user can sign in with a password.
    has_password: bool,
    /// The issuer (URL) of the identity provider; `null` for a local account.
    provider: Option<String>,
    /// The id of the user at the provider.
    subject: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Who created the account.
    created_by: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_sign_in_at: Option<Timestamp>,
    /// Until when the invitation can be used; `null` if the user has no open invitation.
    #[schema(value_type = Option<String>, format = DateTime)]
    invited_until: Option<Timestamp>,
    /// The version of the user, for `If-Match`.
    version: i64,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let (provider, subject) = user.identity.map(|known| (known.issuer, known.subject)).unzip();
        Self {
            id: user.id,
            name: user.name,
            role: user.role,
            disabled: user.disabled,
            has_password: user.has_password,
            provider,
            subject,
            created_at: user.created_at,
            created_by: user.created_by,
            last_sign_in_at: user.last_sign_in_at,
            invited_until: user.invited_until,
            version: user.version,
        }
    }
}

/// Start and length of a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UserParams {
    /// The maximum number of users on the page.
    #[param(minimum = 1, maximum = 200, default = 100)]
    limit: i64,
    /// `next_cursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: Option<i64>,
}

impl UserParams {
    fn parse(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut params = Params::of(request)?;
        let limit = params.number("limit", 1..=200, 100);
        let cursor = params.cursor();
        params.finish()?;
        Ok(Self { limit, cursor })
    }
}

/// A page of users.
#[derive(Serialize, utoipa::ToSchema)]
pub struct UserList {
    users: Vec<UserView>,
    /// The cursor of the next page; `null` on the last page.
    next_cursor: Option<String>,
}

/// Users
///
/// Returns the people with an account, in the order of their creation.
#[utoipa::path(
    get, path = "/api/users", tag = "security", params(UserParams),
    responses((status = 200, body = UserList), (status = 403, body = Problem), (status = 422, body = Problem))
)]
pub async fn list(
    _: Authorized<Admin>,
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let UserParams { limit, cursor } = UserParams::parse(&request)?;
    let accounts = authenticator.accounts().clone();
    let users = state.run(async move { accounts.users(cursor.unwrap_or_default(), limit + 1).await }).await?;
    let page = Page::of(users, limit, |last| last.id.to_string()).map(UserView::from);
    answer::json(&UserList { users: page.items, next_cursor: page.next })
}

/// One user
#[utoipa::path(
    get, path = "/api/users/{id}", tag = "security", params(("id" = i64, Path)),
    responses((status = 200, body = UserView), (status = 404, body = Problem))
)]
pub async fn get(
    _: Authorized<Admin>,
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let id = id(&last_segment(&request)?)?;
    let accounts = authenticator.accounts().clone();
    let user = state.run(async move { accounts.user(id).await }).await?.ok_or_else(missing)?;
    shown(StatusCode::OK, user)
}

/// A user to create.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "ada", "role": "analyst"}))]
pub struct UserDraft {
    /// At most 100 characters, without control and format characters. The name must differ from the names of all users
    /// and tokens, and from the reserved names that `POST /api/tokens` lists; case is ignored.
    name: String,
    #[schema(value_type = UserRole)]
    role: String,
    /// 12 to 256 characters, and not easy to guess. A user without a password needs an invitation to sign in.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
}

/// Add a user
///
/// A user without a password is invited with `POST /api/users/{id}/invitation`. `POST /api/setup` creates the first
/// user.
#[utoipa::path(
    post, path = "/api/users", tag = "security", request_body = UserDraft,
    responses((status = 201, body = UserView), (status = 422, body = Problem))
)]
pub async fn create(
    _: Authorized<Admin>,
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let given: UserDraft = body::json(&request, payload, &state.options).await?;
    let draft = given.checked(&authenticator, Actor::of(&request))?;
    let accounts = authenticator.accounts().clone();
    let created = state.run(async move {
        if draft.password.is_none() && accounts.users(0, 1).await?.is_empty() {
            return Err(ApiError::invalid_field("password", "is required for the first user, who cannot be invited"));
        }
        Ok(accounts.create_user(draft).await?)
    });
    match created.await? {
        UserCreated::Done(user) => {
            let location = format!("/api/users/{}", user.id);
            let mut response = shown(StatusCode::CREATED, *user)?;
            if let Ok(location) = header::HeaderValue::from_str(&location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            Ok(response)
        }
        UserCreated::NameTaken => Err(ApiError::invalid_field("name", "is the name of another user or of a token")),
        UserCreated::NeedsAdmin => Err(ApiError::invalid_field("role", "must be admin for the first user")),
    }
}

impl UserDraft {
    fn checked(self, authenticator: &Authenticator, Actor(created_by): Actor) -> Result<Draft, ApiError> {
        let mut errors = Vec::new();
        let name = name(&self.name, authenticator).map_err(|error| errors.push(error)).ok();
        let role = role(&self.role).map_err(|error| errors.push(error)).ok();
        let password = self.password.as_ref().map(|password| NewPassword::parse(password, &self.name)).transpose();
        let password = password.map_err(|error| errors.push(FieldError::new("password", error.to_string()))).ok();
        match (name, role, password) {
            (Some(name), Some(role), Some(password)) => Ok(Draft { name, role, password, created_by }),
            _ => Err(ApiError::invalid(errors)),
        }
    }
}

fn name(text: &str, authenticator: &Authenticator) -> Result<ActorName, FieldError> {
    let name = ActorName::parse(text).map_err(|error| FieldError::new("name", error.to_string()))?;
    if authenticator.is_configured(name.as_str()) {
        return Err(FieldError::new("name", "is the name of a token of the configuration"));
    }
    Ok(name)
}

fn role(text: &str) -> Result<UserRole, FieldError> {
    text.parse().map_err(|_| FieldError::new("role", ROLES))
}

fn id(segment: &str) -> Result<i64, ApiError> {
    segment.parse().map_err(|_| missing())
}

fn missing() -> ApiError {
    ApiError::not_found("there is no user with this id")
}

fn shown(status: StatusCode, user: User) -> Result<HttpResponse, ApiError> {
    let version = user.version;
    Ok(etag::with(answer::json_with(status, &UserView::from(user))?, version))
}
