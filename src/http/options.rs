//! Options of the HTTP server.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::sync::watch;

use crate::oidc::OidcOptions;

use super::auth::AuthOptions;
use crate::accounts::SessionOptions;

/// When a connection has at least this many unsent bytes, they are written before more of the response is read. The
/// size is enough for the head of a response, so that the head is sent together with the start of the body. It also
/// keeps the buffers of WebSockets small.
pub(super) const WRITE_BUFFER: usize = 2 * 1024;

/// Options of the HTTP server. The defaults are for a single machine.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// The addresses to listen on; port 0 selects a free port.
    pub listen: Vec<SocketAddr>,
    /// Threads that serve requests.
    pub workers: usize,
    /// Origins of other sites whose pages may call the API.
    pub cors_origins: Vec<String>,
    /// The configured tokens. `None`: on loopback, local requests have every scope while there are no accounts; on any
    /// other address, requests need a session or a token of the database.
    pub auth: Option<AuthOptions>,
    /// How long sessions of users last.
    pub sessions: SessionOptions,
    /// The rate limit of each client.
    pub rate_limit: Option<RateLimit>,
    /// Proxies whose `X-Forwarded-For` is trusted. If there are any, clients without credentials have at most
    /// the scope `read`.
    pub trusted_proxies: Vec<IpAddr>,
    /// The URL of the dashboard, for links in notifications and invitations. If it is an https URL, browsers at its
    /// host get session cookies that are sent only over https.
    pub external_url: String,
    /// The maximum size of a request body in bytes, before and after decompression.
    pub max_body: usize,
    /// The maximum number of posts in one request.
    pub max_posts: usize,
    /// The maximum number of open connections, but at most 7/8 of the number of files that the process may open. While
    /// at least half of this number of connections are open, one client may have at most 1/64 of this number. Trusted
    /// proxies are exempt.
    pub max_connections: usize,
    /// The timeout of a request; also the timeout for the arrival of its body.
    pub request_timeout: Duration,
    /// The timeout of each check of the health report.
    pub check_timeout: Duration,
    /// The maximum time that a shutdown waits for requests in progress.
    pub drain: Duration,
    /// The number of model tokens that one client may use; `None`: no limit.
    pub analyze_budget: Option<AnalyzeBudget>,
    /// The retention time of the audit log.
    pub audit_retention: Duration,
    /// The OpenID Connect provider for sign-in; `None` if no provider is configured.
    pub oidc: Option<OidcOptions>,
    /// The options that change while the server runs; the received value is `None` until they are known. Without a
    /// receiver the options do not change.
    pub adjustable: Option<watch::Receiver<Option<Adjustable>>>,
    /// The options of the WebSocket.
    pub live: LiveOptions,
}

/// Options that may change while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adjustable {
    /// See [`HttpOptions::rate_limit`].
    pub rate_limit: Option<RateLimit>,
    /// See [`HttpOptions::analyze_budget`].
    pub analyze_budget: Option<AnalyzeBudget>,
    /// See [`HttpOptions::audit_retention`].
    pub audit_retention: Duration,
}

/// The rate limit of a client. A client is an IPv4 address or the /64 network of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per second on average.
    pub per_second: NonZeroU32,
    /// Requests in one burst.
    pub burst: NonZeroU32,
}

/// The number of model tokens that one client may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnalyzeBudget {
    /// Tokens per second on average.
    pub per_second: NonZeroU32,
    /// Tokens in one burst, which is also the limit of one request.
    pub burst: NonZeroU32,
}

/// Options of the WebSocket.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// The interval of `metrics_update` messages.
    pub metrics_interval: Duration,
    /// The interval of pings.
    pub ping_interval: Duration,
    /// The time after which a client that sends no message or pong is disconnected.
    pub silence_limit: Duration,
    /// The maximum number of queued messages per client. A client that misses messages gets a `lagged` message.
    pub buffer: usize,
    /// A client that has not caught up for this long after its buffer was full is disconnected. A client whose buffer
    /// becomes full three times, each time within a minute of the previous time, is disconnected too.
    pub slow_limit: Duration,
    /// The maximum number of clients.
    pub max_clients: usize,
    /// The maximum number of clients from one IPv4 address or from the /64 network of an IPv6 address.
    pub max_per_client: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8000))],
            workers: 2,
            cors_origins: vec!["http://localhost:3000".to_owned(), "http://localhost:5173".to_owned()],
            auth: None,
            sessions: SessionOptions::default(),
            rate_limit: None,
            trusted_proxies: Vec::new(),
            external_url: "http://localhost:8000".to_owned(),
            max_body: 4 * 1024 * 1024,
            max_posts: 1_000,
            max_connections: 20_000,
            request_timeout: Duration::from_secs(30),
            check_timeout: Duration::from_secs(1),
            drain: Duration::from_secs(10),
            analyze_budget: None,
            audit_retention: Duration::from_secs(90 * 86_400),
            oidc: None,
            adjustable: None,
            live: LiveOptions::default(),
        }
    }
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            metrics_interval: Duration::from_secs(30),
            ping_interval: Duration::from_secs(15),
            silence_limit: Duration::from_secs(45),
            buffer: 256,
            slow_limit: Duration::from_secs(10),
            max_clients: 10_000,
            max_per_client: 1_000,
        }
    }
}
