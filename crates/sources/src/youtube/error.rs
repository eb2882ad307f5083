//! Converts errors of the API (<https://developers.google.com/youtube/v3/docs/errors>) to messages with advice.

use std::time::Duration;

use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use reqwest::StatusCode;
use serde::Deserialize;

use super::super::SourceError;
use super::super::fetch::refusal;
use super::Place;
use sentistream_core::domain::Timestamp;
use sentistream_core::outbound::Answer;

/// The quota is reset at midnight in this time zone.
const ZONE: &str = "America/Los_Angeles";
/// The pause when the time zone database does not contain the zone.
const DAY: Duration = Duration::from_secs(86_400);
/// The pause after too many requests in a short time.
const SHORT: Duration = Duration::from_secs(60);

#[derive(Default, Deserialize)]
struct Body {
    #[serde(default)]
    error: Problem,
}

#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Reason>,
}

#[derive(Default, Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
}

impl Body {
    fn of(answer: &Answer) -> Self {
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    fn reason(&self) -> &str {
        self.error.errors.first().map_or("", |error| error.reason.as_str())
    }
}

/// Whether the response rejects the position of a page because it has expired.
pub fn is_expired_page(answer: &Answer) -> bool {
    answer.status == StatusCode::BAD_REQUEST && Body::of(answer).reason() == "invalidPageToken"
}

/// The error for a response about `place`.
pub fn of(answer: &Answer, place: &Place, now: Timestamp) -> SourceError {
    let body = Body::of(answer);
    let reason = body.reason();
    let permanent = SourceError::Permanent;
    match reason {
        "quotaExceeded" | "dailyLimitExceeded" | "dailyLimitExceededUnreg" => SourceError::Busy {
            reason: "the daily quota of the YouTube key is used up, and is reset at midnight Pacific Time: use a \
                     longer interval, fewer videos and channels, or request a higher quota in the Google Cloud console"
                .to_owned(),
            after: until_reset(now),
        },
        "rateLimitExceeded" | "userRateLimitExceeded" => {
            SourceError::Busy { reason: "YouTube allows no more requests for a minute".to_owned(), after: SHORT }
        }
        "commentsDisabled" => permanent(format!("{place}: its comments are turned off")),
        "videoNotFound" | "channelNotFound" => permanent(format!("{place} does not exist, or is private")),
        "keyInvalid" | "keyExpired" => permanent(INVALID.to_owned()),
        "accessNotConfigured" | "ipRefererBlocked" | "refererBlocked" => permanent(
            "the YouTube key may not use the YouTube Data API v3: enable that API in the project of the key, and check \
             the key's restrictions in the Google Cloud console"
                .to_owned(),
        ),
        _ if answer.status == StatusCode::BAD_REQUEST && body.error.message.starts_with("API key") => {
            permanent(INVALID.to_owned())
        }
        _ => refusal(answer, &format!("YouTube refuses requests for {place}; check the key and its restrictions")),
    }
}

const INVALID: &str = "the YouTube key is not valid: copy it again from the Google Cloud console";

/// The time until the quota is reset.
fn until_reset(now: Timestamp) -> Duration {
    let reset = || {
        let local = now.to_jiff().to_zoned(TimeZone::get(ZONE).ok()?);
        let midnight = local.date().checked_add(1.day()).ok()?.to_zoned(local.time_zone().clone()).ok()?;
        Some(Timestamp::from(midnight.timestamp()).since(now))
    };
    reset().unwrap_or(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_is_reset_at_midnight_pacific_time() {
        for (now, hours) in [("2026-01-10T12:00:00Z", 20), ("2026-07-10T12:00:00Z", 19), ("2026-03-08T09:00:00Z", 22)] {
            assert_eq!(until_reset(now.parse().unwrap()), Duration::from_secs(hours * 3_600), "{now}");
        }
    }
}
