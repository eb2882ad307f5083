//! Incoming webhooks of Slack (<https://api.slack.com/messaging/webhooks>) and compatible services.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{CHAT_ALERTS, Texts, cut, escape, escape_cut, join_fitting, more};
use crate::domain::notify::text::{byline, name_of, sentence, values};
use crate::domain::notify::{Message, MessageAlert, Status};

/// The maximum length of a section (Slack accepts 3,000 characters), of a header (150), and of the text besides the
/// blocks.
const SECTION_CHARS: usize = 2_900;
const HEADER_CHARS: usize = 140;
const TEXT_CHARS: usize = 3_500;

/// The payload: blocks for Slack, and the same content as text for services that ignore blocks (Mattermost).
pub fn payload(message: &Message, texts: &Texts) -> Value {
    let header = json!({"type": "header", "text": {"type": "plain_text", "text": cut(&texts.title, HEADER_CHARS)}});
    let sections: Vec<String> = match &texts.body {
        Some(body) => vec![escape_cut(body, SECTION_CHARS)],
        None => message.alerts.iter().take(CHAT_ALERTS).map(of_alert).collect(),
    };
    let section =
        |text: &String| json!({"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION_CHARS)}});
    let link = format!("<{}|SentiStream>", escape(&message.external_url));
    let foot = |shown: usize| match more(message, texts, shown) {
        Some(more) => format!("{more} · {link}"),
        None => link.clone(),
    };
    let mut blocks = vec![header];
    blocks.extend(sections.iter().map(section));
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": foot(sections.len())}]}));
    let mut parts = vec![format!("*{}*", escape_cut(&texts.title, HEADER_CHARS))];
    parts.extend(sections);
    let text = join_fitting(&parts, |parts| Some(foot(parts - 1)), |text| text.chars().count() <= TEXT_CHARS);
    json!({"text": text, "blocks": blocks})
}

/// The text about one alert. Values are escaped, so that they cannot contain mentions or links.
fn of_alert(alert: &MessageAlert) -> String {
    let sign = if alert.status == Status::Firing { ":red_circle:" } else { ":large_green_circle:" };
    let mut text = format!("{sign} *<{}|{}>*", escape(&alert.generator_url), escape(name_of(&alert.labels)));
    if let Some(sentence) = sentence(alert) {
        let _ = write!(text, "\n{}", escape(&cut(sentence, 500)));
    }
    if let Some(details) = &alert.details {
        if let Some(values) = values(alert) {
            let _ = write!(text, "\n_{values}_");
        }
        for quote in &details.quotes {
            let content = escape(&quote.content.replace('\n', " "));
            let _ = write!(text, "\n> {content}\n> — {}", escape(&byline(quote)));
        }
        if !details.words.is_empty() {
            let _ = write!(text, "\nWords: {}", escape(&details.words.join(", ")));
        }
        let _ = write!(text, "\n<{}|View posts>", escape(&details.posts_url));
        if alert.status == Status::Firing {
            let _ = write!(text, " · <{}|Silence>", escape(&details.silence_url));
        }
    }
    let labels: Vec<_> = alert
        .labels
        .iter()
        .filter(|(name, _)| *name != "alertname")
        .map(|(name, value)| format!("`{}={}`", escape(name), escape(value)))
        .collect();
    let _ = write!(text, "\n{}", labels.join(" "));
    text
}
