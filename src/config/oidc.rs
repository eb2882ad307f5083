//! The typed `[server.auth.oidc]` section: sign-in at an OpenID Connect provider.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};
use url::Url;

use super::values::*;
use crate::domain::account::UserRole;
use crate::oidc::is_loopback;

/// An OpenID Connect provider, and the registration of this server at the provider.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// The URL of the issuer, exactly as the provider states it.
    pub issuer: String,
    /// The client id that the provider has assigned to this server.
    pub client_id: String,
    /// The client secret that the provider has assigned to this server.
    pub client_secret: SecretString,
    /// The name of the provider on the sign-in page.
    pub name: String,
    /// The requested scopes.
    pub scopes: Vec<String>,
    /// The claim that lists the groups of a user.
    pub groups_claim: String,
    /// For each role, the groups whose members get the role.
    pub roles: BTreeMap<UserRole, Vec<String>>,
    /// The role of users who are in none of the groups in `roles`. `None`: these users may not sign in.
    pub default_role: Option<UserRole>,
    /// The allowed domains of verified e-mail addresses. Empty: users may sign in with any address,
    /// or without one.
    pub email_domains: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOidc {
    #[serde(deserialize_with = "optional_text")]
    issuer: Option<String>,
    #[serde(deserialize_with = "optional_text")]
    client_id: Option<String>,
    #[serde(deserialize_with = "optional_secret")]
    client_secret: Option<SecretString>,
    #[serde(deserialize_with = "name")]
    name: String,
    scopes: Vec<String>,
    #[serde(deserialize_with = "name")]
    groups_claim: String,
    #[serde(deserialize_with = "optional_role")]
    default_role: Option<UserRole>,
    #[serde(deserialize_with = "domains")]
    email_domains: Vec<String>,
    roles: RawRoles,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoles {
    viewer: Vec<String>,
    analyst: Vec<String>,
    editor: Vec<String>,
    admin: Vec<String>,
}

/// Reads the section; `None` when no issuer is set.
///
/// # Errors
/// When the issuer is not an allowed URL, when a key is missing that is required together with `issuer`, when a client
/// is set without an issuer, or when no role is set, so that no one could sign in.
pub fn oidc<'de, D: Deserializer<'de>>(de: D) -> Result<Option<OidcConfig>, D::Error> {
    RawOidc::deserialize(de)?.check().map_err(D::Error::custom)
}

/// Why the section is invalid.
#[derive(Debug, thiserror::Error)]
enum InvalidOidc {
    #[error("`client_id` or `client_secret` is set but `issuer` is not: set `issuer` to the URL of the provider")]
    NoIssuer,
    #[error("`issuer` must be an https URL without a query (http only on loopback), is {0:?}")]
    Issuer(String),
    #[error("{0} is required with `issuer`")]
    Missing(&'static str),
    #[error("no one could sign in: set `default_role`, or the groups of a role in [server.auth.oidc.roles]")]
    NoRole,
}

impl RawOidc {
    fn check(self) -> Result<Option<OidcConfig>, InvalidOidc> {
        let Some(issuer) = self.issuer else {
            return match (self.client_id, self.client_secret) {
                (None, None) => Ok(None),
                _ => Err(InvalidOidc::NoIssuer),
            };
        };
        let url: Option<Url> = issuer.parse().ok();
        let is_allowed = |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
        if !url.as_ref().is_some_and(|url| is_allowed(url) && url.query().is_none() && url.fragment().is_none()) {
            return Err(InvalidOidc::Issuer(issuer));
        }
        let client_id = self.client_id.ok_or(InvalidOidc::Missing("`client_id`"))?;
        let client_secret =
            self.client_secret.ok_or(InvalidOidc::Missing("`client_secret` or `client_secret_file`"))?;
        let RawRoles { viewer, analyst, editor, admin } = self.roles;
        let roles = BTreeMap::from([
            (UserRole::Viewer, viewer),
            (UserRole::Analyst, analyst),
            (UserRole::Editor, editor),
            (UserRole::Admin, admin),
        ]);
        if self.default_role.is_none() && roles.values().all(Vec::is_empty) {
            return Err(InvalidOidc::NoRole);
        }
        Ok(Some(OidcConfig {
            issuer,
            client_id,
            client_secret,
            name: self.name,
            scopes: self.scopes,
            groups_claim: self.groups_claim,
            roles,
            default_role: self.default_role,
            email_domains: self.email_domains,
        }))
    }
}

fn optional_role<'de, D: Deserializer<'de>>(de: D) -> Result<Option<UserRole>, D::Error> {
    let Some(text) = optional_text(de)? else { return Ok(None) };
    word(serde::de::value::StringDeserializer::new(text)).map(Some)
}

fn domains<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let domains = Vec::<String>::deserialize(de)?;
    match domains.iter().find(|domain| domain.trim().is_empty() || domain.contains(['@', ' ', '/'])) {
        Some(wrong) => Err(D::Error::custom(format!("expected domains such as \"example.org\", found {wrong:?}"))),
        None => Ok(domains),
    }
}
