//! Parses dates as they occur in feeds and files: RFC 3339, RFC 2822 and common deviations from them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// Zone names of RFC 2822, and a few that occur in feeds, with their offsets in hours.
const ZONES: [(&str, i8); 13] = [
    ("est", -5),
    ("edt", -4),
    ("cst", -6),
    ("cdt", -5),
    ("mst", -7),
    ("mdt", -6),
    ("pst", -8),
    ("pdt", -7),
    ("bst", 1),
    ("cet", 1),
    ("cest", 2),
    ("eet", 2),
    ("eest", 3),
];

/// The order of day and month in a date such as 01/02/2026.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayOrder {
    /// The second of January is 02/01/2026.
    DayFirst,
    /// The second of January is 01/02/2026.
    MonthFirst,
}

/// Parses a date. A date without a zone is in UTC. A date without a time is at midnight. Dates such as 01/02/2026 need
/// an `order`. Returns `None` if `text` is not a date.
pub fn date(text: &str, order: Option<DayOrder>) -> Option<Timestamp> {
    let text = text.trim();
    let zoneless = || text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(Into::into)).ok();
    let at = text.parse().ok().or_else(|| Offset::UTC.to_timestamp(zoneless()?).ok());
    at.or_else(|| in_numbers(text, order)).or_else(|| in_words(text))
}

/// A numeric date: `01/02/2026 14:30`, `1.2.2026`, `2026/02/01`.
fn in_numbers(text: &str, order: Option<DayOrder>) -> Option<Timestamp> {
    let mut words = text.split([' ', 'T', ',']).filter(|word| !word.is_empty());
    let numbers: Vec<i16> =
        words.next()?.split(['/', '.', '-']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let &[first, second, third] = numbers.as_slice() else { return None };
    let (year, month, day) = match order {
        _ if first > 31 => (first, second, third),
        Some(DayOrder::DayFirst) => (full_year(third), second, first),
        Some(DayOrder::MonthFirst) => (full_year(third), first, second),
        None => return None,
    };
    let (hour, minute, second) = match words.next() {
        None => (0, 0, 0),
        Some(time) => clock(time)?,
    };
    let hour = match words.next().map(str::to_ascii_lowercase).as_deref() {
        Some("pm") if hour < 12 => hour + 12,
        Some("am") if hour == 12 => 0,
        _ => hour,
    };
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    Offset::UTC.to_timestamp(DateTime::new(year, month, day, hour, minute, second, 0).ok()?).ok()
}

fn full_year(year: i16) -> i16 {
    match year {
        short @ 0..50 => 2_000 + short,
        short @ 50..100 => 1_900 + short,
        year => year,
    }
}

/// A date with the name of the month, with its parts in any order: `Sun, 1 Mar 2026 12:00:00 GMT`.
fn in_words(text: &str) -> Option<Timestamp> {
    let words = text.split([' ', ',', '\t', '\n']).filter(|word| !word.is_empty());
    let (mut day, mut month, mut year, mut time, mut offset) = (None, None, None, None, None);
    for word in words.take(8) {
        let lower = word.to_ascii_lowercase();
        let named = MONTHS.iter().position(|name| lower.starts_with(name));
        if word.contains(':') && time.is_none() {
            time = Some(clock(word)?);
        } else if month.is_none() && named.is_some() {
            month = named;
        } else if let Ok(number) = word.parse::<i16>()
            && !word.starts_with(['+', '-'])
        {
            match day {
                None if number <= 31 => day = Some(number),
                _ => year = year.or(Some(number)),
            }
        } else if time.is_some() && offset.is_none() {
            offset = zone(&lower);
        }
    }
    let year = full_year(year?);
    let (hour, minute, second) = time.unwrap_or_default();
    let month = i8::try_from(month? + 1).ok()?;
    let date = DateTime::new(year, month, i8::try_from(day?).ok()?, hour, minute, second, 0).ok()?;
    offset.unwrap_or(Offset::UTC).to_timestamp(date).ok()
}

/// Parses `12:00` or `12:00:00`. Hour 24 becomes hour 0, and second 60 becomes second 59.
fn clock(word: &str) -> Option<(i8, i8, i8)> {
    let mut parts = word.split([':', '.']).map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0));
    Some((hour % 24, minute, second.min(59)))
}

fn zone(word: &str) -> Option<Offset> {
    if let Some((_, hours)) = ZONES.iter().find(|(name, _)| *name == word) {
        return Offset::from_hours(*hours).ok();
    }
    let sign = if word.starts_with('-') { -1 } else { 1 };
    let digits: String = word.strip_prefix(['+', '-'])?.chars().filter(|c| *c != ':').collect();
    let number: i32 = digits.parse().ok()?;
    Offset::from_seconds(sign * (number / 100 * 3_600 + number % 100 * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_date_formats_are_parsed() {
        let day_first = Some(DayOrder::DayFirst);
        for (text, order, expected) in [
            ("2026-11-01", None, Some("2026-11-01T00:00:00Z")),
            ("2026-11-01 14:30", None, Some("2026-11-01T14:30:00Z")),
            ("Sun, 01 Nov 2026 14:30:00 +0100", None, Some("2026-11-01T13:30:00Z")),
            ("2026/11/01", None, Some("2026-11-01T00:00:00Z")),
            ("01/02/2026", None, None),
            ("01/02/2026", day_first, Some("2026-02-01T00:00:00Z")),
            ("1.2.26 14:30", day_first, Some("2026-02-01T14:30:00Z")),
            ("01/02/2026 2:30 PM", Some(DayOrder::MonthFirst), Some("2026-01-02T14:30:00Z")),
            ("31/31/2026", day_first, None),
            ("soon", day_first, None),
        ] {
            assert_eq!(date(text, order), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }
}
