//! Messages for Microsoft Teams, Discord, Telegram and ntfy.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::incident::{self, Severity};
use super::{CHAT_ALERTS, Texts, cut, escape, escape_attribute, escape_cut, join_fitting, more};
use crate::domain::notify::text::{self, byline, name_of, sentence, values};
use crate::domain::notify::{Message, MessageAlert, Status};

/// The maximum number of characters in the text of a card. A Teams message may have 28 KB.
const TEAMS_CHARS: usize = 5_000;
/// The limits of Discord's embeds: <https://discord.com/developers/docs/resources/message#embed-object-embed-limits>.
const DISCORD_TITLE: usize = 256;
const DISCORD_DESCRIPTION: usize = 4_000;
/// Discord accepts 6,000 characters in all embeds together.
const DISCORD_TOTAL: usize = 5_500;
/// Telegram accepts 4,096 characters.
const TELEGRAM_CHARS: usize = 3_900;
const TELEGRAM_TITLE: usize = 300;
/// ntfy converts messages of more than 4,096 bytes to attachments: <https://docs.ntfy.sh/publish/#limitations>. The
/// line with the number of omitted alerts needs at most 40 more bytes.
const NTFY_BYTES: usize = 3_900;

/// The payload of a Teams workflow with the trigger "When a Teams webhook request is received": an adaptive card
/// (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>).
pub fn teams(message: &Message, texts: &Texts) -> Value {
    let block = |text: &str| json!({"type": "TextBlock", "text": text, "wrap": true});
    let color = if message.status == Status::Firing { "attention" } else { "good" };
    let mut body = vec![json!({
        "type": "TextBlock", "text": cut(&texts.title, 300), "wrap": true, "size": "large", "weight": "bolder",
        "color": color,
    })];
    match &texts.body {
        Some(text) => body.push(block(&cut(text, TEAMS_CHARS))),
        None => {
            let limit = TEAMS_CHARS / message.alerts.len().clamp(1, CHAT_ALERTS);
            body.extend(message.alerts.iter().take(CHAT_ALERTS).map(|alert| block(&cut(&markdown(alert), limit))));
        }
    }
    if let Some(more) = more(message, texts, CHAT_ALERTS) {
        body.push(block(&more));
    }
    let action = |title: &str, url: &str| json!({"type": "Action.OpenUrl", "title": title, "url": url});
    let mut actions = Vec::new();
    if let Some(alert) = message.alerts.first() {
        actions.push(action("View alert", &alert.generator_url));
        if let Some(details) = &alert.details {
            actions.push(action("View posts", &details.posts_url));
            actions.extend((alert.status == Status::Firing).then(|| action("Silence", &details.silence_url)));
        }
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "actions": actions,
            },
        }],
    })
}

/// The payload of Discord's "Execute Webhook"
/// (<https://discord.com/developers/docs/resources/webhook#execute-webhook>). Mentions are disabled.
pub fn discord(message: &Message, texts: &Texts) -> Value {
    let color = |status| if status == Status::Firing { 0x00b4_2318 } else { 0x0006_7647 };
    let content = cut(&texts.title, 2_000);
    let mut embeds = match &texts.body {
        Some(text) => vec![json!({"description": cut(text, DISCORD_DESCRIPTION), "color": color(message.status)})],
        None => {
            let shown = message.alerts.len().clamp(1, CHAT_ALERTS);
            let limit = (DISCORD_TOTAL / shown - 2).min(DISCORD_DESCRIPTION);
            let embed = |alert: &MessageAlert| {
                let title = cut(name_of(&alert.labels), DISCORD_TITLE.min(limit / 4));
                let description = cut(&markdown(alert), limit - title.chars().count());
                json!({
                    "title": title, "url": alert.generator_url, "description": description,
                    "color": color(alert.status), "timestamp": alert.starts_at,
                })
            };
            message.alerts.iter().take(CHAT_ALERTS).map(embed).collect()
        }
    };
    if let Some((last, more)) = embeds.last_mut().zip(more(message, texts, CHAT_ALERTS)) {
        last["footer"] = json!({"text": more});
    }
    json!({"content": content, "embeds": embeds, "allowed_mentions": {"parse": []}})
}

/// The payload of Telegram's `sendMessage` (<https://core.telegram.org/bots/api#sendmessage>), without the chat and the
/// thread.
pub fn telegram(message: &Message, texts: &Texts) -> Value {
    let heading = format!("<b>{}</b>", escape_cut(&texts.title, TELEGRAM_TITLE));
    let mut parts = vec![heading];
    match &texts.body {
        Some(body) => parts.push(escape_cut(body, TELEGRAM_CHARS - TELEGRAM_TITLE - 100)),
        None => parts.extend(message.alerts.iter().take(CHAT_ALERTS).map(telegram_alert)),
    }
    let end = |parts: usize| more(message, texts, parts - 1);
    let text = join_fitting(&parts, end, |text| text.chars().count() <= TELEGRAM_CHARS);
    json!({"text": text, "parse_mode": "HTML", "link_preview_options": {"is_disabled": true}})
}

fn telegram_alert(alert: &MessageAlert) -> String {
    let link = |url: &str, text: &str| format!("<a href=\"{}\">{}</a>", escape_attribute(url), escape(text));
    let sign = if alert.status == Status::Firing { "🔴" } else { "🟢" };
    let mut html = format!("{sign} {}", link(&alert.generator_url, &cut(name_of(&alert.labels), 100)));
    if let Some(sentence) = sentence(alert) {
        let _ = write!(html, "\n{}", escape(&cut(sentence, 500)));
    }
    if let Some(details) = &alert.details {
        for quote in &details.quotes {
            let by = escape(&cut(&byline(quote), 120));
            let _ = write!(html, "\n<blockquote>{}\n— {by}</blockquote>", escape(&cut(&quote.content, 200)));
        }
        if !details.words.is_empty() {
            let _ = write!(html, "\nWords: {}", escape(&cut(&details.words.join(", "), 200)));
        }
        let _ = write!(html, "\n{}", link(&details.posts_url, "View posts"));
        if alert.status == Status::Firing {
            let _ = write!(html, " · {}", link(&details.silence_url, "Silence"));
        }
    }
    html
}

/// The payload of ntfy's "publish as JSON" (<https://docs.ntfy.sh/publish/#publish-as-json>).
pub fn ntfy(message: &Message, texts: &Texts, topic: &str) -> Value {
    let cut_bytes = |text: &str| text[..text.floor_char_boundary(NTFY_BYTES)].to_owned();
    let parts: Vec<String> = match &texts.body {
        Some(body) => vec![cut_bytes(body)],
        None => message.alerts.iter().map(|alert| cut_bytes(text::of_alert(alert).trim_end())).collect(),
    };
    let text = join_fitting(&parts, |shown| more(message, texts, shown), |text| text.len() <= NTFY_BYTES);
    let (priority, tag) = match (message.status, incident::severity(message)) {
        (Status::Resolved, _) => (3, "white_check_mark"),
        (Status::Firing, Severity::Critical) => (5, "rotating_light"),
        (Status::Firing, Severity::Warning) => (4, "warning"),
        (Status::Firing, Severity::Info) => (3, "information_source"),
    };
    let first = message.alerts.first();
    let view = |label: &str, url: &str| json!({"action": "view", "label": label, "url": url});
    let mut actions = Vec::new();
    if let Some(details) = first.and_then(|alert| alert.details.as_ref()) {
        actions.push(view("View posts", &details.posts_url));
        actions.extend((message.status == Status::Firing).then(|| view("Silence", &details.silence_url)));
    }
    json!({
        "topic": topic, "title": cut(&texts.title, 200), "message": text, "priority": priority, "tags": [tag],
        "click": first.map_or(message.external_url.as_str(), |alert| alert.generator_url.as_str()), "actions": actions,
    })
}

/// An alert in the Markdown that both Teams and Discord support.
fn markdown(alert: &MessageAlert) -> String {
    let mut text = String::new();
    if let Some(sentence) = sentence(alert) {
        let _ = writeln!(text, "**{}**\n", escape_markdown(sentence));
    }
    if let Some(details) = &alert.details {
        if let Some(values) = values(alert) {
            let _ = writeln!(text, "{values}\n");
        }
        for quote in &details.quotes {
            let content = escape_markdown(&quote.content.replace('\n', " "));
            let _ = writeln!(text, "> {content} — {}\n", escape_markdown(&byline(quote)));
        }
        if !details.words.is_empty() {
            let _ = writeln!(text, "Words: {}\n", escape_markdown(&details.words.join(", ")));
        }
        let _ = write!(text, "[View posts]({})", details.posts_url);
        if alert.status == Status::Firing {
            let _ = write!(text, " · [Silence]({})", details.silence_url);
        }
        text.push_str("\n\n");
    }
    let labels: Vec<_> = alert
        .labels
        .iter()
        .filter(|(name, _)| *name != "alertname")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    text.push_str(&escape_markdown(&labels.join(", ")));
    text
}

/// Prevents values from being interpreted as formatting, links or mentions.
fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if "\\*_~`|[]<>#@".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
