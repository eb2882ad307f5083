//! Incident management services: PagerDuty, Opsgenie, and Alertmanager.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Texts, cut};
use crate::domain::Timestamp;
use crate::domain::notify::text::{self, sentence};
use crate::domain::notify::{Message, MessageAlert, Status};

/// The limits of PagerDuty: <https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>.
const PAGERDUTY_SUMMARY: usize = 1_024;
/// The limits of Opsgenie: <https://docs.opsgenie.com/docs/alert-api#create-alert>.
const OPSGENIE_MESSAGE: usize = 130;
const OPSGENIE_DESCRIPTION: usize = 15_000;
const OPSGENIE_DETAILS: usize = 8_000;
/// The maximum number of characters of a text in the details of an incident.
const DETAIL_CHARS: usize = 4_000;

/// The severity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// No alert has a higher severity than `info`.
    Info,
    /// The highest severity is `warning`. Alerts whose label `severity` is missing or unknown count as `warning`.
    Warning,
    /// At least one alert has the severity `critical`.
    Critical,
}

/// The highest severity of the firing alerts, or of all alerts if none fires.
pub fn severity(message: &Message) -> Severity {
    let of = |alert: &MessageAlert| match alert.labels.get("severity").map(String::as_str) {
        Some("critical") => Severity::Critical,
        Some("info") => Severity::Info,
        _ => Severity::Warning,
    };
    let firing = message.alerts.iter().filter(|alert| alert.status == message.status).map(of).max();
    firing.unwrap_or(Severity::Warning)
}

/// The deduplication key of the message's group and receiver: a hash, which all services accept as a key.
fn key(message: &Message) -> String {
    let labels = [("group".to_owned(), message.group_key.clone()), ("receiver".to_owned(), message.receiver.clone())];
    format!("sentistream-{}", crate::domain::alert::fingerprint(&labels.into()))
}

/// The URL of the first alert, which incidents link to.
fn link(message: &Message) -> &str {
    message.alerts.first().map_or(message.external_url.as_str(), |alert| alert.generator_url.as_str())
}

/// An event of PagerDuty's Events API v2
/// (<https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>), without the routing key.
pub fn pagerduty(message: &Message, texts: &Texts) -> Value {
    let action = if message.status == Status::Firing { "trigger" } else { "resolve" };
    let severity = match severity(message) {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let details: Map<String, Value> = message
        .common_labels
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .chain([("text".to_owned(), json!(cut(&body(message, texts), DETAIL_CHARS)))])
        .collect();
    let mut links = vec![json!({"href": link(message), "text": "Alert"})];
    if let Some(found) = message.alerts.first().and_then(|alert| alert.details.as_ref()) {
        links.push(json!({"href": found.posts_url, "text": "Posts"}));
        links.push(json!({"href": found.silence_url, "text": "Silence"}));
    }
    let source = message.common_labels.get("source").map_or("sentistream", String::as_str);
    json!({
        "event_action": action,
        "dedup_key": key(message),
        "payload": {
            "summary": cut(&summary(message, texts), PAGERDUTY_SUMMARY),
            "source": source,
            "severity": severity,
            "timestamp": message.alerts.iter().map(|alert| alert.starts_at).min(),
            "class": message.common_labels.get("alertname"),
            "group": message.group_key,
            "custom_details": details,
        },
        "client": "SentiStream",
        "client_url": message.external_url,
        "links": links,
    })
}

fn summary(message: &Message, texts: &Texts) -> String {
    match message.alerts.as_slice() {
        [alert] => sentence(alert).map_or(texts.title.clone(), |sentence| format!("{}: {sentence}", texts.title)),
        _ => texts.title.clone(),
    }
}

fn body(message: &Message, texts: &Texts) -> String {
    texts.body.clone().unwrap_or_else(|| text::body(message))
}

/// The path of a request to Opsgenie's alert API (<https://docs.opsgenie.com/docs/alert-api>). The request creates the
/// alert of a group that fires, and closes the alert of a group that is resolved.
pub fn opsgenie_path(message: &Message) -> String {
    match message.status {
        Status::Firing => "/v2/alerts".to_owned(),
        Status::Resolved => format!("/v2/alerts/{}/close?identifierType=alias", key(message)),
    }
}

/// The body of a request to Opsgenie's alert API.
pub fn opsgenie(message: &Message, texts: &Texts) -> Value {
    if message.status == Status::Resolved {
        return json!({"source": "SentiStream", "note": cut(&texts.title, 1_000)});
    }
    let priority = match severity(message) {
        Severity::Critical => "P1",
        Severity::Warning => "P3",
        Severity::Info => "P5",
    };
    let mut details = Map::new();
    let mut room = OPSGENIE_DETAILS;
    let link = ("link".to_owned(), link(message).to_owned());
    for (name, value) in [link].into_iter().chain(message.common_labels.clone()) {
        let length = name.chars().count() + value.chars().count();
        if length > room {
            break;
        }
        room -= length;
        details.insert(name, json!(value));
    }
    json!({
        "message": cut(&texts.title, OPSGENIE_MESSAGE),
        "alias": key(message),
        "description": cut(&body(message, texts), OPSGENIE_DESCRIPTION),
        "details": details,
        "source": "SentiStream",
        "priority": priority,
    })
}

/// The alerts in the format of Alertmanager's `POST /api/v2/alerts`
/// (<https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>). A firing alert gets the end time `now`
/// plus `resolve_timeout`, and must be sent again before this time.
pub fn alertmanager(message: &Message, now: Timestamp, resolve_timeout: Duration) -> Value {
    let alert = |alert: &MessageAlert| {
        let ends_at = if alert.status == Status::Firing { now + resolve_timeout } else { alert.ends_at };
        json!({
            "labels": alert.labels, "annotations": alert.annotations, "startsAt": alert.starts_at, "endsAt": ends_at,
            "generatorURL": alert.generator_url,
        })
    };
    message.alerts.iter().map(alert).collect()
}
