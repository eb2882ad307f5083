//! Mute timings: recurring times at which routes send no notifications (time intervals in Alertmanager).

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ranges::{DayRange, MonthRange, YearRange};
use super::{Checks, Kind, Managed};
use crate::domain::{FieldError, Timestamp};

const MAX_INTERVALS: usize = 20;
const MAX_RANGES: usize = 50;
const MINUTES_OF_DAY: u16 = 24 * 60;

/// Recurring times in a time zone. A route that lists it in `mute_timings` sends no notifications while it is active. A
/// route that lists it in `active_timings` sends notifications only while it or another timing in this list is active.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MuteTiming {
    /// The name: 1 to 100 characters. It must be unique, and cannot be changed.
    #[schema(example = "nights-and-weekends")]
    pub name: String,
    /// An IANA time zone. Default: UTC.
    #[serde(default = "utc")]
    #[schema(example = "Europe/Berlin")]
    pub zone: String,
    /// 1 to 20 intervals. The timing is active while any of them is active.
    #[schema(min_items = 1)]
    pub intervals: Vec<MuteInterval>,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// A range of times on some days. A day is included if it is in each of the lists `weekdays`, `days_of_month`, `months`
/// and `years`. An empty list contains every day. If the range passes midnight, the lists apply to the day on which the
/// range begins. `days_of_month`, `months` and `years` may have at most 50 entries in all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MuteInterval {
    /// Days of the week. Empty: every day.
    #[serde(default)]
    pub weekdays: Vec<Weekday>,
    /// Days of the month such as `1:5` or `-1` (the last day). Empty: every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>, example = json!(["24:26"]))]
    pub days_of_month: Vec<DayRange>,
    /// Months such as `december` or `may:august`. Empty: every month.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>, example = json!(["december"]))]
    pub months: Vec<MonthRange>,
    /// Years such as `2026` or `2026:2028`. Empty: every year.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>, example = json!(["2026"]))]
    pub years: Vec<YearRange>,
    /// The start as `HH:MM`, inclusive. Default: 00:00.
    #[serde(default = "midnight")]
    #[schema(value_type = String, example = "22:00")]
    pub from: TimeOfDay,
    /// The end as `HH:MM`, exclusive. A time before `from` is on the next day. The same time as `from` means a whole
    /// day. Default: 00:00, the end of the day.
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
    /// Day 1 of the ISO week.
    Monday,
    /// Day 2 of the ISO week.
    Tuesday,
    /// Day 3 of the ISO week.
    Wednesday,
    /// Day 4 of the ISO week.
    Thursday,
    /// Day 5 of the ISO week.
    Friday,
    /// Day 6 of the ISO week.
    Saturday,
    /// Day 7 of the ISO week.
    Sunday,
}

impl Weekday {
    /// The name used in the API and in Alertmanager's configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }
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

/// A time of day in the time zone of the timing, in minutes since midnight.
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
        // 24:00 is the midnight at the end of the day.
        if minutes <= MINUTES_OF_DAY { Ok(Self(minutes % MINUTES_OF_DAY)) } else { Err(wrong) }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl TimeOfDay {
    /// Whether the time is midnight: the start of a day if used as `from`, the end of a day if used as `to`.
    pub fn is_midnight(self) -> bool {
        self.0 == 0
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
    /// Whether any interval of the timing contains `now`; false if this machine does not know the time zone.
    pub fn is_active(&self, now: Timestamp) -> bool {
        // The time zone database of this machine may lack a zone that was valid when the timing was stored. The timing
        // is then inactive.
        let Ok(zone) = TimeZone::get(&self.zone) else { return false };
        let local = now.to_jiff().to_zoned(zone).datetime();
        let minute = TimeOfDay(u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs()));
        let today = local.date();
        let yesterday = today.yesterday().unwrap_or(today);
        self.intervals.iter().any(|interval| {
            if interval.passes_midnight() {
                (interval.is_on(today) && interval.from <= minute)
                    || (interval.is_on(yesterday) && minute < interval.to)
            } else {
                interval.is_on(today) && interval.from <= minute && minute < interval.to
            }
        })
    }
}

impl MuteInterval {
    /// Whether the interval ends on the day after it begins.
    pub fn passes_midnight(&self) -> bool {
        self.from >= self.to
    }

    fn is_on(&self, date: Date) -> bool {
        let weekday = Weekday::from(date.weekday());
        (self.weekdays.is_empty() || self.weekdays.contains(&weekday))
            && (self.days_of_month.is_empty() || self.days_of_month.iter().any(|range| range.contains(date)))
            && (self.months.is_empty() || self.months.iter().any(|range| range.contains(date)))
            && (self.years.is_empty() || self.years.iter().any(|range| range.contains(date)))
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
            format!("must be 1 to {MAX_INTERVALS} intervals")
        });
        for (index, interval) in self.intervals.iter().enumerate() {
            let ranges = interval.days_of_month.len() + interval.months.len() + interval.years.len();
            let field = format!("intervals[{index}]");
            checks.require(ranges <= MAX_RANGES, &field, format!("must have at most {MAX_RANGES} ranges of dates"));
        }
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
    fn mute_hours_follow_the_time_zone_and_may_cross_midnight() {
        let muted = |timing: &MuteTiming, at: &str| timing.is_active(at.parse().unwrap());
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
        // In Berlin the clocks go forward at 02:00 on 2026-03-29.
        let small = timing("Europe/Berlin", r#"{"from": "03:00", "to": "04:00"}"#);
        assert!(!muted(&small, "2026-03-29T00:59:00Z") && muted(&small, "2026-03-29T01:00:00Z"));
        assert!(!muted(&small, "2026-03-29T02:00:00Z"));
    }

    #[test]
    fn invalid_times_of_day_are_rejected() {
        for text in ["7:00", "25:00", "24:01", "07:60", "", "+7:00", "07-00"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
    }

    #[test]
    fn mute_dates_apply_to_the_day_on_which_hours_begin() {
        let active = |timing: &MuteTiming, at: &str| timing.is_active(at.parse().unwrap());
        let text = r#"{"days_of_month": ["24:26"], "months": ["december"], "years": ["2026:2027"], "from": "20:00", "to": "06:00"}"#;
        let holidays = timing("UTC", text);
        for (at, expected) in [
            ("2026-12-24T19:59:00Z", false),
            ("2026-12-24T20:00:00Z", true),
            // The hours that begin on the 26th end on the 27th.
            ("2026-12-27T05:59:00Z", true),
            ("2026-12-27T20:00:00Z", false),
            ("2026-11-24T20:00:00Z", false),
            ("2028-12-24T20:00:00Z", false),
        ] {
            assert_eq!(active(&holidays, at), expected, "{at}");
        }
    }
}
