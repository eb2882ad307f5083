//! Renders a message in the formats of receivers: HTML, and the JSON of chat and incident services.

pub mod chat;
pub mod html;
pub mod incident;
pub mod slack;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::template::{TemplateError, render_template};
use super::text::{one_line, title};
use super::{Channel, Message, Templates};
use crate::domain::Timestamp;

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

/// `text`, cut to at most `chars` characters. If it was cut, the last character is `…`.
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
