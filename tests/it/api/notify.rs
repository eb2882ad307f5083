//! Notifications from end to end: from transitions of alerts to messages at receivers.

mod alertmanager;
mod crashes;
mod failures;
pub mod fakes;
mod harness;
mod inhibition;
mod kinds;
mod mail;
mod mail_server;
mod manage;
mod meta;
mod programs;
mod services;
mod templates;
mod texts;

use std::collections::BTreeSet;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sentistream::domain::Timestamp;
use sentistream::domain::alert::Acknowledgement;
use serde_json::{Value, json};

use super::test_app::{START, Setup, cases};
use fakes::Reply;
use harness::{Harness, LEASE};

cases!(
    groups_notify_until_alerts_are_resolved,
    transient_failures_are_retried_and_logged,
    permanent_failures_are_not_retried,
    silenced_and_muted_alerts_are_notified_later,
    routes_are_tried_in_order,
);

const MINUTE: Duration = Duration::from_secs(60);

fn names(message: &Value) -> Vec<(&str, &str)> {
    let alerts = message["alerts"].as_array().unwrap().iter();
    alerts.map(|alert| (alert["labels"]["source"].as_str().unwrap(), alert["status"].as_str().unwrap())).collect()
}

async fn groups_notify_until_alerts_are_resolved(setup: Setup) {
    let harness = Harness::start(setup).await;
    let channel = json!({"kind": "webhook", "url": harness.hook.url(), "headers": {"X-Team": "social"}});
    let secrets = json!({"signing_key": "key", "header.Authorization": "Bearer hunter2"});
    harness.add("receivers", &json!({"name": "hook", "channel": channel, "secrets": secrets})).await;
    harness.add("routes", &json!({"name": "all", "receiver": "hook"})).await;

    let first = harness.fire("mood", "web").await;
    harness.fire("mood", "reddit").await;
    harness.advance(Duration::from_secs(29));
    // An alert that is resolved before the first notification is not reported.
    harness.fire("brief", "web").await;
    harness.resolve("brief", "web").await;
    assert!(harness.hook.requests().is_empty());
    harness.advance(Duration::from_secs(1));
    let request = harness.requests(1).await.remove(0);
    let message = request.json();
    let started: Timestamp = START.parse().unwrap();
    let fingerprint = message["alerts"][0]["fingerprint"].as_str().unwrap().to_owned();
    assert_eq!(fingerprint.len(), 16);
    assert_eq!(
        message,
        json!({
            "version": "4", "groupKey": "all:{alertname=\"mood\"}", "truncatedAlerts": 0, "status": "firing",
            "receiver": "hook", "groupLabels": {"alertname": "mood"}, "commonAnnotations": {},
            "commonLabels": {"alertname": "mood", "severity": "warning"}, "externalURL": "https://senti.example.org",
            "alerts": [
                {"status": "firing", "labels": {"alertname": "mood", "severity": "warning", "source": message["alerts"][0]["labels"]["source"]},
                 "annotations": message["alerts"][0]["annotations"], "startsAt": started,
                 "endsAt": "0001-01-01T00:00:00Z", "fingerprint": fingerprint,
                 "generatorURL": message["alerts"][0]["generatorURL"]},
                message["alerts"][1],
            ],
        })
    );
    let links: Vec<_> =
        message["alerts"].as_array().unwrap().iter().map(|alert| alert["generatorURL"].clone()).collect();
    assert!(links.contains(&json!(format!("https://senti.example.org/alerts/{first}"))), "{links:?}");
    let signature = request.header("x-sentistream-signature");
    let (seconds, code) = signature.split_once(",v1=").unwrap();
    let seconds = seconds.strip_prefix("t=").unwrap();
    assert_eq!(seconds.parse::<i64>().unwrap(), harness.app.clock.now().as_seconds());
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"key").unwrap();
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(&request.body);
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(code, expected);
    assert_eq!((request.header("x-team"), request.header("authorization")), ("social", "Bearer hunter2"));

    // Changes of a group are reported after the group interval. A resolved alert is reported once.
    harness.resolve("mood", "web").await;
    harness.settled().await;
    harness.advance(5 * MINUTE);
    let message = harness.message(2).await;
    assert_eq!(
        (&message["status"], names(&message)),
        (&json!("firing"), vec![("reddit", "firing"), ("web", "resolved")])
    );
    harness.resolve("mood", "reddit").await;
    harness.settled().await;
    harness.advance(5 * MINUTE);
    let message = harness.message(3).await;
    assert_eq!((&message["status"], names(&message)), (&json!("resolved"), vec![("reddit", "resolved")]));

    // The notification of a firing alert is repeated after some hours, unless the alert is acknowledged.
    let acknowledged = harness.fire("acknowledged", "web").await;
    harness.fire("lasting", "web").await;
    harness.advance(MINUTE);
    harness.requests(5).await;
    harness.settled().await;
    let mark = Acknowledgement { at: harness.app.clock.now(), by: "ada".to_owned(), note: String::new() };
    harness.app.services.store.acknowledge_alert(acknowledged, &mark).await.unwrap().unwrap();
    harness.advance(240 * MINUTE);
    assert_eq!(harness.message(6).await["groupLabels"]["alertname"], "lasting");
    harness.settled().await;
    harness.advance(240 * MINUTE);
    assert_eq!(harness.message(7).await["groupLabels"]["alertname"], "lasting");
    harness.resolve("acknowledged", "web").await;
    assert_eq!(harness.message(8).await["status"], "resolved");
    let page = harness.app.get("/api/alerts/deliveries").await.ok();
    let reasons: Vec<_> =
        page["deliveries"].as_array().unwrap().iter().map(|sent| sent["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["resolved", "repeat", "repeat", "firing", "firing", "resolved", "resolved", "firing"]);
}

async fn transient_failures_are_retried_and_logged(setup: Setup) {
    let mut harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    harness.hook.script_replies([
        Reply::Silence,
        Reply::Reset,
        Reply::Answer(500, String::new(), "oh no"),
        Reply::Answer(429, "retry-after: 120\r\n".to_owned(), "slow down"),
    ]);
    // The first request gets no reply, so its timeout is short. Later requests have a long timeout, because a busy
    // machine replies slowly.
    harness.crash().await;
    harness.timeout = Duration::from_secs(2);
    harness.notifier("first");
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    for (attempt, least, most) in [(1, 4.0, 5.0), (2, 8.0, 10.0), (3, 16.0, 20.0), (4, 120.0, 121.0)] {
        let tried = harness.delivery("the next attempt is logged", |delivery| delivery["attempts"] == attempt).await;
        assert_eq!(tried["state"], "pending", "{tried:#}");
        let next: Timestamp = serde_json::from_value(tried["next_attempt_at"].clone()).unwrap();
        // `took` is the duration of the attempt. It is subtracted, because the wait starts when the attempt ends.
        let took = tried["log"][attempt - 1]["elapsed_ms"].as_f64().unwrap() / 1e3;
        let wait = next.since(harness.app.clock.now()).as_secs_f64() - took;
        assert!((least - 0.01..=most + 0.01).contains(&wait), "after attempt {attempt}: {wait} s");
        if attempt == 1 {
            harness.crash().await;
            harness.timeout = Duration::from_secs(60);
            harness.notifier("first");
        }
        // The API truncates instants to milliseconds.
        harness.app.clock.set(next + Duration::from_millis(1));
    }
    let done = harness.delivery("the message is delivered", |delivery| delivery["state"] == "delivered").await;
    let log = done["log"].as_array().unwrap();
    let statuses: Vec<_> = log.iter().map(|attempt| attempt["status"].clone()).collect();
    assert_eq!(statuses, [json!(null), json!(null), json!(500), json!(429), json!(200)], "{done:#}");
    assert_eq!(
        (&log[2]["answer"], &log[2]["error"]),
        (&json!("oh no"), &json!("the receiver answered 500 Internal Server Error"))
    );
    assert_eq!(log[0]["error"], "no complete answer within 2 s");
    assert_eq!(
        (&log[4]["error"], &log[4]["answer"], &done["next_attempt_at"]),
        (&json!(null), &json!("ok"), &json!(null))
    );
    // All attempts have the same id.
    let requests = harness.requests(5).await;
    let id = done["id"].as_i64().expect("an id").to_string();
    assert!(requests.iter().all(|request| request.header("x-sentistream-delivery") == id));

    // A delivery fails after the time limit.
    harness.hook.script_replies((0..40).map(|_| Reply::Answer(503, String::new(), "")));
    harness.fire("other", "web").await;
    harness.advance(MINUTE);
    let mut attempts = 0;
    let failed = loop {
        attempts += 1;
        // After the failure the group creates another delivery, so the newest delivery is not always the failed one.
        let path = format!("/api/alerts/deliveries/{}", done["id"].as_i64().unwrap() + 1);
        let attempt = async || {
            let answer = harness.app.get(&path).await;
            (answer.status == 200).then(|| answer.json()).filter(|delivery| delivery["attempts"] == attempts)
        };
        let tried = harness.app.eventually("the next attempt is logged", attempt).await;
        if tried["state"] == "failed" {
            break tried;
        }
        let next: Timestamp = serde_json::from_value(tried["next_attempt_at"].clone()).unwrap();
        harness.app.clock.set(next + Duration::from_millis(1));
    };
    assert!(attempts > 1, "{failed:#}");
    let ended: Timestamp = serde_json::from_value(failed["finished_at"].clone()).unwrap();
    let begun: Timestamp = serde_json::from_value(failed["created_at"].clone()).unwrap();
    assert!(ended.since(begun) > 50 * MINUTE, "{failed:#}");
}

async fn permanent_failures_are_not_retried(setup: Setup) {
    let harness = Harness::start(setup).await;
    let channel = json!({"kind": "webhook", "url": harness.hook.url()});
    let id = harness.add("receivers", &json!({"name": "hook", "channel": channel})).await;
    let test = async || harness.app.post(&format!("/api/alerts/receivers/{id}/test"), &json!({})).await.ok();
    let metadata = "location: http://169.254.169.254/latest/meta-data\r\n".to_owned();
    harness.hook.script_replies([
        Reply::Answer(404, String::new(), "gone"),
        Reply::Answer(307, metadata, ""),
        Reply::Answer(302, "location: /elsewhere\r\n".to_owned(), ""),
    ]);
    for (status, part) in
        [(json!(404), "404 Not Found"), (json!(null), "169.254.169.254 is not public"), (json!(302), "302 Found")]
    {
        let tried = test().await;
        assert_eq!(
            (&tried["state"], &tried["attempts"], &tried["log"][0]["status"]),
            (&json!("failed"), &json!(1), &status)
        );
        assert!(tried["error"].as_str().unwrap().contains(part), "{tried:#}");
    }
    let taken = test().await;
    assert_eq!(
        (&taken["state"], &taken["reason"], &taken["log"][0]["answer"]),
        (&json!("delivered"), &json!("test"), &json!("ok"))
    );
    harness.requests(4).await;
    // Private addresses are refused, programs must be allowed in the settings, and mail requires a server.
    for (name, channel, part) in [
        ("inside", json!({"kind": "webhook", "url": "http://10.0.0.1/"}), "outbound.allow"),
        ("program", json!({"kind": "command", "command": ["/bin/true"]}), "alerts.allow_commands"),
        ("mail", json!({"kind": "email", "to": ["ada@example.org"]}), "alerts.smtp"),
    ] {
        let id = harness.add("receivers", &json!({"name": name, "channel": channel})).await;
        let tried = harness.app.post(&format!("/api/alerts/receivers/{id}/test"), &json!({})).await.ok();
        assert_eq!(tried["state"], "failed");
        assert!(tried["error"].as_str().unwrap().contains(part), "{tried:#}");
    }
}

async fn silenced_and_muted_alerts_are_notified_later(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    // START is on a Sunday at 12:30 UTC.
    let noon = json!([{"weekdays": ["sunday"], "from": "12:00", "to": "14:00"}]);
    harness.add("mute-timings", &json!({"name": "noon", "intervals": noon})).await;
    let night = json!({"name": "muted", "receiver": "hook", "position": -1, "mute_timings": ["noon"],
                       "matchers": [{"label": "alertname", "op": "=", "value": "muted"}]});
    harness.add("routes", &night).await;
    let now = harness.app.clock.now();
    let silence = json!({"matchers": [{"label": "alertname", "op": "=~", "value": "silent.*"}], "author": "ada",
                         "comment": "known", "starts_at": now, "ends_at": now + 60 * MINUTE});
    let id = harness.add("silences", &silence).await;
    let preview = async |name: &str| {
        let body = json!({"labels": {"alertname": name}});
        harness.app.post("/api/alerts/routes/preview", &body).await.ok()
    };
    assert_eq!(preview("silent").await["silences"], json!([id]));
    assert_eq!(preview("muted").await["routes"][0]["muted_by"], json!(["noon"]));

    harness.fire("silent", "web").await;
    harness.fire("muted", "web").await;
    harness.fire("heard", "web").await;
    harness.advance(MINUTE);
    // All three notifications are due in the same step, but only one is sent.
    assert_eq!(harness.message(1).await["groupLabels"]["alertname"], "heard");
    assert_eq!(harness.remove(&format!("silences/{id}"), "*").await.status, 204);
    let ended = harness.app.get("/api/alerts/silences?state=expired").await.ok();
    assert_eq!((&ended["silences"][0]["id"], &ended["silences"][0]["comment"]), (&json!(id), &json!("known")));
    assert_eq!(harness.message(2).await["groupLabels"]["alertname"], "silent");

    // If a reported alert resolves during a silence, the resolution is sent after the silence has ended.
    let now = harness.app.clock.now();
    let again = json!({"matchers": silence["matchers"], "author": "ada", "comment": "again",
                       "starts_at": now, "ends_at": now + 30 * MINUTE});
    harness.add("silences", &again).await;
    harness.settled().await;
    harness.resolve("silent", "web").await;
    harness.resolve("heard", "web").await;
    harness.advance(6 * MINUTE);
    assert_eq!(harness.message(3).await["groupLabels"]["alertname"], "heard");
    harness.settled().await;
    harness.advance(24 * MINUTE);
    let message = harness.message(4).await;
    assert_eq!((&message["groupLabels"]["alertname"], &message["status"]), (&json!("silent"), &json!("resolved")));
    // The mute timing ends at 14:00.
    harness.settled().await;
    harness.advance(60 * MINUTE);
    assert_eq!(harness.message(5).await["groupLabels"]["alertname"], "muted");
}

async fn routes_are_tried_in_order(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("default", json!([])).await;
    let channel = json!({"kind": "webhook", "url": harness.hook.url()});
    for (name, position, goes_on, pattern) in
        [("web", 1, true, "web"), ("any", 2, false, "web|reddit"), ("never", 3, false, "web")]
    {
        harness.add("receivers", &json!({"name": name, "channel": channel})).await;
        harness
            .add(
                "routes",
                &json!({
                    "name": name, "receiver": name, "position": position, "continue": goes_on, "group_by": ["source"],
                    "matchers": [{"label": "source", "op": "=~", "value": pattern}],
                }),
            )
            .await;
    }
    let labels = |source: &str| json!({"labels": {"alertname": "mood", "severity": "warning", "source": source}});
    let preview = async |source: &str| harness.app.post("/api/alerts/routes/preview", &labels(source)).await.ok();
    let route = |name: &str, group: Value| json!({"name": name, "receiver": name, "group": group, "muted_by": [], "outside_active_timings": false});
    let both = [route("web", json!({"source": "web"})), route("any", json!({"source": "web"}))];
    assert_eq!(preview("web").await, json!({"routes": both, "silences": [], "inhibited_by": []}));
    let last = [route("default", json!({"alertname": "mood"}))];
    assert_eq!(preview("else").await, json!({"routes": last, "silences": [], "inhibited_by": []}));

    let alert = harness.fire("mood", "web").await;
    harness.fire("mood", "reddit").await;
    harness.fire("mood", "else").await;
    harness.advance(MINUTE);
    let mut sent: Vec<_> = harness
        .requests(4)
        .await
        .iter()
        .map(|request| {
            let message = request.json();
            (
                message["receiver"].as_str().unwrap().to_owned(),
                message["alerts"][0]["labels"]["source"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    sent.sort_unstable();
    let sent: Vec<_> = sent.iter().map(|(receiver, source)| (receiver.as_str(), source.as_str())).collect();
    assert_eq!(sent, [("any", "reddit"), ("any", "web"), ("default", "else"), ("web", "web")]);
    harness.settled().await;
    let of_alert = harness.app.get(&format!("/api/alerts/deliveries?alert={alert}")).await.ok();
    let receivers = of_alert["deliveries"].as_array().unwrap().iter().map(|delivery| &delivery["receiver"]);
    assert_eq!(BTreeSet::from_iter(receivers.map(|name| name.as_str().unwrap())), BTreeSet::from(["any", "web"]));

    // When routes change, only receivers that were not yet notified of the alert get a notification.
    let routes = harness.app.get("/api/alerts/routes").await.ok();
    let any = routes["routes"].as_array().unwrap().iter().find(|route| route["name"] == "any").unwrap();
    let (id, tag) = (any["id"].as_i64().unwrap(), format!("\"{}\"", any["version"]));
    assert_eq!(harness.remove(&format!("routes/{id}"), &tag).await.status, 204);
    harness
        .app
        .eventually("the notifier has read the routes", async || {
            // The repeat interval is so long that no notification is repeated.
            harness.advance(Duration::from_secs(1));
            (harness.hook.requests().len() >= 6).then_some(())
        })
        .await;
    let mut sent: Vec<_> =
        harness.requests(6).await[4..].iter().map(|request| request.json()["receiver"].clone()).collect();
    sent.sort_by_key(ToString::to_string);
    assert_eq!(sent, ["default", "never"]);
}
