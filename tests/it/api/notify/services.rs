//! Chat and incident services. Fakes check the documented fields and limits of each request.

use serde_json::{Value, json};

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::fakes::{Hook, Reply, Request};
use super::harness::Harness;

cases!(services_receive_requests_in_their_documented_format, telegram_rate_limit_in_the_body_is_respected);

/// A kind of receiver, and a function that checks the requests to its service.
struct Service {
    kind: &'static str,
    channel: fn(&str) -> Value,
    secrets: fn(&str) -> Value,
    /// Checks a request about an alert with this status.
    check: fn(&Request, Status),
}

#[derive(Clone, Copy, PartialEq)]
enum Status {
    Firing,
    Resolved,
}

fn path(request: &Request) -> &str {
    request.head.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap()
}

fn text(value: &Value, limit: usize) -> &str {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is not a text"));
    assert!((1..=limit).contains(&text.chars().count()), "{} characters", text.chars().count());
    text
}

/// Checks a request as documented in <https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>.
fn pagerduty(request: &Request, status: Status) {
    let event = request.json();
    assert_eq!(path(request), "/hook");
    assert_eq!(event["routing_key"], "0123456789abcdef0123456789abcdef");
    text(&event["dedup_key"], 255);
    let action = if status == Status::Firing { "trigger" } else { "resolve" };
    assert_eq!(event["event_action"], action, "{event:#}");
    let payload = &event["payload"];
    text(&payload["summary"], 1_024);
    text(&payload["source"], 1_000);
    assert_eq!(payload["severity"], "warning");
    assert!(payload["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert!(payload["custom_details"].is_object());
    for link in event["links"].as_array().unwrap() {
        assert!(text(&link["href"], 2_000).starts_with("https://"));
        text(&link["text"], 200);
    }
}

/// Checks a request as documented in <https://docs.opsgenie.com/docs/alert-api>.
fn opsgenie(request: &Request, status: Status) {
    assert_eq!(request.header("authorization"), "GenieKey secret-key");
    let body = request.json();
    if status == Status::Resolved {
        let path = path(request);
        assert!(
            path.starts_with("/hook/v2/alerts/sentistream-") && path.ends_with("/close?identifierType=alias"),
            "{path}"
        );
        text(&body["note"], 25_000);
        return;
    }
    assert_eq!(path(request), "/hook/v2/alerts");
    text(&body["message"], 130);
    text(&body["alias"], 512);
    text(&body["description"], 15_000);
    text(&body["source"], 100);
    assert_eq!(body["priority"], "P3");
    assert!(body["details"].as_object().unwrap().values().all(Value::is_string));
}

/// Checks a request as documented in
/// <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>.
fn teams(request: &Request, _: Status) {
    let body = request.json();
    assert!(request.body.len() <= 28_000);
    assert_eq!(body["type"], "message");
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    for block in card["body"].as_array().unwrap() {
        assert_eq!((&block["type"], &block["wrap"]), (&json!("TextBlock"), &json!(true)));
        text(&block["text"], 28_000);
    }
    for action in card["actions"].as_array().unwrap() {
        assert_eq!(action["type"], "Action.OpenUrl");
        assert!(text(&action["url"], 2_000).starts_with("https://"));
    }
}

/// Checks a request as documented in <https://discord.com/developers/docs/resources/webhook#execute-webhook>.
fn discord(request: &Request, _: Status) {
    let body = request.json();
    text(&body["content"], 2_000);
    assert_eq!(body["allowed_mentions"], json!({"parse": []}));
    let embeds = body["embeds"].as_array().unwrap();
    assert!((1..=10).contains(&embeds.len()));
    for embed in embeds {
        text(&embed["title"], 256);
        text(&embed["description"], 4_096);
        assert!(embed["color"].as_u64().unwrap() <= 0x00ff_ffff);
        assert!(embed["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        assert!(text(&embed["url"], 2_000).starts_with("https://"));
    }
}

/// Checks a request as documented in <https://core.telegram.org/bots/api#sendmessage>.
fn telegram(request: &Request, _: Status) {
    assert_eq!(path(request), "/hook/bot123:token/sendMessage");
    let body = request.json();
    assert_eq!((&body["chat_id"], &body["message_thread_id"]), (&json!("-100123"), &json!(7)));
    assert_eq!((&body["parse_mode"], &body["link_preview_options"]["is_disabled"]), (&json!("HTML"), &json!(true)));
    let html = text(&body["text"], 4_096);
    for tag in html.split('<').skip(1) {
        let known = ["b>", "/b>", "a href=", "/a>", "blockquote>", "/blockquote>"];
        assert!(known.iter().any(|start| tag.starts_with(start)), "{tag} in {html}");
    }
}

/// Checks a request as documented in <https://docs.ntfy.sh/publish/#publish-as-json>.
fn ntfy(request: &Request, status: Status) {
    assert_eq!((path(request), request.header("authorization")), ("/hook", "Bearer tk_secret"));
    let body = request.json();
    assert_eq!(body["topic"], "alerts");
    text(&body["title"], 250);
    assert!((1..=4_096).contains(&body["message"].as_str().unwrap().len()));
    let priority = if status == Status::Firing { 4 } else { 3 };
    assert_eq!(body["priority"], priority);
    assert!(body["tags"].as_array().unwrap().iter().all(Value::is_string));
    assert!(text(&body["click"], 2_000).starts_with("https://"));
    assert!(body["actions"].as_array().unwrap().len() <= 3);
}

/// Checks a request as documented in <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>.
fn alertmanager(request: &Request, status: Status) {
    assert_eq!((path(request), request.header("authorization")), ("/hook/api/v2/alerts", "Bearer am"));
    let body = request.json();
    let alerts = body.as_array().unwrap();
    assert_eq!(alerts.len(), 1);
    let time = |name: &str| alerts[0][name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let day = jiff::SignedDuration::from_hours(24);
    let length = time("endsAt").duration_since(time("startsAt"));
    assert!(if status == Status::Firing { length >= day } else { length < day }, "{length}");
    assert_eq!(alerts[0]["labels"]["alertname"], "mood");
    assert!(text(&alerts[0]["generatorURL"], 2_000).starts_with("https://"));
}

const SERVICES: [Service; 7] = [
    Service {
        kind: "pagerduty",
        channel: |url| json!({"kind": "pagerduty", "url": url}),
        secrets: |_| json!({"routing_key": "0123456789abcdef0123456789abcdef"}),
        check: pagerduty,
    },
    Service {
        kind: "opsgenie",
        channel: |url| json!({"kind": "opsgenie", "url": url}),
        secrets: |_| json!({"api_key": "secret-key"}),
        check: opsgenie,
    },
    Service { kind: "teams", channel: |_| json!({"kind": "teams"}), secrets: |url| json!({"url": url}), check: teams },
    Service {
        kind: "discord",
        channel: |_| json!({"kind": "discord"}),
        secrets: |url| json!({"url": url}),
        check: discord,
    },
    Service {
        kind: "telegram",
        channel: |url| json!({"kind": "telegram", "url": url, "chat_id": "-100123", "thread_id": 7}),
        secrets: |_| json!({"bot_token": "123:token"}),
        check: telegram,
    },
    Service {
        kind: "ntfy",
        channel: |url| json!({"kind": "ntfy", "url": url, "topic": "alerts"}),
        secrets: |_| json!({"token": "tk_secret"}),
        check: ntfy,
    },
    Service {
        kind: "alertmanager",
        channel: |url| json!({"kind": "alertmanager", "url": url}),
        secrets: |_| json!({"header.Authorization": "Bearer am"}),
        check: alertmanager,
    },
];

async fn services_receive_requests_in_their_documented_format(setup: Setup) {
    let harness = Harness::start(setup).await;
    let mut fakes = Vec::new();
    for service in SERVICES {
        let fake = Hook::start().await;
        let (channel, secrets) = ((service.channel)(&fake.url()), (service.secrets)(&fake.url()));
        harness.add("receivers", &json!({"name": service.kind, "channel": channel, "secrets": secrets})).await;
        let matchers = json!([{"label": "alertname", "op": "=", "value": "mood"}]);
        let route = json!({"name": service.kind, "receiver": service.kind, "continue": true, "matchers": matchers});
        harness.add("routes", &route).await;
        fakes.push((service, fake));
    }
    for status in [Status::Firing, Status::Resolved] {
        match status {
            Status::Firing => drop(harness.fire("mood", "web").await),
            Status::Resolved => harness.resolve("mood", "web").await,
        }
        harness.advance(5 * MINUTE);
        for (service, fake) in &fakes {
            let count = if status == Status::Firing { 1 } else { 2 };
            let arrived = async || fake.requests().get(count - 1).cloned();
            let request = harness.app.eventually(&format!("{} gets its request", service.kind), arrived).await;
            println!("---- {}\n{}", service.kind, String::from_utf8_lossy(&request.body));
            (service.check)(&request, status);
        }
        harness.settled().await;
    }
}

async fn telegram_rate_limit_in_the_body_is_respected(setup: Setup) {
    let harness = Harness::start(setup).await;
    let fake = Hook::start().await;
    let body =
        r#"{"ok": false, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 90}}"#;
    fake.script_replies([Reply::Answer(429, String::new(), body)]);
    let channel = json!({"kind": "telegram", "url": fake.url(), "chat_id": "@alerts"});
    let receiver = json!({"name": "chat", "channel": channel, "secrets": {"bot_token": "123:token"}});
    let id = harness.add("receivers", &receiver).await;
    let tried = harness.app.post(&format!("/api/alerts/receivers/{id}/test"), &json!({})).await.ok();
    let next: sentistream::domain::Timestamp = serde_json::from_value(tried["next_attempt_at"].clone()).unwrap();
    assert!(next.since(harness.app.clock.now()).as_secs() >= 89, "{tried:#}");
    // The path of the URL contains the token, which no error may contain.
    assert!(!tried.to_string().contains("123:token"), "{tried:#}");
}
