//! Requests to Reddit's API, with a token for the application.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::SourceError;
use crate::fetch::{Fetcher, json, refusal};
use sentistream_core::clock::Clock;
use sentistream_core::domain::Timestamp;

use super::{PAGE, RedditOptions};

/// How long before its expiry a token is renewed.
const MARGIN: Duration = Duration::from_secs(60);

struct Token {
    header: HeaderValue,
    expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

#[derive(Deserialize)]
struct Listing {
    data: ListingData,
}

#[derive(Deserialize)]
pub(super) struct ListingData {
    pub(super) after: Option<String>,
    pub(super) children: Vec<Value>,
}

/// A client of the API. Clones share the token, so that a reopened source keeps it.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) options: Arc<RedditOptions>,
    fetcher: Arc<Fetcher>,
    clock: Clock,
    token: Arc<Mutex<Option<Token>>>,
}

impl Client {
    pub(super) fn new(options: RedditOptions, fetcher: Fetcher, clock: Clock) -> Self {
        Self { options: Arc::new(options), fetcher: Arc::new(fetcher), clock, token: Arc::default() }
    }

    pub(super) async fn page(&self, path: &str, after: Option<&str>) -> Result<ListingData, SourceError> {
        let mut url = self.options.base.join(path).map_err(|e| SourceError::Permanent(format!("base: {e}")))?;
        url.query_pairs_mut().append_pair("limit", &PAGE.to_string()).append_pair("raw_json", "1");
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", after);
        }
        // A token may be revoked before it expires. In this case the token is renewed once.
        for renewed in [false, true] {
            let token = self.token().await?;
            let answer = self.fetcher.get(&url, self.headers(token)?).await?;
            self.pause_if_exhausted(&answer.headers).await;
            match answer.status {
                StatusCode::UNAUTHORIZED if !renewed => *self.token.lock().await = None,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                    return Err(refusal(&answer, "check subreddits, and that the application may read them"));
                }
                _ => return Ok(json::<Listing>(&answer)?.data),
            }
        }
        Err(SourceError::Transient("Reddit refused a token that it had just issued".to_owned()))
    }

    fn headers(&self, authorization: HeaderValue) -> Result<HeaderMap, SourceError> {
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
        if let Some(agent) = &self.options.user_agent {
            let agent = HeaderValue::from_str(agent);
            let wrong = |_| {
                SourceError::Permanent("user_agent: contains characters that are not allowed in a header".to_owned())
            };
            headers.insert(USER_AGENT, agent.map_err(wrong)?);
        }
        Ok(headers)
    }

    async fn token(&self) -> Result<HeaderValue, SourceError> {
        let now = self.clock.now();
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.expires_at > now + MARGIN) {
            return Ok(token.header.clone());
        }
        let login = format!("{}:{}", self.options.client_id, self.options.client_secret.expose_secret());
        let login = base64::engine::general_purpose::STANDARD.encode(login);
        let mut headers = self.headers(secret(&format!("Basic {login}"))?)?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let body = b"grant_type=client_credentials".to_vec();
        let answer = self.fetcher.post(&self.options.token_url, headers, body).await?;
        if answer.status.is_client_error() {
            return Err(refusal(&answer, "Reddit does not accept the application; check client_id and client_secret"));
        }
        let granted: Granted = json(&answer)?;
        let header = secret(&format!("Bearer {}", granted.access_token))?;
        *held = Some(Token { header: header.clone(), expires_at: now + Duration::from_secs(granted.expires_in) });
        Ok(header)
    }

    /// Pauses requests when the rate limit of the current period is exhausted.
    async fn pause_if_exhausted(&self, headers: &HeaderMap) {
        if let Some(pause) = pause(headers) {
            self.fetcher.budget().hold(pause).await;
        }
    }
}

/// The time until the rate limit is reset, at most one hour. `None` if requests are left.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let (left, reset) = (number("x-ratelimit-remaining")?, number("x-ratelimit-reset")?);
    (left < 1.0 && !reset.is_nan()).then(|| Duration::from_secs_f64(reset.clamp(0.0, 3_600.0)))
}

/// A header that is marked as sensitive, so that logs leave it out.
fn secret(value: &str) -> Result<HeaderValue, SourceError> {
    let mut header = HeaderValue::from_str(value).map_err(|_| {
        SourceError::Permanent(
            "client_id or client_secret: contains characters that are not allowed in a header".to_owned(),
        )
    })?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;

    #[test]
    fn pause_ignores_headers_that_are_not_durations() {
        for (left, reset, seconds) in [
            ("0", "300", Some(300)),
            ("0.0", "1e9", Some(3_600)),
            ("0", "nan", None),
            ("nan", "5", None),
            ("7", "5", None),
        ] {
            let headers = [("x-ratelimit-remaining", left), ("x-ratelimit-reset", reset)];
            let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            assert_eq!(pause(&HeaderMap::from_iter(headers)), seconds.map(Duration::from_secs), "{left} {reset}");
        }
    }
}
