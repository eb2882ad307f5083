//! Changing, deleting and inviting users.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;
use crate::domain::account::UserRole;
use crate::http::auth::{Admin, Authenticator, Authorized, Principal};
use crate::http::error::{ApiError, Problem};
use crate::http::params::{last_segment, no_params, segment_before_last};
use crate::http::state::State;
use crate::http::{answer, body, etag};
use crate::store::accounts::{UserChanged, UserEdit};

use super::{UserView, id, missing, name, role, shown};

/// A change of a user, which replaces all fields.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "ada", "role": "editor", "disabled": false}))]
pub struct UserChange {
    /// The name, with the same rules as in `POST /api/users`.
    name: String,
    #[schema(value_type = UserRole)]
    role: String,
    /// Whether the account is disabled, so that the user cannot sign in and the tokens of the user are refused.
    disabled: bool,
}

/// Change a user
///
/// If the role changes or the user is disabled, the sessions of the user end: on this instance immediately, on other
/// instances within a second. Users cannot change their own role or disable themselves.
#[utoipa::path(
    put, path = "/api/users/{id}", tag = "security", request_body = UserChange,
    params(("id" = i64, Path), ("If-Match" = String, Header, description = "The ETag, or `*`")),
    responses(
        (status = 200, body = UserView), (status = 404, body = Problem),
        (status = 409, description = "The user is you, or the last administrator", body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem), (status = 428, body = Problem),
    )
)]
pub async fn change(
    client: Authorized<Admin>,
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let id = id(&last_segment(&request)?)?;
    let version = etag::if_match(&request)?;
    let given: UserChange = body::json(&request, payload, &state.options).await?;
    let mut errors = Vec::new();
    let name = name(&given.name, &authenticator).map_err(|error| errors.push(error));
    let role = role(&given.role).map_err(|error| errors.push(error));
    let (Ok(name), Ok(role)) = (name, role) else { return Err(ApiError::invalid(errors)) };
    if is_own(&client.principal, id)
        && (given.disabled || client.principal.session().is_none_or(|own| own.role != role))
    {
        return Err(ApiError::conflict(
            "you cannot change your own role or disable yourself; ask another administrator",
        ));
    }
    let edit = UserEdit { id, version, name: Some(name), role: Some(role), disabled: Some(given.disabled) };
    let (accounts, stored, store) =
        (authenticator.accounts().clone(), authenticator.stored().clone(), state.api.store.clone());
    let changed = state.run(async move {
        let changed = accounts.edit_user(edit).await?;
        // Tokens of the user are limited to the scopes of the new role, so they are read again.
        stored.refresh(&store).await?;
        Ok::<_, ApiError>(changed)
    });
    match changed.await? {
        UserChanged::Done(user) => shown(StatusCode::OK, *user),
        other => Err(refused(&other)),
    }
}

/// Delete a user
///
/// Deletes the account, its sessions and its tokens. Other objects that the user created are kept.
#[utoipa::path(
    delete, path = "/api/users/{id}", tag = "security", params(("id" = i64, Path)),
    responses(
        (status = 204, description = "Deleted"), (status = 404, body = Problem),
        (status = 409, description = "The user is you, or the last administrator", body = Problem),
    )
)]
pub async fn delete(
    client: Authorized<Admin>,
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let id = id(&last_segment(&request)?)?;
    if is_own(&client.principal, id) {
        return Err(ApiError::conflict("you cannot delete your own account; ask another administrator"));
    }
    let (accounts, stored, store) =
        (authenticator.accounts().clone(), authenticator.stored().clone(), state.api.store.clone());
    let deleted = state.run(async move {
        let deleted = accounts.delete_user(id).await?;
        stored.refresh(&store).await?;
        Ok::<_, ApiError>(deleted)
    });
    match deleted.await? {
        UserChanged::Done(_) => Ok(HttpResponse::NoContent().finish()),
        other => Err(refused(&other)),
    }
}

/// A one-time link with which a user sets a password.
#[derive(Serialize, utoipa::ToSchema)]
pub struct InvitationView {
    /// The code for `POST /api/invitation`. It is not stored and cannot be shown again.
    code: String,
    /// The link to the dashboard.
    #[schema(example = "https://sentiment.example.org/#invitation=4f1c…")]
    url: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Invite a user
///
/// The link works once, within three days, and replaces an earlier link of the user. It also helps a user who has
/// forgotten the password: the old password is valid until the link is used.
#[utoipa::path(
    post, path = "/api/users/{id}/invitation", tag = "security", params(("id" = i64, Path)),
    responses(
        (status = 201, body = InvitationView), (status = 404, body = Problem),
        (status = 409, description = "The user signs in with an identity provider, or is disabled", body = Problem),
    )
)]
pub async fn invite(
    _: Authorized<Admin>,
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let id = id(&segment_before_last(&request)?)?;
    let accounts = authenticator.accounts().clone();
    let invitation = state.run(async move {
        let user = accounts.user(id).await?.ok_or_else(missing)?;
        if user.identity.is_some() {
            return Err(ApiError::conflict("this user signs in with an identity provider and has no password"));
        }
        if user.disabled {
            return Err(ApiError::conflict("this user is disabled: enable the account first"));
        }
        Ok(accounts.invite(&user).await?)
    });
    let invitation = invitation.await?;
    let url = invitation.link(&state.options.external_url);
    let view = InvitationView { url, code: invitation.code, expires_at: invitation.expires_at };
    answer::json_with(StatusCode::CREATED, &view)
}

fn is_own(client: &Principal, id: i64) -> bool {
    client.session().is_some_and(|own| own.session.user_id == id)
}

/// The error for a change that was not made.
fn refused(changed: &UserChanged) -> ApiError {
    match changed {
        UserChanged::Missing => missing(),
        UserChanged::Stale => etag::changed(),
        UserChanged::NameTaken => ApiError::invalid_field("name", "is already used by another user or a token"),
        UserChanged::LastAdmin => {
            ApiError::conflict("this is the last administrator who can sign in; add another administrator first")
        }
        UserChanged::Done(_) => ApiError::internal("a change that was made is reported as refused"),
    }
}
