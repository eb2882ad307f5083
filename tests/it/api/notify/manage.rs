//! Receivers, routes, silences and mute timings through the API.

use reqwest::Method;
use sentistream::domain::notify::{Channel, Receiver, Route, Secrets, Templates};
use sentistream::notify::setup::ReceiverWithSecrets;
use serde_json::{Value, json};

use super::super::test_app::{Setup, cases};
use super::MINUTE;
use super::harness::Harness;

cases!(
    secrets_are_stored_and_never_returned,
    changes_need_the_current_version,
    validation_errors_name_their_fields,
    configured_objects_are_read_only,
    nested_routes_need_a_valid_parent,
    child_route_inherits_undefined_fields,
);

async fn secrets_are_stored_and_never_returned(setup: Setup) {
    let harness = Harness::start(setup).await;
    let webhook = |url: &str, secrets: Value| json!({"name": "hook", "channel": {"kind": "webhook", "url": url}, "secrets": secrets});
    let url = harness.hook.url();
    let given = json!({"signing_key": "s3cret-key", "header.Authorization": "Bearer s3cret"});
    let id = harness.add("receivers", &webhook(&url, given)).await;
    let path = format!("receivers/{id}");
    let shown = harness.app.get(&format!("/api/alerts/{path}")).await;
    assert_eq!(shown.ok()["secrets"], json!(["header.Authorization", "signing_key"]));
    assert!(!shown.text().contains("s3cret"), "{}", shown.text());

    // A secret that the request does not contain remains stored. `null` removes a secret.
    let changed = harness.put(&path, "\"1\"", &webhook(&url, json!({"signing_key": null}))).await;
    assert_eq!((changed.ok()["secrets"].clone(), changed.header("etag")), (json!(["header.Authorization"]), "\"2\""));
    harness.app.post(&format!("/api/alerts/{path}/test"), &json!({})).await.ok();
    assert_eq!(harness.requests(1).await[0].header("authorization"), "Bearer s3cret");
    // A secret that was stored for one destination must not be sent to another destination.
    let elsewhere = "https://hooks.example.org/";
    let answer = harness.put(&path, "\"2\"", &webhook(elsewhere, json!({}))).await;
    assert_eq!(answer.problem(422), ["secrets.header.Authorization"]);
    assert_eq!(
        harness.put(&path, "\"2\"", &webhook(elsewhere, json!({"header.Authorization": null}))).await.status,
        200
    );

    let audit = harness.app.services.store.alert_audit(None, 100).await.unwrap().items;
    assert!(!format!("{audit:?}").contains("s3cret"), "{audit:?}");
    let noted: Vec<_> =
        audit.iter().map(|entry| (entry.action.as_str(), entry.object_kind.as_str(), entry.name.as_str())).collect();
    assert_eq!(noted, [("update", "receiver", "hook"), ("update", "receiver", "hook"), ("create", "receiver", "hook")]);
}

async fn changes_need_the_current_version(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    let routes = harness.app.get("/api/alerts/routes").await.ok();
    let id = routes["routes"][0]["id"].as_i64().unwrap();
    let path = format!("routes/{id}");
    let route = |wait: &str| json!({"name": "hook", "receiver": "hook", "group_wait": wait});
    let bare = harness.app.request(Method::PUT, &format!("/api/alerts/{path}")).json(&route("1s"));
    harness.app.send(bare).await.problem(428);
    let changed = harness.put(&path, "\"1\"", &route("90s")).await;
    assert_eq!((&changed.ok()["group_wait"], changed.header("etag")), (&json!("1min 30s"), "\"2\""));
    harness.put(&path, "\"1\"", &route("1s")).await.problem(412);
    harness.put(&path, "W/\"2\"", &route("1s")).await.problem(412);
    assert_eq!(harness.put(&path, "*", &route("1s")).await.status, 200);
    harness.put("routes/999", "*", &route("1s")).await.problem(404);
    harness.app.get("/api/alerts/routes/x").await.problem(404);

    // Objects that other objects refer to cannot be deleted.
    let receivers = harness.app.get("/api/alerts/receivers").await.ok();
    let receiver = format!("receivers/{}", receivers["receivers"][0]["id"]);
    harness.remove(&receiver, "*").await.problem(409);
    harness.remove(&path, "\"2\"").await.problem(412);
    assert_eq!(harness.remove(&path, "\"3\"").await.status, 204);
    assert_eq!(harness.remove(&receiver, "*").await.status, 204);
    harness.app.get(&format!("/api/alerts/{path}")).await.problem(404);
}

async fn validation_errors_name_their_fields(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("hook", json!([])).await;
    let now = harness.app.clock.now();
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
        ("receivers", json!({"name": "a", "channel": {"kind": "email", "to": ["ada"]}}), vec!["channel.to[0]"]),
        ("receivers", json!({"name": "a", "channel": {"kind": "command", "command": []}}), vec!["channel.command"]),
        ("receivers", json!({"name": "a", "channel": {"kind": "pigeon"}}), vec!["body"]),
        ("receivers", json!({"name": "hook", "channel": {"kind": "webhook", "url": "http://x/"}}), vec!["name"]),
        ("routes", json!({"name": "a", "receiver": "unknown"}), vec!["receiver"]),
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
        ("mute-timings", mute("UTC", json!([{"days_of_month": ["5:1"]}])), vec!["body"]),
        ("receivers", json!({"name": "a", "channel": {"kind": "pagerduty"}}), vec!["secrets.routing_key"]),
        (
            "receivers",
            json!({"name": "a", "channel": {"kind": "telegram", "chat_id": "x"}, "secrets": {"bot_token": "1:a"}}),
            vec!["channel.chat_id"],
        ),
        ("receivers", json!({"name": "a", "channel": {"kind": "ntfy", "topic": "a b"}}), vec!["channel.topic"]),
        (
            "receivers",
            json!({"name": "a", "channel": {"kind": "email", "to": ["a@b.c"]}, "templates": {"title": "{{ broken"}}),
            vec!["templates.title"],
        ),
        (
            "receivers",
            json!({"name": "a", "channel": {"kind": "webhook", "url": "http://x/"}, "templates": {"title": "x"}}),
            vec!["templates"],
        ),
        (
            "inhibit-rules",
            json!({"name": "a", "source_matchers": [], "target_matchers": matcher}),
            vec!["source_matchers"],
        ),
    ] {
        let answer = harness.app.post(&format!("/api/alerts/{path}"), &body).await;
        assert_eq!(answer.problem(422), fields, "{body}");
    }
    let rename = json!({"name": "other", "channel": {"kind": "webhook", "url": "http://x/"}});
    assert_eq!(harness.put("receivers/1", "*", &rename).await.problem(422), ["name"]);
    assert_eq!(harness.app.get("/api/alerts/deliveries?state=lost").await.problem(422), ["state"]);
}

async fn configured_objects_are_read_only(setup: Setup) {
    let key = Secrets([("signing_key".to_owned(), "of-the-configuration".to_owned().into())].into());
    let hook = super::fakes::Hook::start().await;
    let channel = Channel::Webhook { url: hook.url(), headers: [].into() };
    let receiver = Receiver {
        name: "configured".to_owned(),
        channel,
        send_resolved: true,
        max_alerts: 10,
        templates: Templates::default(),
    };
    let route: Route = serde_json::from_value(json!({"name": "configured", "receiver": "configured"})).unwrap();
    let harness = Harness::with(setup, |options| {
        options.receivers = vec![ReceiverWithSecrets { receiver: receiver.clone(), secrets: key }];
        options.routes = vec![route];
    })
    .await;
    let provisioned = async || {
        let routes = harness.app.get("/api/alerts/routes").await.ok();
        routes["routes"].as_array().unwrap().first().cloned()
    };
    let route = harness.app.eventually("the configuration is provisioned", provisioned).await;
    assert_eq!((&route["name"], &route["provisioned"]), (&json!("configured"), &json!(true)));
    let receivers = harness.app.get("/api/alerts/receivers").await.ok();
    let shown = &receivers["receivers"][0];
    // The database does not contain the secrets of the configuration.
    assert_eq!((&shown["provisioned"], &shown["secrets"]), (&json!(true), &json!([])));
    let path = format!("receivers/{}", shown["id"]);
    harness.put(&path, "*", &json!({"name": "configured", "channel": shown["channel"]})).await.problem(409);
    harness.remove(&path, "*").await.problem(409);
    harness.remove(&format!("routes/{}", route["id"]), "*").await.problem(409);

    // Notifications are signed with the configured key.
    harness.fire("mood", "web").await;
    harness.advance(MINUTE);
    let request = harness.app.eventually("the notification arrives", async || hook.requests().pop()).await;
    assert!(request.header("x-sentistream-signature").contains(",v1="));
    // Objects that the new configuration does not contain are deleted.
    harness.crash().await;
    let harness = harness.configured(|options| {
        options.receivers.clear();
        options.routes.clear();
    });
    harness.advance(super::LEASE);
    harness.notifier("second");
    harness
        .app
        .eventually("the object is deleted", async || {
            let left = harness.app.get("/api/alerts/receivers").await.ok();
            left["receivers"].as_array().unwrap().is_empty().then_some(())
        })
        .await;
}

async fn nested_routes_need_a_valid_parent(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("default", json!([])).await;
    let web = json!([{"label": "source", "op": "=", "value": "web"}]);
    let route =
        |name: &str, parent: Value| json!({"name": name, "receiver": "default", "matchers": web, "parent": parent});
    let top = harness.add("routes", &route("top", json!(null))).await;
    harness.add("routes", &route("child", json!("top"))).await;
    assert_eq!(harness.app.post("/api/alerts/routes", &route("x", json!("unknown"))).await.problem(422), ["parent"]);
    assert_eq!(
        harness.put(&format!("routes/{top}"), "*", &route("top", json!("child"))).await.problem(422),
        ["parent"]
    );
    assert_eq!(harness.put(&format!("routes/{top}"), "*", &route("top", json!("top"))).await.problem(422), ["parent"]);
    harness.remove(&format!("routes/{top}"), "*").await.problem(409);
    let body = json!({"labels": {"alertname": "mood", "source": "web"}});
    let preview = harness.app.post("/api/alerts/routes/preview", &body).await.ok();
    assert_eq!(preview["routes"][0]["name"], "child");
    assert_eq!(preview["routes"].as_array().unwrap().len(), 1);
    let mut parent = "child".to_owned();
    for level in 2..10 {
        let name = format!("level {level}");
        harness.add("routes", &route(&name, json!(parent))).await;
        parent = name;
    }
    assert_eq!(harness.app.post("/api/alerts/routes", &route("deep", json!(parent))).await.problem(422), ["parent"]);
}

async fn child_route_inherits_undefined_fields(setup: Setup) {
    let harness = Harness::start(setup).await;
    harness.route("default", json!([])).await;
    let web = json!([{"label": "source", "op": "=", "value": "web"}]);
    let parent = |wait: &str| json!({"name": "top", "receiver": "default", "matchers": web, "group_by": ["topic"], "group_wait": wait});
    let top = harness.add("routes", &parent("2min")).await;
    let child = json!({"name": "child", "parent": "top", "matchers": web, "repeat_interval": "2h"});
    let created = harness.app.post("/api/alerts/routes", &child).await;
    assert_eq!(created.status, 201, "{}", created.text());
    let id = created.json()["id"].clone();
    let expected = json!(["receiver", "group_by", "group_wait", "group_interval"]);
    let shown = async || harness.app.get(&format!("/api/alerts/routes/{id}")).await.ok();
    for route in [created.json(), shown().await] {
        assert_eq!((&route["receiver"], &route["group_by"]), (&json!("default"), &json!(["topic"])), "{route:#}");
        assert_eq!((&route["group_wait"], &route["repeat_interval"]), (&json!("2min"), &json!("2h")));
        assert_eq!(route["inherited"], expected);
    }
    // A PUT of an unchanged route changes nothing. The child inherits a change of the parent.
    let mut same = shown().await;
    for field in ["id", "version", "provisioned", "created_at", "updated_at"] {
        same.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(harness.put(&format!("routes/{id}"), "*", &same).await.ok()["inherited"], expected);
    let mut changed = same.clone();
    changed["group_interval"] = json!("7min");
    let answer = harness.put(&format!("routes/{id}"), "*", &changed).await.ok();
    assert_eq!(
        (&answer["group_interval"], &answer["inherited"]),
        (&json!("7min"), &json!(["receiver", "group_by", "group_wait"]))
    );
    assert_eq!(harness.put(&format!("routes/{top}"), "*", &parent("3min")).await.status, 200);
    assert_eq!(shown().await["group_wait"], "3min");
    let body = json!({"labels": {"alertname": "mood", "source": "web", "topic": "acme"}});
    let preview = harness.app.post("/api/alerts/routes/preview", &body).await.ok();
    let taking = &preview["routes"][0];
    assert_eq!((&taking["name"], &taking["receiver"]), (&json!("child"), &json!("default")));
    assert_eq!(taking["group"], json!({"topic": "acme"}));
    let orphan = json!({"name": "orphan", "matchers": web});
    assert_eq!(harness.app.post("/api/alerts/routes", &orphan).await.problem(422), ["receiver"]);
}
