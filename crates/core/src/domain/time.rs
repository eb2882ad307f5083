//! Instants, ranges and bucket widths. All times are UTC.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, in microseconds since the Unix epoch (the resolution of `timestamptz` in Postgres).
///
/// As text and in JSON it is RFC 3339 with milliseconds and `Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The earliest and the latest supported time: the years 0001 to 9999, which RFC 3339 and both databases can represent.
/// The last 26 hours are excluded, so that each supported time can be converted to every time zone.
const MIN_MICROS: i64 = -62_135_596_800_000_000;
const MAX_MICROS: i64 = 253_402_207_200_999_999;

/// The limit between Unix times in seconds and in milliseconds: numbers at or above it are in milliseconds. In seconds,
/// the limit is the year 5138; in milliseconds, it is March 1973.
const MILLIS_FROM: u64 = 100_000_000_000;

/// A text or number that is not a supported instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a time: expected RFC 3339 (2026-01-31T12:00:00Z) or Unix seconds or milliseconds")]
pub struct TimeError;

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// The earliest supported instant.
    pub const MIN: Self = Self(MIN_MICROS);
    /// The latest supported instant.
    pub const MAX: Self = Self(MAX_MICROS);

    /// Converts microseconds since the epoch. `None` if the time is not supported.
    pub fn from_micros(micros: i64) -> Option<Self> {
        (MIN_MICROS..=MAX_MICROS).contains(&micros).then_some(Self(micros))
    }

    /// Converts milliseconds since the epoch. `None` if the time is not supported.
    pub fn from_millis(millis: i64) -> Option<Self> {
        millis.checked_mul(1_000).and_then(Self::from_micros)
    }

    /// Converts a Unix time in seconds or milliseconds, distinguished by magnitude. `None` if the time is not
    /// supported.
    pub fn from_unix(number: i64) -> Option<Self> {
        if number.unsigned_abs() >= MILLIS_FROM {
            Self::from_millis(number)
        } else {
            number.checked_mul(1_000_000).and_then(Self::from_micros)
        }
    }

    /// Microseconds since the epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    pub fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The start of the bucket of `width` that contains this time. Buckets are aligned to the epoch.
    pub fn floor(self, width: Duration) -> Self {
        let width = width.as_micros() as i64;
        Self(self.0.div_euclid(width) * width)
    }

    /// The end of the bucket of `width` that contains this time, or the time itself if it is a bucket boundary.
    pub fn ceil(self, width: Duration) -> Self {
        let floor = self.floor(width);
        if floor == self { self } else { floor + width }
    }

    /// The time since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    fn jiff(self) -> jiff::Timestamp {
        // The fallback is never used, because jiff supports a larger range of times.
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// The instant as jiff's type, for calendar arithmetic.
    pub fn to_jiff(self) -> jiff::Timestamp {
        self.jiff()
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(value: jiff::Timestamp) -> Self {
        Self(value.as_microsecond().clamp(MIN_MICROS, MAX_MICROS))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(rhs.as_micros()).unwrap_or(i64::MAX)).min(MAX_MICROS))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(rhs.as_micros()).unwrap_or(i64::MAX)).max(MIN_MICROS))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = jiff::Timestamp::from_millisecond(self.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{millis:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    /// Parses RFC 3339, or a Unix time as text.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        if let Ok(number) = text.parse::<i64>() {
            return Self::from_unix(number).ok_or(TimeError);
        }
        if let Ok(number) = text.parse::<f64>() {
            return Self::from_float(number).ok_or(TimeError);
        }
        let parsed: jiff::Timestamp = text.parse().map_err(|_| TimeError)?;
        Self::from_micros(parsed.as_microsecond()).ok_or(TimeError)
    }
}

impl Timestamp {
    /// Converts a Unix time in seconds or milliseconds with a fraction, distinguished by magnitude. `None` if the
    /// number is not finite, or the time is not supported.
    pub fn from_float(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        let factor = if number.abs() >= MILLIS_FROM as f64 { 1e3 } else { 1e6 };
        let micros = (number * factor).round();
        (micros.abs() <= MAX_MICROS as f64).then(|| Self::from_micros(micros as i64)).flatten()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Whole(i64),
            Fraction(f64),
            Text(String),
        }
        let parsed = match Form::deserialize(deserializer).map_err(|_| serde::de::Error::custom(TimeError))? {
            Form::Whole(number) => Self::from_unix(number),
            Form::Fraction(number) => Self::from_float(number),
            Form::Text(text) => text.parse().ok(),
        };
        parsed.ok_or_else(|| serde::de::Error::custom(TimeError))
    }
}

/// A half-open range of time, with `start` and without `end`. `end` is never before `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TimeRange {
    start: Timestamp,
    end: Timestamp,
}

impl TimeRange {
    /// The range, or `None` if `end` is before `start`.
    pub fn new(start: Timestamp, end: Timestamp) -> Option<Self> {
        (start <= end).then_some(Self { start, end })
    }

    /// The range of `length` that ends at `end`.
    pub fn last(length: Duration, end: Timestamp) -> Self {
        Self { start: end - length, end }
    }

    /// The start of the range.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The end of the range, which is not part of it.
    pub fn end(&self) -> Timestamp {
        self.end
    }

    /// The length of the range.
    pub fn length(&self) -> Duration {
        self.end.since(self.start)
    }

    /// The range extended to bucket boundaries of `width`.
    pub fn widened(&self, width: Duration) -> Self {
        Self { start: self.start.floor(width), end: self.end.ceil(width) }
    }
}

/// The bucket width of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Days, which start at midnight in the time zone of the query.
    Day,
}

impl Period {
    /// The name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_time_format_is_parsed() {
        let expected = Timestamp::from_millis(1_767_225_600_500).unwrap();
        for text in ["2026-01-01T00:00:00.5Z", "2026-01-01T01:00:00.5+01:00", "1767225600500", "1767225600.5"] {
            assert_eq!(text.parse::<Timestamp>(), Ok(expected), "{text}");
        }
        assert_eq!("1767225600".parse::<Timestamp>().unwrap().to_string(), "2026-01-01T00:00:00.000Z");
        for text in
            ["", "yesterday", "NaN", "inf", "99999999999999999999", "-9223372036854775808", "2026-13-01T00:00:00Z"]
        {
            assert_eq!(text.parse::<Timestamp>(), Err(TimeError), "{text}");
        }
    }

    #[test]
    fn buckets_before_the_epoch_are_floored_not_truncated() {
        let minute = Duration::from_secs(60);
        let t = Timestamp::from_micros(-1).unwrap();
        assert_eq!(t.floor(minute), Timestamp::EPOCH - minute);
        assert_eq!(t.ceil(minute), Timestamp::EPOCH);
        assert_eq!(Timestamp::EPOCH.ceil(minute), Timestamp::EPOCH);
    }
}
