//! The secret of a session.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The secret of a session. Only the cookie contains it; the database stores its hash.
#[derive(Clone)]
pub struct SessionSecret(String);

impl SessionSecret {
    /// A new secret with 256 random bits, as 64 hex digits.
    pub(super) fn generate() -> Self {
        let bytes: [u8; 32] = rand::random();
        Self(hex(&bytes))
    }

    /// Parses the secret of a cookie; `None` if the text is not a valid secret.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex =
            text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        is_hex.then(|| Self(text.to_owned()))
    }

    /// The text for the cookie.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn sha256(&self) -> String {
        sha256(&self.0)
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret(…)")
    }
}

/// The SHA-256 of a secret, as hex digits.
pub(super) fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}
