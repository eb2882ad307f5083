//! People who sign in: names, roles, and how they are authenticated.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::visible::is_visible;

/// The maximum length of the name of a user or a token, in characters.
pub const MAX_NAME_CHARS: usize = 100;
/// Names that the audit log uses for clients without an account or a token.
const RESERVED_NAMES: [&str; 6] = ["local", "anonymous", "unknown", "first start", "command line", "configuration"];
/// Prefixes of names in the audit log that no user and no token may have.
const RESERVED_PREFIXES: [&str; 2] = ["jwt:", "sign-in"];

/// The role of a user, which determines the permissions. Each role includes the permissions of the roles before it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum UserRole {
    /// May read everything except secrets, the settings of added sources, users, settings, database migrations,
    /// backups, the audit log of requests, and the tokens and sessions of other users. May analyse texts.
    Viewer,
    /// May also acknowledge alerts and manage silences.
    Analyst,
    /// May also manage topics, rules, sources, receivers and routes, send posts, and remove the demonstration.
    Editor,
    /// May also manage users, the tokens and sessions of other users, settings and backups, replay and purge dead
    /// letters, read the audit log, and delete posts.
    Admin,
}

impl UserRole {
    /// The role as text, as in the API and the tables.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A role from an identity provider, and when it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleGrant {
    /// The role is set at each sign-in.
    Always(UserRole),
    /// The role is set for a new user only. Administrators can change it afterwards.
    Initially(UserRole),
}

impl RoleGrant {
    /// The role of a user after the sign-in. `current` is the role before the sign-in, `None` for a new user.
    pub fn role(self, current: Option<UserRole>) -> UserRole {
        match self {
            Self::Always(role) => role,
            Self::Initially(role) => current.unwrap_or(role),
        }
    }
}

/// Why a text cannot be the name of a user or a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The name is empty or too long, or contains control or format characters.
    #[error("must be 1 to {MAX_NAME_CHARS} characters, none of them control or format characters")]
    Text,
    /// The audit log uses this name for clients without an account or a token.
    #[error(
        "is reserved for the audit log; choose another name (reserved: `local`, `anonymous`, `unknown`, `first start`, \
         `command line`, `configuration`, `jwt:…`, `sign-in…`)"
    )]
    Reserved,
}

/// The name of a user or a token, which identifies it in the audit log. Names that differ only in case are the same.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct ActorName(String);

impl ActorName {
    /// Parses a name; spaces around it are removed.
    ///
    /// # Errors
    /// When the text is not a valid name.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let name = text.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || !is_visible(name) {
            return Err(InvalidName::Text);
        }
        let key = name.to_lowercase();
        if RESERVED_NAMES.contains(&key.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) {
            return Err(InvalidName::Reserved);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in lower case. Two names with the same key count as the same name.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for ActorName {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for ActorName {}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The identity of a user at an identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The URL of the provider (`iss`).
    pub issuer: String,
    /// The id of the user at the provider (`sub`).
    pub subject: String,
}

/// A person with an account.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The id of the account.
    pub id: i64,
    /// The name. It is unique, and names that differ only in case count as the same.
    pub name: String,
    /// The role of the user, which determines the permissions.
    pub role: UserRole,
    /// Whether the user can sign in with a password.
    pub has_password: bool,
    /// The user's identity at an identity provider; `None` for a local account.
    pub identity: Option<Identity>,
    /// Whether an administrator disabled the account. A disabled user cannot sign in.
    pub disabled: bool,
    /// When the account was created.
    pub created_at: Timestamp,
    /// Who created the account.
    pub created_by: String,
    /// The time of the last sign-in; `None` if the user never signed in.
    pub last_sign_in_at: Option<Timestamp>,
    /// When the user's invitation expires or has expired; `None` if there is no invitation.
    pub invited_until: Option<Timestamp>,
    /// Increases with each change by an administrator, and when a sign-in changes the role.
    pub version: i64,
}

/// How a session was authenticated.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum SignInMethod {
    /// The user entered a password.
    Password,
    /// The user signed in through an identity provider.
    Oidc,
    /// The user opened a one-time link.
    Link,
}

impl SignInMethod {
    /// The method as text, as in the API and the tables.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A signed-in browser.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The id of the session. It is not a secret.
    pub id: i64,
    /// The id of the signed-in user.
    pub user_id: i64,
    /// How the user signed in.
    pub method: SignInMethod,
    /// When the user signed in.
    pub created_at: Timestamp,
    /// The time of the last request, at most one minute out of date.
    pub last_seen_at: Timestamp,
    /// When the session expires, even if it is in use.
    pub expires_at: Timestamp,
    /// The IP address from which the user signed in; `None` if it is not known.
    pub address: Option<String>,
    /// The `User-Agent` header of the sign-in request; `None` if the request had none.
    pub user_agent: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_reserved_by_the_audit_log_is_rejected() {
        for name in ["local", "Anonymous", " UNKNOWN ", "first start", "jwt:ada", "Sign-in 1234"] {
            assert_eq!(ActorName::parse(name), Err(InvalidName::Reserved), "{name}");
        }
        for name in ["", "  ", "a\nb", "evil\u{202e}", &"x".repeat(101)] {
            assert_eq!(ActorName::parse(name), Err(InvalidName::Text), "{name:?}");
        }
        assert_eq!(ActorName::parse(" Ada Lovelace ").map(|name| name.to_string()), Ok("Ada Lovelace".to_owned()));
        assert_eq!(ActorName::parse("ZOË"), ActorName::parse("zoë"));
    }

    #[test]
    fn roles_are_ordered_by_their_permissions() {
        assert!(UserRole::Viewer < UserRole::Analyst && UserRole::Editor < UserRole::Admin);
        assert_eq!("editor".parse(), Ok(UserRole::Editor));
        assert_eq!(UserRole::Admin.to_string(), "admin");
    }
}
