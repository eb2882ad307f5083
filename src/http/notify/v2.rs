//! The part of Alertmanager's API v2 that amtool, karma and Grafana's data source use
//! (<https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>).
//!
//! Alerts come from the rules of this program, so the API has no `POST /api/v2/alerts`.

pub mod alerts;
pub mod silences;
pub mod status;

use actix_web::HttpRequest;
use regex::Regex;

use crate::domain::FieldError;
use crate::domain::alert::Labels;
use crate::domain::notify::{Matcher, matcher};
use crate::http::error::ApiError;

/// Alertmanager's clients expect UUIDs as ids of silences. The UUID of a silence consists of this prefix and the id in
/// hexadecimal.
const UUID_PREFIX: &str = "5e471000-0000-4000-8000-";

/// The UUID of a silence.
fn uuid(id: i64) -> String {
    format!("{UUID_PREFIX}{id:012x}")
}

/// The id of a silence; `None` for other UUIDs.
fn silence_id(uuid: &str) -> Option<i64> {
    let digits = uuid.strip_prefix(UUID_PREFIX)?;
    (digits.len() == 12).then(|| i64::from_str_radix(digits, 16).ok()).flatten()
}

/// The query parameters of a list of alerts or silences.
#[derive(Default)]
struct Filter {
    matchers: Vec<Matcher>,
    active: Option<bool>,
    silenced: Option<bool>,
    inhibited: Option<bool>,
    receiver: Option<Regex>,
}

impl Filter {
    /// Parses the query. Clients of Alertmanager repeat `filter`. Unknown parameters are ignored, as in Alertmanager.
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut filter = Self::default();
        let mut errors = Vec::new();
        for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
            let mut flag = |target: &mut Option<bool>| match value.parse() {
                Ok(flag) => *target = Some(flag),
                Err(_) => errors.push(FieldError::new(name.as_ref(), "must be true or false")),
            };
            match name.as_ref() {
                "active" => flag(&mut filter.active),
                "silenced" => flag(&mut filter.silenced),
                "inhibited" => flag(&mut filter.inhibited),
                "filter" => match Matcher::parse(&value) {
                    Ok(matcher) if filter.matchers.len() < matcher::MAX_MATCHERS => filter.matchers.push(matcher),
                    Ok(_) => errors.push(FieldError::new("filter", "occurs too many times")),
                    Err(error) => errors.push(FieldError::new("filter", error.to_string())),
                },
                "receiver" if value.len() <= 500 => match Regex::new(&format!("^(?:{value})$")) {
                    Ok(pattern) => filter.receiver = Some(pattern),
                    Err(_) => errors.push(FieldError::new("receiver", "must be a regular expression")),
                },
                "receiver" => errors.push(FieldError::new("receiver", "must be at most 500 bytes")),
                _ => {}
            }
        }
        if errors.is_empty() { Ok(filter) } else { Err(ApiError::invalid(errors)) }
    }

    fn matches(&self, labels: &Labels) -> bool {
        matcher::all_match(&self.matchers, labels)
    }

    /// Whether `receiver` matches the whole name of a receiver. Without the parameter, every name matches.
    fn sends_to(&self, name: &str) -> bool {
        self.receiver.as_ref().is_none_or(|pattern| pattern.is_match(name))
    }
}
