//! Creates the driver's settings from a URL.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::{Client, SubscriberClient};
use fred::types::RespVersion;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, TcpConfig, TlsConfig, TlsConnector, TlsHostMapping,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::ExposeSecret;

use super::{RedisError, RedisOptions};

/// The shortest and the longest wait between two attempts to connect.
const RECONNECT_MIN_MS: u32 = 10;
const RECONNECT_MAX_MS: u32 = 1_000;
const RECONNECT_JITTER_MS: u32 = 20;
/// The maximum number of commands that wait for a connection. Further commands are rejected immediately.
const QUEUE: usize = 8_192;
/// The maximum number of messages of a subscription that wait to be forwarded.
const MESSAGES: usize = 4_096;

const SCHEMES: &str =
    "redis, rediss, redis-sentinel, rediss-sentinel, redis-cluster or rediss-cluster (the second s is for TLS)";

/// The settings of all connections.
pub(super) struct Settings {
    config: Config,
    timeout: Duration,
}

impl Settings {
    pub(super) fn new(options: &RedisOptions) -> Result<Self, RedisError> {
        let url = options.url.expose_secret();
        let (scheme, rest) = url.split_once("://").ok_or_else(|| invalid("the URL has no scheme"))?;
        let (plain, tls) = match scheme {
            "redis" | "redis-sentinel" | "redis-cluster" => (scheme.to_owned(), false),
            "rediss" | "rediss-sentinel" | "rediss-cluster" => (scheme.replacen("rediss", "redis", 1), true),
            _ => return Err(invalid(&format!("unknown scheme {scheme:?}"))),
        };
        // The driver gets the URL without TLS, because its own TLS setup depends on the crypto provider that other
        // crates enable. TLS is configured below.
        let mut config = Config::from_url(&format!("{plain}://{rest}")).map_err(|e| invalid(e.details()))?;
        config.fail_fast = false;
        config.tls = if tls { Some(tls_config(options.ca_file.as_deref())?) } else { None };
        Ok(Self { config, timeout: options.command_timeout })
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.config.server.is_clustered()
    }

    pub(super) fn client(&self) -> Client {
        let performance = self.performance();
        Client::new(self.config.clone(), Some(performance), Some(self.connection()), Some(policy()))
    }

    /// Creates a client for a subscription. RESP3 allows other commands, such as a ping, on the same connection. The
    /// client does not reconnect.
    pub(super) fn subscriber(&self) -> SubscriberClient {
        let config = Config { version: RespVersion::RESP3, fail_fast: true, ..self.config.clone() };
        let performance = PerformanceConfig { broadcast_channel_capacity: MESSAGES, ..self.performance() };
        SubscriberClient::new(config, Some(performance), Some(self.connection()), None)
    }

    /// The driver's timeout is slightly shorter than the caller's. When a caller gives up, the driver has therefore
    /// already dropped the command if it was not sent yet.
    fn performance(&self) -> PerformanceConfig {
        PerformanceConfig { default_command_timeout: self.timeout.mul_f32(0.95), ..PerformanceConfig::default() }
    }

    fn connection(&self) -> ConnectionConfig {
        ConnectionConfig {
            connection_timeout: self.timeout,
            internal_command_timeout: self.timeout,
            // A command whose connection broke may have been executed. Only its caller can decide whether to retry it.
            max_command_attempts: 1,
            max_command_buffer_len: QUEUE,
            reconnect_on_auth_error: true,
            tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
            ..ConnectionConfig::default()
        }
    }
}

fn policy() -> ReconnectPolicy {
    let mut policy = ReconnectPolicy::new_exponential(0, RECONNECT_MIN_MS, RECONNECT_MAX_MS, 2);
    policy.set_jitter(RECONNECT_JITTER_MS);
    policy
}

fn tls_config(ca_file: Option<&Path>) -> Result<TlsConfig, RedisError> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (trusted, _) = roots.add_parsable_certificates(found.certs);
    if let Some(path) = ca_file {
        let fail = |reason: String| {
            RedisError::Config(format!("cannot read the certificates of {}: {reason}", path.display()))
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|e| fail(e.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|e| fail(e.to_string()))?;
            roots.add(certificate).map_err(|e| fail(e.to_string()))?;
        }
    } else if trusted == 0 {
        return Err(RedisError::Config(
            "the system has no CA certificates to verify Redis with; install them, or set stream.ca_file".to_owned(),
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| RedisError::Config(format!("cannot set up TLS for Redis: {e}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A cluster announces its nodes by IP address, but the certificates of the nodes name the configured host. The
    // certificates are therefore verified for the configured host.
    Ok(TlsConfig { connector: TlsConnector::from(tls), hostnames: TlsHostMapping::DefaultHost })
}

/// The error for an invalid URL. The message does not contain the URL, which may contain a password.
fn invalid(reason: &str) -> RedisError {
    RedisError::Config(format!(
        "the Redis URL cannot be used: {reason}; expected SCHEME://[USER:PASSWORD@]HOST[:PORT] with SCHEME one of {SCHEMES}"
    ))
}
