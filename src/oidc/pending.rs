//! A sign-in that was started and waits for the provider's answer. Its state is in an encrypted cookie, so that any
//! instance can finish it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use url::Url;

use crate::domain::Timestamp;

/// The time that a person has for the sign-in at the provider.
pub const LIFETIME: Duration = Duration::from_secs(600);
/// The maximum length of the path to return to, in bytes. It is part of a cookie, which may have at most 4,096 bytes.
const MAX_PATH: usize = 1_024;

/// The state of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The random `state` of the authorization request.
    pub state: String,
    /// The random `nonce` that the ID token must have.
    pub nonce: String,
    /// The PKCE code verifier (RFC 7636).
    pub verifier: String,
    /// The path of this server to return to.
    pub return_to: String,
    /// When the sign-in was started.
    pub at: Timestamp,
}

impl Pending {
    /// Whether the answer with `state` belongs to this sign-in, and the sign-in has not expired.
    pub fn is_answered_by(&self, state: &str, now: Timestamp) -> bool {
        let is_same = bool::from(self.state.as_bytes().ct_eq(state.as_bytes()));
        is_same && now < self.at + LIFETIME && self.at <= now + LIFETIME
    }
}

/// `path` if it is the path of a page of this server that a browser resolves to the same origin, otherwise `/`. The API
/// and the sign-in page are not accepted.
pub fn safe_return(path: &str) -> &str {
    // Browsers remove tabs and line breaks from URLs and read `\` as `/`, so `/\t/host` names another host.
    let is_path = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= MAX_PATH
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    // A path of the API is not a page: it would start an action or show JSON.
    let is_page = !path.starts_with("/api/") && !path.starts_with("/sign-in");
    let is_same_origin = || {
        let base = Url::parse("http://here.invalid/").ok();
        base.and_then(|base| Some(base.join(path).ok()?.origin() == base.origin())).unwrap_or(false)
    };
    if is_path && is_page && is_same_origin() { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_path_stays_on_the_same_origin() {
        for path in ["/", "/posts", "/posts?q=a%20b&x=1", "/topics/1#alerts", "/apiary"] {
            assert_eq!(safe_return(path), path);
        }
        for path in [
            "",
            "posts",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/a b",
            "/ä",
            "/api/session/oidc/start",
            "/sign-in?error=x",
            &format!("/{}", "a".repeat(MAX_PATH)),
        ] {
            assert_eq!(safe_return(path), "/", "{path:?}");
        }
    }

    #[test]
    fn answer_needs_the_same_state_within_the_lifetime() {
        let at: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let text = || String::from("x");
        let pending = Pending { state: "s".to_owned(), nonce: text(), verifier: text(), return_to: text(), at };
        assert!(pending.is_answered_by("s", at + Duration::from_secs(599)));
        assert!(!pending.is_answered_by("s", at + LIFETIME));
        assert!(!pending.is_answered_by("t", at) && !pending.is_answered_by("", at));
    }
}
