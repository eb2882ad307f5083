//! Options of the OpenID Connect provider.

use anyhow::Context as _;
use url::Url;

use super::options::{external_url, outbound};
use crate::config::Config;
use crate::http::oidc::{CALLBACK, SIGN_IN_PAGE};
use crate::oidc::{Access, OidcOptions};

/// The options of the configured provider; `None` if no provider is configured.
///
/// # Errors
/// When the redirect address cannot be derived from `alerts.external_url`.
pub fn provider(config: &Config) -> anyhow::Result<Option<OidcOptions>> {
    let Some(oidc) = &config.server.auth.oidc else { return Ok(None) };
    let external: Url = external_url(config).parse().context("alerts.external_url is not a URL")?;
    let at = |path: &str| {
        let mut url = external.clone();
        url.set_path(&format!("{}{path}", external.path().trim_end_matches('/')));
        url.set_query(None);
        url.set_fragment(None);
        url
    };
    Ok(Some(OidcOptions {
        issuer: oidc.issuer.clone(),
        client_id: oidc.client_id.clone(),
        client_secret: oidc.client_secret.clone(),
        name: oidc.name.clone(),
        scopes: oidc.scopes.clone(),
        redirect: at(CALLBACK),
        signed_out: at(SIGN_IN_PAGE),
        access: Access {
            groups_claim: oidc.groups_claim.clone(),
            roles: oidc.roles.clone(),
            default_role: oidc.default_role,
            email_domains: oidc.email_domains.clone(),
        },
        outbound: outbound(config),
    }))
}
