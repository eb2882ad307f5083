//! The options of the HTTP server.

use std::net::{SocketAddr, TcpListener};

use anyhow::Context as _;

use crate::accounts::SessionOptions;
use crate::config::{self, Address, AuthConfig, Config, Role};
use crate::http::auth::jwt::{JwtKey, JwtOptions};
use crate::http::auth::tokens::StaticToken;
use crate::http::auth::{AuthOptions, Scope as TokenScope};
use crate::http::{Adjustable, AnalyzeBudget, HttpOptions, LiveOptions, RateLimit};

use super::external_url;

/// The options of the HTTP server, without an OpenID Connect provider.
///
/// # Errors
/// When an address to listen on cannot be resolved.
pub async fn http(config: &Config) -> anyhow::Result<HttpOptions> {
    let server = &config.server;
    let listen: Vec<&Address> =
        if config.has_role(Role::Api) { server.listen.iter().collect() } else { server.ops_listen.iter().collect() };
    let Adjustable { rate_limit, analyze_budget, audit_retention } = adjustable(config);
    Ok(HttpOptions {
        listen: resolve(&listen).await?,
        workers: server.workers.unwrap_or_else(default_http_workers),
        cors_origins: server.cors_origins.clone(),
        auth: server.auth.is_configured().then(|| auth(&server.auth)),
        sessions: SessionOptions { idle: server.auth.sessions.idle, absolute: server.auth.sessions.absolute },
        rate_limit,
        trusted_proxies: server.trusted_proxies.clone(),
        analyze_budget,
        audit_retention,
        external_url: external_url(config),
        max_body: server.body_limit,
        request_timeout: server.request_timeout,
        drain: config.shutdown.grace / 2,
        live: LiveOptions {
            metrics_interval: server.websocket.metrics_interval,
            ping_interval: server.websocket.ping_interval,
            silence_limit: server.websocket.timeout,
            buffer: server.websocket.buffer,
            slow_limit: server.websocket.slow_limit,
            max_clients: server.websocket.max_clients,
            max_per_client: server.websocket.max_per_client,
        },
        ..HttpOptions::default()
    })
}

/// The options of the server that may change while it runs.
pub fn adjustable(config: &Config) -> Adjustable {
    let server = &config.server;
    Adjustable {
        rate_limit: server.rate_limit.map(|per_second| RateLimit { per_second, burst: server.rate_burst }),
        analyze_budget: server.analyze_rate.map(|per_second| AnalyzeBudget { per_second, burst: server.analyze_burst }),
        audit_retention: config.retention.audit,
    }
}

async fn resolve(addresses: &[&Address]) -> anyhow::Result<Vec<SocketAddr>> {
    let mut resolved = Vec::new();
    for address in addresses {
        let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
        let chosen = found.ok().and_then(|found| of_this_machine(&found.collect::<Vec<_>>()));
        resolved.push(chosen.with_context(|| format!("the address {address} to listen on cannot be resolved"))?);
    }
    Ok(resolved)
}

/// The first address that belongs to this machine, or else the first one. For example, `localhost` may also have an
/// IPv6 address on a machine without IPv6.
fn of_this_machine(found: &[SocketAddr]) -> Option<SocketAddr> {
    let is_own = |address: &&SocketAddr| {
        let mut any_port = **address;
        any_port.set_port(0);
        TcpListener::bind(any_port).is_ok()
    };
    found.iter().find(is_own).or(found.first()).copied()
}

fn default_http_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(4)
}

fn auth(auth: &AuthConfig) -> AuthOptions {
    let scope = |scope: &config::Scope| match scope {
        config::Scope::Read => TokenScope::Read,
        config::Scope::Write => TokenScope::Write,
        config::Scope::Respond => TokenScope::Respond,
        config::Scope::Edit => TokenScope::Edit,
        config::Scope::Admin => TokenScope::Admin,
    };
    let token = |token: &config::TokenConfig| StaticToken {
        name: token.name.clone(),
        sha256: token.sha256,
        scopes: token.scopes.iter().map(scope).collect(),
    };
    AuthOptions { tokens: auth.tokens.iter().map(token).collect(), jwt: auth.jwt.as_ref().map(jwt) }
}

fn jwt(jwt: &config::JwtConfig) -> JwtOptions {
    let key = match &jwt.key {
        config::JwtKey::Hs256(secret) => JwtKey::Hs256(secret.clone()),
        config::JwtKey::Rs256(pem) => JwtKey::Rs256(pem.clone()),
        config::JwtKey::EdDsa(pem) => JwtKey::EdDsa(pem.clone()),
    };
    JwtOptions { key, issuer: jwt.issuer.clone(), audience: jwt.audience.clone(), leeway_s: jwt.leeway.as_secs() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_this_machine_is_chosen_for_a_name() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        // No machine has an address of this network, which is reserved for documentation.
        let (foreign, own) = (address("192.0.2.1:8000"), address("127.0.0.1:8000"));
        assert_eq!(of_this_machine(&[foreign, own]), Some(own));
        assert_eq!(of_this_machine(&[own, foreign]), Some(own));
        assert_eq!(of_this_machine(&[foreign]), Some(foreign), "the error of the start names this address");
        assert_eq!(of_this_machine(&[]), None);
    }
}
