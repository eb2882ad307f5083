//! An HTML page for mail clients, without scripts and images. All values are escaped.

use std::fmt::Write as _;

use super::{Texts, escape_attribute};
use crate::domain::notify::text::{annotations, byline, left_out, name_of, sentence, values};
use crate::domain::notify::{AlertDetails, Message, MessageAlert, Status};
use crate::domain::post::is_web_url;

/// The page of a message.
pub fn page(message: &Message, texts: &Texts) -> String {
    let mut page = format!(
        "<!DOCTYPE html><html><body style=\"font-family:sans-serif\"><h2 style=\"font-size:18px\">{}</h2>",
        escape_attribute(&texts.title)
    );
    match &texts.body {
        Some(body) => {
            let _ = write!(page, "<div style=\"white-space:pre-wrap\">{}</div>", escape_attribute(body));
        }
        None => page.extend(message.alerts.iter().map(of_alert)),
    }
    if let Some(more) = left_out(message, message.alerts.len()) {
        let _ = write!(page, "<p>{more}</p>");
    }
    let _ = write!(page, "<p>{}</p></body></html>", link(&message.external_url, "SentiStream"));
    page
}

fn link(url: &str, text: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escape_attribute(url), escape_attribute(text))
}

fn of_alert(alert: &MessageAlert) -> String {
    let color = if alert.status == Status::Firing { "#b42318" } else { "#067647" };
    let mut html = format!(
        "<div style=\"border-left:4px solid {color};padding:4px 12px;margin:12px 0\"><b>{}: {}</b>",
        alert.status.as_str().to_uppercase(),
        link(&alert.generator_url, name_of(&alert.labels)),
    );
    if let Some(sentence) = sentence(alert) {
        let _ = write!(html, "<p style=\"font-size:16px\">{}</p>", escape_attribute(sentence).replace('\n', "<br>"));
    }
    if let Some(details) = &alert.details {
        html.push_str(&of_details(alert, details));
    }
    html.push_str("<table style=\"font-size:14px\">");
    let mut row = |name: &str, value: &str| {
        let _ = write!(
            html,
            "<tr><td style=\"color:#667085;vertical-align:top\">{}</td><td>{}</td></tr>",
            escape_attribute(name),
            escape_attribute(value).replace('\n', "<br>")
        );
    };
    annotations(alert).for_each(|(name, value)| row(name, value));
    alert.labels.iter().for_each(|(name, value)| row(name, value));
    row("since", &alert.starts_at.to_string());
    if alert.status == Status::Resolved {
        row("until", &alert.ends_at.to_string());
    }
    html.push_str("</table></div>");
    html
}

fn of_details(alert: &MessageAlert, details: &AlertDetails) -> String {
    let mut html = String::new();
    if let Some(values) = values(alert) {
        let _ = write!(html, "<p style=\"color:#667085\">{}</p>", escape_attribute(&values));
    }
    for quote in &details.quotes {
        // Earlier versions stored posts with URLs of any scheme. Only http and https URLs become links.
        let by = match quote.url.as_deref().filter(|url| is_web_url(url)) {
            Some(url) => link(url, &byline(quote)),
            None => escape_attribute(&byline(quote)),
        };
        let style = "margin:8px 0;padding-left:8px;border-left:2px solid #d0d5dd";
        let _ = write!(html, "<blockquote style=\"{style}\">{}<br>{by}</blockquote>", escape_attribute(&quote.content));
    }
    if !details.words.is_empty() {
        let _ = write!(html, "<p>Words: {}</p>", escape_attribute(&details.words.join(", ")));
    }
    let mut links = link(&details.posts_url, "View posts");
    if alert.status == Status::Firing {
        let _ = write!(links, " · {}", link(&details.silence_url, "Silence"));
    }
    let _ = write!(html, "<p>{links}</p>");
    html
}
