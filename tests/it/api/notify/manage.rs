//! Receivers, routes, silences and mute timings through the API.

use reqwest::Method;
use sentistream::domain::notify::{Channel, Receiver, Route, Secrets};
use serde_json::{Value, json};

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::desk::Desk;

cases!(
    secrets_are_written_and_never_read,
    changes_are_made_from_a_version_and_noted,
    what_is_wrong_is_told_by_field,
    the_configuration_is_read_only,
);

async fn secrets_are_written_and_never_read(setup: Setup) {
    let desk = Desk::start(setup).await;
    let webhook = |url: &str, secrets: Value| json!({"name": "hook", "channel": {"kind": "webhook", "url": url}, "secrets": secrets});
    let url = desk.hook.url();
    let given = json!({"signing_key": "s3cret-key", "header.Authorization": "Bearer s3cret"});
    let id = desk.add("receivers", &webhook(&url, given)).await;
    let path = format!("receivers/{id}");
    let shown = desk.app.get(&format!("/api/alerts/{path}")).await;
    assert_eq!(shown.ok()["secrets"], json!(["header.Authorization", "signing_key"]));
    assert!(!shown.text().contains("s3cret"), "{}", shown.text());

    // Not named: kept; null: removed.
    let changed = desk.put(&path, "\"1\"", &webhook(&url, json!({"signing_key": null}))).await;
    assert_eq!((changed.ok()["secrets"].clone(), changed.header("etag")), (json!(["header.Authorization"]), "\"2\""));
    desk.app.post(&format!("/api/alerts/{path}/test"), &json!({})).await.ok();
    assert_eq!(desk.requests(1).await[0].header("authorization"), "Bearer s3cret");
    // A secret for one server is not sent to another.
    let elsewhere = "https://hooks.example.org/";
    let answer = desk.put(&path, "\"2\"", &webhook(elsewhere, json!({}))).await;
    assert_eq!(answer.problem(422), ["secrets.header.Authorization"]);
    assert_eq!(desk.put(&path, "\"2\"", &webhook(elsewhere, json!({"header.Authorization": null}))).await.status, 200);

    let audit = desk.app.rooms.store.alert_audit(None, 100).await.unwrap().entries;
    assert!(!format!("{audit:?}").contains("s3cret"), "{audit:?}");
    let noted: Vec<_> =
        audit.iter().map(|entry| (entry.action.as_str(), entry.object_kind.as_str(), entry.name.as_str())).collect();
    assert_eq!(noted, [("update", "receiver", "hook"), ("update", "receiver", "hook"), ("create", "receiver", "hook")]);
}

async fn changes_are_made_from_a_version_and_noted(setup: Setup) {
    let desk = Desk::start(setup).await;
    desk.route("hook", json!([])).await;
    let routes = desk.app.get("/api/alerts/routes").await.ok();
    let id = routes["routes"][0]["id"].as_i64().unwrap();
    let path = format!("routes/{id}");
    let route = |wait: &str| json!({"name": "hook", "receiver": "hook", "group_wait": wait});
    let bare = desk.app.request(Method::PUT, &format!("/api/alerts/{path}")).json(&route("1s"));
    desk.app.send(bare).await.problem(428);
    let changed = desk.put(&path, "\"1\"", &route("90s")).await;
    assert_eq!((&changed.ok()["group_wait"], changed.header("etag")), (&json!("1min 30s"), "\"2\""));
    desk.put(&path, "\"1\"", &route("1s")).await.problem(412);
    desk.put(&path, "W/\"2\"", &route("1s")).await.problem(412);
    assert_eq!(desk.put(&path, "*", &route("1s")).await.status, 200);
    desk.put("routes/999", "*", &route("1s")).await.problem(404);
    desk.app.get("/api/alerts/routes/x").await.problem(404);

    // What is referred to stays.
    let receivers = desk.app.get("/api/alerts/receivers").await.ok();
    let receiver = format!("receivers/{}", receivers["receivers"][0]["id"]);
    desk.remove(&receiver, "*").await.problem(409);
    desk.remove(&path, "\"2\"").await.problem(412);
    assert_eq!(desk.remove(&path, "\"3\"").await.status, 204);
    assert_eq!(desk.remove(&receiver, "*").await.status, 204);
    desk.app.get(&format!("/api/alerts/{path}")).await.problem(404);
}

async fn what_is_wrong_is_told_by_field(setup: Setup) {
    let desk = Desk::start(setup).await;
    desk.route("hook", json!([])).await;
    let now = desk.app.clock.now();
    let matcher = json!([{"label": "source", "op": "=", "value": "web"}]);
    let silence = |matchers: &Value, minutes: u32| json!({"matchers": matchers, "starts_at": now, "ends_at": now + minutes * MINUTE, "author": "ada", "comment": "c"});
    let mute = |zone: &str, intervals: Value| json!({"name": "m", "zone": zone, "intervals": intervals});
    for (path, body, fields) in [
        (
            "receivers",
            json!({"name": " a", "channel": {"kind": "webhook", "url": "ftp://x"}}),
            vec!["name", "channel.url"],
        ),
        (
            "receivers",
            json!({"name": "a", "channel": {"kind": "webhook", "url": "http://u:p@x/"}}),
            vec!["channel.url"],
        ),
        (
            "receivers",
            json!({"name": "a", "channel": {"kind": "webhook", "url": "http://x/", "headers": {"Host": "y", "b c": "d"}}}),
            vec!["channel.headers.Host", "channel.headers.b c"],
        ),
        ("receivers", json!({"name": "a", "channel": {"kind": "slack"}}), vec!["secrets.url"]),
        (
            "receivers",
            json!({"name": "a", "channel": {"kind": "slack"}, "secrets": {"url": "http://x", "key": "y"}}),
            vec!["secrets.key"],
        ),
        ("receivers", json!({"name": "a", "channel": {"kind": "email", "to": ["nobody"]}}), vec!["channel.to[0]"]),
        ("receivers", json!({"name": "a", "channel": {"kind": "command", "command": []}}), vec!["channel.command"]),
        ("receivers", json!({"name": "a", "channel": {"kind": "pigeon"}}), vec!["body"]),
        ("receivers", json!({"name": "hook", "channel": {"kind": "webhook", "url": "http://x/"}}), vec!["name"]),
        ("routes", json!({"name": "a", "receiver": "nobody"}), vec!["receiver"]),
        ("routes", json!({"name": "a", "receiver": "hook"}), vec!["matchers"]),
        (
            "routes",
            json!({"name": "a", "receiver": "hook", "matchers": matcher, "mute_timings": ["none"]}),
            vec!["mute_timings"],
        ),
        (
            "routes",
            json!({"name": "a", "receiver": "hook", "group_interval": "0s", "repeat_interval": "32d"}),
            vec!["group_interval", "repeat_interval"],
        ),
        (
            "routes",
            json!({"name": "a", "receiver": "hook", "matchers": [{"label": "a", "op": "=~", "value": "("}]}),
            vec!["body"],
        ),
        ("silences", silence(&json!([]), 1), vec!["matchers"]),
        ("silences", silence(&json!([{"label": "a", "op": "=~", "value": ".*"}]), 1), vec!["matchers"]),
        ("silences", silence(&matcher, 0), vec!["ends_at", "ends_at"]),
        ("mute-timings", mute("Mars/Base", json!([])), vec!["zone", "intervals"]),
        ("mute-timings", mute("UTC", json!([{"from": "25:00"}])), vec!["body"]),
    ] {
        let answer = desk.app.post(&format!("/api/alerts/{path}"), &body).await;
        assert_eq!(answer.problem(422), fields, "{body}");
    }
    let rename = json!({"name": "other", "channel": {"kind": "webhook", "url": "http://x/"}});
    assert_eq!(desk.put("receivers/1", "*", &rename).await.problem(422), ["name"]);
    assert_eq!(desk.app.get("/api/alerts/deliveries?state=lost").await.problem(422), ["state"]);
}

async fn the_configuration_is_read_only(setup: Setup) {
    let key = Secrets([("signing_key".to_owned(), "of-the-configuration".to_owned().into())].into());
    let hook = super::fakes::Hook::start().await;
    let channel = Channel::Webhook { url: hook.url(), headers: [].into() };
    let receiver = Receiver { name: "configured".to_owned(), channel, send_resolved: true, max_alerts: 10 };
    let route: Route = serde_json::from_value(json!({"name": "configured", "receiver": "configured"})).unwrap();
    let desk = Desk::with(setup, |options| {
        options.receivers = vec![(receiver.clone(), key)];
        options.routes = vec![route];
    })
    .await;
    let provisioned = async || {
        let routes = desk.app.get("/api/alerts/routes").await.ok();
        routes["routes"].as_array().unwrap().first().cloned()
    };
    let route = desk.app.eventually("the configuration is known", provisioned).await;
    assert_eq!((&route["name"], &route["provisioned"]), (&json!("configured"), &json!(true)));
    let receivers = desk.app.get("/api/alerts/receivers").await.ok();
    let shown = &receivers["receivers"][0];
    // Its secrets are not in the database.
    assert_eq!((&shown["provisioned"], &shown["secrets"]), (&json!(true), &json!([])));
    let path = format!("receivers/{}", shown["id"]);
    desk.put(&path, "*", &json!({"name": "configured", "channel": shown["channel"]})).await.problem(409);
    desk.remove(&path, "*").await.problem(409);
    desk.remove(&format!("routes/{}", route["id"]), "*").await.problem(409);

    // It works all the same, signed with its key.
    desk.fire("mood", "web").await;
    desk.advance(MINUTE);
    let request = desk.app.eventually("it is told", async || hook.requests().pop()).await;
    assert!(request.header("x-sentistream-signature").contains(",v1="));
    // What the next configuration does not hold is gone.
    desk.crash().await;
    let desk = desk.configured(|options| {
        options.receivers.clear();
        options.routes.clear();
    });
    desk.advance(super::LEASE);
    desk.notifier("second");
    desk.app
        .eventually("it is gone", async || {
            let left = desk.app.get("/api/alerts/receivers").await.ok();
            left["receivers"].as_array().unwrap().is_empty().then_some(())
        })
        .await;
}
