//! HTTP for sources that poll: within a budget, and patient when a server asks for it.
//! What may be asked at all, time and size are bounded by [`Outbound`].

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use url::{Position, Url};

use super::SourceError;
use super::budget::Budget;
use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::outbound::{Answer, Outbound, OutboundError};

/// The longest `Retry-After` that is followed to the letter; who asks for more is asked again then.
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);
/// When 429 or 503 come without `Retry-After`.
const USUAL_RETRY: Duration = Duration::from_secs(60);

/// Asks servers on behalf of one source. Make one with the [`super::SourceSpec`] and share it among its openings,
/// so that a source that is opened again does not begin a new budget.
pub struct Fetcher {
    outbound: Outbound,
    budget: Budget,
    clock: Clock,
}

impl Fetcher {
    /// Asks through `outbound`, no more often than `budget` allows.
    pub fn new(outbound: Outbound, budget: Budget, clock: Clock) -> Self {
        Self { outbound, budget, clock }
    }

    /// The budget, to hold it when an answer says so.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Asks for `url` when its turn has come. Answers of 2xx, 3xx and 4xx are given as they are, except 429.
    ///
    /// # Errors
    /// [`SourceError::Busy`] for 429 and 503 with what `Retry-After` says (the budget is held as long);
    /// [`SourceError::Transient`] for other 5xx and a server that cannot be reached; [`SourceError::Permanent`]
    /// for a URL that may not be asked.
    pub async fn get(&self, url: &Url, headers: HeaderMap) -> Result<Answer, SourceError> {
        self.budget.turn().await;
        let answer = self.outbound.get(url, headers).await;
        self.judge(url, answer).await
    }

    /// Sends `body` to `url` when its turn has come; else as [`Self::get`].
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, SourceError> {
        self.budget.turn().await;
        let answer = self.outbound.post(url, headers, body).await;
        self.judge(url, answer).await
    }

    async fn judge(&self, url: &Url, answer: Result<Answer, OutboundError>) -> Result<Answer, SourceError> {
        let host = place(url);
        let answer = answer.map_err(|error| {
            let message = format!("{host}: {error}");
            if error.is_transient() { SourceError::Transient(message) } else { SourceError::Permanent(message) }
        })?;
        let status = answer.status;
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let after = retry_after(&answer.headers, self.clock.now()).unwrap_or(USUAL_RETRY);
            self.budget.hold(after).await;
            return Err(SourceError::Busy { reason: format!("{host} answered {status}"), after });
        }
        if status.is_server_error() {
            return Err(SourceError::Transient(format!("{host} answered {status}")));
        }
        Ok(answer)
    }
}

/// What an answer of success holds as JSON.
///
/// # Errors
/// Transient: a server that answers something else, or was cut off, may be restarting.
pub fn json<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, SourceError> {
    let host = place(&answer.url);
    if !answer.status.is_success() || answer.truncated {
        return Err(SourceError::Transient(format!("{host} answered {} or too much", answer.status)));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|error| SourceError::Transient(format!("{host} answered something else than expected: {error}")))
}

/// The host of `url`, and its port where it is not the usual one: fit to be told, unlike the rest, which may hold
/// secrets.
pub fn place(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

/// How long `Retry-After` asks to wait: seconds, or a date (RFC 9110), at most an hour.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::from_secs(u64::try_from(date.as_second() - now.as_seconds()).unwrap_or_default())
        }
    };
    Some(wait.min(LONGEST_RETRY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_how_long_to_wait_in_seconds_or_by_a_date() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("7", Some(7)),
            ("Sun, 01 Mar 2026 12:01:30 GMT", Some(90)),
            ("Sun, 01 Mar 2026 11:00:00 GMT", Some(0)),
            ("999999", Some(3_600)),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
