//! Authentication and scopes: bearer tokens, and the policy without configured tokens.

mod extract;
pub mod jwt;
pub mod origin;
pub mod stored;
pub mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest};

use crate::clock::Clock;
use crate::domain::Timestamp;

use super::audit::watched::{Decided, Decision};
use super::client::is_forwarded;
use super::error::ApiError;
use super::options::HttpOptions;
use jwt::{JwtError, JwtOptions, JwtVerifier};
use stored::StoredTokens;
use tokens::StaticToken;

pub use extract::{Actor, Admin, Authorized, Read, RequiredScope, Write};

/// A permission of a token. No scope includes another: a token with `write` alone cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All GET requests, analyze, the WebSocket.
    Read,
    /// Appending posts.
    Write,
    /// Deletions, dead letters, rules, topics, receivers, pausing, tokens, the audit log.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The name used in tokens and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// The error for a text that is not the name of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of read, write, admin")]
pub struct UnknownScope;

impl std::str::FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(UnknownScope)
    }
}

/// The tokens of the configuration.
#[derive(Clone, Debug, Default)]
pub struct AuthOptions {
    /// Static tokens, known by their hash.
    pub tokens: Vec<StaticToken>,
    /// Tokens that an identity provider signs.
    pub jwt: Option<JwtOptions>,
}

/// Why the configuration of `server.auth` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The public key is not PEM of its algorithm.
    #[error("server.auth.jwt: the public key cannot be read")]
    PublicKey(#[source] jsonwebtoken::errors::Error),
    /// The shared secret is so short that it can be guessed from one token.
    #[error("server.auth.jwt: the secret must be at least {least} bytes, it has {bytes}")]
    ShortSecret {
        /// Its length.
        bytes: usize,
        /// The shortest allowed length.
        least: usize,
    },
}

/// An authenticated client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// For logs and the audit log: the token's name, `jwt:SUBJECT`, or `local` or [`ANONYMOUS`] without credentials.
    pub name: String,
    scopes: Vec<Scope>,
    expires_at: Option<Timestamp>,
    /// The id of a token in the database.
    stored: Option<i64>,
}

impl Principal {
    /// Whether the client has `scope`.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether the token can expire or be deleted while the process runs.
    pub fn can_end(&self) -> bool {
        self.expires_at.is_some() || self.stored.is_some()
    }
}

/// The decision about a request, kept in its extensions for the audit log.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// The client.
    pub principal: Principal,
    /// The scope that the request requires.
    pub scope: Scope,
}

impl Authorization {
    /// The exchange of a sign-in link for the token `name`, which gets every scope.
    pub fn of_sign_in(name: &str) -> Self {
        let principal = Principal { name: name.to_owned(), scopes: Vec::new(), expires_at: None, stored: None };
        Self { principal, scope: Scope::Admin }
    }

    /// Keeps the decision in the extensions of `request`, and for the audit log beyond the life of the request.
    pub fn keep(self, request: &HttpRequest) {
        // Only changes are recorded with it.
        let route = if self.scope == Scope::Admin { request.match_pattern() } else { None };
        let mut extensions = request.extensions_mut();
        if let Some(decision) = extensions.get::<Decision>() {
            decision.set(Decided { actor: self.principal.name.clone(), scope: self.scope, route });
        }
        extensions.insert(self);
    }
}

/// The name of a client that a proxy has forwarded to a server without credentials.
pub const ANONYMOUS: &str = "anonymous";
/// The name of a local client of a server without credentials.
pub const LOCAL: &str = "local";
/// The name of a user of the command line in the audit log.
pub const COMMAND_LINE: &str = "command line";
/// The prefix of the names of clients with a JWT.
pub const JWT_PREFIX: &str = "jwt:";

/// Authenticates requests and checks their scopes.
pub struct Authenticator {
    policy: Policy,
    cors_origins: Vec<String>,
    stored: Arc<StoredTokens>,
    clock: Clock,
}

enum Policy {
    /// No credentials are configured and the server is bound to loopback: local requests have every scope, and requests
    /// through a proxy have the scope `read`.
    Local { behind_proxy: bool },
    /// Every request needs a token.
    Tokens { tokens: Vec<StaticToken>, jwt: Option<Box<JwtVerifier>> },
}

const CHALLENGE: &str = r#"Bearer realm="sentistream""#;

/// Whether a server needs a first admin token before it can be used: other machines can reach it, and no credentials
/// are configured.
pub fn needs_first_token(auth: Option<&AuthOptions>, addresses: &[SocketAddr]) -> bool {
    auth.is_none() && !addresses.iter().all(|address| address.ip().is_loopback())
}

impl Authenticator {
    /// The authenticator of a server with `options`. `stored` are the tokens of the database.
    ///
    /// # Errors
    /// When a key of `server.auth` is invalid.
    pub fn new(options: &HttpOptions, stored: Arc<StoredTokens>, clock: Clock) -> Result<Self, AuthError> {
        let policy = match &options.auth {
            Some(auth) => Policy::Tokens {
                tokens: auth.tokens.clone(),
                jwt: auth.jwt.as_ref().map(JwtVerifier::new).transpose()?.map(Box::new),
            },
            None if needs_first_token(None, &options.listen) => Policy::Tokens { tokens: Vec::new(), jwt: None },
            None => Policy::Local { behind_proxy: !options.trusted_proxies.is_empty() },
        };
        Ok(Self { policy, cors_origins: options.cors_origins.clone(), stored, clock })
    }

    /// Checks that `request` has `scope`.
    ///
    /// # Errors
    /// 401 without a valid token, 403 with one that lacks the scope.
    pub fn authorize(&self, request: &HttpRequest, scope: Scope) -> Result<Principal, ApiError> {
        let token = bearer(request)?;
        self.authorize_token(request, token, scope)
    }

    /// As [`Self::authorize`], for a token from another place than the `Authorization` header.
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
        Authorization { principal: principal.clone(), scope }.keep(request);
        if !principal.has(scope) {
            return Err(ApiError::forbidden(match self.policy {
                Policy::Local { .. } => format!(
                    "requests through a proxy may only read, because no credentials are configured; add a token with \
                     the scope {} to server.auth.tokens",
                    scope.as_str()
                ),
                Policy::Tokens { .. } => format!("the token lacks the scope {}", scope.as_str()),
            }));
        }
        if scope != Scope::Read && matches!(self.policy, Policy::Local { .. }) {
            // Otherwise a page of another site could write through a visitor's browser.
            origin::check(request, &self.cors_origins)?;
        }
        Ok(principal)
    }

    fn authenticate(&self, request: &HttpRequest, token: Option<&str>) -> Result<Principal, ApiError> {
        let (tokens, jwt) = match &self.policy {
            Policy::Local { behind_proxy } => return local(request, *behind_proxy),
            Policy::Tokens { tokens, jwt } => (tokens, jwt),
        };
        let token = token
            .ok_or_else(|| ApiError::unauthorized("send a token: Authorization: Bearer TOKEN", CHALLENGE.to_owned()))?;
        if let Some(known) = tokens::find(tokens, token) {
            let (name, scopes) = (known.name.clone(), known.scopes.clone());
            return Ok(Principal { name, scopes, expires_at: None, stored: None });
        }
        if let Some(known) = self.stored.find(token, self.clock.now()) {
            return Ok(Principal {
                name: known.name.clone(),
                scopes: known.scopes.clone(),
                expires_at: known.expires_at,
                stored: Some(known.id),
            });
        }
        let Some(jwt) = jwt else { return Err(invalid_token(&JwtError::Unknown)) };
        let verified = jwt.verify(token, self.clock.now()).map_err(|error| invalid_token(&error))?;
        Ok(Principal {
            name: format!("{JWT_PREFIX}{}", verified.subject.unwrap_or_default()),
            scopes: verified.scopes,
            expires_at: Some(verified.expires_at),
            stored: None,
        })
    }

    /// Whether the token of `principal` is still valid: not expired and, for a token of the database, not deleted.
    pub fn is_current(&self, principal: &Principal) -> bool {
        let now = self.clock.now();
        principal.expires_at.is_none_or(|expiry| now < expiry)
            && principal.stored.is_none_or(|id| self.stored.contains(id))
    }

    /// Whether a token of the configuration has this name, in any case.
    pub fn is_configured(&self, name: &str) -> bool {
        let Policy::Tokens { tokens, .. } = &self.policy else { return false };
        tokens.iter().any(|token| token.name.to_lowercase() == name.to_lowercase())
    }

    /// The tokens that are stored in the database.
    pub fn stored(&self) -> &Arc<StoredTokens> {
        &self.stored
    }
}

/// The client of a server without credentials. `Host` must name this machine, because another name may resolve to
/// loopback (DNS rebinding). With a trusted proxy any name is accepted, because the proxy serves a public name.
fn local(request: &HttpRequest, behind_proxy: bool) -> Result<Principal, ApiError> {
    if !behind_proxy && !origin::names_this_machine(request) {
        return Err(ApiError::forbidden(
            "without credentials this server answers only under localhost or a loopback address; configure \
             server.auth.tokens, and server.trusted_proxies behind a proxy, to use another name",
        ));
    }
    // HTTP/1.0 indicates a proxy: it is the default of some proxies, and browsers and current tools do not use it.
    let forwarded =
        behind_proxy || is_forwarded(request.headers()) || request.version() < actix_web::http::Version::HTTP_11;
    let scopes = if forwarded { vec![Scope::Read] } else { Scope::ALL.to_vec() };
    let name = if forwarded { ANONYMOUS } else { LOCAL };
    Ok(Principal { name: name.to_owned(), scopes, expires_at: None, stored: None })
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
        None => Err(ApiError::unauthorized("Authorization must be: Bearer TOKEN", CHALLENGE.to_owned())),
    }
}
