//! HTTP requests to configured URLs, such as feeds and webhooks.
//!
//! A configured URL may refer to a service that only this machine can reach (SSRF). Requests are therefore restricted
//! to http(s), and to public addresses and the networks that the options allow. The connector resolves host names and
//! connects to the address that it has checked, also after each redirect, so DNS rebinding has no effect. Proxies from
//! the environment are not used, because they would resolve host names without this check. Time, redirects and the size
//! of answers are limited.

mod address;
#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use ipnet::IpNet;
use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Method, StatusCode, redirect};
use tokio::net::TcpStream;
use url::{Host, Url};

use self::address::{Guard, Refusal};

/// Limits of outgoing requests.
#[derive(Clone, Debug)]
pub struct OutboundOptions {
    /// Networks that are allowed in addition to public addresses: loopback, private, link-local, …
    pub allow: Vec<IpNet>,
    /// The maximum time of a request, including its redirects and the complete answer.
    pub timeout: Duration,
    /// The maximum number of redirects that are followed.
    pub max_redirects: usize,
    /// The maximum number of bytes of a body that are read, after decompression.
    pub max_body: usize,
}

impl Default for OutboundOptions {
    fn default() -> Self {
        Self { allow: Vec::new(), timeout: Duration::from_secs(10), max_redirects: 5, max_body: 8 * 1024 * 1024 }
    }
}

/// Why a request failed. Messages never contain the path, the query or the credentials of the URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The request is not allowed. A retry would fail too.
    #[error("{0}")]
    Refused(String),
    /// There was no answer or an incomplete one: a timeout, a reset, an unknown host. A retry may succeed.
    #[error("{0}")]
    Failed(String),
}

impl OutboundError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// An answer with any status, after redirects.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status of the last response.
    pub status: StatusCode,
    /// The headers of the last response.
    pub headers: HeaderMap,
    /// The body, at most `max_body` bytes.
    pub body: Vec<u8>,
    /// Whether the body was longer than `max_body`.
    pub truncated: bool,
    /// The URL that sent the answer, after redirects.
    pub url: Url,
}

/// A client for requests to configured URLs. Clones share its connections.
#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    guard: Guard,
    options: Arc<OutboundOptions>,
}

/// The TLS configuration: ring, with the certificate authorities of the system.
///
/// # Errors
/// When no protocol version is supported, which does not occur with the compiled-in versions.
pub fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    // If there are no certificate authorities, every https request fails with a certificate error.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

impl Outbound {
    /// A client with the certificate authorities of the system.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(options: OutboundOptions) -> Result<Self, OutboundError> {
        let fail = |e: &dyn std::fmt::Display| OutboundError::Failed(format!("TLS cannot be set up: {e}"));
        let tls = tls().map_err(|e| fail(&e))?;
        let guard = Guard::new(options.allow.clone());
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(guard.clone())
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("SentiStream/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| fail(&e))?;
        Ok(Self { client, guard, options: Arc::new(options) })
    }

    /// Sends a GET request; follows redirects.
    ///
    /// # Errors
    /// When the request is not allowed, or there is no answer in time.
    pub async fn get(&self, url: &Url, headers: HeaderMap) -> Result<Answer, OutboundError> {
        self.bounded(Call { method: Method::GET, url: url.clone(), headers, body: Vec::new() }).await
    }

    /// Sends `body` to `url`. Only the redirects 307 and 308 are followed, because they keep method and body. Other
    /// redirects are returned as the answer.
    ///
    /// # Errors
    /// When the request is not allowed, or there is no answer in time.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, OutboundError> {
        self.bounded(Call { method: Method::POST, url: url.clone(), headers, body }).await
    }

    /// Opens a TCP connection to the host and port of `url`, which may have any scheme. Addresses are checked in the
    /// same way as for requests.
    ///
    /// # Errors
    /// When the address is not allowed, or cannot be reached in time.
    pub async fn connect(&self, url: &Url) -> Result<TcpStream, OutboundError> {
        let limit = self.options.timeout;
        match tokio::time::timeout(limit, self.dial(url)).await {
            Ok(connected) => connected,
            Err(_) => Err(OutboundError::Failed(format!("no connection within {} s", limit.as_secs_f64()))),
        }
    }

    async fn dial(&self, url: &Url) -> Result<TcpStream, OutboundError> {
        let failed = |error: std::io::Error| OutboundError::Failed(error.to_string());
        let port = url.port_or_known_default().unwrap_or(443);
        let found: Vec<SocketAddr> = match url.host() {
            None => return Err(OutboundError::Refused("the URL has no host".to_owned())),
            Some(Host::Domain(name)) => tokio::net::lookup_host((name, port)).await.map_err(failed)?.collect(),
            Some(Host::Ipv4(ip)) => vec![(ip, port).into()],
            Some(Host::Ipv6(ip)) => vec![(ip, port).into()],
        };
        let permitted = self.guard.permitted(found.into_iter());
        let permitted = permitted.map_err(|refusal| OutboundError::Refused(refusal.to_string()))?;
        let connection = TcpStream::connect(&permitted[..]).await.map_err(failed)?;
        connection.set_nodelay(true).map_err(failed)?;
        Ok(connection)
    }

    /// Checks `url` without resolving its host.
    ///
    /// # Errors
    /// When `url` is not http(s), has no host, or its host is an address that is not allowed.
    pub fn check(&self, url: &Url) -> Result<(), OutboundError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OutboundError::Refused(format!("only http and https URLs are allowed, not {}:", url.scheme())));
        }
        // The connector does not check a host that is an IP address, so it is checked here.
        let literal = match url.host() {
            None => return Err(OutboundError::Refused("the URL has no host".to_owned())),
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(ip)) => ip.into(),
            Some(Host::Ipv6(ip)) => ip.into(),
        };
        self.guard.check(literal).map_err(|refusal| OutboundError::Refused(refusal.to_string()))
    }

    async fn bounded(&self, call: Call) -> Result<Answer, OutboundError> {
        let limit = self.options.timeout;
        match tokio::time::timeout(limit, self.follow(call)).await {
            Ok(answer) => answer,
            Err(_) => Err(OutboundError::Failed(format!("no complete answer within {} s", limit.as_secs_f64()))),
        }
    }

    async fn follow(&self, mut call: Call) -> Result<Answer, OutboundError> {
        for _ in 0..=self.options.max_redirects {
            self.check(&call.url)?;
            let request = self.client.request(call.method.clone(), call.url.clone()).headers(call.headers.clone());
            let answer = request.body(call.body.clone()).send().await.map_err(failure)?;
            match call.redirected(&answer)? {
                Some(next) => call = next,
                None => return self.read(answer).await,
            }
        }
        Err(OutboundError::Refused(format!("more than {} redirects", self.options.max_redirects)))
    }

    async fn read(&self, answer: reqwest::Response) -> Result<Answer, OutboundError> {
        let (status, headers, url) = (answer.status(), answer.headers().clone(), answer.url().clone());
        let (mut body, mut truncated) = (Vec::new(), false);
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(failure)?;
            let room = self.options.max_body - body.len();
            truncated = chunk.len() > room;
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if truncated {
                break;
            }
        }
        Ok(Answer { status, headers, body, truncated, url })
    }
}

/// A request that may be redirected.
struct Call {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Headers that are also sent to another origin after a redirect. All other headers may contain secrets.
const SAFE_HEADERS: [HeaderName; 4] =
    [header::ACCEPT, header::CONTENT_TYPE, header::IF_MODIFIED_SINCE, header::IF_NONE_MATCH];

impl Call {
    /// The request that follows the redirect of `answer`; `None` if `answer` is not a redirect.
    fn redirected(&self, answer: &reqwest::Response) -> Result<Option<Self>, OutboundError> {
        let follows = match answer.status().as_u16() {
            307 | 308 => true,
            301..=303 => self.method == Method::GET,
            _ => false,
        };
        let Some(location) = answer.headers().get(header::LOCATION).filter(|_| follows) else { return Ok(None) };
        let url = std::str::from_utf8(location.as_bytes()).ok().and_then(|location| self.url.join(location).ok());
        let Some(url) = url else {
            return Err(OutboundError::Refused("redirected to an invalid URL".into()));
        };
        let mut headers = self.headers.clone();
        if url.origin() != self.url.origin() {
            headers =
                SAFE_HEADERS.iter().filter_map(|name| Some((name.clone(), self.headers.get(name)?.clone()))).collect();
        }
        Ok(Some(Self { method: self.method.clone(), url, headers, body: self.body.clone() }))
    }
}

/// Reports the innermost error, because it is the most specific one, and outer errors contain the URL.
fn failure(error: reqwest::Error) -> OutboundError {
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref::<Refusal>() {
            return OutboundError::Refused(refusal.to_string());
        }
        reason = inner.to_string();
        cause = inner.source();
    }
    OutboundError::Failed(reason)
}
