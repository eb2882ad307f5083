//! Authentication and scopes: bearer tokens, and the policy without configured tokens.

pub mod jwt;
pub mod origin;
pub mod tokens;

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::net::SocketAddr;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};

use crate::clock::Clock;

use super::error::ApiError;
use jwt::{JwtOptions, JwtVerifier};
use tokens::StaticToken;

/// A permission of a token. No scope includes another: a token with `write` alone cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All GET requests, analyze, the WebSocket.
    Read,
    /// Appending posts.
    Write,
    /// Deletions, dead letters.
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

impl std::str::FromStr for Scope {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or("must be one of read, write, admin")
    }
}

/// The tokens that are accepted.
#[derive(Clone, Debug, Default)]
pub struct AuthOptions {
    /// Tokens known by their hash.
    pub tokens: Vec<StaticToken>,
    /// Tokens that an identity provider signs.
    pub jwt: Option<JwtOptions>,
}

/// Why the configuration of auth cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AuthError(pub String);

/// Authenticates requests and checks their scopes.
pub struct Authenticator {
    policy: Policy,
    cors_origins: Vec<String>,
}

enum Policy {
    /// No tokens, bound to loopback: everything is allowed.
    Loopback,
    /// No tokens, bound to another address: reads are allowed.
    ReadOnly,
    Tokens {
        tokens: Vec<StaticToken>,
        jwt: Option<Box<JwtVerifier>>,
        clock: Clock,
    },
}

const CHALLENGE: &str = r#"Bearer realm="sentistream""#;

impl Authenticator {
    /// The authenticator of a server bound to `addresses`.
    ///
    /// # Errors
    /// When a key of `auth` cannot be read.
    pub fn new(
        auth: Option<&AuthOptions>,
        addresses: &[SocketAddr],
        cors_origins: &[String],
        clock: Clock,
    ) -> Result<Self, AuthError> {
        let policy = match auth {
            Some(auth) => Policy::Tokens {
                tokens: auth.tokens.clone(),
                jwt: auth.jwt.as_ref().map(JwtVerifier::new).transpose()?.map(Box::new),
                clock,
            },
            None if addresses.iter().all(|address| address.ip().is_loopback()) => Policy::Loopback,
            None => Policy::ReadOnly,
        };
        Ok(Self { policy, cors_origins: cors_origins.to_vec() })
    }

    /// Checks that `request` has `scope`.
    ///
    /// # Errors
    /// 401 without a valid token, 403 with one that lacks the scope.
    pub fn check(&self, request: &HttpRequest, scope: Scope) -> Result<(), ApiError> {
        let bearer = bearer(request)?;
        self.check_token(request, bearer, scope)
    }

    /// As [`Self::check`], for a token from another place than the `Authorization` header.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_token(&self, request: &HttpRequest, token: Option<&str>, scope: Scope) -> Result<(), ApiError> {
        match &self.policy {
            Policy::Loopback if scope == Scope::Read => Ok(()),
            Policy::Loopback => self.check_local_page(request),
            Policy::ReadOnly if scope == Scope::Read => Ok(()),
            Policy::ReadOnly => Err(ApiError::forbidden(format!(
                "this server is reachable from other machines and has no auth configured, so it only answers reads; \
                 configure server.auth.tokens with the scope {} (or server.auth.jwt), or listen on 127.0.0.1 alone",
                scope.as_str()
            ))),
            Policy::Tokens { tokens, jwt, clock } => {
                let token = token.ok_or_else(|| {
                    ApiError::unauthorized("send a token: Authorization: Bearer TOKEN", CHALLENGE.to_owned())
                })?;
                let scopes = match (tokens::find(tokens, token), jwt) {
                    (Some(known), _) => known.scopes.clone(),
                    (None, Some(jwt)) => jwt.scopes(token, clock.now()).map_err(|reason| invalid_token(&reason))?,
                    (None, None) => return Err(invalid_token("is not known")),
                };
                if scopes.contains(&scope) {
                    return Ok(());
                }
                Err(ApiError::forbidden(format!("the token lacks the scope {}", scope.as_str())))
            }
        }
    }

    /// The name of the client for audit records: the token's name, `jwt:SUBJECT`, or `local` without configured tokens.
    /// It is no proof of a scope; [`Self::check`] is.
    pub fn actor(&self, request: &HttpRequest) -> String {
        let Policy::Tokens { tokens, jwt, .. } = &self.policy else { return "local".to_owned() };
        let Ok(Some(token)) = bearer(request) else { return "unknown".to_owned() };
        match (tokens::find(tokens, token), jwt) {
            (Some(known), _) => known.name.clone(),
            (None, Some(jwt)) => format!("jwt:{}", jwt.subject(token).unwrap_or_default()),
            (None, None) => "unknown".to_owned(),
        }
    }

    /// Without tokens the page of another site could write through a visitor's browser. Cross-origin requests must come
    /// from a listed origin, and `Host` must name this machine (a foreign name may resolve to loopback).
    fn check_local_page(&self, request: &HttpRequest) -> Result<(), ApiError> {
        origin::check(request, &self.cors_origins)?;
        if origin::names_this_machine(request) {
            return Ok(());
        }
        Err(ApiError::forbidden(
            "without auth this server accepts writes only under localhost or a loopback address; configure \
             server.auth.tokens to write under another name",
        ))
    }
}

fn invalid_token(reason: &str) -> ApiError {
    ApiError::unauthorized(format!("the token {reason}"), format!("{CHALLENGE}, error=\"invalid_token\""))
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

/// A scope as a type, so that a handler's signature names the scope that it requires.
pub trait RequiredScope {
    /// The scope.
    const SCOPE: Scope;
}

/// [`Scope::Read`].
pub struct Read;
/// [`Scope::Write`].
pub struct Write;
/// [`Scope::Admin`].
pub struct Admin;

impl RequiredScope for Read {
    const SCOPE: Scope = Scope::Read;
}
impl RequiredScope for Write {
    const SCOPE: Scope = Scope::Write;
}
impl RequiredScope for Admin {
    const SCOPE: Scope = Scope::Admin;
}

/// Proof that the request has the scope.
pub struct Authorized<D>(PhantomData<D>);

impl<D: RequiredScope> FromRequest for Authorized<D> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let allowed = match request.app_data::<web::Data<Authenticator>>() {
            Some(authenticator) => authenticator.check(request, D::SCOPE),
            None => Err(ApiError::internal("no authenticator is configured")),
        };
        ready(allowed.map(|()| Self(PhantomData)))
    }
}

/// The name of the client, for audit records.
pub struct Actor(pub String);

impl FromRequest for Actor {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let actor =
            request.app_data::<web::Data<Authenticator>>().map(|authenticator| Self(authenticator.actor(request)));
        ready(actor.ok_or_else(|| ApiError::internal("no authenticator is configured")))
    }
}
