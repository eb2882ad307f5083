//! Changes the password of the signed-in user.

use actix_web::http::header;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::SecretString;
use serde::Deserialize;

use crate::accounts::AccountError;
use crate::accounts::password::NewPassword;
use crate::http::auth::{Authenticator, Authorization, Authorized, Read, cookie};
use crate::http::body;
use crate::http::device::device;
use crate::http::error::{ApiError, Problem};
use crate::http::params::no_params;
use crate::http::state::State;

/// The old and the new password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The current password.
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    /// 12 to 256 characters, and not easy to guess.
    #[schema(value_type = String, format = Password)]
    new_password: SecretString,
}

/// Change your password
///
/// Ends all other sessions of the user. The current session gets a new cookie.
#[utoipa::path(
    put, path = "/api/session/password", tag = "security", request_body = PasswordChange,
    responses(
        (status = 204, description = "Changed"), (status = 409, description = "The client has no password", body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
    )
)]
pub async fn change(
    client: Authorized<Read>,
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let known = client.principal.session().cloned();
    let known = known.ok_or_else(|| ApiError::conflict("only a signed-in user has a password"))?;
    Authorization::of_own_change(&client.principal).keep(&request);
    let PasswordChange { current_password, new_password } = body::json(&request, payload, &state.options).await?;
    let new = NewPassword::parse(&new_password, &known.name)
        .map_err(|error| ApiError::invalid_field("new_password", error.to_string()))?;
    let (accounts, device) = (authenticator.accounts().clone(), device(&request, &state));
    let secret = state.run(async move {
        accounts.change_password(&known, &current_password, &new, &device).await.map_err(|error| match error {
            AccountError::WrongCredentials => ApiError::invalid_field("current_password", "is wrong"),
            error => error.into(),
        })
    });
    let secret = secret.await?;
    let mut response = HttpResponse::NoContent().finish();
    let value = cookie::set(&request, &state, &secret, authenticator.accounts().options().absolute);
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(response)
}
