//! The typed `[server]` section: addresses, limits, authentication.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::oidc::{OidcConfig, oidc};
use super::values::*;

/// `[server]`: addresses, limits and authentication of the API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// The addresses that the API listens on; port 0 selects a free port.
    pub listen: Vec<Address>,
    /// The address of probes and metrics of a process without the api role. `None`: they are not served.
    #[serde(deserialize_with = "optional")]
    pub ops_listen: Option<Address>,
    /// The origins of other web pages that may call the API, as in `Origin` headers; `*` is not allowed.
    #[serde(deserialize_with = "origins")]
    pub cors_origins: Vec<String>,
    /// The largest request body in bytes, 1 KiB to 64 MiB.
    #[serde(deserialize_with = "body_size")]
    pub body_limit: usize,
    /// The longest time to handle a request.
    #[serde(deserialize_with = "positive_duration")]
    pub request_timeout: Duration,
    /// The addresses of proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpAddr>,
    /// The average number of requests per second that one client may send, at most 1000000. `None`: no limit.
    #[serde(deserialize_with = "rate_limit")]
    pub rate_limit: Option<NonZeroU32>,
    /// The number of requests that one client may send in a burst, 1 to 1000000.
    #[serde(deserialize_with = "rate_burst")]
    pub rate_burst: NonZeroU32,
    /// The maximum number of model tokens analysed per second for one client; `None`: no limit.
    #[serde(deserialize_with = "rate_limit")]
    pub analyze_rate: Option<NonZeroU32>,
    /// The number of model tokens that one client may have analysed in a burst. It also limits a single request.
    #[serde(deserialize_with = "rate_burst")]
    pub analyze_burst: NonZeroU32,
    /// The number of threads that serve HTTP, 1 to 256. `None`: one per core, at most 4.
    #[serde(deserialize_with = "optional_threads")]
    pub workers: Option<usize>,
    /// The credentials that requests may carry.
    pub auth: AuthConfig,
    /// The live feed at `/ws/sentiment`.
    pub websocket: WebSocketConfig,
}

/// `[server.websocket]`: the live feed at `/ws/sentiment`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSocketConfig {
    /// The time between two `metrics_update` messages.
    #[serde(deserialize_with = "positive_duration")]
    pub metrics_interval: Duration,
    /// The time between two pings to a client.
    #[serde(deserialize_with = "positive_duration")]
    pub ping_interval: Duration,
    /// A client that has not answered for this long is disconnected. Must be longer than `ping_interval`.
    #[serde(deserialize_with = "positive_duration")]
    pub timeout: Duration,
    /// The number of messages that are buffered for a slow client, 1 to 65536. While the buffer is full, the client
    /// loses new messages.
    #[serde(deserialize_with = "count::<_, _, 1, 65_536>")]
    pub buffer: usize,
    /// A client that has not caught up for this long after its buffer was full is disconnected.
    #[serde(deserialize_with = "positive_duration")]
    pub slow_limit: Duration,
    /// The largest number of concurrent clients, 1 to 1000000.
    #[serde(deserialize_with = "count::<_, _, 1, 1_000_000>")]
    pub max_clients: usize,
    /// The largest number of concurrent clients from one IPv4 address or IPv6 /64 network, 1 to 1000000.
    #[serde(deserialize_with = "count::<_, _, 1, 1_000_000>")]
    pub max_per_client: usize,
}

fn rate_limit<'de, D: Deserializer<'de>>(de: D) -> Result<Option<NonZeroU32>, D::Error> {
    count::<D, u32, 0, 1_000_000>(de).map(NonZeroU32::new)
}

fn rate_burst<'de, D: Deserializer<'de>>(de: D) -> Result<NonZeroU32, D::Error> {
    count::<D, u32, 1, 1_000_000>(de)?.try_into().map_err(D::Error::custom)
}

/// `[server.auth]`: who may use the API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Static tokens of the configuration.
    pub tokens: Vec<TokenConfig>,
    /// The requirements for JWTs. `None`: JWTs are not accepted.
    #[serde(deserialize_with = "jwt")]
    pub jwt: Option<JwtConfig>,
    /// How long sessions of users last.
    pub sessions: SessionConfig,
    /// The provider for sign-in. `None`: no sign-in with OpenID Connect.
    #[serde(deserialize_with = "oidc")]
    pub oidc: Option<OidcConfig>,
}

impl AuthConfig {
    /// Whether any credentials are configured.
    pub fn is_configured(&self) -> bool {
        !self.tokens.is_empty() || self.jwt.is_some() || self.oidc.is_some()
    }
}

/// `[server.auth.sessions]`: how long users stay signed in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionConfig {
    /// A session ends after this time without a request; 1 minute to 365 days.
    #[serde(deserialize_with = "session_duration")]
    pub idle: Duration,
    /// A session ends this long after the sign-in; 1 minute to 365 days.
    #[serde(deserialize_with = "session_duration")]
    pub absolute: Duration,
}

fn session_duration<'de, D: Deserializer<'de>>(de: D) -> Result<Duration, D::Error> {
    duration::<D, 60_000, 31_536_000_000>(de)
}

/// A scope: what a token allows.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum Scope {
    /// Allows GET requests (except for users, tokens, settings, settings of added sources, backups, migrations and the
    /// audit log of requests), analyses of texts and the WebSocket.
    Read,
    /// Allows appending posts.
    Write,
    /// Allows acknowledging alerts and managing silences.
    Respond,
    /// Allows changes of topics, rules, sources and receivers, and the removal of the demonstration; also everything
    /// that `respond` allows.
    Edit,
    /// Allows changes of users, tokens and settings, backups, reading the audit log, deletions, and replays and purges
    /// of dead letters; also everything that `respond` and `edit` allow.
    Admin,
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        word(de)
    }
}

/// A static token, stored as its hash.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The name of the client in logs and in the audit log.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// The SHA-256 of the token.
    #[serde(deserialize_with = "sha256")]
    pub sha256: [u8; 32],
    /// The scopes that requests with this token have.
    pub scopes: Vec<Scope>,
}

/// The requirements for an accepted JWT.
#[derive(Clone, Debug)]
pub struct JwtConfig {
    /// The algorithm of the signature, with the key that verifies it.
    pub key: JwtKey,
    /// The required `iss` claim.
    pub issuer: String,
    /// The required `aud` claim.
    pub audience: String,
    /// The largest accepted difference between the clocks of issuer and server; zero to one hour.
    pub leeway: Duration,
}

/// The algorithm of the signature, and its key.
#[derive(Clone, Debug)]
pub enum JwtKey {
    /// A shared secret of at least 32 bytes.
    Hs256(SecretString),
    /// A public key in PEM.
    Rs256(String),
    /// A public key in PEM.
    EdDsa(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJwt {
    #[serde(deserialize_with = "optional_text")]
    algorithm: Option<String>,
    #[serde(deserialize_with = "optional_secret")]
    secret: Option<SecretString>,
    #[serde(deserialize_with = "optional_text")]
    public_key: Option<String>,
    #[serde(deserialize_with = "optional_text")]
    issuer: Option<String>,
    #[serde(deserialize_with = "optional_text")]
    audience: Option<String>,
    #[serde(deserialize_with = "up_to_an_hour")]
    leeway: Duration,
}

fn jwt<'de, D: Deserializer<'de>>(de: D) -> Result<Option<JwtConfig>, D::Error> {
    RawJwt::deserialize(de)?.check().map_err(D::Error::custom)
}

/// Why `[server.auth.jwt]` is invalid.
#[derive(Debug, thiserror::Error)]
enum InvalidJwt {
    #[error("a key is set but `algorithm` is not: set `algorithm` to \"HS256\", \"RS256\" or \"EdDSA\"")]
    NoAlgorithm,
    #[error("`algorithm` must be \"HS256\", \"RS256\" or \"EdDSA\", is {0:?}")]
    Algorithm(String),
    #[error("{algorithm} needs `public_key` or `public_key_file` with a key in PEM")]
    PublicKey { algorithm: String },
    #[error("HS256 needs `secret` or `secret_file` with at least 32 bytes")]
    Secret,
    #[error("`{0}` is required with `algorithm`")]
    Missing(&'static str),
}

impl RawJwt {
    fn check(self) -> Result<Option<JwtConfig>, InvalidJwt> {
        let Some(algorithm) = self.algorithm else {
            return match (self.secret, self.public_key) {
                (None, None) => Ok(None),
                _ => Err(InvalidJwt::NoAlgorithm),
            };
        };
        let public_key = || {
            let pem = self.public_key.clone().filter(|pem| pem.contains("-----BEGIN"));
            pem.ok_or_else(|| InvalidJwt::PublicKey { algorithm: algorithm.clone() })
        };
        let key = match algorithm.as_str() {
            "HS256" => {
                let secret = self.secret.filter(|secret| secret.expose_secret().len() >= 32);
                JwtKey::Hs256(secret.ok_or(InvalidJwt::Secret)?)
            }
            "RS256" => JwtKey::Rs256(public_key()?),
            "EdDSA" => JwtKey::EdDsa(public_key()?),
            other => return Err(InvalidJwt::Algorithm(other.to_owned())),
        };
        let issuer = self.issuer.ok_or(InvalidJwt::Missing("issuer"))?;
        let audience = self.audience.ok_or(InvalidJwt::Missing("audience"))?;
        Ok(Some(JwtConfig { key, issuer, audience, leeway: self.leeway }))
    }
}

fn sha256<'de, D: Deserializer<'de>>(de: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(de)?;
    let wrong = || D::Error::custom("expected the SHA-256 of the token as 64 hex digits (printf %s TOKEN | sha256sum)");
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>().ok_or_else(wrong)?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() == 64 { bytes.try_into().map_err(|_| wrong()) } else { Err(wrong()) }
}

fn origins<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let origins = Vec::<String>::deserialize(de)?;
    for origin in &origins {
        let parsed = url::Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if parsed.is_none_or(|url| url.origin().ascii_serialization() != *origin) {
            return Err(D::Error::custom(format!(
                "expected origins such as \"https://app.example.org\" (no path, no \"*\"), found {origin:?}"
            )));
        }
    }
    Ok(origins)
}
