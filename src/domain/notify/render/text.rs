//! Plain text.

use std::fmt::Write as _;

use super::{annotations, byline, left_out, name_of, sentence, values};
use crate::domain::notify::{Message, MessageAlert, Status};

/// The text of a message, without its title.
pub fn body(message: &Message) -> String {
    let mut text: String = message.alerts.iter().map(|alert| format!("{}\n", of_alert(alert))).collect();
    if let Some(more) = left_out(message, message.alerts.len()) {
        let _ = writeln!(text, "{more}\n");
    }
    let _ = writeln!(text, "SentiStream: {}", message.external_url);
    text
}

/// The text about one alert.
pub fn of_alert(alert: &MessageAlert) -> String {
    let mut text = format!("{}: {}\n", alert.status.as_str().to_uppercase(), name_of(&alert.labels));
    if let Some(sentence) = sentence(alert) {
        let _ = writeln!(text, "{sentence}");
    }
    if let Some(details) = &alert.details {
        if let Some(values) = values(alert) {
            let _ = writeln!(text, "{values}");
        }
        for quote in &details.quotes {
            let _ = writeln!(text, "  \"{}\" ({})", quote.content.replace('\n', " "), byline(quote));
        }
        if !details.words.is_empty() {
            let _ = writeln!(text, "  words: {}", details.words.join(", "));
        }
    }
    for (name, value) in annotations(alert) {
        let _ = writeln!(text, "  {name}: {value}");
    }
    let labels: Vec<_> = alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let _ = writeln!(text, "  labels: {}", labels.join(", "));
    let _ = writeln!(text, "  since: {}", alert.starts_at);
    if alert.status == Status::Resolved {
        let _ = writeln!(text, "  until: {}", alert.ends_at);
    }
    let _ = writeln!(text, "  alert: {}", alert.generator_url);
    if let Some(details) = &alert.details {
        let _ = writeln!(text, "  posts: {}", details.posts_url);
        if alert.status == Status::Firing {
            let _ = writeln!(text, "  silence: {}", details.silence_url);
        }
    }
    text
}
