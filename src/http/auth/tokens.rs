//! Static tokens, stored as SHA-256 hashes.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Scope;

/// The prefix of generated tokens, by which secret scanners recognise them.
const PREFIX: &str = "sst_";

/// A token that is known by its hash.
#[derive(Clone, Debug)]
pub struct StaticToken {
    /// A name for logs and the audit log.
    pub name: String,
    /// The SHA-256 of the token's bytes.
    pub sha256: [u8; 32],
    /// The scopes of the token.
    pub scopes: Vec<Scope>,
}

impl StaticToken {
    /// Parses a hash of 64 hex digits.
    pub fn parse_hash(hex: &str) -> Option<[u8; 32]> {
        let digits: Vec<u8> =
            hex.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        if digits.len() == 64 { bytes.try_into().ok() } else { None }
    }
}

/// The SHA-256 of a token.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The hash of a token as 64 hex digits, as the database stores it.
pub fn hash_hex(token: &str) -> String {
    hash(token).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A new token with 244 random bits.
pub fn generate() -> String {
    format!("{PREFIX}{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

/// Finds `token` in `known`. The time of the search does not depend on which token matches.
pub fn find<'a>(known: &'a [StaticToken], token: &str) -> Option<&'a StaticToken> {
    find_by(known, token, |known| &known.sha256)
}

/// As [`find`], for any records that contain a hash.
pub fn find_by<'a, T>(known: &'a [T], token: &str, sha256: impl Fn(&T) -> &[u8; 32]) -> Option<&'a T> {
    let hash = hash(token);
    let mut found = None;
    for candidate in known {
        if bool::from(sha256(candidate).ct_eq(&hash)) {
            found = Some(candidate);
        }
    }
    found
}
