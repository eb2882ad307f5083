//! Static tokens, stored as SHA-256 hashes.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Scope;

/// A token that is known by its hash.
#[derive(Clone, Debug)]
pub struct StaticToken {
    /// A name for logs and the audit log.
    pub name: String,
    /// The SHA-256 of the token's bytes.
    pub sha256: [u8; 32],
    /// What it allows.
    pub scopes: Vec<Scope>,
}

/// The hash of a token, as it is configured.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The token among `known`; the time it takes does not depend on which one matches.
pub fn find<'a>(known: &'a [StaticToken], token: &str) -> Option<&'a StaticToken> {
    let hash = hash(token);
    let mut found = None;
    for candidate in known {
        if bool::from(candidate.sha256.ct_eq(&hash)) {
            found = Some(candidate);
        }
    }
    found
}
