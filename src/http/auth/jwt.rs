//! JSON Web Tokens of an identity provider.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::domain::Timestamp;
use crate::domain::visible::is_visible;

use super::{AuthError, Scope};

/// The key that signatures are checked with.
#[derive(Clone, Debug)]
pub enum JwtKey {
    /// HS256: the shared secret, at least 32 bytes.
    Hs256(SecretString),
    /// RS256: the public key as PEM.
    Rs256(String),
    /// EdDSA (Ed25519): the public key as PEM.
    EdDsa(String),
}

/// The requirements for an accepted JWT.
#[derive(Clone, Debug)]
pub struct JwtOptions {
    /// The algorithm with its key; tokens of any other algorithm are refused.
    pub key: JwtKey,
    /// The required value of `iss`.
    pub issuer: String,
    /// The required value of `aud`.
    pub audience: String,
    /// Accepted clock difference, in seconds.
    pub leeway_s: u64,
}

/// Checks signed tokens.
pub struct JwtVerifier {
    key: DecodingKey,
    validation: Validation,
    leeway_s: i64,
}

#[derive(Deserialize)]
struct Claims {
    /// The claim `iss`, of any JSON type. `verify` requires a string, because the library would also accept a list that
    /// contains the issuer.
    #[serde(default)]
    iss: Option<serde_json::Value>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
    /// Scopes as one text, separated by spaces (RFC 8693), or as a list.
    #[serde(default)]
    scope: Option<ScopeClaim>,
    #[serde(default)]
    scopes: Option<ScopeClaim>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ScopeClaim {
    Text(String),
    List(Vec<String>),
}

/// The maximum lifetime. It bounds the expiry of tokens whose `exp` is too far in the future.
const MAX_LIFETIME: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The maximum length of `sub`, in characters. `sub` becomes part of the name of the actor in the audit log.
const MAX_SUBJECT_CHARS: usize = 200;

/// The minimum length of a shared secret. Shorter secrets can be guessed from one token.
const MIN_SECRET_BYTES: usize = 32;

impl JwtVerifier {
    /// Reads the key of `options`.
    ///
    /// # Errors
    /// When the key does not belong to its algorithm or is too short.
    pub fn new(options: &JwtOptions) -> Result<Self, AuthError> {
        let (algorithm, key) = match &options.key {
            JwtKey::Hs256(secret) => {
                let secret = secret.expose_secret().as_bytes();
                if secret.len() < MIN_SECRET_BYTES {
                    return Err(AuthError::ShortSecret { bytes: secret.len(), least: MIN_SECRET_BYTES });
                }
                (Algorithm::HS256, DecodingKey::from_secret(secret))
            }
            JwtKey::Rs256(pem) => {
                (Algorithm::RS256, DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(AuthError::PublicKey)?)
            }
            JwtKey::EdDsa(pem) => {
                (Algorithm::EdDSA, DecodingKey::from_ed_pem(pem.as_bytes()).map_err(AuthError::PublicKey)?)
            }
        };
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&options.issuer]);
        validation.set_audience(&[&options.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // `verify` checks the expiry itself, against the clock of the process.
        validation.validate_exp = false;
        Ok(Self { key, validation, leeway_s: i64::try_from(options.leeway_s).unwrap_or(i64::MAX) })
    }

    /// Verifies signature, issuer, audience, times and critical extensions.
    ///
    /// # Errors
    /// Why the token is not valid.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedJwt, JwtError> {
        if has_critical_extensions(token) {
            return Err(JwtError::CriticalExtension);
        }
        let claims: Claims =
            jsonwebtoken::decode(token, &self.key, &self.validation).map_err(|e| JwtError::from(e.kind()))?.claims;
        if !claims.iss.is_some_and(|issuer| issuer.is_string()) {
            return Err(JwtError::Issuer);
        }
        if claims.sub.as_ref().is_some_and(|subject| !is_subject(subject)) {
            return Err(JwtError::Subject);
        }
        let (seconds, leeway) = (now.as_seconds() as f64, self.leeway_s as f64);
        let expiry = claims.exp.ok_or(JwtError::MissingClaim)? + leeway;
        if expiry <= seconds {
            return Err(JwtError::Expired);
        }
        if claims.nbf.is_some_and(|not_before| not_before > seconds + leeway) {
            return Err(JwtError::NotYetValid);
        }
        let names = [claims.scope, claims.scopes].into_iter().flatten().flat_map(|claim| match claim {
            ScopeClaim::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            ScopeClaim::List(list) => list,
        });
        Ok(VerifiedJwt {
            subject: claims.sub,
            // Scopes of other services in the same token are ignored.
            scopes: names.filter_map(|name| name.parse().ok()).collect(),
            expires_at: now + Duration::try_from_secs_f64(expiry - seconds).unwrap_or(Duration::MAX).min(MAX_LIFETIME),
        })
    }
}

/// A valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedJwt {
    /// The `sub` of the token.
    pub subject: Option<String>,
    /// The scopes of the token.
    pub scopes: Vec<Scope>,
    /// The `exp` of the token plus the leeway.
    pub expires_at: Timestamp,
}

/// Why a token is refused. Each message continues a sentence that starts with "the token".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// No static or stored token matches, and JWTs are not configured.
    #[error("is unknown")]
    Unknown,
    /// The token cannot be parsed.
    #[error("is not valid: it cannot be read")]
    Malformed,
    /// The signature is wrong.
    #[error("is not valid: its signature does not match")]
    Signature,
    /// The algorithm is not the configured one.
    #[error("is not valid: it is signed with another algorithm")]
    Algorithm,
    /// The issuer is not the configured one.
    #[error("is not valid: it is from another issuer")]
    Issuer,
    /// The subject cannot be the name of an actor.
    #[error(
        "is not valid: its subject (sub) must be at most 200 characters, none of them control or format characters"
    )]
    Subject,
    /// The audience is not the configured one.
    #[error("is not valid: it is for another audience")]
    Audience,
    /// A required claim is missing.
    #[error("is not valid: it must contain exp, iss and aud")]
    MissingClaim,
    /// `crit` names extensions, none of which is supported (RFC 7515, section 4.1.11).
    #[error("is not valid: it has critical extensions (crit), which are not supported")]
    CriticalExtension,
    /// `exp` has passed.
    #[error("has expired")]
    Expired,
    /// `nbf` is in the future.
    #[error("is not valid yet")]
    NotYetValid,
}

impl From<&ErrorKind> for JwtError {
    fn from(kind: &ErrorKind) -> Self {
        match kind {
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::InvalidIssuer => Self::Issuer,
            ErrorKind::InvalidAudience => Self::Audience,
            ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => Self::Algorithm,
            ErrorKind::MissingRequiredClaim(_) => Self::MissingClaim,
            _ => Self::Malformed,
        }
    }
}

fn is_subject(subject: &str) -> bool {
    subject.chars().count() <= MAX_SUBJECT_CHARS && is_visible(subject)
}

/// Whether the header of `token` has the parameter `crit`, with any value. The library ignores it. RFC 7515, section
/// 4.1.11, allows only extensions that the recipient supports, and this server supports none.
fn has_critical_extensions(token: &str) -> bool {
    type Header = std::collections::HashMap<String, serde::de::IgnoredAny>;
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).ok();
    let header = header.and_then(|json| serde_json::from_slice::<Header>(&json).ok());
    header.is_some_and(|header| header.contains_key("crit"))
}

#[cfg(test)]
mod tests;
