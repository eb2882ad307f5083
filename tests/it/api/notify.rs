//! Notifications from end to end: transitions of alerts in, messages at receivers out.

mod crashes;
mod desk;
mod fakes;
mod kinds;
mod mail;
mod mail_server;
mod manage;

use std::collections::BTreeSet;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sentistream::domain::Timestamp;
use sentistream::domain::alert::Acknowledgement;
use serde_json::{Value, json};

use super::test_app::{START, Setup, cases};
use desk::{Desk, LEASE};
use fakes::Reply;

cases!(
    alerts_are_told_in_groups_until_they_are_over,
    a_receiver_in_trouble_is_tried_again_and_the_log_tells_all,
    what_cannot_succeed_is_given_up,
    silenced_and_muted_alerts_wait,
    routes_are_tried_in_their_order,
);

const MINUTE: Duration = Duration::from_secs(60);

fn names(message: &Value) -> Vec<(&str, &str)> {
    let alerts = message["alerts"].as_array().unwrap().iter();
    alerts.map(|alert| (alert["labels"]["source"].as_str().unwrap(), alert["status"].as_str().unwrap())).collect()
}

async fn alerts_are_told_in_groups_until_they_are_over(setup: Setup) {
    let desk = Desk::start(setup).await;
    let channel = json!({"kind": "webhook", "url": desk.hook.url(), "headers": {"X-Team": "social"}});
    let secrets = json!({"signing_key": "key", "header.Authorization": "Bearer hunter2"});
    desk.add("receivers", &json!({"name": "hook", "channel": channel, "secrets": secrets})).await;
    desk.add("routes", &json!({"name": "all", "receiver": "hook"})).await;

    let first = desk.fire("mood", "web").await;
    desk.fire("mood", "reddit").await;
    desk.advance(Duration::from_secs(29));
    // One that is over before anyone was told is not told of.
    desk.fire("brief", "web").await;
    desk.resolve("brief", "web").await;
    assert!(desk.hook.requests().is_empty());
    desk.advance(Duration::from_secs(1));
    let request = desk.requests(1).await.remove(0);
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
                 "endsAt": "0001-01-01T00:00:00.000Z", "fingerprint": fingerprint,
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
    assert_eq!(seconds.parse::<i64>().unwrap(), desk.app.clock.now().as_seconds());
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"key").unwrap();
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(&request.body);
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(code, expected);
    assert_eq!((request.header("x-team"), request.header("authorization")), ("social", "Bearer hunter2"));

    // Changes wait for the group's interval; what is told of as over is forgotten then.
    desk.resolve("mood", "web").await;
    desk.settled().await;
    desk.advance(5 * MINUTE);
    let message = desk.message(2).await;
    assert_eq!(
        (&message["status"], names(&message)),
        (&json!("firing"), vec![("reddit", "firing"), ("web", "resolved")])
    );
    desk.resolve("mood", "reddit").await;
    desk.settled().await;
    desk.advance(5 * MINUTE);
    let message = desk.message(3).await;
    assert_eq!((&message["status"], names(&message)), (&json!("resolved"), vec![("reddit", "resolved")]));

    // What goes on is told again after hours, unless somebody looks after it.
    let attended = desk.fire("attended", "web").await;
    desk.fire("lasting", "web").await;
    desk.advance(MINUTE);
    desk.requests(5).await;
    desk.settled().await;
    let mark = Acknowledgement { at: desk.app.clock.now(), by: "ada".to_owned(), note: String::new() };
    desk.app.rooms.store.acknowledge_alert(attended, &mark).await.unwrap().unwrap();
    desk.advance(240 * MINUTE);
    assert_eq!(desk.message(6).await["groupLabels"]["alertname"], "lasting");
    desk.settled().await;
    desk.advance(240 * MINUTE);
    assert_eq!(desk.message(7).await["groupLabels"]["alertname"], "lasting");
    desk.resolve("attended", "web").await;
    assert_eq!(desk.message(8).await["status"], "resolved");
    let page = desk.app.get("/api/alerts/deliveries").await.ok();
    let reasons: Vec<_> =
        page["deliveries"].as_array().unwrap().iter().map(|sent| sent["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["resolved", "repeat", "repeat", "firing", "firing", "resolved", "resolved", "firing"]);
}

async fn a_receiver_in_trouble_is_tried_again_and_the_log_tells_all(setup: Setup) {
    let mut desk = Desk::start(setup).await;
    desk.route("hook", json!([])).await;
    desk.hook.will([
        Reply::Silence,
        Reply::Reset,
        Reply::Answer(500, String::new(), "oh no"),
        Reply::Answer(429, "retry-after: 120\r\n".to_owned(), "slow down"),
    ]);
    // Silence is not waited for long, and everything else for as long as a busy machine may take.
    desk.crash().await;
    desk.timeout = Duration::from_secs(2);
    desk.notifier("first");
    desk.fire("mood", "web").await;
    desk.advance(MINUTE);
    for (attempt, least, most) in [(1, 4.0, 5.0), (2, 8.0, 10.0), (3, 16.0, 20.0), (4, 120.0, 121.0)] {
        let tried = desk.delivery("another attempt", |delivery| delivery["attempts"] == attempt).await;
        assert_eq!(tried["state"], "pending", "{tried:#}");
        let next: Timestamp = serde_json::from_value(tried["next_attempt_at"].clone()).unwrap();
        // The attempt itself takes its time by the machine's clock.
        let took = tried["log"][attempt - 1]["elapsed_ms"].as_f64().unwrap() / 1e3;
        let wait = next.since(desk.app.clock.now()).as_secs_f64() - took;
        assert!((least - 0.01..=most + 0.01).contains(&wait), "after attempt {attempt}: {wait} s");
        if attempt == 1 {
            desk.crash().await;
            desk.timeout = Duration::from_secs(60);
            desk.notifier("first");
        }
        // The API cuts instants to milliseconds.
        desk.app.clock.set(next + Duration::from_millis(1));
    }
    let done = desk.delivery("it is delivered", |delivery| delivery["state"] == "delivered").await;
    let log = done["log"].as_array().unwrap();
    let statuses: Vec<_> = log.iter().map(|attempt| attempt["status"].clone()).collect();
    assert_eq!(statuses, [json!(null), json!(null), json!(500), json!(429), json!(200)], "{done:#}");
    assert_eq!(
        (&log[2]["answer"], &log[2]["error"]),
        (&json!("oh no"), &json!("the receiver answered 500 Internal Server Error"))
    );
    assert_eq!(log[0]["error"], "no whole answer within 2 s");
    assert_eq!(
        (&log[4]["error"], &log[4]["answer"], &done["next_attempt_at"]),
        (&json!(null), &json!("ok"), &json!(null))
    );
    // All attempts carry the same id, so that a receiver can tell.
    let requests = desk.requests(5).await;
    let id = done["id"].as_i64().expect("an id").to_string();
    assert!(requests.iter().all(|request| request.header("x-sentistream-delivery") == id));

    // One that stays in trouble is given up, and does not hold what comes later.
    desk.hook.will((0..40).map(|_| Reply::Answer(503, String::new(), "")));
    desk.fire("other", "web").await;
    desk.advance(MINUTE);
    let mut attempts = 0;
    let failed = loop {
        attempts += 1;
        let other = |delivery: &Value| delivery["id"] != done["id"] && delivery["attempts"] == attempts;
        let tried = desk.delivery("another attempt", other).await;
        if tried["state"] == "failed" {
            break tried;
        }
        let next: Timestamp = serde_json::from_value(tried["next_attempt_at"].clone()).unwrap();
        desk.app.clock.set(next + Duration::from_millis(1));
    };
    assert!(attempts > 1, "{failed:#}");
    let ended: Timestamp = serde_json::from_value(failed["finished_at"].clone()).unwrap();
    let begun: Timestamp = serde_json::from_value(failed["created_at"].clone()).unwrap();
    assert!(ended.since(begun) > 50 * MINUTE, "{failed:#}");
}

async fn what_cannot_succeed_is_given_up(setup: Setup) {
    let desk = Desk::start(setup).await;
    let channel = json!({"kind": "webhook", "url": desk.hook.url()});
    let id = desk.add("receivers", &json!({"name": "hook", "channel": channel})).await;
    let test = async || desk.app.post(&format!("/api/alerts/receivers/{id}/test"), &json!({})).await.ok();
    let metadata = "location: http://169.254.169.254/latest/meta-data\r\n".to_owned();
    desk.hook.will([
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
    desk.requests(4).await;
    // A receiver inside is refused before anything is sent; a program only runs where it may, mail needs a server.
    for (name, channel, part) in [
        ("inside", json!({"kind": "webhook", "url": "http://10.0.0.1/"}), "outbound.allow"),
        ("program", json!({"kind": "command", "command": ["/bin/true"]}), "alerts.allow_commands"),
        ("mail", json!({"kind": "email", "to": ["ada@example.org"]}), "alerts.smtp"),
    ] {
        let id = desk.add("receivers", &json!({"name": name, "channel": channel})).await;
        let tried = desk.app.post(&format!("/api/alerts/receivers/{id}/test"), &json!({})).await.ok();
        assert_eq!(tried["state"], "failed");
        assert!(tried["error"].as_str().unwrap().contains(part), "{tried:#}");
    }
}

async fn silenced_and_muted_alerts_wait(setup: Setup) {
    let desk = Desk::start(setup).await;
    desk.route("hook", json!([])).await;
    // START is a Sunday, 12:30 UTC.
    let noon = json!([{"weekdays": ["sunday"], "from": "12:00", "to": "14:00"}]);
    desk.add("mute-timings", &json!({"name": "noon", "intervals": noon})).await;
    let night = json!({"name": "muted", "receiver": "hook", "position": -1, "mute_timings": ["noon"],
                       "matchers": [{"label": "alertname", "op": "=", "value": "muted"}]});
    desk.add("routes", &night).await;
    let now = desk.app.clock.now();
    let silence = json!({"matchers": [{"label": "alertname", "op": "=~", "value": "silent.*"}], "author": "ada",
                         "comment": "known", "starts_at": now, "ends_at": now + 60 * MINUTE});
    let id = desk.add("silences", &silence).await;
    let preview = async |name: &str| {
        let body = json!({"labels": {"alertname": name}});
        desk.app.post("/api/alerts/routes/preview", &body).await.ok()
    };
    assert_eq!(preview("silent").await["silences"], json!([id]));
    assert_eq!(preview("muted").await["routes"][0]["muted_by"], json!(["noon"]));

    desk.fire("silent", "web").await;
    desk.fire("muted", "web").await;
    desk.fire("heard", "web").await;
    desk.advance(MINUTE);
    // All three are due at the same step: one is told.
    assert_eq!(desk.message(1).await["groupLabels"]["alertname"], "heard");
    assert_eq!(desk.remove(&format!("silences/{id}"), "*").await.status, 204);
    let ended = desk.app.get("/api/alerts/silences?state=expired").await.ok();
    assert_eq!((&ended["silences"][0]["id"], &ended["silences"][0]["comment"]), (&json!(id), &json!("known")));
    assert_eq!(desk.message(2).await["groupLabels"]["alertname"], "silent");

    // That a told alert is over is told when the silence ends.
    let now = desk.app.clock.now();
    let again = json!({"matchers": silence["matchers"], "author": "ada", "comment": "again",
                       "starts_at": now, "ends_at": now + 30 * MINUTE});
    desk.add("silences", &again).await;
    desk.settled().await;
    desk.resolve("silent", "web").await;
    desk.resolve("heard", "web").await;
    desk.advance(6 * MINUTE);
    assert_eq!(desk.message(3).await["groupLabels"]["alertname"], "heard");
    desk.settled().await;
    desk.advance(24 * MINUTE);
    let message = desk.message(4).await;
    assert_eq!((&message["groupLabels"]["alertname"], &message["status"]), (&json!("silent"), &json!("resolved")));
    // 14:00 comes.
    desk.settled().await;
    desk.advance(60 * MINUTE);
    assert_eq!(desk.message(5).await["groupLabels"]["alertname"], "muted");
}

async fn routes_are_tried_in_their_order(setup: Setup) {
    let desk = Desk::start(setup).await;
    desk.route("default", json!([])).await;
    let channel = json!({"kind": "webhook", "url": desk.hook.url()});
    for (name, position, goes_on, pattern) in
        [("web", 1, true, "web"), ("any", 2, false, "web|reddit"), ("never", 3, false, "web")]
    {
        desk.add("receivers", &json!({"name": name, "channel": channel})).await;
        desk.add(
            "routes",
            &json!({
                "name": name, "receiver": name, "position": position, "continue": goes_on, "group_by": ["source"],
                "matchers": [{"label": "source", "op": "=~", "value": pattern}],
            }),
        )
        .await;
    }
    let labels = |source: &str| json!({"labels": {"alertname": "mood", "severity": "warning", "source": source}});
    let preview = async |source: &str| desk.app.post("/api/alerts/routes/preview", &labels(source)).await.ok();
    let route = |name: &str, group: Value| json!({"name": name, "receiver": name, "group": group, "muted_by": []});
    let both = [route("web", json!({"source": "web"})), route("any", json!({"source": "web"}))];
    assert_eq!(preview("web").await, json!({"routes": both, "silences": []}));
    let last = [route("default", json!({"alertname": "mood"}))];
    assert_eq!(preview("else").await, json!({"routes": last, "silences": []}));

    let alert = desk.fire("mood", "web").await;
    desk.fire("mood", "reddit").await;
    desk.fire("mood", "else").await;
    desk.advance(MINUTE);
    let mut told: Vec<_> = desk
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
    told.sort_unstable();
    let told: Vec<_> = told.iter().map(|(receiver, source)| (receiver.as_str(), source.as_str())).collect();
    assert_eq!(told, [("any", "reddit"), ("any", "web"), ("default", "else"), ("web", "web")]);
    desk.settled().await;
    let of_alert = desk.app.get(&format!("/api/alerts/deliveries?alert={alert}")).await.ok();
    let receivers = of_alert["deliveries"].as_array().unwrap().iter().map(|delivery| &delivery["receiver"]);
    assert_eq!(BTreeSet::from_iter(receivers.map(|name| name.as_str().unwrap())), BTreeSet::from(["any", "web"]));

    // When routes change, alerts that fire are sorted anew: only who was not told before is told.
    let routes = desk.app.get("/api/alerts/routes").await.ok();
    let any = routes["routes"].as_array().unwrap().iter().find(|route| route["name"] == "any").unwrap();
    let (id, tag) = (any["id"].as_i64().unwrap(), format!("\"{}\"", any["version"]));
    assert_eq!(desk.remove(&format!("routes/{id}"), &tag).await.status, 204);
    desk.app
        .eventually("the routes are known", async || {
            // Not so fast that alerts are told again.
            desk.advance(Duration::from_secs(1));
            (desk.hook.requests().len() >= 6).then_some(())
        })
        .await;
    let mut told: Vec<_> =
        desk.requests(6).await[4..].iter().map(|request| request.json()["receiver"].clone()).collect();
    told.sort_by_key(ToString::to_string);
    assert_eq!(told, ["default", "never"]);
}
