//! The session of a browser: who is signed in, sign-in, sign-out.

pub mod list;
pub mod password;
pub mod start;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::accounts::{Presence, SignedIn};
use crate::domain::Timestamp;
use crate::domain::account::UserRole;
use crate::oidc::Provider;
use crate::store::accounts::SignedInUser;

use super::auth::session::Resolution;
use super::auth::{Authenticator, Authorization, Credential, Principal, Scope, cookie, origin};
use super::device::device;
use super::error::{ApiError, Problem};
use super::oidc::{self, START};
use super::params::no_params;
use super::state::State;
use super::{answer, body};

/// The client of a request, and how it can sign in.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CurrentSession {
    /// Whether the request has valid credentials, or needs none.
    authenticated: bool,
    /// `session`, `token`, `local` (on the server's machine, without credentials), or `anonymous` (through a proxy,
    /// without credentials); `null` if the request needs credentials and has no valid ones.
    kind: Option<&'static str>,
    /// The name of the client in the audit log.
    name: Option<String>,
    /// The user; `null` for other clients.
    user: Option<CurrentUser>,
    /// The scopes of the client.
    scopes: Vec<&'static str>,
    /// The id of the session.
    session_id: Option<i64>,
    /// When the session ends even if it is in use.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When the session ends without another request.
    #[schema(value_type = Option<String>, format = DateTime)]
    idle_expires_at: Option<Timestamp>,
    sign_in: SignInOptions,
    /// Whether there is no account yet, so that `POST /api/setup` can create the first one.
    setup: bool,
}

/// The signed-in user.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CurrentUser {
    id: i64,
    name: String,
    role: UserRole,
    /// Whether the user can sign in with a password, and change it.
    has_password: bool,
    /// The issuer (URL) of the identity provider; `null` for a local account.
    provider: Option<String>,
}

/// The ways to sign in.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SignInOptions {
    /// Whether requests without credentials are refused.
    required: bool,
    /// Whether users can sign in with a password, because accounts exist.
    password: bool,
    /// Whether one-time links of `sentistream sign-in` are accepted.
    link: bool,
    /// Whether tokens are accepted.
    token: bool,
    /// The identity providers that users can sign in with.
    oidc: Vec<OidcOption>,
}

/// An identity provider to sign in with.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OidcOption {
    /// The name for the button.
    pub name: String,
    /// The path to navigate to.
    #[schema(example = "/api/session/oidc/start")]
    pub url: String,
}

impl CurrentSession {
    /// The state of `client`.
    pub fn of(client: Option<&Principal>, authenticator: &Authenticator) -> Self {
        let accounts = authenticator.accounts();
        let session = client.and_then(Principal::session);
        let kind = client.map(|client| match client.credential {
            Credential::Session(_) => "session",
            Credential::Stored { .. } | Credential::Configured => "token",
            Credential::Local => "local",
            Credential::Anonymous => "anonymous",
        });
        Self {
            authenticated: client.is_some(),
            kind,
            name: client.map(|client| client.name.clone()),
            user: session.map(CurrentUser::from),
            scopes: client.into_iter().flat_map(Principal::scopes).map(Scope::as_str).collect(),
            session_id: session.map(|known| known.session.id),
            expires_at: session.map(|known| known.session.expires_at),
            idle_expires_at: session.map(|known| accounts.idle_expiry(known)),
            sign_in: SignInOptions {
                required: authenticator.requires_credentials(),
                password: accounts.presence() == Presence::Present,
                link: true,
                token: true,
                oidc: authenticator.provider().into_iter().map(|provider| OidcOption::of(provider)).collect(),
            },
            setup: accounts.presence() == Presence::Absent,
        }
    }
}

impl OidcOption {
    fn of(provider: &Provider) -> Self {
        Self { name: provider.options().name.clone(), url: START.to_owned() }
    }
}

impl From<&SignedInUser> for CurrentUser {
    fn from(known: &SignedInUser) -> Self {
        Self {
            id: known.session.user_id,
            name: known.name.clone(),
            role: known.role,
            has_password: known.has_password,
            provider: known.issuer.clone(),
        }
    }
}

/// The response to a sign-in: the new session and its cookie. The audit log records it.
///
/// # Errors
/// 500 when the response cannot be serialised, which does not occur.
pub fn signed_in(
    request: &HttpRequest,
    state: &State,
    authenticator: &Authenticator,
    new: &SignedIn,
) -> Result<HttpResponse, ApiError> {
    Authorization::of_sign_in(&new.user.name).keep(request);
    let client = Principal::of_session(new.user.clone());
    let mut response = answer::json(&CurrentSession::of(Some(&client), authenticator))?;
    let value = cookie::set(request, state, &new.secret, authenticator.accounts().options().absolute);
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(response)
}

/// The current session
///
/// Returns who the client is, what it may do, and how it can sign in. Needs no credentials.
#[utoipa::path(
    get, path = "/api/session", tag = "security", security(()), responses((status = 200, body = CurrentSession))
)]
pub async fn current(
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let accounts = authenticator.accounts().clone();
    state.run(async move { Ok::<_, ApiError>(accounts.known_presence().await) }).await?;
    let client = authenticator.identify(&request)?;
    let mut response = answer::json(&CurrentSession::of(client.as_ref(), &authenticator))?;
    if matches!(request.extensions().get::<Resolution>(), Some(Resolution::Ended)) {
        response.headers_mut().append(header::SET_COOKIE, cookie::removal(&request, &state));
    }
    Ok(response)
}

/// Reads the body of a sign-in request. Refuses query parameters and requests from pages of other sites.
async fn sign_in_body<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    state: &State,
) -> Result<T, ApiError> {
    no_params(request)?;
    origin::check(request, &state.options.cors_origins)?;
    body::json(request, payload, &state.options).await
}

/// The name and password of a user.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"username": "ada", "password": "correct horse battery staple"}))]
pub struct PasswordSignIn {
    /// The name of the user. Case is ignored.
    username: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Sign in
///
/// Sets the cookie of a new session. An earlier session of the browser ends. The responses to a wrong name and to a
/// wrong password are the same. After failed attempts, a client must wait before the next attempt.
#[utoipa::path(
    post, path = "/api/session", tag = "security", request_body = PasswordSignIn, security(()),
    responses(
        (status = 200, body = CurrentSession), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 429, body = Problem),
    )
)]
pub async fn sign_in(
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let PasswordSignIn { username, password } = sign_in_body(&request, payload, &state).await?;
    let (accounts, device) = (authenticator.accounts().clone(), device(&request, &state));
    let new = state.run(async move { accounts.sign_in(&username, &password, device).await }).await?;
    signed_in(&request, &state, &authenticator, &new)
}

/// A sign-out that continues at the identity provider.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SignedOut {
    /// The address that the browser opens next.
    #[schema(example = "https://login.example.org/logout?client_id=sentistream")]
    redirect: String,
}

/// Sign out
///
/// Ends the session and removes its cookie. Without a session it does nothing. If the session began at an identity
/// provider that supports sign-out, the response contains the address that the browser opens to sign out there.
#[utoipa::path(
    delete, path = "/api/session", tag = "security", security(()),
    responses(
        (status = 200, description = "Signed out here; open `redirect` to sign out at the provider", body = SignedOut),
        (status = 204, description = "Signed out"), (status = 403, body = Problem),
    )
)]
pub async fn sign_out(
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let client = authenticator.identify(&request)?;
    let mut redirect = None;
    if let Some(client) = client
        && let Some(known) = client.session()
    {
        Authorization::of_own_change(&client).keep(&request);
        let (accounts, id) = (authenticator.accounts().clone(), known.session.id);
        redirect = oidc::sign_out_url(&state, &authenticator, id).await;
        state.run(async move { accounts.end_session(id, None).await }).await?;
    }
    let mut response = match redirect {
        Some(url) => answer::json(&SignedOut { redirect: url.into() })?,
        None => HttpResponse::build(StatusCode::NO_CONTENT).finish(),
    };
    response.headers_mut().append(header::SET_COOKIE, cookie::removal(&request, &state));
    Ok(response)
}
