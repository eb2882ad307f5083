//! Reads the rate limits in responses
//! (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>).

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::super::SourceError;
use super::super::fetch::retry_after;
use sentistream_core::domain::Timestamp;
use sentistream_core::outbound::Answer;

/// The maximum pause, which is the length of a rate-limit window.
const MAX_PAUSE: Duration = Duration::from_secs(3_600);
/// The pause when the response does not state the end of the limit.
const DEFAULT_PAUSE: Duration = Duration::from_secs(60);

/// The error if `answer` refuses a request because of a rate limit. Its status is 403, which GitHub also uses for
/// missing permissions.
pub fn refused(answer: &Answer, has_token: bool, now: Timestamp) -> Option<SourceError> {
    if answer.status != StatusCode::FORBIDDEN {
        return None;
    }
    let is_limit = || String::from_utf8_lossy(&answer.body).to_ascii_lowercase().contains("rate limit");
    let after = exhausted(&answer.headers, now)
        .or_else(|| retry_after(&answer.headers, now))
        .or_else(|| is_limit().then_some(DEFAULT_PAUSE))?;
    let advice = if has_token { "" } else { "; with a token GitHub allows 5,000 requests per hour instead of 60" };
    let minutes = after.as_secs().div_ceil(60);
    Some(SourceError::Busy { reason: format!("GitHub allows no more requests for about {minutes} min{advice}"), after })
}

/// The time until the limit is reset, at most one hour. `None` if requests are left.
pub fn exhausted(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let (left, reset) = (number("x-ratelimit-remaining")?, number("x-ratelimit-reset")?);
    // The reset is in Unix seconds.
    let seconds = u64::try_from(reset.saturating_sub(now.as_seconds())).unwrap_or_default();
    (left <= 0).then(|| Duration::from_secs(seconds.saturating_add(1)).min(MAX_PAUSE))
}
