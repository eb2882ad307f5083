//! Mute timings: hours of the week in which a route tells nobody.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Checks, Kind, Managed};
use crate::domain::{FieldError, Timestamp};

const MAX_INTERVALS: usize = 20;
const MINUTES_OF_DAY: u16 = 24 * 60;

/// Hours of the week, in the time of a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MuteTiming {
    /// Unique, and kept for good.
    #[schema(example = "nights-and-weekends")]
    pub name: String,
    /// An IANA time zone.
    #[serde(default = "utc")]
    #[schema(example = "Europe/Berlin")]
    pub zone: String,
    /// It is muted in each of them.
    #[schema(min_items = 1)]
    pub intervals: Vec<MuteInterval>,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Hours of some days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MuteInterval {
    /// The days on which it begins; none means each.
    #[serde(default)]
    pub weekdays: Vec<Weekday>,
    /// `HH:MM`, included.
    #[serde(default = "midnight")]
    #[schema(value_type = String, example = "22:00")]
    pub from: TimeOfDay,
    /// `HH:MM`, not included. Not after `from`: of the next day; the same as `from`: a whole day.
    #[serde(default = "midnight")]
    #[schema(value_type = String, example = "07:00")]
    pub to: TimeOfDay,
}

fn midnight() -> TimeOfDay {
    TimeOfDay(0)
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<jiff::civil::Weekday> for Weekday {
    fn from(day: jiff::civil::Weekday) -> Self {
        match day {
            jiff::civil::Weekday::Monday => Self::Monday,
            jiff::civil::Weekday::Tuesday => Self::Tuesday,
            jiff::civil::Weekday::Wednesday => Self::Wednesday,
            jiff::civil::Weekday::Thursday => Self::Thursday,
            jiff::civil::Weekday::Friday => Self::Friday,
            jiff::civil::Weekday::Saturday => Self::Saturday,
            jiff::civil::Weekday::Sunday => Self::Sunday,
        }
    }
}

/// Minutes since midnight, by the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(u16);

impl FromStr for TimeOfDay {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "must be a time of day such as \"07:30\"";
        let (hour, minute) = text.split_once(':').filter(|_| text.len() == 5).ok_or(wrong)?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |text: &str, most: u16| match text.parse::<u16>() {
            Ok(number) if digits(text) && number <= most => Ok(number),
            _ => Err(wrong),
        };
        let minutes = number(hour, 24)? * 60 + number(minute, 59)?;
        // 24:00 is the next midnight.
        if minutes <= MINUTES_OF_DAY { Ok(Self(minutes % MINUTES_OF_DAY)) } else { Err(wrong) }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl MuteTiming {
    /// Whether `now` lies in one of its intervals.
    pub fn is_muted(&self, now: Timestamp) -> bool {
        // A zone that this machine does not know any more mutes nothing.
        let Ok(zone) = TimeZone::get(&self.zone) else { return false };
        let local = now.to_jiff().to_zoned(zone);
        let today = Weekday::from(local.weekday());
        let yesterday = Weekday::from(local.weekday().previous());
        let minute = TimeOfDay(u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs()));
        self.intervals.iter().any(|interval| interval.holds(minute, today, yesterday))
    }
}

impl MuteInterval {
    fn holds(&self, minute: TimeOfDay, today: Weekday, yesterday: Weekday) -> bool {
        let on = |day| self.weekdays.is_empty() || self.weekdays.contains(&day);
        if self.from < self.to {
            on(today) && self.from <= minute && minute < self.to
        } else {
            (on(today) && self.from <= minute) || (on(yesterday) && minute < self.to)
        }
    }
}

impl Managed for MuteTiming {
    const KIND: Kind = Kind::MuteTiming;

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn check(&self) -> Vec<FieldError> {
        let mut checks = Checks::default();
        checks.name(&self.name);
        let known = TimeZone::get(&self.zone).is_ok();
        checks.require(known, "zone", "must be an IANA time zone such as \"Europe/Berlin\"");
        checks.require((1..=MAX_INTERVALS).contains(&self.intervals.len()), "intervals", {
            format!("must be 1 to {MAX_INTERVALS}")
        });
        checks.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(zone: &str, interval: &str) -> MuteTiming {
        let intervals = vec![serde_json::from_str(interval).unwrap()];
        let timing = MuteTiming { name: "n".to_owned(), zone: zone.to_owned(), intervals };
        assert_eq!(timing.check(), Vec::new());
        timing
    }

    #[test]
    fn hours_are_those_of_the_zone_and_may_pass_midnight() {
        let muted = |timing: &MuteTiming, at: &str| timing.is_muted(at.parse().unwrap());
        // 2026-03-06 is a Friday; Berlin is at +01:00.
        let nights = timing("Europe/Berlin", r#"{"weekdays": ["friday"], "from": "22:00", "to": "07:00"}"#);
        for (at, expected) in [
            ("2026-03-06T20:59:00Z", false),
            ("2026-03-06T21:00:00Z", true),
            ("2026-03-07T05:59:59Z", true),
            ("2026-03-07T06:00:00Z", false),
            ("2026-03-07T21:30:00Z", false),
        ] {
            assert_eq!(muted(&nights, at), expected, "{at}");
        }
        let weekend = timing("UTC", r#"{"weekdays": ["saturday", "sunday"], "from": "00:00", "to": "24:00"}"#);
        assert!(!muted(&weekend, "2026-03-06T23:59:59Z") && muted(&weekend, "2026-03-07T00:00:00Z"));
        assert!(muted(&weekend, "2026-03-08T23:59:59Z") && !muted(&weekend, "2026-03-09T00:00:00Z"));
        // The clocks go forward at 02:00 on 2026-03-29 in Berlin.
        let small = timing("Europe/Berlin", r#"{"from": "03:00", "to": "04:00"}"#);
        assert!(!muted(&small, "2026-03-29T00:59:00Z") && muted(&small, "2026-03-29T01:00:00Z"));
        assert!(!muted(&small, "2026-03-29T02:00:00Z"));
    }

    #[test]
    fn times_of_day_are_read_strictly() {
        for text in ["7:00", "25:00", "24:01", "07:60", "", "+7:00", "07-00"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
    }
}
