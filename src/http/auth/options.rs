//! The options of authentication.

use super::jwt::JwtOptions;
use super::tokens::StaticToken;

/// The tokens of the configuration.
#[derive(Clone, Debug, Default)]
pub struct AuthOptions {
    /// Static tokens, known by their hash.
    pub tokens: Vec<StaticToken>,
    /// Tokens that an identity provider signs.
    pub jwt: Option<JwtOptions>,
}
