//! Sign-in at an OpenID Connect provider.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use url::Url;
use url::form_urlencoded::{Serializer, parse};

use crate::accounts::{AccountError, ExternalIdentity};
use crate::domain::Timestamp;
use crate::domain::account::{self, ActorName};
use crate::domain::op::preview;
use crate::oidc::pending::{self, Pending, safe_return};
use crate::oidc::{Arrival, Identity, OidcError, Provider};

use super::auth::{Authenticator, Authorization, cookie};
use super::device::device;
use super::error::{ApiError, Problem};
use super::state::State;

/// The path that begins a sign-in.
pub const START: &str = "/api/session/oidc/start";
/// The path that the provider returns to.
pub const CALLBACK: &str = "/api/session/oidc/callback";
/// The page that shows why a sign-in failed.
pub const SIGN_IN_PAGE: &str = "/sign-in";

/// The maximum length of an authorization code, in bytes.
const MAX_CODE: usize = 4_096;
/// The maximum number of characters of the subject (`sub`) in the name of an account. The subject is used if the
/// provider gives no other name.
const MAX_SUBJECT_IN_NAME: usize = 60;
/// The maximum length of a text of the provider in the log, in characters.
const MAX_LOGGED: usize = 300;
/// The query parameter that marks a sign-in that was redirected to
/// [`HttpOptions::external_url`](super::HttpOptions::external_url), so that it is not redirected again.
const AT_EXTERNAL_URL: &str = "here";

/// The configured provider.
///
/// # Errors
/// 404 when no provider is configured.
fn configured(authenticator: &Authenticator) -> Result<Arc<Provider>, ApiError> {
    let missing = || ApiError::new(StatusCode::NOT_FOUND, "no OpenID Connect provider is configured");
    authenticator.provider().cloned().ok_or_else(missing)
}

/// The address at which the provider ends its session. `None` if the session did not begin at the provider, or the
/// provider has no such address.
pub async fn sign_out_url(state: &State, authenticator: &Authenticator, session_id: i64) -> Option<Url> {
    let provider = authenticator.provider()?.clone();
    let store = state.api.store.clone();
    let found = state.run(async move {
        let Some(id_token) = store.id_token(session_id).await? else { return Ok::<_, ApiError>(None) };
        Ok(provider.sign_out_url(&id_token).await)
    });
    found.await.ok().flatten()
}

/// Why a sign-in failed, for the sign-in page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Reason {
    /// The provider does not answer.
    Unavailable,
    /// The settings of this server or of the provider are wrong.
    Misconfigured,
    /// The provider refused the sign-in, or the person cancelled it.
    Denied,
    /// The sign-in took too long, or was already completed.
    Expired,
    /// The answer of the provider cannot be trusted.
    Rejected,
    /// No group of the person has a role.
    NoRole,
    /// The e-mail address is not allowed.
    Email,
    /// The account is disabled.
    Disabled,
    /// This server failed.
    Failed,
}

/// A failed sign-in: the reason for the sign-in page, and the detail for the log.
struct Failure {
    reason: Reason,
    detail: String,
}

impl Failure {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// Logs the failure. A failure that anyone can cause is logged at debug level.
    fn log(&self) {
        let (reason, detail) = (<&str>::from(self.reason), preview(&self.detail, MAX_LOGGED));
        match self.reason {
            Reason::Expired => tracing::debug!(reason, detail, "OpenID Connect sign-in failed"),
            Reason::Denied => tracing::info!(reason, detail, "OpenID Connect sign-in failed"),
            _ => tracing::warn!(reason, detail, "OpenID Connect sign-in failed"),
        }
    }
}

impl From<OidcError> for Failure {
    fn from(error: OidcError) -> Self {
        let reason = match error {
            OidcError::Unavailable(_) => Reason::Unavailable,
            OidcError::Misconfigured(_) => Reason::Misconfigured,
            OidcError::Expired(_) => Reason::Expired,
            OidcError::Rejected(_) => Reason::Rejected,
            OidcError::NoRole => Reason::NoRole,
            OidcError::Email => Reason::Email,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::new(Reason::Failed, error.to_string())
    }
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        let reason = if matches!(error, AccountError::Disabled) { Reason::Disabled } else { Reason::Failed };
        Self::new(reason, error.to_string())
    }
}

/// The query of a request. Providers add parameters of their own, so unknown parameters are ignored.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(request: &HttpRequest) -> Self {
        Self(parse(request.query_string().as_bytes()).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Begin a sign-in at the OpenID Connect provider
///
/// For browsers: redirects to the provider. After a successful sign-in the browser has a session and returns to the
/// path `return` of this server. After a failure the browser opens `/sign-in?error=CODE`, where `CODE` is
/// `unavailable`, `misconfigured`, `denied`, `expired`, `rejected`, `no_role`, `email`, `disabled` or `failed`.
#[utoipa::path(
    get, path = "/api/session/oidc/start", tag = "security", security(()),
    params((
        "return" = Option<String>, Query,
        description = "The path of a page of the dashboard. Default: `/`, which also replaces an invalid value",
        example = "/alerts"
    )),
    responses(
        (status = 303, description = "Redirects to the provider"),
        (status = 404, description = "No provider is configured", body = Problem),
    )
)]
pub async fn start(
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let provider = configured(&authenticator)?;
    let query = Query::of(&request);
    let return_to = safe_return(query.get("return").unwrap_or("/")).to_owned();
    if query.get(AT_EXTERNAL_URL).is_none()
        && let Some(elsewhere) = external_start(&request, &provider, &return_to)
    {
        return Ok(redirect(elsewhere.as_str()));
    }
    let (asked, path) = (provider.clone(), return_to.clone());
    let begun = state.run(async move { Ok::<_, ApiError>(asked.begin(&path).await) }).await;
    match begun.map_err(Failure::from).and_then(|begun| begun.map_err(Failure::from)) {
        Ok(departure) => {
            let mut response = redirect(departure.url.as_str());
            set_cookie(&mut response, state_cookie(&provider, &departure.cookie, pending::LIFETIME));
            Ok(response)
        }
        Err(failure) => Ok(failed(&failure, &return_to)),
    }
}

/// Finish a sign-in at the OpenID Connect provider
///
/// For browsers: the provider redirects here. Register this address at the provider.
#[utoipa::path(
    get, path = "/api/session/oidc/callback", tag = "security", security(()),
    params(
        ("code" = Option<String>, Query, description = "The code of the provider"),
        ("state" = Option<String>, Query, description = "The state of the sign-in"),
        ("error" = Option<String>, Query, description = "The error of the provider"),
    ),
    responses(
        (status = 303, description = "Redirects to the path `return` of the start, or to the sign-in page"),
        (status = 404, description = "No provider is configured", body = Problem),
    )
)]
pub async fn callback(
    state: Data<State>,
    authenticator: Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let provider = configured(&authenticator)?;
    let pending = cookie::value(&request, cookie_name(&provider)).and_then(|sealed| provider.pending(sealed));
    let return_to = pending.as_ref().map_or("/", |pending| safe_return(&pending.return_to)).to_owned();
    let finished = match pending {
        Some(pending) => {
            finish(&state, &authenticator, Callback { provider: provider.clone(), request, pending }).await
        }
        None => Err(Failure::new(Reason::Expired, "the request has no cookie of a sign-in")),
    };
    let mut response = match finished {
        Ok(session) => {
            let mut response = redirect(&return_to);
            set_cookie(&mut response, session);
            response
        }
        Err(failure) => failed(&failure, &return_to),
    };
    set_cookie(&mut response, state_cookie(&provider, "", Duration::ZERO));
    Ok(response)
}

/// The answer of the provider to a sign-in.
struct Callback {
    provider: Arc<Provider>,
    request: HttpRequest,
    pending: Pending,
}

/// Finishes the sign-in and returns the cookie of the new session.
async fn finish(
    state: &Data<State>,
    authenticator: &Authenticator,
    callback: Callback,
) -> Result<HeaderValue, Failure> {
    let Callback { provider, request, pending } = callback;
    let code = accepted_code(&provider, &Query::of(&request), &pending, state.api.clock.now())?;
    let asked = provider.clone();
    let arrived = state.run(async move { Ok::<_, ApiError>(asked.finish(code, &pending).await) }).await?;
    let Arrival { identity, id_token } = arrived?;
    let role = match provider.options().access.grant(&identity) {
        Ok(role) => role,
        Err(refusal) => {
            let failure = Failure::from(refusal);
            let failure = Failure { detail: format!("{} ({})", failure.detail, identity.subject), ..failure };
            let person = account::Identity { issuer: identity.issuer, subject: identity.subject };
            end_access(state, authenticator, person).await;
            return Err(failure);
        }
    };
    let external = ExternalIdentity {
        name: name_of(&identity, authenticator)?,
        identity: account::Identity { issuer: identity.issuer, subject: identity.subject },
        role,
    };
    let device = device(&request, state);
    let (accounts, store) = (authenticator.accounts().clone(), state.api.store.clone());
    let opened = state.run(async move {
        let opened = accounts.sign_in_external(external, device).await;
        // The ID token is stored for the sign-out, because without it the provider may ask the person to confirm.
        if let (Ok(signed_in), Some(id_token)) = (&opened, id_token)
            && let Err(error) = store.keep_id_token(signed_in.user.session.id, id_token).await
        {
            tracing::warn!(%error, "cannot store the ID token of a session");
        }
        Ok::<_, ApiError>(opened)
    });
    let signed_in = opened.await??;
    Authorization::of_session(&signed_in).keep(&request);
    Ok(cookie::set(&request, state, &signed_in.secret, authenticator.accounts().options().absolute))
}

/// Ends the sessions and deletes the tokens of a person who may no longer sign in. The account is not disabled, because
/// a provider may send a wrong claim: a disabled account would stay locked after the claim is corrected, even the
/// account of the last administrator.
async fn end_access(state: &State, authenticator: &Authenticator, person: account::Identity) {
    let (accounts, stored, store) =
        (authenticator.accounts().clone(), authenticator.stored().clone(), state.api.store.clone());
    let ended = state.run(async move {
        let has_ended = accounts.end_external_access(person).await?;
        if has_ended {
            stored.refresh(&store).await?;
        }
        Ok::<_, ApiError>(has_ended)
    });
    match ended.await {
        Ok(true) => tracing::warn!("sessions and tokens ended: their user may no longer sign in"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "cannot end the sessions and tokens of a user who may no longer sign in"),
    }
}

/// The code of an answer that belongs to the pending sign-in.
fn accepted_code(provider: &Provider, query: &Query, pending: &Pending, now: Timestamp) -> Result<String, Failure> {
    let belongs = query.get("state").is_some_and(|given| pending.is_answered_by(given, now));
    if !belongs {
        return Err(Failure::new(Reason::Expired, "the answer does not belong to the sign-in of this browser"));
    }
    // RFC 9207: the answer may name its issuer.
    if query.get("iss").is_some_and(|issuer| issuer != provider.options().issuer) {
        return Err(Failure::new(Reason::Rejected, "the answer names another issuer"));
    }
    if let Some(error) = query.get("error") {
        let reason = match error {
            "access_denied"
            | "login_required"
            | "consent_required"
            | "interaction_required"
            | "account_selection_required" => Reason::Denied,
            "server_error" | "temporarily_unavailable" => Reason::Unavailable,
            _ => Reason::Misconfigured,
        };
        let description = query.get("error_description").unwrap_or_default();
        return Err(Failure::new(reason, format!("the provider answered {error} {description}")));
    }
    match query.get("code") {
        Some(code) if !code.is_empty() && code.len() <= MAX_CODE => Ok(code.to_owned()),
        _ => Err(Failure::new(Reason::Rejected, format!("the answer has no code of 1 to {MAX_CODE} bytes"))),
    }
}

/// The name for a new account: the first of the person's names, the subject, and `user SUBJECT` that is valid for an
/// account and that no configured token has.
fn name_of(identity: &Identity, authenticator: &Authenticator) -> Result<ActorName, Failure> {
    let numbered = format!("user {}", preview(&identity.subject, MAX_SUBJECT_IN_NAME));
    let known = identity.names.iter().chain([&identity.subject, &numbered]);
    let mut names = known.filter_map(|name| ActorName::parse(name).ok());
    let name = names.find(|name| !authenticator.is_configured(name.as_str()));
    name.ok_or_else(|| Failure::new(Reason::Rejected, "no name of the person can be the name of an account"))
}

/// The address that starts the sign-in at the external URL. The provider returns to the external URL, where the browser
/// does not send a cookie that it got from another address. `None` if the browser already uses the external URL, or if
/// the request has no valid `Host`.
fn external_start(request: &HttpRequest, provider: &Provider, return_to: &str) -> Option<Url> {
    let redirect = &provider.options().redirect;
    let host = request.headers().get(header::HOST)?.to_str().ok()?;
    let used: Url = format!("{}://{host}/", redirect.scheme()).parse().ok()?;
    if used.origin() == redirect.origin() {
        return None;
    }
    let mut url = redirect.clone();
    url.set_path(&redirect.path().replace(CALLBACK, START));
    url.query_pairs_mut().append_pair("return", return_to).append_pair(AT_EXTERNAL_URL, "1");
    Some(url)
}

fn failed(failure: &Failure, return_to: &str) -> HttpResponse {
    failure.log();
    let mut query = Serializer::new(String::new());
    query.append_pair("error", failure.reason.into());
    if return_to != "/" {
        query.append_pair("return", return_to);
    }
    redirect(&format!("{SIGN_IN_PAGE}?{}", query.finish()))
}

/// A redirect with status 303, so that the browser uses GET.
fn redirect(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .finish()
}

/// The cookie with the state of a sign-in. `Lax`: the browser sends it with the redirect from the provider.
fn state_cookie(provider: &Provider, value: &str, lifetime: Duration) -> HeaderValue {
    let (name, scope) = (cookie_name(provider), if is_secure(provider) { "/; Secure" } else { "/api/session/oidc" });
    let age = lifetime.as_secs();
    let text = format!("{name}={value}; Max-Age={age}; Path={scope}; HttpOnly; SameSite=Lax");
    // The conversion cannot fail, because the parts are ASCII. A sensitive value is left out of debug output.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// The name of the state cookie. With https, the prefix `__Host-` prevents other hosts of the domain from setting the
/// cookie.
fn cookie_name(provider: &Provider) -> &'static str {
    if is_secure(provider) { "__Host-sentistream-oidc" } else { "sentistream_oidc" }
}

fn is_secure(provider: &Provider) -> bool {
    provider.options().redirect.scheme() == "https"
}

fn set_cookie(response: &mut HttpResponse, cookie: HeaderValue) {
    response.headers_mut().append(header::SET_COOKIE, cookie);
}
