//! Tests that values of alerts are escaped, and that payloads keep within the limits of the services.

use serde_json::Value;

use super::*;
use crate::domain::Timestamp;
use crate::domain::notify::template::example;

const NASTY: &str = "<script>alert('1')</script> <!channel> @everyone\r\nBcc: all@example.org";

fn nasty() -> Message {
    let mut message = example("r", "https://x.example.org/\"><script>", Timestamp::EPOCH);
    message.common_labels.insert("alertname".to_owned(), NASTY.to_owned());
    message.alerts[0].labels.insert("alertname".to_owned(), NASTY.to_owned());
    if let Some(details) = &mut message.alerts[0].details {
        details.quotes[0].content = NASTY.to_owned();
    }
    message
}

fn long() -> Message {
    let mut message = example("r", "https://x.example.org", Timestamp::EPOCH);
    if let Some(details) = &mut message.alerts[0].details {
        details.sentence = "ü".repeat(5_000);
        details.quotes[0].content = "ü".repeat(5_000);
    }
    message.alerts = vec![message.alerts[0].clone(); 100];
    message.truncated_alerts = 3;
    message
}

fn texts(message: &Message) -> Texts {
    Texts::new(&Templates::default(), message)
}

fn chars(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

#[test]
fn notification_title_is_always_a_single_line() {
    assert!(!title(&nasty()).contains(['\r', '\n']));
    let templates = Templates { title: Some("a\n{{ status }}".to_owned()), text: None };
    assert_eq!(Texts::new(&templates, &nasty()).title, "a firing");
}

#[test]
fn alert_values_are_escaped_in_notifications() {
    let message = nasty();
    let texts = texts(&message);
    let page = html::page(&message, &texts);
    assert!(!page.contains("<script>") && page.contains("&lt;script&gt;alert(&#39;1&#39;)"), "{page}");
    let mut slack = slack::payload(&message, &texts);
    // The header is plain text, which needs no escaping, so it is removed before the check.
    slack["blocks"][0].take();
    let telegram = chat::telegram(&message, &texts)["text"].to_string();
    for text in [slack.to_string(), telegram] {
        assert!(!text.contains("<!channel>") && !text.contains("<script>"), "{text}");
    }
    let discord = chat::discord(&message, &texts);
    assert_eq!(discord["allowed_mentions"], serde_json::json!({"parse": []}));
}

#[test]
fn mail_links_only_http_and_https_urls() {
    let page = |url: &str| {
        let mut message = example("r", "https://x.example.org", Timestamp::EPOCH);
        if let Some(details) = &mut message.alerts[0].details {
            details.quotes[0].url = Some(url.to_owned());
        }
        html::page(&message, &texts(&message))
    };
    assert!(page("https://example.org/1").contains("href=\"https://example.org/1\""));
    for url in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd"] {
        assert!(!page(url).contains(url), "{url}");
    }
}

#[test]
fn broken_template_falls_back_to_the_default_text() {
    let templates = Templates { title: Some("{{ 1 / 0 }}".to_owned()), text: Some("{{ broken".to_owned()) };
    let message = nasty();
    let texts = Texts::new(&templates, &message);
    assert_eq!((texts.title, texts.body, texts.errors.len()), (title(&message), None, 2));
}

#[test]
fn long_messages_keep_within_the_limits_of_services() {
    let message = long();
    let texts = texts(&message);
    let slack = slack::payload(&message, &texts);
    let blocks = slack["blocks"].as_array().unwrap();
    assert_eq!(blocks.len(), CHAT_ALERTS + 2);
    assert!(blocks.iter().all(|block| chars(&block["text"]["text"]) <= 3_000));
    assert!(slack.to_string().contains("and 93 more") && chars(&slack["text"]) <= 4_000);
    let discord = chat::discord(&message, &texts);
    let embeds = discord["embeds"].as_array().unwrap();
    let total: usize = embeds.iter().map(|embed| chars(&embed["title"]) + chars(&embed["description"])).sum();
    assert!(embeds.len() == 10 && total <= 6_000, "{total}");
    assert!(chars(&chat::telegram(&message, &texts)["text"]) <= 4_096);
    assert!(chat::teams(&message, &texts).to_string().len() <= 28_000);
    assert!(chat::ntfy(&message, &texts, "t")["message"].as_str().unwrap().len() <= 4_096);
    assert!(chars(&incident::opsgenie(&message, &texts)["description"]) <= 15_000);
    assert!(incident::pagerduty(&message, &texts).to_string().len() <= 512 * 1024);
}

#[test]
fn long_text_of_a_template_is_cut_and_never_dropped() {
    let message = long();
    let long = Templates { title: Some("&".repeat(900)), text: Some(format!("Text {}", "&".repeat(9_000))) };
    let texts = Texts::new(&long, &message);
    for text in [&chat::telegram(&message, &texts)["text"], &slack::payload(&message, &texts)["text"]] {
        let text = text.as_str().unwrap();
        assert!(text.contains("Text &amp;") && text.contains("&amp;…") && text.contains("and 3 more"), "{text}");
        assert!(text.chars().count() <= 3_900, "{} characters", text.chars().count());
    }
}

#[test]
fn omitted_alerts_are_stated_by_every_chat_service() {
    let message = long();
    let count = |text: &Value, sign: &str| text.as_str().unwrap().matches(sign).count();
    let payloads = |texts: &Texts| {
        let telegram = chat::telegram(&message, texts)["text"].clone();
        let ntfy = chat::ntfy(&message, texts, "t")["message"].clone();
        let (teams, discord) = (chat::teams(&message, texts), chat::discord(&message, texts));
        [slack::payload(&message, texts)["text"].clone(), telegram, ntfy, teams, discord]
    };
    let default = payloads(&texts(&message));
    let shown = [count(&default[0], ":red_circle:"), count(&default[1], "🔴"), count(&default[2], "FIRING: "), 10, 10];
    for (payload, shown) in default.iter().zip(shown) {
        assert!(payload.to_string().contains(&format!("and {} more", 103 - shown)), "{payload}");
    }
    let listed = Templates { title: None, text: Some("{{ alerts | length }} alerts".to_owned()) };
    for payload in payloads(&Texts::new(&listed, &message)) {
        let text = payload.to_string();
        assert!(text.contains("100 alerts") && text.contains("and 3 more"), "{text}");
    }
}
