//! Ranges of calendar units in the format of Alertmanager's time intervals: `1:5`, `may:august`, `2026`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a range is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The text is neither a day of the month nor a range of such days.
    #[error("must be days of the month such as \"1\", \"1:5\" or \"-3:-1\" (the last three days)")]
    Days,
    /// The text is neither a month nor a range of months.
    #[error("must be months such as \"december\", \"may:august\" or \"1:3\"")]
    Months,
    /// The text is neither a year nor a range of years.
    #[error("must be years such as \"2026\" or \"2026:2028\"")]
    Years,
}

/// Days of the month, inclusive; negative days count from the end of the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayRange {
    first: i8,
    last: i8,
}

/// Months of the year, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthRange {
    first: i8,
    last: i8,
}

/// Years, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YearRange {
    first: i16,
    last: i16,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl DayRange {
    /// Whether `date` is in the range.
    pub fn contains(self, date: jiff::civil::Date) -> bool {
        let length = date.days_in_month();
        let resolve = |day: i8| if day < 0 { length + 1 + day } else { day };
        (resolve(self.first)..=resolve(self.last)).contains(&date.day())
    }
}

impl MonthRange {
    /// Whether `date` is in the range.
    pub fn contains(self, date: jiff::civil::Date) -> bool {
        (self.first..=self.last).contains(&date.month())
    }
}

impl YearRange {
    /// Whether `date` is in the range.
    pub fn contains(self, date: jiff::civil::Date) -> bool {
        (self.first..=self.last).contains(&date.year())
    }
}

/// Parses `FIRST:LAST`, or a single value, which is both the first and the last.
fn ends<T: Copy>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<(T, T)> {
    match text.split_once(':') {
        Some((first, last)) => Some((parse(first.trim())?, parse(last.trim())?)),
        None => parse(text.trim()).map(|only| (only, only)),
    }
}

impl FromStr for DayRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let day = |text: &str| text.parse().ok().filter(|day: &i8| (-31..=31).contains(day) && *day != 0);
        let (first, last) = ends(text, day).ok_or(RangeError::Days)?;
        // A range from a negative to a positive day is rejected: its order would depend on the length of the month.
        let ordered = first <= last || (first > 0 && last < 0);
        if ordered && !(first < 0 && last > 0) { Ok(Self { first, last }) } else { Err(RangeError::Days) }
    }
}

impl FromStr for MonthRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let month = |text: &str| {
            let named = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(text));
            let number = || text.parse().ok().filter(|month: &i8| (1..=12).contains(month));
            named.and_then(|index| i8::try_from(index + 1).ok()).or_else(number)
        };
        let (first, last) = ends(text, month).ok_or(RangeError::Months)?;
        if first <= last { Ok(Self { first, last }) } else { Err(RangeError::Months) }
    }
}

impl FromStr for YearRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let year = |text: &str| text.parse().ok().filter(|year: &i16| (1970..=9999).contains(year));
        let (first, last) = ends(text, year).ok_or(RangeError::Years)?;
        if first <= last { Ok(Self { first, last }) } else { Err(RangeError::Years) }
    }
}

fn write_ends(f: &mut fmt::Formatter<'_>, first: &dyn fmt::Display, last: &dyn fmt::Display) -> fmt::Result {
    let (first, last) = (first.to_string(), last.to_string());
    if first == last { f.write_str(&first) } else { write!(f, "{first}:{last}") }
}

impl fmt::Display for DayRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ends(f, &self.first, &self.last)
    }
}

impl fmt::Display for MonthRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |month: i8| MONTHS[usize::from(month.unsigned_abs()) - 1];
        write_ends(f, &name(self.first), &name(self.last))
    }
}

impl fmt::Display for YearRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ends(f, &self.first, &self.last)
    }
}

macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

as_text!(DayRange, MonthRange, YearRange);

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn negative_days_count_from_the_end_of_the_month() {
        let last_three: DayRange = "-3:-1".parse().unwrap();
        assert!(last_three.contains(date(2026, 2, 26)) && !last_three.contains(date(2026, 2, 25)));
        assert!(last_three.contains(date(2028, 2, 29)) && !last_three.contains(date(2028, 2, 26)));
        let most: DayRange = "2:-2".parse().unwrap();
        assert!(!most.contains(date(2026, 1, 1)) && most.contains(date(2026, 1, 30)));
    }

    #[test]
    fn valid_ranges_round_trip_and_invalid_ones_are_rejected() {
        assert_eq!("1:3".parse::<MonthRange>().map(|range| range.to_string()), Ok("january:march".to_owned()));
        assert_eq!("2026:2028".parse::<YearRange>().map(|range| range.to_string()), Ok("2026:2028".to_owned()));
        assert_eq!("5".parse::<DayRange>().map(|range| range.to_string()), Ok("5".to_owned()));
        for text in ["0", "32", "5:1", "-1:5", "", "a"] {
            assert_eq!(text.parse::<DayRange>(), Err(RangeError::Days), "{text}");
        }
        for text in ["13", "may:march", "mai"] {
            assert_eq!(text.parse::<MonthRange>(), Err(RangeError::Months), "{text}");
        }
        assert_eq!("26".parse::<YearRange>(), Err(RangeError::Years));
    }
}
