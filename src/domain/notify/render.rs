//! Renders a message in the formats of receivers: plain text, HTML, and the JSON of chat and incident services.

pub mod chat;
pub mod html;
pub mod incident;
pub mod slack;
#[cfg(test)]
mod tests;
pub mod text;

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::template::{TemplateError, render_template};
use super::{Channel, Message, MessageAlert, Status, Templates};
use crate::domain::Timestamp;
use crate::domain::alert::Labels;

/// The maximum number of alerts in a chat message. Slack accepts at most 50 blocks, Discord 10 embeds.
const CHAT_ALERTS: usize = 10;

/// The title and the text of a message for one receiver.
#[derive(Debug)]
pub struct Texts {
    /// The title in one line: the output of the receiver's title template, or the default title.
    pub title: String,
    /// The output of the receiver's text template; `None` for the default text.
    pub body: Option<String>,
    /// The errors of templates. A default text replaces the output of each template that failed.
    pub errors: Vec<TemplateError>,
}

impl Texts {
    /// Renders the texts of `message` with `templates`.
    pub fn new(templates: &Templates, message: &Message) -> Self {
        let mut errors = Vec::new();
        let mut output = |source: &Option<String>| match render_template(source.as_deref()?, message) {
            Ok(text) => Some(text),
            Err(error) => {
                errors.push(error);
                None
            }
        };
        let title = output(&templates.title).map(|text| one_line(&text)).filter(|text| !text.is_empty());
        let body = output(&templates.text);
        Self { title: title.unwrap_or_else(|| self::title(message)), body, errors }
    }
}

/// The body of the request to a receiver, without its secrets; null for email, which has no such body.
pub fn json(channel: &Channel, message: &Message, texts: &Texts, now: Timestamp) -> Value {
    match channel {
        // A message can always be serialised.
        Channel::Webhook { .. } | Channel::Command { .. } => serde_json::to_value(message).unwrap_or_default(),
        Channel::Email { .. } => Value::Null,
        Channel::Slack {} => slack::payload(message, texts),
        Channel::PagerDuty { .. } => incident::pagerduty(message, texts),
        Channel::Opsgenie { .. } => incident::opsgenie(message, texts),
        Channel::Teams {} => chat::teams(message, texts),
        Channel::Discord {} => chat::discord(message, texts),
        Channel::Telegram { chat_id, thread_id, .. } => {
            let mut body = chat::telegram(message, texts);
            body["chat_id"] = json!(chat_id);
            if let Some(thread) = thread_id {
                body["message_thread_id"] = json!(thread);
            }
            body
        }
        Channel::Ntfy { topic, .. } => chat::ntfy(message, texts, topic),
        Channel::Alertmanager { resolve_timeout, .. } => incident::alertmanager(message, now, resolve_timeout.0),
    }
}

/// The default title: state, name, severity and source in one line.
pub fn title(message: &Message) -> String {
    let (firing, resolved) = message.counts();
    let state = match message.status {
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

/// Joins the lines of `text`. Names and templates may contain line breaks, but a title must be one line.
fn one_line(text: &str) -> String {
    text.trim().replace(char::is_control, " ")
}

fn name_of(labels: &Labels) -> &str {
    labels.get("alertname").map_or("alert", String::as_str)
}

/// A description of the alert in one sentence.
fn sentence(alert: &MessageAlert) -> Option<&str> {
    let annotation = |name: &&str| alert.annotations.get(*name).map(String::as_str);
    let details = alert.details.as_ref().map(|details| details.sentence.as_str());
    details.or_else(|| ["summary", "description"].iter().find_map(annotation))
}

/// The annotations that [`sentence`] does not contain.
fn annotations(alert: &MessageAlert) -> impl Iterator<Item = (&str, &str)> {
    let shown = sentence(alert);
    alert
        .annotations
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(move |(_, value)| Some(*value) != shown)
}

/// The latest and the most extreme value of a firing alert, and the threshold.
fn values(alert: &MessageAlert) -> Option<String> {
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
fn byline(quote: &super::Quote) -> String {
    let mut text = match &quote.author {
        Some(author) => format!("{author}, {}", quote.source),
        None => quote.source.clone(),
    };
    if quote.duplicates > 0 {
        let _ = write!(text, ", and {} similar", quote.duplicates);
    }
    text
}

fn left_out(message: &Message, shown: usize) -> Option<String> {
    let more = message.alerts.len().saturating_sub(shown) + message.truncated_alerts;
    (more > 0).then(|| format!("and {more} more"))
}

/// The first `chars` characters.
fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars.saturating_sub(1)) {
        Some((end, last)) if end + last.len_utf8() < text.len() => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}

/// Joins `pieces` while the result has at most `chars` characters.
fn join_within(pieces: impl IntoIterator<Item = String>, chars: usize) -> String {
    let mut text = String::new();
    let mut length = 0;
    for piece in pieces {
        length += piece.chars().count() + 2;
        if length > chars {
            break;
        }
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&piece);
    }
    text
}

/// Escapes the three characters that are reserved in HTML, Slack and Telegram.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn escape_attribute(text: &str) -> String {
    escape(text).replace('"', "&quot;").replace('\'', "&#39;")
}
