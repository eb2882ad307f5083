//! The session of a request: a middleware reads it from the database before the handler checks its scope.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};

use super::{Authenticator, cookie};
use crate::accounts::{AccountError, Presence};
use crate::http::error::ApiError;
use crate::http::state::State;
use crate::store::accounts::SignedInUser;

/// The path of the health report, which both browsers and probes read.
pub const HEALTH: &str = "/api/health";

/// What the cookie of a request refers to.
#[derive(Clone, Debug)]
pub enum Resolution {
    /// A session.
    Session(SignedInUser),
    /// A session that has ended, or never existed.
    Ended,
    /// The database did not answer.
    Failed(ApiError),
}

/// The middleware of every resource that identifies its client. It keeps a [`Resolution`] in the extensions of a
/// request with a session cookie and without a token.
///
/// # Errors
/// The errors of the inner service.
pub async fn resolve<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let (state, authenticator) = (request.app_data::<Data<State>>(), request.app_data::<Data<Authenticator>>());
    if let (Some(state), Some(authenticator)) = (state.cloned(), authenticator.cloned()) {
        let accounts = authenticator.accounts().clone();
        if request.path() != HEALTH && authenticator.may_be_open() && accounts.presence() == Presence::Unknown {
            let accounts = accounts.clone();
            // If the database does not answer in time, it stays unknown whether accounts exist.
            let _ = state.read(async move { Ok::<_, ApiError>(accounts.known_presence().await) }).await;
        }
        let secret = cookie::secret(request.request(), &state);
        if let Some(secret) = secret.filter(|_| !request.headers().contains_key(header::AUTHORIZATION)) {
            let found = state.run(async move { accounts.session(&secret).await });
            // A probe must get an answer even if the database does not respond.
            let resolution = match tokio::time::timeout(limit(&request, &state), found).await {
                Ok(Ok(Some(known))) => Resolution::Session(known),
                Ok(Ok(None)) => Resolution::Ended,
                Ok(Err(error)) => Resolution::Failed(error),
                Err(_) => Resolution::Failed(ApiError::unavailable("the database does not answer; try again")),
            };
            request.extensions_mut().insert(resolution);
        }
    }
    next.call(request).await
}

/// The maximum time to wait for the session of `request`. It is shorter for the health report, so that probes get an
/// answer.
fn limit(request: &ServiceRequest, state: &State) -> Duration {
    if request.path() == HEALTH { state.options.check_timeout } else { state.options.request_timeout }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::WrongCredentials | AccountError::WrongCode => Self::unauthorized(error.to_string(), ""),
            AccountError::Ended => Self::unauthorized(error.to_string(), super::CHALLENGE),
            AccountError::Throttled(wait) => Self::throttled(error.to_string(), wait.as_secs() + 1),
            AccountError::Busy => Self::unavailable(error.to_string()),
            AccountError::Disabled => Self::forbidden(error.to_string()),
            AccountError::Exists | AccountError::NoPassword => Self::conflict(error.to_string()),
            AccountError::NameTaken => Self::invalid_field("name", error.to_string()),
            AccountError::Hash(_) => Self::internal(error),
            AccountError::Store(error) => error.into(),
        }
    }
}
