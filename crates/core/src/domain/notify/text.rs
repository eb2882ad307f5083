//! The default title and the default text of a message, and the texts about its alerts.

use std::fmt::Write as _;

use super::{Message, MessageAlert, Quote, Status};
use crate::domain::alert::Labels;

/// The default title: state, name, severity and source in one line.
pub fn title(message: &Message) -> String {
    let (firing, resolved) = message.counts();
    let state = match message.status {
        // Firing alerts come first, so all truncated alerts are resolved if a resolved alert is shown.
        Status::Firing if resolved > 0 => format!("[FIRING:{firing}]"),
        Status::Firing => format!("[FIRING:{}]", firing + message.truncated_alerts),
        Status::Resolved => format!("[RESOLVED:{}]", resolved + message.truncated_alerts),
    };
    let name = message.common_labels.get("alertname").or_else(|| message.group_labels.get("alertname"));
    let names = || {
        let mut names: Vec<_> = message.alerts.iter().map(|alert| name_of(&alert.labels)).collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    };
    let mut title = format!("{state} {}", name.cloned().unwrap_or_else(names));
    let details: Vec<_> =
        ["severity", "source"].iter().filter_map(|name| message.common_labels.get(*name)).map(String::as_str).collect();
    if !details.is_empty() {
        let _ = write!(title, " ({})", details.join(", "));
    }
    one_line(&title)
}

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

/// Joins the lines of `text`. Names and templates may contain line breaks, but a title must be one line.
pub(super) fn one_line(text: &str) -> String {
    text.trim().replace(char::is_control, " ")
}

pub(super) fn name_of(labels: &Labels) -> &str {
    labels.get("alertname").map_or("alert", String::as_str)
}

/// The sentence of the alert's details, or otherwise its annotation `summary` or `description`; `None` if it has none.
pub(super) fn sentence(alert: &MessageAlert) -> Option<&str> {
    let annotation = |name: &&str| alert.annotations.get(*name).map(String::as_str);
    let details = alert.details.as_ref().map(|details| details.sentence.as_str());
    details.or_else(|| ["summary", "description"].iter().find_map(annotation))
}

/// The annotations, without those whose text is already shown as the [`sentence`].
pub(super) fn annotations(alert: &MessageAlert) -> impl Iterator<Item = (&str, &str)> {
    let shown = sentence(alert);
    alert
        .annotations
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(move |(_, value)| Some(*value) != shown)
}

/// The latest and the most extreme value of a firing alert, and the threshold. `None` for a resolved alert, and if the
/// value is not known.
pub(super) fn values(alert: &MessageAlert) -> Option<String> {
    let details = alert.details.as_ref().filter(|_| alert.status == Status::Firing)?;
    let number = |number: f64| (number * 100.0).round() / 100.0;
    let mut text = format!("value {}", number(details.value?));
    if let Some(peak) = details.peak {
        let _ = write!(text, ", peak {}", number(peak));
    }
    let _ = write!(text, ", threshold {}", number(details.threshold));
    Some(text)
}

/// The author and the source of a quoted post.
pub(super) fn byline(quote: &Quote) -> String {
    let mut text = match &quote.author {
        Some(author) => format!("{author}, {}", quote.source),
        None => quote.source.clone(),
    };
    if quote.duplicates > 0 {
        let _ = write!(text, ", and {} similar", quote.duplicates);
    }
    text
}

pub(super) fn left_out(message: &Message, shown: usize) -> Option<String> {
    let more = message.alerts.len().saturating_sub(shown) + message.truncated_alerts;
    (more > 0).then(|| format!("and {more} more"))
}
