//! Durations in human-readable form: `"15s"`, `"5min"`, `"1h 30min"`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// The maximum duration. The limit prevents overflows when durations are added.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// A duration that is formatted and serialised in the form of [`parse_duration`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(pub Duration);

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration up to 366d such as \"250ms\", \"15s\", \"5min\" or \"8d\", found {found:?}")]
pub struct DurationError {
    /// The text.
    found: String,
}

/// Parses `"250ms"`, `"15s"`, `"5min"`, `"2h"`, `"8d"`, and sums such as `"1h 30min"`: the friendly format of jiff,
/// with days of 24 hours. The maximum is 366 days.
///
/// # Errors
/// When the text is not a duration in this format, or is longer than the maximum.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let parsed = text.trim().parse::<Span>().ok().and_then(|span| {
        let exact = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
        Duration::try_from(exact).ok().filter(|duration| *duration <= LONGEST)
    });
    parsed.ok_or_else(|| DurationError { found: text.to_owned() })
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        let mut separator = "";
        for (unit, name) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"), (1, "ms")] {
            if millis >= unit {
                write!(f, "{separator}{}{name}", millis / unit)?;
                millis %= unit;
                separator = " ";
            }
        }
        Ok(())
    }
}

impl FromStr for HumanDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        parse_duration(text).map(Self)
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_text_round_trips() {
        for text in ["0s", "250ms", "15s", "1min 30s", "1h 30min", "8d", "366d"] {
            assert_eq!(text.parse::<HumanDuration>().map(|duration| duration.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("90min".parse::<HumanDuration>().map(|duration| duration.to_string()), Ok("1h 30min".to_owned()));
    }

    #[test]
    fn duration_without_unit_or_above_limit_is_rejected() {
        for text in ["", "15", "-5s", "367d", "1 month", "5 parsecs", "s"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
        assert_eq!(parse_duration(" 1h30m "), Ok(Duration::from_secs(5_400)));
    }
}
