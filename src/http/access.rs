//! Tokens that are created at run time, and sign-in links.

use std::collections::HashSet;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;
use crate::domain::account::ActorName;
use crate::store::tokens::{NewToken, StoredToken};

use super::auth::stored::StoredTokens;
use super::auth::tokens::{generate, hash_hex};
use super::auth::{Authenticator, Authorization, Credential, Principal, Scope};
use super::error::{ApiError, Problem};
use super::params::{last_segment, no_params};
use super::state::State;
use super::{answer, body};

/// The maximum lifetime of a token, in days.
const MAX_DAYS: u32 = 3_650;
/// The lifetime of a token that a sign-in link creates.
const SIGN_IN_LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// The maximum length of the code of a sign-in link, in bytes.
const MAX_CODE_BYTES: usize = 200;

/// A token without its secret text.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenView {
    id: i64,
    name: String,
    /// The scopes of the token: any of `read`, `write`, `respond`, `edit`, `admin`.
    scopes: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The name of the client that created the token.
    created_by: String,
    /// When the token expires; `null` if it does not expire.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// The time of the last request with the token, accurate to about one minute; `null` if the token was never used.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// The user that the token belongs to; `null` if it belongs to no user.
    owner: Option<OwnerView>,
}

/// The user that a token belongs to. The token allows at most what the role of the user allows, and is refused while
/// the account of the user is disabled.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OwnerView {
    id: i64,
    name: String,
}

impl TokenView {
    fn of(token: StoredToken, stored: &StoredTokens) -> Self {
        Self {
            last_used_at: stored.last_used(token.id).max(token.last_used_at),
            owner: token.owner.map(|owner| OwnerView { id: owner.id, name: owner.name }),
            id: token.id,
            name: token.name,
            scopes: token.scopes.split_whitespace().map(str::to_owned).collect(),
            created_at: token.created_at,
            created_by: token.created_by,
            expires_at: token.expires_at,
        }
    }
}

/// The tokens created at run time that the client may manage: all of them with the scope `admin`, otherwise those of
/// the signed-in user.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenList {
    tokens: Vec<TokenView>,
}

/// A token with its text, which is shown only once.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CreatedToken {
    /// The text to send as `Authorization: Bearer …`.
    token: String,
    name: String,
    /// The scopes of the token: any of `read`, `write`, `respond`, `edit`, `admin`.
    scopes: Vec<String>,
    /// When the token expires; `null` if it does not expire.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A token to create.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "grafana", "scopes": ["read"], "expires_in_days": 90}))]
pub struct TokenRequest {
    /// Unique, also among users and the tokens of the configuration; at most 100 characters, without control and format
    /// characters. Names of the audit log are reserved: `local`, `anonymous`, `unknown`, `first start`, `command line`,
    /// `configuration`, and names that start with `jwt:` or `sign-in`.
    name: String,
    /// At least one of `read`, `write`, `respond`, `edit`, `admin`. A signed-in user can request only scopes of their
    /// role. A request with a created token can request only scopes of that token. Other scopes are refused with 422.
    scopes: Vec<String>,
    /// Days until the token expires, 1 to 3,650. A token that is created with another created token cannot expire
    /// later than the other token, and by default expires at the same time. Any other token does not expire by default.
    #[serde(default)]
    expires_in_days: Option<u32>,
}

impl TokenRequest {
    fn name(&self) -> Result<ActorName, ApiError> {
        ActorName::parse(&self.name).map_err(|error| ApiError::invalid_field("name", error.to_string()))
    }

    /// When the token expires. Without `expires_in_days` the result is `last`, the expiry of the token that creates it.
    fn expiry(&self, now: Timestamp, last: Option<Timestamp>) -> Result<Option<Timestamp>, ApiError> {
        let Some(days) = self.expires_in_days else { return Ok(last) };
        if !(1..=MAX_DAYS).contains(&days) {
            return Err(ApiError::invalid_field("expires_in_days", format!("must be from 1 to {MAX_DAYS}")));
        }
        let wanted = now + Duration::from_secs(u64::from(days) * 86_400);
        match last {
            Some(last) if wanted > last => Err(ApiError::invalid_field(
                "expires_in_days",
                format!("is too long: your own token expires at {last}, and the new token must not expire later"),
            )),
            _ => Ok(Some(wanted)),
        }
    }

    /// The scopes that `client` grants to the new token. A signed-in user can grant only the scopes of their role. A
    /// request with a token of the database can grant only the scopes of this token.
    fn scopes(&self, client: &Principal) -> Result<String, ApiError> {
        let parse =
            |scope: &String| scope.parse::<Scope>().map_err(|e| ApiError::invalid_field("scopes", format!("each {e}")));
        let mut scopes = self.scopes.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let mut seen = HashSet::new();
        scopes.retain(|scope| seen.insert(*scope));
        let limit = match client.credential {
            Credential::Session(_) => Some("role"),
            Credential::Stored { .. } => Some("token"),
            Credential::Configured | Credential::Local | Credential::Anonymous => None,
        };
        if let Some(limit) = limit {
            let refused: Vec<_> =
                scopes.iter().filter(|scope| !client.has(**scope)).map(|scope| scope.as_str()).collect();
            if !refused.is_empty() {
                let message = format!("cannot contain {}, which your {limit} does not allow", refused.join(", "));
                return Err(ApiError::invalid_field("scopes", message));
            }
        }
        match scopes.as_slice() {
            [] => {
                Err(ApiError::invalid_field("scopes", "must contain at least one of read, write, respond, edit, admin"))
            }
            scopes => Ok(scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")),
        }
    }
}

/// Checks that the client may manage tokens. A signed-in user may manage their own tokens; a client with the scope
/// `admin` may manage all tokens.
fn check_may_manage(authenticator: &Authenticator, request: &HttpRequest) -> Result<Principal, ApiError> {
    let client = authenticator.authorize(request, Scope::Read);
    match client {
        Ok(client) if client.session().is_some() => Ok(client),
        _ => authenticator.authorize(request, Scope::Admin),
    }
}

/// The user whose tokens `client` may manage; `None` if `client` may manage all tokens.
fn manages(client: &Principal) -> Option<i64> {
    if client.has(Scope::Admin) { None } else { client.session().map(|known| known.session.user_id) }
}

/// Tokens
///
/// Returns the tokens that were created at run time, without their secret text. With the scope `admin` it returns all
/// tokens, otherwise those of the signed-in user. Tokens of the configuration are not listed.
#[utoipa::path(get, path = "/api/tokens", tag = "security", responses((status = 200, body = TokenList)))]
pub async fn list(
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let owner = manages(&check_may_manage(&authenticator, &request)?);
    no_params(&request)?;
    let store = state.api.store.clone();
    let tokens = state.run(async move { store.tokens().await }).await?;
    let is_visible = |token: &StoredToken| owner.is_none() || token.owner.as_ref().map(|owner| owner.id) == owner;
    let tokens = tokens.into_iter().filter(is_visible);
    answer::json(&TokenList { tokens: tokens.map(|token| TokenView::of(token, authenticator.stored())).collect() })
}

/// Create a token
///
/// The response contains the token itself, which is not stored and cannot be shown again. A token that a user creates
/// belongs to the user: it allows at most what the role of the user allows, and is deleted with the user. A token that
/// is created with another created token has the same owner. A request for scopes that the creator lacks, or for a
/// later expiry than that of the creating token, is refused with 422.
#[utoipa::path(
    post, path = "/api/tokens", tag = "security", request_body = TokenRequest,
    responses((status = 201, body = CreatedToken), (status = 422, body = Problem))
)]
pub async fn create(
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let client = check_may_manage(&authenticator, &request)?;
    Authorization::of_own_change(&client).keep(&request);
    no_params(&request)?;
    let wanted: TokenRequest = body::json(&request, payload, &state.options).await?;
    let name = wanted.name()?;
    if authenticator.is_configured(name.as_str()) {
        return Err(ApiError::invalid_field("name", "is taken by a token of the configuration; choose another name"));
    }
    let scopes = wanted.scopes(&client)?;
    let (accounts, user) = (authenticator.accounts().clone(), name.clone());
    if state.run(async move { accounts.user_named(user.as_str()).await }).await?.is_some() {
        return Err(ApiError::invalid_field("name", "is the name of a user; choose another name"));
    }
    let expires_at = wanted.expiry(state.api.clock.now(), client.last_expiry())?;
    let token = generate();
    let new = NewToken {
        name: name.as_str().to_owned(),
        sha256: hash_hex(&token),
        scopes,
        created_by: client.name.clone(),
        expires_at,
        owner_id: client.owner_id(),
    };
    issue(&state, &authenticator, Issued { token, new }).await
}

/// A new token and its text.
struct Issued {
    token: String,
    new: NewToken,
}

async fn issue(state: &State, authenticator: &Authenticator, issued: Issued) -> Result<HttpResponse, ApiError> {
    let (store, stored, new) = (state.api.store.clone(), authenticator.stored().clone(), issued.new.clone());
    let created = state.run(async move {
        let created = store.create_token(&new).await?;
        stored.refresh(&store).await?;
        Ok::<_, ApiError>(created)
    });
    if !created.await? {
        return Err(ApiError::invalid_field("name", "is taken by another token"));
    }
    let scopes = issued.new.scopes.split_whitespace().map(str::to_owned).collect();
    let view = CreatedToken { token: issued.token, name: issued.new.name, scopes, expires_at: issued.new.expires_at };
    answer::json_with(StatusCode::CREATED, &view)
}

/// Delete a token
///
/// This instance rejects the token immediately, other instances within two seconds. The WebSockets of the token are
/// closed. Users without the scope `admin` can delete only their own tokens.
#[utoipa::path(
    delete, path = "/api/tokens/{id}", tag = "security", params(("id" = i64, Path, description = "The token's id")),
    responses((status = 204, description = "Deleted"), (status = 404, body = Problem))
)]
pub async fn delete(
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let client = check_may_manage(&authenticator, &request)?;
    Authorization::of_own_change(&client).keep(&request);
    no_params(&request)?;
    let missing = || ApiError::not_found("there is no token with this id");
    let id: i64 = last_segment(&request)?.parse().map_err(|_| missing())?;
    let owner = manages(&client);
    let (store, stored) = (state.api.store.clone(), authenticator.stored().clone());
    let deleted = state.run(async move {
        let deleted = store.delete_token(id, owner).await?;
        stored.refresh(&store).await?;
        Ok::<_, ApiError>(deleted)
    });
    if deleted.await? { Ok(HttpResponse::NoContent().finish()) } else { Err(missing()) }
}

/// The code of a sign-in link.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// The part of the link after `#sign-in=`.
    code: String,
}

/// Sign in with a link
///
/// Exchanges the code of a sign-in link for a token that has every scope and is valid for 30 days. A code works once.
/// `sentistream sign-in` prints a link.
#[utoipa::path(
    post, path = "/api/sign-in", tag = "security", request_body = SignInRequest, security(()),
    responses((status = 201, body = CreatedToken), (status = 401, body = Problem))
)]
pub async fn sign_in(
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let SignInRequest { code } = body::json(&request, payload, &state.options).await?;
    let refused =
        || ApiError::unauthorized("the code is wrong, expired or used; `sentistream sign-in` creates a new one", "");
    if code.len() > MAX_CODE_BYTES {
        return Err(refused());
    }
    let (store, hash) = (state.api.store.clone(), hash_hex(&code));
    if !state.run(async move { store.redeem_sign_in_code(&hash).await }).await? {
        return Err(refused());
    }
    let token = generate();
    let sha256 = hash_hex(&token);
    let new = NewToken {
        name: format!("sign-in {}", &sha256[..8]),
        sha256,
        scopes: Scope::ALL.map(Scope::as_str).join(" "),
        created_by: "sign-in link".to_owned(),
        expires_at: Some(state.api.clock.now() + SIGN_IN_LIFETIME),
        owner_id: None,
    };
    // The audit log records the sign-in even if the connection is closed before the response.
    Authorization::of_sign_in(&new.name).keep(&request);
    issue(&state, &authenticator, Issued { token, new }).await
}
