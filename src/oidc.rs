//! Signs people in at an OpenID Connect provider: the authorization code flow with PKCE, discovery, rotation of the
//! provider's keys, and sign-out at the provider.
//!
//! The messages and their checks come from the crate `openidconnect` (OpenID Connect Core 1.0, Discovery 1.0 and
//! RP-Initiated Logout 1.0). Requests to the provider go through [`crate::outbound`].

mod access;
mod claims;
mod error;
pub mod pending;
mod provider;
mod seal;
mod tokens;
mod transport;

pub use access::Access;
pub use claims::Identity;
pub use error::OidcError;
pub use provider::{Arrival, Departure, Provider, Report};
pub use transport::is_loopback;

use secrecy::SecretString;
use url::Url;

use crate::outbound::OutboundOptions;

/// A provider, and this server's registration with it.
#[derive(Clone, Debug)]
pub struct OidcOptions {
    /// The issuer, exactly as the discovery document of the provider contains it. https, or http on loopback.
    pub issuer: String,
    /// The id of this server at the provider.
    pub client_id: String,
    /// The secret of this server at the provider. It also encrypts the state of sign-ins and the ID tokens of sessions.
    pub client_secret: SecretString,
    /// The name of the provider on the sign-in page.
    pub name: String,
    /// The requested scopes. `openid` is always requested too.
    pub scopes: Vec<String>,
    /// The address that the provider returns to after a sign-in.
    pub redirect: Url,
    /// The address that the provider returns to after a sign-out.
    pub signed_out: Url,
    /// Who may sign in, and with which role.
    pub access: Access,
    /// The limits of requests to the provider.
    pub outbound: OutboundOptions,
}
