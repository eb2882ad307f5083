//! Sends the requests of the crate `openidconnect` through [`crate::outbound`], which checks their addresses.

use std::future::Future;
use std::pin::Pin;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::Method;
use url::{Host, Url};

use crate::outbound::{Outbound, OutboundError, OutboundOptions};

/// The maximum size of an answer of the provider, in bytes. Key sets of large providers have about 20 KiB.
const MAX_ANSWER: usize = 512 * 1024;

/// Why a request to the provider failed.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// There is no answer, or the address is not allowed.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The address is not https.
    #[error("{0} is not an https address; http is allowed only for an issuer on loopback")]
    Insecure(String),
    /// The address is not a URL.
    #[error("the provider sent an address that is not a URL")]
    Address,
    /// The answer is too long.
    #[error("an answer of the provider is longer than {MAX_ANSWER} bytes")]
    TooLong,
}

/// The client for requests to one provider.
pub struct Transport {
    outbound: Outbound,
    /// Whether the provider may be reached over http on loopback.
    allows_http: bool,
}

impl Transport {
    /// A client for the provider `issuer`. Redirects are not followed: they could forward a code or a secret.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(issuer: &Url, options: OutboundOptions) -> Result<Self, OutboundError> {
        let options = OutboundOptions { max_redirects: 0, max_body: MAX_ANSWER, ..options };
        Ok(Self { outbound: Outbound::new(options)?, allows_http: issuer.scheme() == "http" && is_loopback(issuer) })
    }

    /// Checks that `url` is https. If the issuer is http on loopback, `url` may be too.
    ///
    /// # Errors
    /// When `url` is neither https nor an allowed http address.
    pub fn check(&self, url: &Url) -> Result<(), TransportError> {
        let is_secure = url.scheme() == "https" || (self.allows_http && url.scheme() == "http" && is_loopback(url));
        if is_secure { Ok(()) } else { Err(TransportError::Insecure(url.origin().ascii_serialization())) }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let (head, body) = request.into_parts();
        let url: Url = head.uri.to_string().parse().map_err(|_| TransportError::Address)?;
        self.check(&url)?;
        let answer = if head.method == Method::GET {
            self.outbound.get(&url, head.headers).await?
        } else {
            self.outbound.post(&url, head.headers, body).await?
        };
        if answer.truncated {
            return Err(TransportError::TooLong);
        }
        let mut response = HttpResponse::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Transport {
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, TransportError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// Whether the host of `url` is `localhost` or a loopback address.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
