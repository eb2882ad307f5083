//! Why a sign-in at the provider fails.

use openidconnect::core::CoreErrorResponseType;
use openidconnect::{
    ClaimsVerificationError, DiscoveryError, RequestTokenError, SignatureVerificationError, StandardErrorResponse,
    UserInfoError,
};

use super::transport::TransportError;

/// Why a sign-in fails. Messages are for logs and administrators; they contain no tokens and no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// The provider does not answer. A retry may succeed.
    #[error("the provider does not answer: {0}")]
    Unavailable(String),
    /// The settings of this server or of the provider are wrong.
    #[error("{0}")]
    Misconfigured(String),
    /// The sign-in took too long, or its answer was used before.
    #[error("the sign-in has expired: {0}")]
    Expired(String),
    /// A check of the provider's answer failed.
    #[error("the answer of the provider is refused: {0}")]
    Rejected(String),
    /// No group of the user has a role.
    #[error("no group of the user has a role in server.auth.oidc.roles")]
    NoRole,
    /// The e-mail address is missing, not verified, or of another domain.
    #[error("the e-mail address is missing, not verified, or not in server.auth.oidc.email_domains")]
    Email,
}

/// Why an ID token is refused.
pub enum Refusal {
    /// No known key of the provider has signed the ID token.
    UnknownKey,
    /// A check failed.
    Invalid(String),
}

impl From<Refusal> for OidcError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownKey => {
                Self::Rejected("the ID token is signed with a key that the provider does not publish".to_owned())
            }
            Refusal::Invalid(reason) => Self::Rejected(reason),
        }
    }
}

impl From<ClaimsVerificationError> for Refusal {
    fn from(error: ClaimsVerificationError) -> Self {
        match error {
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
                Self::UnknownKey
            }
            ClaimsVerificationError::SignatureVerification(error) => Self::Invalid(format!("ID token: {error}")),
            other => Self::Invalid(format!("ID token: {other}")),
        }
    }
}

impl From<TransportError> for OidcError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Outbound(error) if error.is_transient() => Self::Unavailable(error.to_string()),
            other => Self::Misconfigured(other.to_string()),
        }
    }
}

impl From<DiscoveryError<TransportError>> for OidcError {
    fn from(error: DiscoveryError<TransportError>) -> Self {
        match error {
            DiscoveryError::Request(error) => error.into(),
            DiscoveryError::Response(status, _, message) if is_transient(status.as_u16()) => Self::Unavailable(message),
            DiscoveryError::Response(_, _, message) => Self::Misconfigured(format!(
                "server.auth.oidc.issuer has no discovery document at /.well-known/openid-configuration: {message}"
            )),
            DiscoveryError::Parse(error) => {
                Self::Misconfigured(format!("the discovery document or the keys cannot be read at {}", error.path()))
            }
            DiscoveryError::Validation(message) => Self::Misconfigured(format!(
                "{message}: set server.auth.oidc.issuer to the issuer exactly as the provider states it"
            )),
            other => Self::Misconfigured(format!("discovery failed: {other}")),
        }
    }
}

/// The error type of a token request.
pub type TokenError = RequestTokenError<TransportError, StandardErrorResponse<CoreErrorResponseType>>;

impl From<TokenError> for OidcError {
    fn from(error: TokenError) -> Self {
        match error {
            RequestTokenError::Request(error) => error.into(),
            RequestTokenError::ServerResponse(response) => {
                let code: &str = response.error().as_ref();
                match response.error() {
                    CoreErrorResponseType::InvalidGrant => Self::Expired(format!("the token endpoint answered {code}")),
                    CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                        Self::Misconfigured(format!(
                            "the token endpoint answered {code}: check server.auth.oidc.client_id and client_secret"
                        ))
                    }
                    _ => Self::Misconfigured(format!("the token endpoint answered {code}")),
                }
            }
            // Only the path of the error is reported, because the cause may quote a token.
            RequestTokenError::Parse(error, _) => {
                Self::Rejected(format!("the answer of the token endpoint cannot be read at {}", error.path()))
            }
            RequestTokenError::Other(message) => Self::Unavailable(message),
        }
    }
}

impl From<UserInfoError<TransportError>> for OidcError {
    fn from(error: UserInfoError<TransportError>) -> Self {
        match error {
            UserInfoError::Request(error) => error.into(),
            UserInfoError::Response(status, _, _) if is_transient(status.as_u16()) => {
                Self::Unavailable(format!("the userinfo endpoint answered with HTTP status {status}"))
            }
            UserInfoError::Response(status, _, _) => {
                Self::Rejected(format!("the userinfo endpoint answered with HTTP status {status}"))
            }
            UserInfoError::Parse(error) => {
                Self::Rejected(format!("the answer of the userinfo endpoint cannot be read at {}", error.path()))
            }
            other => Self::Rejected(format!("userinfo: {other}")),
        }
    }
}

fn is_transient(status: u16) -> bool {
    status == 429 || status >= 500
}
