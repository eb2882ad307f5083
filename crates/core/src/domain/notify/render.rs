//! Renders a message in the formats of receivers: HTML, and the JSON of chat and incident services.

pub mod chat;
pub mod html;
pub mod incident;
pub mod slack;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::template::{TemplateError, render_template};
use super::text::{left_out, one_line, title};
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

/// The body of the request to a receiver, without its secrets; null for email, which is not sent as a request.
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

/// Joins as many of the first `parts` as fit, but at least one, and appends an end. `end` returns the end for the
/// number of joined parts.
fn join_fitting(parts: &[String], end: impl Fn(usize) -> Option<String>, fits: impl Fn(&str) -> bool) -> String {
    let joined = |shown: usize| parts.iter().take(shown).cloned().chain(end(shown)).collect::<Vec<_>>().join("\n\n");
    let shown = (2..=parts.len()).take_while(|shown| fits(&joined(*shown))).last().unwrap_or(1);
    joined(shown)
}

/// How many alerts a text with `shown` alerts leaves out, in words. A text from a template counts as showing all alerts
/// of the message, because the template may show them all. `None` if no alert is left out.
fn more(message: &Message, texts: &Texts, shown: usize) -> Option<String> {
    left_out(message, if texts.body.is_some() { message.alerts.len() } else { shown })
}

/// Escapes the three characters that are reserved in HTML, Slack and Telegram.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The escaped text with at most `chars` characters. The end of a cut text is `…`, never a part of an escape.
fn escape_cut(text: &str, chars: usize) -> String {
    let escaped = escape(text);
    if escaped.chars().count() <= chars {
        return escaped;
    }
    let (mut kept, mut length) = (String::new(), 1);
    for c in text.chars() {
        let c = escape(c.encode_utf8(&mut [0; 4]));
        length += c.chars().count();
        if length > chars {
            break;
        }
        kept.push_str(&c);
    }
    kept + "…"
}

fn escape_attribute(text: &str) -> String {
    escape(text).replace('"', "&quot;").replace('\'', "&#39;")
}
