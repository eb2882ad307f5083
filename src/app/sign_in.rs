//! The first admin token of a server that is reachable from other machines, and sign-in links.

use std::fmt::Write as _;
use std::time::Duration;

use crate::clock::Clock;
use crate::http::auth::Scope;
use crate::http::auth::tokens::{generate, hash_hex};
use crate::store::tokens::{NewToken, StoredToken};
use crate::store::{Store, StoreError};

/// The name of the first token. Names are unique, so only one of several instances can store this token.
const FIRST_TOKEN: &str = "first start";
/// The line to print when the first token was printed by an earlier start, and no one has signed in since.
pub const REMINDER: &str = "No one has signed in yet: `sentistream sign-in` prints a link.";
/// How long a sign-in link is valid.
const LINK_LIFETIME: Duration = Duration::from_secs(3_600);

/// The credentials of the first start. They are printed once and not stored in clear text.
pub struct FirstSignIn {
    token: String,
    code: String,
}

impl FirstSignIn {
    /// The lines to print, with a link to the dashboard at `url`.
    pub fn notice(&self, url: &str) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "This server is reachable from other machines, so requests need an account or a token.");
        let _ = writeln!(text, "Admin token (shown once): {}", self.token);
        let _ = writeln!(text, "Create your account (works once, within an hour): {}", link(url, &self.code));
        let _ = writeln!(
            text,
            "`sentistream sign-in` prints another link. To use configured tokens instead, set server.auth.tokens."
        );
        text
    }
}

/// Creates the admin token of the first start. Repeated calls after a failure create only one token.
pub struct FirstToken(String);

impl FirstToken {
    /// A random token, which is not stored yet.
    pub fn generate() -> Self {
        Self(generate())
    }

    /// Stores the token, and creates a sign-in link; `None` when the database already has a user or another token.
    ///
    /// # Errors
    /// When the database fails. The token may have been stored nevertheless.
    pub async fn create(&self, store: &Store, clock: &Clock) -> Result<Option<FirstSignIn>, StoreError> {
        let sha256 = hash_hex(&self.0);
        let tokens = store.tokens().await?;
        // An earlier call may have stored the token before it failed.
        if !tokens.iter().any(|token| token.sha256 == sha256) {
            let new = NewToken {
                name: FIRST_TOKEN.to_owned(),
                sha256,
                scopes: Scope::ALL.map(Scope::as_str).join(" "),
                created_by: "first start".to_owned(),
                expires_at: None,
                owner_id: None,
            };
            // If there are accounts or other tokens, the first token may have been deleted on purpose, so it is not
            // created again.
            if !tokens.is_empty() || store.count_users().await? > 0 || !store.create_token(&new).await? {
                return Ok(None);
            }
        }
        Ok(Some(FirstSignIn { token: self.0.clone(), code: code(store, clock).await? }))
    }
}

/// Whether no one has signed in yet: there is no account, and the only token is that of the first start, which was
/// never used.
///
/// # Errors
/// When the database fails.
pub async fn is_unused(store: &Store) -> Result<bool, StoreError> {
    let tokens = store.tokens().await?;
    let is_first_unused = |token: &StoredToken| token.name == FIRST_TOKEN && token.last_used_at.is_none();
    Ok(tokens.iter().all(is_first_unused) && store.count_users().await? == 0)
}

/// Creates a code that works once, within an hour: it can be exchanged for a token, or used to create the first
/// account.
///
/// # Errors
/// When the database fails.
pub async fn code(store: &Store, clock: &Clock) -> Result<String, StoreError> {
    let code = generate();
    store.create_sign_in_code(&hash_hex(&code), clock.now() + LINK_LIFETIME).await?;
    Ok(code)
}

/// The link to the dashboard at `url` that signs in with `code`. The code is in the fragment, which browsers do not
/// send to servers and proxies.
pub fn link(url: &str, code: &str) -> String {
    format!("{}/#sign-in={code}", url.trim_end_matches('/'))
}
