//! Authentication and scopes: bearer tokens, sessions of users, and the policy for requests without credentials.

pub mod cookie;
mod extract;
pub mod jwt;
mod options;
pub mod origin;
mod principal;
mod scope;
pub mod session;
pub mod stored;
pub mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage, HttpRequest, ResponseError as _};

use crate::accounts::{AccountError, Accounts, Presence};
use crate::clock::Clock;
use crate::oidc::{OidcError, Provider};

use super::client::is_forwarded;
use super::error::ApiError;
use super::options::HttpOptions;
use jwt::{JwtError, JwtVerifier};
use session::Resolution;
use stored::StoredTokens;
use tokens::StaticToken;

pub use extract::{Actor, Admin, Authorized, Edit, Read, RequiredScope, Respond, Write, author};
pub use options::AuthOptions;
pub use principal::{Authorization, Credential, Principal};
pub use scope::{Scope, UnknownScope};

/// Why the configuration of `server.auth` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The public key is not a PEM key of the configured algorithm.
    #[error("server.auth.jwt: the public key cannot be read")]
    PublicKey(#[source] jsonwebtoken::errors::Error),
    /// The shared secret is so short that it can be guessed from one token.
    #[error("server.auth.jwt: the secret must be at least {least} bytes, it has {bytes}")]
    ShortSecret {
        /// The length of the secret.
        bytes: usize,
        /// The shortest allowed length.
        least: usize,
    },
    /// The identity provider cannot be used.
    #[error(transparent)]
    Oidc(#[from] OidcError),
}

/// The name of a client whose request came through a proxy, when no credentials are required.
pub const ANONYMOUS: &str = "anonymous";
/// The name of a local client, when no credentials are required.
pub const LOCAL: &str = "local";
/// The name of a user of the command line in the audit log.
pub const COMMAND_LINE: &str = "command line";
/// The prefix of the names of clients with a JWT.
pub const JWT_PREFIX: &str = "jwt:";

/// Authenticates requests and checks their scopes.
pub struct Authenticator {
    tokens: Vec<StaticToken>,
    jwt: Option<JwtVerifier>,
    /// The policy for requests without credentials; `None` if every request needs credentials.
    open: Option<Open>,
    cors_origins: Vec<String>,
    stored: Arc<StoredTokens>,
    accounts: Accounts,
    provider: Option<Arc<Provider>>,
    clock: Clock,
}

/// The policy of a server that is bound to loopback and has no configured credentials. While there are no accounts,
/// local requests have every scope, and requests through a proxy have the scope `read`.
#[derive(Clone, Copy)]
struct Open {
    behind_proxy: bool,
}

/// The paths whose POST requests change nothing and need no database.
const READING_POSTS: [&str; 1] = ["/api/analyze"];

const CHALLENGE: &str = r#"Bearer realm="sentistream""#;

/// Whether a server needs a first admin token before it can be used: other machines can reach it, and no credentials
/// are configured.
pub fn needs_first_token(auth: Option<&AuthOptions>, addresses: &[SocketAddr]) -> bool {
    auth.is_none() && !addresses.iter().all(|address| address.ip().is_loopback())
}

impl Authenticator {
    /// The authenticator of a server with `options`. `stored` are the tokens of the database, `accounts` its users.
    ///
    /// # Errors
    /// When a key of `server.auth` is invalid.
    pub fn new(
        options: &HttpOptions,
        stored: Arc<StoredTokens>,
        accounts: Accounts,
        clock: Clock,
    ) -> Result<Self, AuthError> {
        let is_open = options.auth.is_none() && !needs_first_token(None, &options.listen);
        let AuthOptions { tokens, jwt } = options.auth.clone().unwrap_or_default();
        let provider = options.oidc.clone().map(|oidc| Provider::new(oidc, clock.clone())).transpose()?;
        Ok(Self {
            tokens,
            jwt: jwt.as_ref().map(JwtVerifier::new).transpose()?,
            open: is_open.then_some(Open { behind_proxy: !options.trusted_proxies.is_empty() }),
            cors_origins: options.cors_origins.clone(),
            stored,
            accounts,
            provider: provider.map(Arc::new),
            clock,
        })
    }

    /// Checks that the client of `request` has `scope`.
    ///
    /// # Errors
    /// 401 without a valid token or session; 403 if the client lacks the scope, or the request comes from a page of
    /// another site; 503 while the database does not answer.
    pub fn authorize(&self, request: &HttpRequest, scope: Scope) -> Result<Principal, ApiError> {
        let token = bearer(request)?;
        self.authorize_token(request, token, scope)
    }

    /// As [`Self::authorize`], for a token that was not sent in the `Authorization` header.
    ///
    /// # Errors
    /// As [`Self::authorize`].
    pub fn authorize_token(
        &self,
        request: &HttpRequest,
        token: Option<&str>,
        scope: Scope,
    ) -> Result<Principal, ApiError> {
        let principal = self.authenticate(request, token)?;
        Authorization::new(principal.clone(), scope).keep(request);
        if !principal.has(scope) {
            let scope = scope.as_str();
            return Err(ApiError::forbidden(match principal.credential {
                Credential::Local => {
                    format!("the database does not answer, so the scope {scope} cannot be checked; try again")
                }
                Credential::Anonymous => format!(
                    "requests through a proxy may only read, because no credentials are configured; add a token with \
                     the scope {scope} to server.auth.tokens, or create an account"
                ),
                Credential::Session(_) => format!("your role lacks the scope {scope}"),
                Credential::Stored { .. } | Credential::Configured => format!("the token lacks the scope {scope}"),
            }));
        }
        if scope != Scope::Read && matches!(principal.credential, Credential::Local | Credential::Anonymous) {
            // Without this check, a page of another site could write through the browser of a visitor.
            origin::check(request, &self.cors_origins)?;
        }
        Ok(principal)
    }

    /// The client of `request`, without a check of its scopes; `None` without valid credentials.
    ///
    /// # Errors
    /// 403 for the page of another site, 503 when the database does not answer.
    pub fn identify(&self, request: &HttpRequest) -> Result<Option<Principal>, ApiError> {
        let token = bearer(request).ok().flatten();
        match self.authenticate(request, token) {
            Ok(principal) => Ok(Some(principal)),
            Err(error) if error.status_code() == StatusCode::UNAUTHORIZED => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn authenticate(&self, request: &HttpRequest, token: Option<&str>) -> Result<Principal, ApiError> {
        match (self.open, self.accounts.presence()) {
            (Some(open), Presence::Absent) => return local(request, open),
            (Some(open), Presence::Unknown | Presence::Unreachable) if token.is_none() => {
                return while_unknown(request, open);
            }
            _ => {}
        }
        if let Some(token) = token {
            return self.by_token(token);
        }
        match request.extensions().get::<Resolution>() {
            Some(Resolution::Session(known)) => {
                if !request.method().is_safe() {
                    origin::check_page(request, &self.cors_origins)?;
                }
                Ok(Principal::of_session(known.clone()))
            }
            Some(Resolution::Ended) => Err(AccountError::Ended.into()),
            Some(Resolution::Failed(error)) => Err(error.clone()),
            None => Err(ApiError::unauthorized("sign in, or send a token: Authorization: Bearer TOKEN", CHALLENGE)),
        }
    }

    fn by_token(&self, token: &str) -> Result<Principal, ApiError> {
        if let Some(known) = tokens::find(&self.tokens, token) {
            let (name, scopes) = (known.name.clone(), known.scopes.clone());
            return Ok(Principal { name, scopes, expires_at: None, credential: Credential::Configured });
        }
        if let Some(known) = self.stored.find(token, self.clock.now()) {
            return Ok(Principal {
                name: known.name.clone(),
                scopes: known.scopes.clone(),
                expires_at: known.expires_at,
                credential: Credential::Stored { id: known.id, owner_id: known.owner_id },
            });
        }
        let Some(jwt) = &self.jwt else { return Err(invalid_token(&JwtError::Unknown)) };
        let verified = jwt.verify(token, self.clock.now()).map_err(|error| invalid_token(&error))?;
        Ok(Principal {
            name: format!("{JWT_PREFIX}{}", verified.subject.unwrap_or_default()),
            scopes: verified.scopes,
            expires_at: Some(verified.expires_at),
            credential: Credential::Configured,
        })
    }

    /// Whether the credentials of `principal` are still valid: not expired, deleted or ended.
    pub fn is_current(&self, principal: &Principal) -> bool {
        let now = self.clock.now();
        principal.expires_at.is_none_or(|expiry| now < expiry)
            && match &principal.credential {
                Credential::Stored { id, .. } => self.stored.contains(*id),
                Credential::Session(known) => self.accounts.is_live(known.session.id),
                Credential::Configured => true,
                Credential::Local | Credential::Anonymous => self.accounts.presence() != Presence::Present,
            }
    }

    /// Whether a token of the configuration has this name. Case is ignored.
    pub fn is_configured(&self, name: &str) -> bool {
        self.tokens.iter().any(|token| token.name.to_lowercase() == name.to_lowercase())
    }

    /// Whether requests without credentials are accepted while there are no accounts.
    pub fn may_be_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether requests without credentials are refused.
    pub fn requires_credentials(&self) -> bool {
        self.open.is_none() || self.accounts.presence() != Presence::Absent
    }

    /// The identity provider, if there is one.
    pub fn provider(&self) -> Option<&Arc<Provider>> {
        self.provider.as_ref()
    }

    /// The tokens that are stored in the database.
    pub fn stored(&self) -> &Arc<StoredTokens> {
        &self.stored
    }

    /// The users of the database and their sessions.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }
}

/// The client of a request without credentials. `Host` must name this machine, because another name may resolve to
/// loopback (DNS rebinding). With a trusted proxy any name is accepted, because the proxy serves a public name.
fn local(request: &HttpRequest, Open { behind_proxy }: Open) -> Result<Principal, ApiError> {
    if !behind_proxy && !origin::names_this_machine(request) {
        return Err(ApiError::forbidden(
            "without credentials this server answers only under localhost or a loopback address; configure \
             server.auth.tokens, and server.trusted_proxies behind a proxy, to use another name",
        ));
    }
    // HTTP/1.0 indicates a proxy: it is the default of some proxies, and browsers and current tools do not use it.
    let forwarded =
        behind_proxy || is_forwarded(request.headers()) || request.version() < actix_web::http::Version::HTTP_11;
    Ok(if forwarded {
        let (name, scopes, credential) = (ANONYMOUS.to_owned(), vec![Scope::Read], Credential::Anonymous);
        Principal { name, scopes, expires_at: None, credential }
    } else {
        let (name, scopes, credential) = (LOCAL.to_owned(), Scope::ALL.to_vec(), Credential::Local);
        Principal { name, scopes, expires_at: None, credential }
    })
}

/// The client of a request while it is unknown whether accounts exist, because the database does not answer. A local
/// client may read, so that metrics and the state of the process stay available. All other requests are refused.
fn while_unknown(request: &HttpRequest, open: Open) -> Result<Principal, ApiError> {
    let unavailable =
        || ApiError::unavailable("the database does not answer, so the client cannot be checked; try again");
    let client = local(request, open)?;
    if client.credential == Credential::Anonymous {
        return Err(unavailable());
    }
    if request.method().is_safe() || READING_POSTS.contains(&request.path()) {
        return Ok(Principal { scopes: vec![Scope::Read], ..client });
    }
    Err(unavailable())
}

fn invalid_token(error: &JwtError) -> ApiError {
    ApiError::unauthorized(format!("the token {error}"), format!("{CHALLENGE}, error=\"invalid_token\""))
}

fn bearer(request: &HttpRequest) -> Result<Option<&str>, ApiError> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty());
    match token {
        Some((_, token)) => Ok(Some(token.trim())),
        None => Err(ApiError::unauthorized("Authorization must be: Bearer TOKEN", CHALLENGE)),
    }
}
