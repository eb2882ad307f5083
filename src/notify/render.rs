//! A message for people: plain text, HTML, Slack's blocks.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::domain::alert::Labels;
use crate::domain::notify::{Message, MessageAlert, Status};

/// Most alerts that a chat shows; Slack takes at most 50 blocks.
const CHAT_ALERTS: usize = 10;
/// Longest text of a block (Slack takes 3,000 characters) and of a heading (150).
const BLOCK_CHARS: usize = 2_000;
const HEADING_CHARS: usize = 140;

/// One line that says what it is about.
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
    // A name may hold anything; a heading is one line.
    title.replace(char::is_control, " ")
}

fn name_of(labels: &Labels) -> &str {
    labels.get("alertname").map_or("alert", String::as_str)
}

/// The annotation that says most.
fn summary(alert: &MessageAlert) -> Option<&str> {
    ["summary", "description"].iter().find_map(|name| alert.annotations.get(*name)).map(String::as_str)
}

fn left_out(message: &Message, shown: usize) -> Option<String> {
    let more = message.alerts.len().saturating_sub(shown) + message.truncated_alerts;
    (more > 0).then(|| format!("and {more} more"))
}

/// Plain text.
pub fn text(message: &Message) -> String {
    let mut text = format!("{}\n", title(message));
    for alert in &message.alerts {
        let _ = write!(text, "\n{}: {}\n", alert.status.as_str().to_uppercase(), name_of(&alert.labels));
        for (name, value) in &alert.annotations {
            let _ = writeln!(text, "  {name}: {value}");
        }
        let labels: Vec<_> = alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(text, "  labels: {}", labels.join(", "));
        let _ = writeln!(text, "  since: {}", alert.starts_at);
        if alert.status == Status::Resolved {
            let _ = writeln!(text, "  until: {}", alert.ends_at);
        }
        let _ = writeln!(text, "  {}", alert.generator_url);
    }
    if let Some(more) = left_out(message, message.alerts.len()) {
        let _ = writeln!(text, "\n{more}");
    }
    let _ = writeln!(text, "\nSentiStream: {}", message.external_url);
    text
}

/// A page for mail readers: no scripts, no pictures, all values escaped.
pub fn html(message: &Message) -> String {
    let mut page = format!(
        "<!DOCTYPE html><html><body style=\"font-family:sans-serif\"><h2 style=\"font-size:18px\">{}</h2>",
        escape(&title(message))
    );
    for alert in &message.alerts {
        let color = if alert.status == Status::Firing { "#b42318" } else { "#067647" };
        let _ = write!(
            page,
            "<div style=\"border-left:4px solid {color};padding:4px 12px;margin:12px 0\"><b>{}: <a href=\"{}\">{}</a></b>\
             <table style=\"font-size:14px\">",
            alert.status.as_str().to_uppercase(),
            escape(&alert.generator_url),
            escape(name_of(&alert.labels)),
        );
        let mut row = |name: &str, value: &str| {
            let _ = write!(
                page,
                "<tr><td style=\"color:#667085;vertical-align:top\">{}</td><td>{}</td></tr>",
                escape(name),
                escape(value).replace('\n', "<br>")
            );
        };
        alert.annotations.iter().for_each(|(name, value)| row(name, value));
        alert.labels.iter().for_each(|(name, value)| row(name, value));
        row("since", &alert.starts_at.to_string());
        if alert.status == Status::Resolved {
            row("until", &alert.ends_at.to_string());
        }
        page.push_str("</table></div>");
    }
    if let Some(more) = left_out(message, message.alerts.len()) {
        let _ = write!(page, "<p>{more}</p>");
    }
    let _ = write!(page, "<p><a href=\"{}\">SentiStream</a></p></body></html>", escape(&message.external_url));
    page
}

/// The body of an incoming webhook of Slack: a text for lists and old clients, and blocks.
pub fn slack(message: &Message) -> Value {
    let title = title(message);
    let heading = cut(&title, HEADING_CHARS);
    let mut blocks = vec![json!({"type": "header", "text": {"type": "plain_text", "text": heading}})];
    for alert in message.alerts.iter().take(CHAT_ALERTS) {
        let sign = if alert.status == Status::Firing { ":red_circle:" } else { ":large_green_circle:" };
        let name = mrkdwn(name_of(&alert.labels));
        let mut text = format!("{sign} *<{}|{name}>*", mrkdwn(&alert.generator_url));
        if let Some(summary) = summary(alert) {
            let _ = write!(text, "\n{}", mrkdwn(summary));
        }
        let labels: Vec<_> = alert
            .labels
            .iter()
            .filter(|(name, _)| *name != "alertname")
            .map(|(name, value)| format!("`{}={}`", mrkdwn(name), mrkdwn(value)))
            .collect();
        let _ = write!(text, "\n{}", labels.join(" "));
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": cut(&text, BLOCK_CHARS)}}));
    }
    let link = format!("<{}|SentiStream>", mrkdwn(&message.external_url));
    let foot = left_out(message, CHAT_ALERTS).map_or(link.clone(), |more| format!("{more} · {link}"));
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": foot}]}));
    json!({"text": mrkdwn(&title), "blocks": blocks})
}

/// At most `chars` characters.
fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Slack's three escapes: a value can neither mention people nor make links.
fn mrkdwn(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn escape(text: &str) -> String {
    mrkdwn(text).replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_stays_text() {
        let mut message = Message::test("r", "https://x.example.org/\"><script>", crate::domain::Timestamp::EPOCH);
        let nasty = "<script>alert('1')</script> <!channel>\r\nBcc: all@example.org";
        message.common_labels.insert("alertname".to_owned(), nasty.to_owned());
        message.alerts[0].labels.insert("alertname".to_owned(), nasty.to_owned());
        assert!(!title(&message).contains(['\r', '\n']));
        let page = html(&message);
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;alert(&#39;1&#39;)"), "{page}");
        let mut chat = slack(&message);
        // The heading is plain text to Slack.
        chat["blocks"][0].take();
        let chat = chat.to_string();
        assert!(!chat.contains("<!channel>") && !chat.contains("<script>"), "{chat}");
    }

    #[test]
    fn a_chat_is_not_flooded() {
        let mut message = Message::test("r", "https://x.example.org", crate::domain::Timestamp::EPOCH);
        message.alerts[0].annotations.insert("summary".to_owned(), "ü".repeat(5_000));
        message.alerts = vec![message.alerts[0].clone(); 100];
        message.truncated_alerts = 3;
        let chat = slack(&message);
        let blocks = chat["blocks"].as_array().unwrap();
        assert_eq!(blocks.len(), CHAT_ALERTS + 2);
        assert!(
            blocks.iter().all(|block| block["text"]["text"].as_str().is_none_or(|text| text.chars().count() < 3_000))
        );
        assert!(chat.to_string().contains("and 93 more"));
    }
}
