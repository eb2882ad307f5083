//! JSON Web Tokens of an identity provider.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::domain::Timestamp;

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

/// Which signed tokens are accepted.
#[derive(Clone, Debug)]
pub struct JwtOptions {
    /// The algorithm with its key; tokens of any other algorithm are refused.
    pub key: JwtKey,
    /// The `iss` that a token must carry.
    pub issuer: String,
    /// The `aud` that a token must carry.
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

/// Shorter secrets can be guessed from one token.
const MIN_SECRET_BYTES: usize = 32;

impl JwtVerifier {
    /// Reads the key.
    ///
    /// # Errors
    /// When it is no key of its algorithm, or too short.
    pub fn new(options: &JwtOptions) -> Result<Self, AuthError> {
        let unreadable =
            |e: jsonwebtoken::errors::Error| AuthError(format!("auth.jwt: the public key cannot be read: {e}"));
        let (algorithm, key) = match &options.key {
            JwtKey::Hs256(secret) => {
                let secret = secret.expose_secret().as_bytes();
                if secret.len() < MIN_SECRET_BYTES {
                    return Err(AuthError(format!(
                        "auth.jwt: the secret must be at least {MIN_SECRET_BYTES} bytes, it has {}",
                        secret.len()
                    )));
                }
                (Algorithm::HS256, DecodingKey::from_secret(secret))
            }
            JwtKey::Rs256(pem) => (Algorithm::RS256, DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(unreadable)?),
            JwtKey::EdDsa(pem) => (Algorithm::EdDSA, DecodingKey::from_ed_pem(pem.as_bytes()).map_err(unreadable)?),
        };
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&options.issuer]);
        validation.set_audience(&[&options.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // The expiry is checked below, against our clock.
        validation.validate_exp = false;
        Ok(Self { key, validation, leeway_s: i64::try_from(options.leeway_s).unwrap_or(i64::MAX) })
    }

    /// The `sub` of a valid token.
    pub fn subject(&self, token: &str) -> Option<String> {
        jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation).ok()?.claims.sub
    }

    /// The scopes of a valid token.
    ///
    /// # Errors
    /// Why it is not valid.
    pub fn scopes(&self, token: &str, now: Timestamp) -> Result<Vec<Scope>, String> {
        let claims: Claims = jsonwebtoken::decode(token, &self.key, &self.validation)
            .map_err(|e| format!("is not valid: {}", describe(e.kind())))?
            .claims;
        let (now, leeway) = (now.as_seconds() as f64, self.leeway_s as f64);
        let expiry = claims.exp.ok_or("is not valid: it must carry exp")?;
        if expiry + leeway <= now {
            return Err("has expired".to_owned());
        }
        if claims.nbf.is_some_and(|not_before| not_before > now + leeway) {
            return Err("is not valid yet".to_owned());
        }
        let names = [claims.scope, claims.scopes].into_iter().flatten().flat_map(|claim| match claim {
            ScopeClaim::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            ScopeClaim::List(list) => list,
        });
        // Scopes of other services in the same token are ignored.
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }
}

fn describe(kind: &jsonwebtoken::errors::ErrorKind) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::InvalidSignature => "its signature does not match",
        ErrorKind::InvalidIssuer => "it is of another issuer",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "it is signed with another algorithm",
        ErrorKind::MissingRequiredClaim(_) => "it must carry exp, iss and aud",
        _ => "it cannot be read",
    }
}

#[cfg(test)]
mod tests;
