//! The extractors of handlers.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};

use super::{Authenticator, Authorization, Principal, Scope};
use crate::http::error::ApiError;

/// A scope as a type, so that a handler's signature names the scope that it requires.
pub trait RequiredScope {
    /// The scope.
    const SCOPE: Scope;
}

/// [`Scope::Read`].
pub struct Read;
/// [`Scope::Write`].
pub struct Write;
/// [`Scope::Respond`].
pub struct Respond;
/// [`Scope::Edit`].
pub struct Edit;
/// [`Scope::Admin`].
pub struct Admin;

impl RequiredScope for Read {
    const SCOPE: Scope = Scope::Read;
}
impl RequiredScope for Write {
    const SCOPE: Scope = Scope::Write;
}
impl RequiredScope for Respond {
    const SCOPE: Scope = Scope::Respond;
}
impl RequiredScope for Edit {
    const SCOPE: Scope = Scope::Edit;
}
impl RequiredScope for Admin {
    const SCOPE: Scope = Scope::Admin;
}

/// Proof that the client of the request has the scope `S`.
pub struct Authorized<S> {
    /// The client.
    pub principal: Principal,
    scope: PhantomData<S>,
}

impl<S: RequiredScope> FromRequest for Authorized<S> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let allowed = match request.app_data::<web::Data<Authenticator>>() {
            Some(authenticator) => authenticator.authorize(request, S::SCOPE),
            None => Err(ApiError::internal("no authenticator is configured")),
        };
        ready(allowed.map(|principal| Self { principal, scope: PhantomData }))
    }
}

/// The name of the client, for audit records. It does not prove any scope, so use it only after [`Authorized`].
pub struct Actor(pub String);

impl Actor {
    /// The client of a request whose scope was checked.
    pub fn of(request: &HttpRequest) -> Self {
        let extensions = request.extensions();
        let name = extensions.get::<Authorization>().map(|authorization| authorization.principal.name.clone());
        Self(name.unwrap_or_else(|| "unknown".to_owned()))
    }
}

/// The author of a new object: the signed-in user, or the author that a program names in its request.
pub fn author(request: &HttpRequest, named: String) -> String {
    let extensions = request.extensions();
    let user = extensions.get::<Authorization>().and_then(|authorization| authorization.principal.session());
    user.map_or(named, |user| user.name.clone())
}

impl FromRequest for Actor {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}
