//! HTTP for sources that poll: within a budget, bounded in time and size, patient when asked to be.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, RequestBuilder, StatusCode};

use super::SourceError;
use super::budget::Budget;
use super::tls;
use crate::clock::Clock;

/// What servers see of us.
const USER_AGENT: &str = concat!("sentistream/", env!("CARGO_PKG_VERSION"));
/// The longest `Retry-After` that is followed to the letter; who asks for more is asked again then.
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);
/// When 429 or 503 come without `Retry-After`.
const USUAL_RETRY: Duration = Duration::from_secs(60);

/// Limits of a [`Fetcher`].
#[derive(Clone, Debug)]
pub struct FetchLimits {
    /// The longest a whole request may take.
    pub timeout: Duration,
    /// The longest body in bytes, after decompression.
    pub max_bytes: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), max_bytes: 16 << 20 }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Fetched {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body from JSON.
    ///
    /// # Errors
    /// Transient: a server that answers something else may be restarting.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, SourceError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| SourceError::Transient(format!("the answer is not what was expected: {error}")))
    }
}

/// Asks servers on behalf of one source. Make one with the [`super::SourceSpec`], so that its budget outlives
/// each opening.
pub struct Fetcher {
    client: Client,
    budget: Budget,
    limits: FetchLimits,
    clock: Clock,
}

impl Fetcher {
    /// A fetcher. `customise` may change the client: its redirects, resolver, headers.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        budget: Budget,
        limits: FetchLimits,
        clock: Clock,
        customise: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, String> {
        let tls = tls::client_config()?;
        let builder = Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .user_agent(USER_AGENT)
            .timeout(limits.timeout)
            .connect_timeout(limits.timeout.min(Duration::from_secs(10)))
            .pool_max_idle_per_host(2);
        let client = customise(builder).build().map_err(|error| format!("cannot set up HTTP: {error}"))?;
        Ok(Self { client, budget, limits, clock })
    }

    /// The client, to build requests with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The budget, to hold it when an answer says so.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Sends `request` when its turn has come. Answers of 2xx, 3xx and 4xx are given as they are, except 429.
    ///
    /// # Errors
    /// [`SourceError::Busy`] for 429 and 503 with what `Retry-After` says, [`SourceError::Transient`] for other
    /// 5xx, for a server that cannot be reached, and for an answer that is too long.
    pub async fn send(&self, request: RequestBuilder) -> Result<Fetched, SourceError> {
        self.budget.turn().await;
        let answer = request.send().await.map_err(|error| unreachable(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        // Without its query, which may hold a secret.
        let place = format!("{}{}", answer.url().host_str().unwrap_or_default(), answer.url().path());
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let after = headers.get(RETRY_AFTER).and_then(|value| self.retry_after(value)).unwrap_or(USUAL_RETRY);
            self.budget.hold(after).await;
            return Err(SourceError::Busy { reason: format!("{place} answered {status}"), after });
        }
        if status.is_server_error() {
            return Err(SourceError::Transient(format!("{place} answered {status}")));
        }
        let body = self.body(answer, &place).await?;
        Ok(Fetched { status, headers, body })
    }

    async fn body(&self, mut answer: reqwest::Response, place: &str) -> Result<Vec<u8>, SourceError> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| unreachable(&error))? {
            if body.len() + chunk.len() > self.limits.max_bytes {
                let limit = self.limits.max_bytes;
                return Err(SourceError::Transient(format!("the answer of {place} is longer than {limit} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Seconds, or a date (RFC 9110).
    fn retry_after(&self, value: &HeaderValue) -> Option<Duration> {
        let text = value.to_str().ok()?.trim();
        let wait = match text.parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
                let now = self.clock.now();
                Duration::from_secs(u64::try_from(date.as_second() - now.as_seconds()).unwrap_or_default())
            }
        };
        Some(wait.min(LONGEST_RETRY))
    }
}

/// The whole chain of causes, without the URL.
fn unreachable(error: &reqwest::Error) -> SourceError {
    let host = error.url().and_then(|url| url.host_str()).unwrap_or("the server").to_owned();
    let mut text = format!("{host} cannot be read");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if error.is_timeout() {
        text.push_str(" (no answer in time)");
    }
    SourceError::Transient(text)
}
