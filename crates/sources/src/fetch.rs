//! Sends HTTP requests for polling sources. The requests respect the budget of the source and the waits that servers
//! request. [`Outbound`] decides which addresses are allowed, and limits time and size.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tokio::net::TcpStream;
use url::{Position, Url};

use super::SourceError;
use super::budget::Budget;
use sentistream_core::clock::Clock;
use sentistream_core::domain::Timestamp;
use sentistream_core::outbound::{Answer, Outbound, OutboundError};

/// The maximum wait that a `Retry-After` header can cause.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(7 * 86_400);
/// The wait after 429 or 503 without `Retry-After`.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Sends the requests of one source. The fetcher and its budget are kept when the source is opened again.
pub struct Fetcher {
    outbound: Outbound,
    budget: Budget,
    clock: Clock,
}

impl Fetcher {
    /// Sends requests through `outbound`, no more often than `budget` allows.
    pub fn new(outbound: Outbound, budget: Budget, clock: Clock) -> Self {
        Self { outbound, budget, clock }
    }

    /// The request budget. Callers pause it when a response asks for a pause.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Requests `url` when the budget allows it. Returns responses with 2xx, 3xx and 4xx, except 429.
    ///
    /// # Errors
    /// [`SourceError::Busy`] for 429 and 503, with the wait in `Retry-After` (the budget pauses for the same time);
    /// [`SourceError::Transient`] for other 5xx and a server that cannot be reached; [`SourceError::Permanent`] for an
    /// address that is not allowed.
    pub async fn get(&self, url: &Url, headers: HeaderMap) -> Result<Answer, SourceError> {
        self.budget.turn().await;
        let answer = self.outbound.get(url, headers).await;
        self.judge(url, answer).await
    }

    /// Sends `body` to `url` with POST. Budget, results and errors are the same as for [`Self::get`].
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, SourceError> {
        self.budget.turn().await;
        let answer = self.outbound.post(url, headers, body).await;
        self.judge(url, answer).await
    }

    /// Opens a TCP connection to the host and port of `url`, under the same rules as requests.
    ///
    /// # Errors
    /// [`SourceError::Transient`] when the host cannot be reached; [`SourceError::Permanent`] for an address to which
    /// connections are not allowed.
    pub async fn connect(&self, url: &Url) -> Result<TcpStream, SourceError> {
        self.budget.turn().await;
        self.outbound.connect(url).await.map_err(|error| failure(url, &error))
    }

    async fn judge(&self, url: &Url, answer: Result<Answer, OutboundError>) -> Result<Answer, SourceError> {
        let answer = answer.map_err(|error| failure(url, &error))?;
        let place = shown(url);
        let status = answer.status;
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let after = retry_after(&answer.headers, self.clock.now()).unwrap_or(DEFAULT_RETRY_AFTER);
            self.budget.hold(after).await;
            return Err(SourceError::Busy { reason: format!("{place} answered {status}"), after });
        }
        if status.is_server_error() {
            return Err(SourceError::Transient(format!("{place} answered {status}")));
        }
        Ok(answer)
    }
}

fn failure(url: &Url, error: &OutboundError) -> SourceError {
    let message = format!("{}: {error}", shown(url));
    if error.is_transient() { SourceError::Transient(message) } else { SourceError::Permanent(message) }
}

/// Parses the JSON of a successful response.
///
/// # Errors
/// [`SourceError::Transient`] when the response is unsuccessful, truncated or not the expected JSON, because the server
/// may be restarting.
pub fn json<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, SourceError> {
    let place = shown(&answer.url);
    if !answer.status.is_success() {
        return Err(SourceError::Transient(format!("{place} answered {}", answer.status)));
    }
    if answer.truncated {
        let kib = answer.body.len() / 1_024;
        return Err(SourceError::Transient(format!("the answer from {place} is larger than {kib} KiB")));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|error| SourceError::Transient(format!("unexpected answer from {place}: {error}")))
}

/// The error for a refused request. Only 401 and 422 with a JSON body are permanent. An HTML page comes from a firewall
/// or a failing server, so the refusal may be temporary.
pub fn refusal(answer: &Answer, help: &str) -> SourceError {
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&answer.body).is_ok();
    let is_firewall = !is_json && answer.status == StatusCode::FORBIDDEN;
    let page = "the answer is a page instead of JSON; a firewall probably refuses this machine";
    let help = if is_firewall { page } else { help };
    let reason = format!("{} answered {}: {help}", shown(&answer.url), answer.status);
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::UNPROCESSABLE_ENTITY if is_json => SourceError::Permanent(reason),
        _ => SourceError::Refused(reason),
    }
}

/// The origin of `url`, for messages. The user, password, path and query of a private feed may be secrets, so `/…`
/// replaces a path or a query.
pub fn shown(url: &Url) -> String {
    let is_origin = url.path() == "/" && url.query().is_none();
    format!("{}://{}{}", url.scheme(), place(url), if is_origin { "" } else { "/…" })
}

/// The host of `url`, with the port if it is not the default port.
pub fn place(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

/// The wait that `Retry-After` requests, in seconds or as a date (RFC 9110), limited to one week.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::from_secs(u64::try_from(date.as_second() - now.as_seconds()).unwrap_or_default())
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_date() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("7", Some(7)),
            ("Sun, 01 Mar 2026 12:01:30 GMT", Some(90)),
            ("Sun, 01 Mar 2026 11:00:00 GMT", Some(0)),
            ("86400", Some(86_400)),
            ("99999999", Some(7 * 86_400)),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn refusal_with_an_html_page_mentions_a_firewall() {
        let refused = |status: StatusCode, body: &str| {
            let url = "https://social.example/api".parse().unwrap();
            let answer = Answer { status, headers: HeaderMap::new(), body: body.into(), truncated: false, url };
            refusal(&answer, "set a token")
        };
        let permanent = refused(StatusCode::UNAUTHORIZED, "{}");
        assert!(matches!(&permanent, SourceError::Permanent(reason) if reason.ends_with("set a token")), "{permanent}");
        let firewall = refused(StatusCode::FORBIDDEN, "<html>");
        assert!(matches!(&firewall, SourceError::Refused(reason) if reason.contains("firewall")), "{firewall}");
        let missing = refused(StatusCode::NOT_FOUND, "<html>");
        assert!(matches!(&missing, SourceError::Refused(reason) if reason.ends_with("set a token")), "{missing}");
    }

    #[test]
    fn shown_url_contains_no_secrets() {
        for (url, expected) in [
            ("https://ada:secret@blog.example:8443/feed.xml?key=1", "https://blog.example:8443/…"),
            ("https://blog.example/private/se-cr_et/rss", "https://blog.example/…"),
            ("https://blog.example/PATHSECRET", "https://blog.example/…"),
            ("https://blog.example/?key=1", "https://blog.example/…"),
            ("https://blog.example", "https://blog.example"),
        ] {
            assert_eq!(shown(&url.parse().unwrap()), expected);
        }
    }
}
