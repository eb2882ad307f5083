//! Parses the query and the path of a request and reports all errors together.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use actix_web::HttpRequest;

use crate::domain::op::preview;
use crate::domain::post::MAX_LANG_BYTES;
use crate::domain::time::TimeError;
use crate::domain::{FieldError, TimeRange, Timestamp};

use super::error::ApiError;

/// The maximum number of unknown parameters that an error lists.
const MAX_UNKNOWN: usize = 5;
/// The maximum length of a parameter's name in an error, in characters.
const MAX_NAME_CHARS: usize = 40;

/// The parameters of a query, taken one by one. Errors are collected until [`Params::finish`].
pub struct Params {
    values: Vec<(String, String)>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Params {
    /// The parameters of `request`.
    ///
    /// # Errors
    /// 400 when the query is not percent-encoded UTF-8.
    pub fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        Self::parse(request.query_string())
    }

    fn parse(query: &str) -> Result<Self, ApiError> {
        let values = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(&name.replace('+', " "), "the query")?, decode(&value.replace('+', " "), "the query")?))
            })
            .collect::<Result<_, ApiError>>()?;
        Ok(Self { values, known: Vec::new(), errors: Vec::new() })
    }

    /// The parameter `name`, if it is given.
    pub fn optional<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.known.push(name);
        let mut given = self.values.iter().filter(|(key, _)| key == name);
        let (first, second) = (given.next()?, given.next());
        let parsed = if second.is_some() {
            Err("is given more than once".to_owned())
        } else {
            parse(&first.1).map_err(|e| e.to_string())
        };
        match parsed {
            Ok(value) => Some(value),
            Err(message) => {
                self.reject(name, message);
                None
            }
        }
    }

    /// The parameter `name`, which is required.
    pub fn required<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if !self.has(name) {
            self.reject(name, "is required");
        }
        self.optional(name, parse)
    }

    /// The parameter `name` as a whole number in `range`, or `default` if it is not given.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<i64>, default: i64) -> i64 {
        let parse = |text: &str| match text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ if *range.end() == i64::MAX => Err(format!("must be a whole number of at least {}", range.start())),
            _ => Err(format!("must be a whole number from {} to {}", range.start(), range.end())),
        };
        self.optional(name, parse).unwrap_or(default)
    }

    /// The parameter `cursor`: an id that an earlier page returned as `next_cursor`.
    pub fn cursor(&mut self) -> Option<i64> {
        self.optional("cursor", |text| {
            text.parse().ok().filter(|id: &i64| *id > 0).ok_or("must be next_cursor of an earlier page")
        })
    }

    /// The parameter `name`, parsed from text, if it is given.
    pub fn text<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        self.optional(name, str::parse)
    }

    /// The parameter `name` as a time: RFC 3339, a Unix time, or a date alone (midnight in UTC).
    pub fn time(&mut self, name: &'static str) -> Option<Timestamp> {
        self.optional(name, instant)
    }

    /// The parameters `start_date` and `end_date`. An `end_date` before `start_date` is an error.
    pub fn period(&mut self) -> (Option<Timestamp>, Option<Timestamp>) {
        let (start, end) = (self.time("start_date"), self.time("end_date"));
        if let (Some(start), Some(end)) = (start, end)
            && TimeRange::new(start, end).is_none()
        {
            self.reject("end_date", "must not be before start_date");
        }
        (start, end)
    }

    /// Whether `name` was given.
    pub fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(key, _)| key == name)
    }

    /// Adds an error for the parameter `name`.
    pub fn reject(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(name, message));
    }

    /// Ends parsing.
    ///
    /// # Errors
    /// 422 with every error, including unknown parameters.
    pub fn finish(mut self) -> Result<(), ApiError> {
        let mut seen = HashSet::new();
        let mut unknown: Vec<_> = self
            .values
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !self.known.contains(&name.as_str()) && seen.insert(*name))
            .collect();
        let unlisted = unknown.len().saturating_sub(MAX_UNKNOWN);
        unknown.truncate(MAX_UNKNOWN);
        let allowed = match self.known.as_slice() {
            [] => "this endpoint has none".to_owned(),
            names => format!("allowed are {}", names.join(", ")),
        };
        self.errors.extend(
            unknown
                .into_iter()
                .map(|name| FieldError::new(preview(name, MAX_NAME_CHARS), format!("is not a parameter; {allowed}"))),
        );
        if unlisted > 0 {
            self.reject("query", format!("has {unlisted} more unknown parameters"));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.errors)) }
    }
}

/// Refuses any parameter.
///
/// # Errors
/// 400 when the query cannot be decoded, 422 when it has a parameter.
pub fn no_params(request: &HttpRequest) -> Result<(), ApiError> {
    Params::of(request)?.finish()
}

/// The last segment of the path, decoded.
///
/// # Errors
/// 400 when it is not percent-encoded UTF-8.
pub fn last_segment(request: &HttpRequest) -> Result<String, ApiError> {
    // The router's decoding keeps some escapes and replaces invalid UTF-8, so the raw path is decoded here.
    let raw = request.uri().path().rsplit('/').next().unwrap_or_default();
    decode(raw, "the path")
}

/// The segment of the path before the last, decoded.
///
/// # Errors
/// As [`last_segment`].
pub fn segment_before_last(request: &HttpRequest) -> Result<String, ApiError> {
    decode(request.uri().path().rsplit('/').nth(1).unwrap_or_default(), "the path")
}

/// Decodes percent-encoding. Incomplete escapes and invalid UTF-8 are errors.
fn decode(text: &str, place: &str) -> Result<String, ApiError> {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let digits = rest.as_bytes().get(at + 1..at + 3);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err(ApiError::malformed(format!(
                "{place} contains a % that is not followed by two hexadecimal digits"
            )));
        }
        rest = &rest[at + 3..];
    }
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| ApiError::malformed(format!("{place} is not valid UTF-8 after percent-decoding")))
}

fn instant(text: &str) -> Result<Timestamp, TimeError> {
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() == "2026-01-31".len()
        && let Ok(midnight) = date.to_zoned(jiff::tz::TimeZone::UTC)
    {
        return Ok(midnight.timestamp().into());
    }
    // An unencoded `+` of a time-zone offset arrives as a space.
    text.replace(' ', "+").parse()
}

/// A language tag such as `en` or `pt-BR`, in lower case.
///
/// # Errors
/// When `text` is not a language tag.
pub fn language(text: &str) -> Result<String, &'static str> {
    let valid = (2..=MAX_LANG_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if valid {
        Ok(text.to_ascii_lowercase().replace('_', "-"))
    } else {
        Err("must be a language tag such as en or pt-BR")
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_errors_are_reported_together() {
        let mut params = Params::parse("limit=0&source=a&source=b&wrong=1&when=soon").unwrap();
        params.number("limit", 1..=500, 50);
        params.text::<String>("source");
        params.time("when");
        params.required("period", str::parse::<String>);
        let message = params.finish().unwrap_err().to_string();
        for part in
            ["limit: must be", "source: is given more", "when: is not a time", "period: is req", "wrong: is not"]
        {
            assert!(message.contains(part), "{part:?} in {message}");
        }
    }

    #[test]
    fn repeated_unknown_parameter_is_reported_once() {
        let error = Params::parse("a=1&b=1&a=2&b=2").unwrap().finish().unwrap_err().to_string();
        assert_eq!((error.matches("a: is not").count(), error.matches("b: is not").count()), (1, 1), "{error}");
    }

    #[test]
    fn common_time_formats_are_accepted() {
        let expected = "2026-01-31T00:00:00Z".parse().unwrap();
        for text in ["2026-01-31", "2026-01-31T01:00:00+01:00", "2026-01-31T01:00:00 01:00", "1769817600"] {
            assert_eq!(instant(text), Ok(expected), "{text}");
        }
        assert!(instant("2026-02-30").is_err());
    }

    proptest! {
        #[test]
        fn any_query_is_parsed_or_refused(query: String) {
            match Params::parse(&query) {
                Ok(params) => { let _ = params.finish(); }
                Err(error) => prop_assert_eq!(error.status_code(), 400),
            }
        }

        #[test]
        fn any_text_round_trips_through_a_path(text: String) {
            let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(decode(&encoded, "the path").unwrap(), text);
        }
    }
}
