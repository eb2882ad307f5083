//! Authenticated clients, and decisions about their requests.

use std::sync::Arc;

use actix_web::{HttpMessage, HttpRequest};

use super::Scope;
use crate::accounts::SignedIn;
use crate::domain::Timestamp;
use crate::http::audit::watched::{Decided, Decision};
use crate::store::accounts::SignedInUser;

/// An authenticated client.
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    /// For logs and the audit log: the name of the user or token, `jwt:SUBJECT`, or `local` or [`super::ANONYMOUS`]
    /// without credentials.
    pub name: String,
    /// How the client was authenticated.
    pub credential: Credential,
    pub(super) scopes: Vec<Scope>,
    pub(super) expires_at: Option<Timestamp>,
}

/// How a client was authenticated.
#[derive(Clone, Debug, PartialEq)]
pub enum Credential {
    /// By a session of a user.
    Session(Arc<SignedInUser>),
    /// By a token of the database.
    Stored {
        /// The id of the token.
        id: i64,
        /// The user that the token belongs to.
        owner_id: Option<i64>,
    },
    /// By a token of the configuration, or by a JWT.
    Configured,
    /// By its address: the client runs on the same machine as the server, and the server requires no credentials.
    Local,
    /// Without authentication: the request came through a proxy, and the server requires no credentials.
    Anonymous,
}

impl Principal {
    /// Whether the client has `scope`.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|own| own.includes(scope))
    }

    /// The scopes of the client, and the scopes that they include.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(|scope| self.has(*scope))
    }

    /// The session of the client, if it has signed in.
    pub fn session(&self) -> Option<&SignedInUser> {
        match &self.credential {
            Credential::Session(known) => Some(known),
            _ => None,
        }
    }

    /// The id of the signed-in user, or of the user that the client's token belongs to.
    pub fn owner_id(&self) -> Option<i64> {
        match &self.credential {
            Credential::Session(known) => Some(known.session.user_id),
            Credential::Stored { owner_id, .. } => *owner_id,
            Credential::Configured | Credential::Local | Credential::Anonymous => None,
        }
    }

    /// The latest time at which tokens that the client creates may expire. A token of the database cannot create a
    /// token that expires later than itself. A session does not limit the expiry.
    pub fn last_expiry(&self) -> Option<Timestamp> {
        if matches!(self.credential, Credential::Stored { .. }) { self.expires_at } else { None }
    }

    /// Whether the access can end while the process runs. Sessions and stored tokens can end, JWTs expire, and access
    /// without credentials ends when the first account is created.
    pub fn can_end(&self) -> bool {
        self.expires_at.is_some() || self.credential != Credential::Configured
    }

    /// The client of a session.
    pub fn of_session(known: SignedInUser) -> Self {
        Self {
            name: known.name.clone(),
            scopes: Scope::of(known.role).to_vec(),
            expires_at: Some(known.session.expires_at),
            credential: Credential::Session(Arc::new(known)),
        }
    }
}

/// The decision about a request, kept in its extensions for the audit log.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// The client.
    pub principal: Principal,
    /// The scope that the request requires.
    pub scope: Scope,
    is_recorded: bool,
}

impl Authorization {
    pub(super) fn new(principal: Principal, scope: Scope) -> Self {
        Self { principal, scope, is_recorded: scope.is_recorded() }
    }

    /// A sign-in as the user or with the new token `name`, which the audit log records.
    pub fn of_sign_in(name: &str) -> Self {
        let principal = Principal {
            name: name.to_owned(),
            scopes: Vec::new(),
            expires_at: None,
            credential: Credential::Anonymous,
        };
        Self { principal, scope: Scope::Admin, is_recorded: true }
    }

    /// A sign-in of a user.
    pub fn of_session(signed_in: &SignedIn) -> Self {
        Self::of_sign_in(&signed_in.user.name)
    }

    /// A change of the client's own account, which the audit log records.
    pub fn of_own_change(principal: &Principal) -> Self {
        Self { principal: principal.clone(), scope: Scope::Read, is_recorded: true }
    }

    /// Keeps the decision in the extensions of `request`, and in the [`Decision`] that the audit log reads after the
    /// request has ended.
    pub fn keep(self, request: &HttpRequest) {
        let route = if self.is_recorded { request.match_pattern() } else { None };
        let mut extensions = request.extensions_mut();
        if let Some(decision) = extensions.get::<Decision>() {
            decision.set(Decided { actor: self.principal.name.clone(), is_recorded: self.is_recorded, route });
        }
        extensions.insert(self);
    }
}
