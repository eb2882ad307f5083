//! The first admin token of a server that is reachable from other machines, and sign-in links.

use std::fmt::Write as _;
use std::time::Duration;

use crate::clock::Clock;
use crate::http::auth::Scope;
use crate::http::auth::tokens::{generate, hash_hex};
use crate::store::tokens::NewToken;
use crate::store::{Store, StoreError};

/// The name of the first token. Names are unique, so only one of several instances can store this token.
const FIRST_TOKEN: &str = "first start";
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

/// Creates the first admin token; `None` when the database already has a user or a token.
///
/// # Errors
/// When the database fails.
pub async fn first(store: &Store, clock: &Clock) -> Result<Option<FirstSignIn>, StoreError> {
    let token = generate();
    let new = NewToken {
        name: FIRST_TOKEN.to_owned(),
        sha256: hash_hex(&token),
        scopes: Scope::ALL.map(Scope::as_str).join(" "),
        created_by: "first start".to_owned(),
        expires_at: None,
        owner_id: None,
    };
    // If there are accounts or other tokens, the first token may have been deleted on purpose, so it is not created
    // again.
    if store.count_users().await? > 0 || !store.tokens().await?.is_empty() || !store.create_token(&new).await? {
        return Ok(None);
    }
    Ok(Some(FirstSignIn { token, code: code(store, clock).await? }))
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
