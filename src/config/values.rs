//! Parsers of single values: durations, sizes, numbers within limits, addresses. Their error messages say which values
//! are allowed. The caller adds the key and its origin.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

pub use crate::domain::human_duration::parse_duration;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// The maximum of all duration settings. It is small enough that sums of settings cannot overflow.
const LONGEST: u64 = 366 * DAY;

/// A duration of at least `MIN` and at most `MAX` milliseconds.
pub fn duration<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(de: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(de)?;
    let value = parse_duration(&text).map_err(D::Error::custom)?;
    if !(MIN..=MAX).contains(&(value.as_millis() as u64)) {
        let (min, max) = (show_duration(MIN), show_duration(MAX));
        return Err(D::Error::custom(format!("must be between {min} and {max}, is {text:?}")));
    }
    Ok(value)
}

fn show_duration(millis: u64) -> String {
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")];
    match units.iter().find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}

/// A duration of at least 1 ms.
pub fn positive_duration<'de, D: Deserializer<'de>>(de: D) -> Result<Duration, D::Error> {
    duration::<D, 1, LONGEST>(de)
}

/// An optional duration of at least `MIN` milliseconds; an empty text is `None`.
pub fn optional_duration<'de, D: Deserializer<'de>, const MIN: u64>(de: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(de)?;
    if text.is_empty() {
        return Ok(None);
    }
    duration::<_, MIN, LONGEST>(serde::de::value::StringDeserializer::new(text)).map(Some)
}

/// A duration that may be zero.
pub fn any_duration<'de, D: Deserializer<'de>>(de: D) -> Result<Duration, D::Error> {
    duration::<D, 0, LONGEST>(de)
}

/// A duration of at least one second.
pub fn seconds<'de, D: Deserializer<'de>>(de: D) -> Result<Duration, D::Error> {
    duration::<D, SECOND, LONGEST>(de)
}

/// A duration of at most one hour, which may be zero.
pub fn up_to_an_hour<'de, D: Deserializer<'de>>(de: D) -> Result<Duration, D::Error> {
    duration::<D, 0, HOUR>(de)
}

/// A duration of whole minutes, from one minute to six hours.
pub fn minutes_to_six_hours<'de, D: Deserializer<'de>>(de: D) -> Result<Duration, D::Error> {
    let value = duration::<D, MINUTE, { 6 * HOUR }>(de)?;
    match value.as_millis() % u128::from(MINUTE) {
        0 => Ok(value),
        _ => Err(D::Error::custom("must be whole minutes, such as \"5min\"")),
    }
}

/// A duration of 1 to 366 days.
pub fn days<'de, D: Deserializer<'de>>(de: D) -> Result<Duration, D::Error> {
    duration::<D, DAY, LONGEST>(de)
}

/// Why the text of a setting is not a valid value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSetting {
    /// The text does not have the required format.
    #[error("expected {expected}, found {found:?}")]
    Form {
        /// The required format, with an example.
        expected: &'static str,
        /// The text of the setting.
        found: String,
    },
    /// The text is not one of the allowed values.
    #[error("must be {allowed}, is {found:?}")]
    Value {
        /// The allowed values.
        allowed: &'static str,
        /// The text of the setting.
        found: String,
    },
    /// The text is empty.
    #[error("must be {allowed}")]
    Empty {
        /// The allowed values.
        allowed: &'static str,
    },
}

/// Reads `"512KiB"`, `"4MiB"`, `"1GiB"`, or a number of bytes.
///
/// # Errors
/// When the text is not such a size.
pub fn parse_size(text: &str) -> Result<u64, InvalidSetting> {
    let expected = "a size such as \"512KiB\" or \"4MiB\"";
    let wrong = || InvalidSetting::Form { expected, found: text.to_owned() };
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let number: u64 = trimmed[..digits].parse().map_err(|_| wrong())?;
    let unit = match trimmed[digits..].trim_start() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
}

/// The size of a request body: 1 KiB to 64 MiB, in bytes.
pub fn body_size<'de, D: Deserializer<'de>>(de: D) -> Result<usize, D::Error> {
    let text = String::deserialize(de)?;
    let size = parse_size(&text).map_err(D::Error::custom)?;
    if !((1 << 10)..=(64 << 20)).contains(&size) {
        return Err(D::Error::custom(format!("must be between \"1KiB\" and \"64MiB\", is {text:?}")));
    }
    usize::try_from(size).map_err(D::Error::custom)
}

/// A memory size: 1 MiB to 1024 GiB, in bytes.
pub fn memory_size<'de, D: Deserializer<'de>>(de: D) -> Result<u64, D::Error> {
    let text = String::deserialize(de)?;
    let size = parse_size(&text).map_err(D::Error::custom)?;
    if (1 << 20..=1 << 40).contains(&size) {
        Ok(size)
    } else {
        Err(D::Error::custom(format!("must be between \"1MiB\" and \"1024GiB\", is {text:?}")))
    }
}

/// A whole number between `MIN` and `MAX`.
pub fn count<'de, D: Deserializer<'de>, T: TryFrom<u64>, const MIN: u64, const MAX: u64>(de: D) -> Result<T, D::Error> {
    let number = i64::deserialize(de)?;
    let allowed = u64::try_from(number).ok().filter(|number| (MIN..=MAX).contains(number));
    allowed.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
        let limits = if MAX == u64::MAX { format!("at least {MIN}") } else { format!("between {MIN} and {MAX}") };
        D::Error::custom(format!("must be {limits}, is {number}"))
    })
}

/// A number in [0, 1].
pub fn share<'de, D: Deserializer<'de>>(de: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(de)?;
    if (0.0..=1.0).contains(&number) {
        Ok(number)
    } else {
        Err(D::Error::custom(format!("must be between 0 and 1, is {number}")))
    }
}

/// A number above 0.
pub fn ratio<'de, D: Deserializer<'de>>(de: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(de)?;
    if number > 0.0 && number.is_finite() {
        Ok(number)
    } else {
        Err(D::Error::custom(format!("must be above 0, is {number}")))
    }
}

/// A number of standard deviations, 1 to 1,000,000.
pub fn deviations<'de, D: Deserializer<'de>>(de: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(de)?;
    if (1.0..=1e6).contains(&number) {
        Ok(number)
    } else {
        Err(D::Error::custom(format!("must be between 1 and 1000000, is {number}")))
    }
}

/// A probability above 0 and up to 0.5.
pub fn significance<'de, D: Deserializer<'de>>(de: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(de)?;
    if number > 0.0 && number <= 0.5 {
        Ok(number)
    } else {
        Err(D::Error::custom(format!("must be above 0 and at most 0.5, is {number}")))
    }
}

/// Posts per second, 0.1 to 50,000.
pub fn rate<'de, D: Deserializer<'de>>(de: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(de)?;
    if (0.1..=50_000.0).contains(&number) {
        Ok(number)
    } else {
        Err(D::Error::custom(format!("must be between 0.1 and 50000 posts per second, is {number}")))
    }
}

/// Posts per second, 0.1 to 50,000; `None` for 0, which means no limit.
pub fn optional_rate<'de, D: Deserializer<'de>>(de: D) -> Result<Option<f64>, D::Error> {
    let number = f64::deserialize(de)?;
    if number == 0.0 {
        Ok(None)
    } else if (0.1..=50_000.0).contains(&number) {
        Ok(Some(number))
    } else {
        Err(D::Error::custom(format!("must be 0 (no limit) or between 0.1 and 50000 posts per second, is {number}")))
    }
}

/// A whole number; `None` for 0.
pub fn optional_count<'de, D: Deserializer<'de>>(de: D) -> Result<Option<u64>, D::Error> {
    let number: u64 = count::<D, u64, 0, { u64::MAX }>(de)?;
    Ok((number > 0).then_some(number))
}

/// A number of threads, at most 256; `None` for 0.
pub fn optional_threads<'de, D: Deserializer<'de>>(de: D) -> Result<Option<usize>, D::Error> {
    let number: usize = count::<D, usize, 0, 256>(de)?;
    Ok((number > 0).then_some(number))
}

/// A text that is not blank.
pub fn name<'de, D: Deserializer<'de>>(de: D) -> Result<String, D::Error> {
    let text = String::deserialize(de)?;
    if text.trim().is_empty() {
        return Err(D::Error::custom("must not be empty"));
    }
    Ok(text)
}

/// A duration of at most a day, which may be zero.
pub fn up_to_a_day<'de, D: Deserializer<'de>>(de: D) -> Result<Duration, D::Error> {
    duration::<D, 0, DAY>(de)
}

/// An http or https URL, or `None` when it is empty.
pub fn optional_web_url<'de, D: Deserializer<'de>>(de: D) -> Result<Option<String>, D::Error> {
    let web = |text: &String| text.parse::<url::Url>().is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    match optional_text(de)? {
        Some(text) if !web(&text) => Err(D::Error::custom(format!("must be an http or https URL, is {text:?}"))),
        text => Ok(text),
    }
}

/// Networks. A single address is a network with one address.
pub fn networks<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<ipnet::IpNet>, D::Error> {
    let network = |text: &String| {
        let address = || text.parse::<std::net::IpAddr>().map(Into::into);
        let wrong =
            |_| D::Error::custom(format!("expected networks or addresses such as \"10.1.0.0/16\", found {text:?}"));
        text.parse().or_else(|_| address()).map_err(wrong)
    };
    Vec::<String>::deserialize(de)?.iter().map(network).collect()
}

/// A word that names one of the variants of `T`.
pub fn word<'de, D: Deserializer<'de>, T: FromStr + strum::VariantNames>(de: D) -> Result<T, D::Error> {
    let text = String::deserialize(de)?;
    let wrong = |_| D::Error::custom(format!("must be one of {}, is {text:?}", T::VARIANTS.join(", ")));
    text.parse().map_err(wrong)
}

/// A value parsed from a text; `None` when the text is empty.
pub fn optional<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(de: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(de)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}

/// A value parsed from a text.
pub fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(de: D) -> Result<T, D::Error> {
    String::deserialize(de)?.parse().map_err(D::Error::custom)
}

/// A text, or `None` when it is empty.
pub fn optional_text<'de, D: Deserializer<'de>>(de: D) -> Result<Option<String>, D::Error> {
    Ok(Some(String::deserialize(de)?).filter(|text| !text.is_empty()))
}

/// A secret, or `None` when it is empty.
pub fn optional_secret<'de, D: Deserializer<'de>>(de: D) -> Result<Option<secrecy::SecretString>, D::Error> {
    Ok(optional_text(de)?.map(Into::into))
}

/// An address to listen on: a host (name or IP) and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name, an IPv4 or an IPv6 address (without brackets).
    pub host: String,
    /// 0: the system chooses a free port.
    pub port: u16,
}

impl Address {
    /// Whether the host is `localhost` or a loopback address.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for Address {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, InvalidSetting> {
        let expected = "HOST:PORT such as \"127.0.0.1:8000\" or \"[::1]:8000\"";
        let wrong = || InvalidSetting::Form { expected, found: text.to_owned() };
        let (host, port) = text.trim().rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let valid = match bare {
            Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)),
        };
        if valid { Ok(Self { host: bare.unwrap_or(host).to_owned(), port }) } else { Err(wrong()) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        parsed(de)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_sums_of_numbers_with_units() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("15s", 15_000),
            ("5min", 300_000),
            ("1h 30m", 5_400_000),
            ("2h5s", 7_205_000),
            ("8d", 691_200_000),
            ("1.5s", 1_500),
            ("5 weeks", 3_024_000_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "15", "s", "-5s", "99999999999999999999s", "400d", "1h30"] {
            assert!(parse_duration(text).unwrap_err().to_string().contains("15s"), "{text}");
        }
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!((parse_size("4MiB"), parse_size("512 KiB"), parse_size("7")), (Ok(4 << 20), Ok(512 << 10), Ok(7)));
        for text in ["", "MiB", "4MB", "-1", "99999999999GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_are_hosts_with_ports() {
        for text in ["127.0.0.1:8000", "localhost:0", "[::1]:8000", "api.example.org:443"] {
            assert_eq!(text.parse::<Address>().map(|a| a.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "8000", "localhost", ":8000", "::1:8000", "[x]:80", "host:99999", "http://x:80"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
