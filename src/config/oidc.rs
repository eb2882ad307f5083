//! The typed `[server.auth.oidc]` section: sign-in at an OpenID Connect provider.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};
use url::Url;

use super::values::*;
use crate::domain::account::UserRole;
use crate::oidc::is_loopback;

/// A provider, and this server's registration with it.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// The issuer, exactly as the provider names itself.
    pub issuer: String,
    /// The id of this server at the provider.
    pub client_id: String,
    /// The secret of this server at the provider.
    pub client_secret: SecretString,
    /// The name of the provider on the sign-in page.
    pub name: String,
    /// The requested scopes.
    pub scopes: Vec<String>,
    /// The claim that lists the groups of a user.
    pub groups_claim: String,
    /// The groups that give each role.
    pub roles: BTreeMap<UserRole, Vec<String>>,
    /// The role of users without such a group. `None`: they may not sign in.
    pub default_role: Option<UserRole>,
    /// The allowed domains of verified e-mail addresses. Empty: any.
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
/// When the issuer is not allowed, or when a key that an issuer requires is missing.
pub fn oidc<'de, D: Deserializer<'de>>(de: D) -> Result<Option<OidcConfig>, D::Error> {
    RawOidc::deserialize(de)?.check().map_err(D::Error::custom)
}

impl RawOidc {
    fn check(self) -> Result<Option<OidcConfig>, String> {
        let Some(issuer) = self.issuer else {
            return match (self.client_id, self.client_secret) {
                (None, None) => Ok(None),
                _ => Err("a client is set but `issuer` is not: set it to the issuer of the provider".to_owned()),
            };
        };
        let url: Option<Url> = issuer.parse().ok();
        let is_allowed = |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
        if !url.as_ref().is_some_and(|url| is_allowed(url) && url.query().is_none() && url.fragment().is_none()) {
            return Err(format!(
                "`issuer` must be an https URL without a query (http only on loopback), is {issuer:?}"
            ));
        }
        let client_id = self.client_id.ok_or("`client_id` is required with `issuer`")?;
        let client_secret =
            self.client_secret.ok_or("`client_secret` or `client_secret_file` is required with `issuer`")?;
        let RawRoles { viewer, analyst, editor, admin } = self.roles;
        let roles = BTreeMap::from([
            (UserRole::Viewer, viewer),
            (UserRole::Analyst, analyst),
            (UserRole::Editor, editor),
            (UserRole::Admin, admin),
        ]);
        if self.default_role.is_none() && roles.values().all(Vec::is_empty) {
            return Err("no one could sign in: set `default_role`, or the groups of a role in \
                        [server.auth.oidc.roles]"
                .to_owned());
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
