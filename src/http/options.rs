//! Options of the HTTP server.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use super::auth::AuthOptions;

/// Options of the HTTP server. The defaults suit a single machine.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Threads that serve requests.
    pub workers: usize,
    /// Origins of other sites whose pages may call the API.
    pub cors_origins: Vec<String>,
    /// The configured tokens. `None`: on loopback the local person may do everything, on any other address every
    /// request needs a token of the database.
    pub auth: Option<AuthOptions>,
    /// The rate limit of each client.
    pub rate_limit: Option<RateLimit>,
    /// Proxies whose `X-Forwarded-For` is trusted. With any, clients without a token may read at most.
    pub trusted_proxies: Vec<IpAddr>,
    /// The dashboard as receivers of notifications reach it.
    pub external_url: String,
    /// Largest request body in bytes, also after decompression.
    pub max_body: usize,
    /// Most posts in one request.
    pub max_posts: usize,
    /// The longest a request may take, and the longest its body may take to arrive.
    pub request_timeout: Duration,
    /// The longest each check of the health report may take.
    pub check_timeout: Duration,
    /// How long a shutdown waits for requests in progress.
    pub drain: Duration,
    /// Tokens that one client may have analysed; `None`: no limit.
    pub analyze_budget: Option<AnalyzeBudget>,
    /// How long events of the audit log are kept.
    pub audit_retention: Duration,
    /// The WebSocket.
    pub live: LiveOptions,
}

/// The rate limit of a client: an address, or the /64 network of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per second on average.
    pub per_second: NonZeroU32,
    /// Requests in one burst.
    pub burst: NonZeroU32,
}

/// How many tokens one client may have analysed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnalyzeBudget {
    /// Tokens per second on average.
    pub per_second: NonZeroU32,
    /// Tokens in one burst, and the most of one request.
    pub burst: NonZeroU32,
}

/// Options of the WebSocket.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Time between two `metrics_update`.
    pub metrics_interval: Duration,
    /// Time between two pings.
    pub ping_interval: Duration,
    /// A client that has sent nothing for this long, not even a pong, is disconnected.
    pub silence_limit: Duration,
    /// Messages that wait for one client; a client that misses some gets a `lagged` message.
    pub buffer: usize,
    /// A client whose buffer stays full for this long is closed, as is one that lags three times within a minute.
    pub slow_limit: Duration,
    /// Most clients at the same time.
    pub max_clients: usize,
    /// Most clients from one address, or from the /64 network of an IPv6 address.
    pub max_per_client: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8000))],
            workers: 2,
            cors_origins: vec!["http://localhost:3000".to_owned(), "http://localhost:5173".to_owned()],
            auth: None,
            rate_limit: None,
            trusted_proxies: Vec::new(),
            external_url: "http://localhost:8000".to_owned(),
            max_body: 4 * 1024 * 1024,
            max_posts: 1_000,
            request_timeout: Duration::from_secs(30),
            check_timeout: Duration::from_secs(1),
            drain: Duration::from_secs(10),
            analyze_budget: None,
            audit_retention: Duration::from_secs(90 * 86_400),
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
