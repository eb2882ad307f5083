//! Checks the OpenID Connect provider.

use super::Check;
use crate::app::oidc;
use crate::clock::Clock;
use crate::config::Config;
use crate::oidc::{OidcError, Provider};

const NAME: &str = "sign-in";

/// Reads the discovery document and the keys of the provider. `None` if no provider is configured.
pub async fn check(config: &Config) -> Option<Check> {
    let options = match oidc::provider(config) {
        Ok(options) => options?,
        Err(error) => return Some(Check::broken(NAME, format!("{error:#}"), "set alerts.external_url")),
    };
    let redirect = options.redirect.clone();
    let provider = match Provider::new(options, Clock::system()) {
        Ok(provider) => provider,
        Err(error) => return Some(Check::broken(NAME, error.to_string(), "set server.auth.oidc.issuer")),
    };
    Some(match provider.report().await {
        Ok(report) => {
            let keys = report.keys;
            let signs_out = if report.ends_sessions { "" } else { "; the provider has no endpoint for sign-out" };
            Check::good(
                NAME,
                format!("the provider answers (keys: {keys}){signs_out}; register {redirect} as redirect address"),
            )
        }
        Err(error @ OidcError::Unavailable(_)) => {
            let remedy = "check that this machine reaches server.auth.oidc.issuer";
            Check::broken(NAME, error.to_string(), remedy)
        }
        Err(error) => {
            let remedy = "set server.auth.oidc.issuer to the issuer of the discovery document, and add its network to \
                          outbound.allow if its address is not public";
            Check::broken(NAME, error.to_string(), remedy)
        }
    })
}
