//! Sign-ins that create an account or set its password: the first account, and invitations.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::SecretString;
use serde::Deserialize;

use crate::accounts::AccountError;
use crate::accounts::password::NewPassword;
use crate::domain::FieldError;
use crate::domain::account::ActorName;
use crate::http::auth::{Authenticator, Scope};
use crate::http::device::device;
use crate::http::error::{ApiError, Problem};
use crate::http::state::State;

use super::{CurrentSession, sign_in_body, signed_in};

/// The maximum length of a code, in bytes.
const MAX_CODE_BYTES: usize = 200;

/// The first account.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupRequest {
    /// The part of a sign-in link after `#sign-in=`. A client with the scope `admin`, such as a local client on
    /// loopback, needs no code.
    #[serde(default)]
    code: Option<String>,
    /// At most 100 characters, without control and format characters.
    name: String,
    /// 12 to 256 characters, and not easy to guess.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Create the first account
///
/// Creates an administrator and signs in. A code works once. It stays valid if the name or the password is refused.
/// Once the account exists, every request that reads or changes data needs credentials, also on loopback.
#[utoipa::path(
    post, path = "/api/setup", tag = "security", request_body = SetupRequest, security(()),
    responses(
        (status = 200, body = CurrentSession), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, description = "There is an account already", body = Problem), (status = 422, body = Problem),
    )
)]
pub async fn setup(
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let SetupRequest { code, name, password } = sign_in_body(&request, payload, &state).await?;
    if code.is_none() {
        authenticator.authorize(&request, Scope::Admin)?;
    }
    if code.as_ref().is_some_and(|code| code.len() > MAX_CODE_BYTES) {
        return Err(AccountError::WrongCode.into());
    }
    let mut errors = Vec::new();
    let parsed = ActorName::parse(&name).map_err(|error| errors.push(FieldError::new("name", error.to_string()))).ok();
    let password = NewPassword::parse(&password, &name)
        .map_err(|error| errors.push(FieldError::new("password", error.to_string())));
    let (Some(name), Ok(password)) = (parsed, password) else { return Err(ApiError::invalid(errors)) };
    if authenticator.is_configured(name.as_str()) {
        return Err(AccountError::NameTaken.into());
    }
    let (accounts, device) = (authenticator.accounts().clone(), device(&request, &state));
    let new = state.run(async move { accounts.create_first(name, &password, code.as_deref(), device).await }).await?;
    signed_in(&request, &state, &authenticator, &new)
}

/// The code of an invitation, and the password that the invited user chooses.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationAnswer {
    /// The part of the link between `#invitation=` and `&`.
    code: String,
    /// 12 to 256 characters, and not easy to guess.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Accept an invitation
///
/// Sets the password of the invited user and signs in. A code works once. It stays valid if the password is refused.
#[utoipa::path(
    post, path = "/api/invitation", tag = "security", request_body = InvitationAnswer, security(()),
    responses(
        (status = 200, body = CurrentSession), (status = 401, body = Problem),
        (status = 403, description = "The page of another site sent the request", body = Problem),
        (status = 422, body = Problem),
    )
)]
pub async fn accept(
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let InvitationAnswer { code, password } = sign_in_body(&request, payload, &state).await?;
    if code.len() > MAX_CODE_BYTES {
        return Err(AccountError::WrongCode.into());
    }
    let (accounts, device) = (authenticator.accounts().clone(), device(&request, &state));
    let new = state.run(async move {
        let user = accounts.invited_user(&code).await?.ok_or(AccountError::WrongCode)?;
        let password = NewPassword::parse(&password, &user.name)
            .map_err(|error| ApiError::invalid_field("password", error.to_string()))?;
        Ok::<_, ApiError>(accounts.accept_invitation(&code, &password, device).await?)
    });
    signed_in(&request, &state, &authenticator, &new.await?)
}
