//! Alert rules over HTTP: changes, validation, audit log, and backtests.

use std::time::Duration;

use reqwest::Method;
use sentistream::alerts::{AlertsOptions, AlertsServices, LEASE, Memory, tick};
use sentistream::domain::Timestamp;
use sentistream::domain::alert::RuleSpec;
use serde_json::{Value, json};

use super::test_app::{Answer, START, Setup, TestApp, cases, post};

cases![
    rule_changes_need_the_current_etag,
    invalid_rules_are_reported_by_field,
    acknowledgement_records_who_when_and_note,
    backtest_gives_the_same_transitions_as_the_engine,
];

async fn change(app: &TestApp, method: Method, id: i64, (tag, body): (Option<&str>, Option<&Value>)) -> Answer {
    let mut request = app.request(method, &format!("/api/alerts/rules/{id}"));
    if let Some(tag) = tag {
        request = request.header("if-match", tag);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    app.send(request).await
}

async fn rule_changes_need_the_current_etag(setup: Setup) {
    let app = TestApp::start(setup).await;
    let mut rule = json!({"name": "unrest", "kind": "share", "threshold": 0.5});
    let created = app.post("/api/alerts/rules", &rule).await;
    assert_eq!((created.status, created.header("etag")), (201, "\"1\""), "{}", created.text());
    let id = created.json()["id"].as_i64().expect("an id");
    assert_eq!(created.header("location"), format!("/api/alerts/rules/{id}"));
    assert_eq!(
        (&created.json()["window"], &created.json()["of"], &created.json()["state"]),
        (&json!("5min"), &json!("sentiment:negative"), &json!("normal"))
    );
    app.post("/api/alerts/rules", &rule).await.problem(409);

    rule["threshold"] = json!(0.6);
    change(&app, Method::PUT, id, (None, Some(&rule))).await.problem(428);
    change(&app, Method::PUT, id, (Some("\"7\""), Some(&rule))).await.problem(412);
    change(&app, Method::PUT, id + 1, (Some("\"1\""), Some(&rule))).await.problem(404);
    let changed = change(&app, Method::PUT, id, (Some("\"1\""), Some(&rule))).await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""), "{}", changed.text());
    change(&app, Method::PUT, id, (Some("\"1\""), Some(&rule))).await.problem(412);
    let read = app.get(&format!("/api/alerts/rules/{id}")).await;
    assert_eq!((read.header("etag"), read.ok()["threshold"].clone()), ("\"2\"", json!(0.6)));

    // A configured rule is read-only, and does not change when it is provisioned again.
    let spec = RuleSpec::parse(json!({"name": "silence", "kind": "absence"})).expect("a rule");
    for _ in 0..2 {
        assert_eq!(
            app.services
                .store
                .provision_alert_rules(std::slice::from_ref(&spec))
                .await
                .expect("the rules are provisioned"),
            [""; 0]
        );
    }
    let list = app.get("/api/alerts/rules").await.ok();
    let fixed = &list["rules"][1];
    assert_eq!(
        (&fixed["name"], &fixed["provisioned"], &fixed["version"]),
        (&json!("silence"), &json!(true), &json!(1))
    );
    let fixed = fixed["id"].as_i64().expect("an id");
    change(&app, Method::PUT, fixed, (Some("*"), Some(&rule))).await.problem(403);
    change(&app, Method::DELETE, fixed, (Some("*"), None)).await.problem(403);

    change(&app, Method::DELETE, id, (None, None)).await.problem(428);
    change(&app, Method::DELETE, id, (Some("\"1\""), None)).await.problem(412);
    assert_eq!(change(&app, Method::DELETE, id, (Some("\"2\""), None)).await.status, 204);
    app.get(&format!("/api/alerts/rules/{id}")).await.problem(404);
    app.services.store.provision_alert_rules(&[]).await.expect("the rules are provisioned");
    assert_eq!(app.get("/api/alerts/rules").await.ok(), json!({"rules": [], "evaluated_at": null, "unreadable": []}));

    let audit = app.get("/api/alerts/audit").await.ok();
    let entries: Vec<_> = audit["entries"].as_array().expect("entries").iter().rev().collect();
    let lines: Vec<_> =
        entries.iter().map(|e| format!("{} {} {}", e["actor"], e["action"], e["name"]).replace('"', "")).collect();
    assert_eq!(
        lines,
        [
            "local create unrest",
            "local update unrest",
            "configuration create silence",
            "local delete unrest",
            "configuration delete silence",
        ]
    );
    assert_eq!((&entries[1]["before"]["threshold"], &entries[1]["after"]["threshold"]), (&json!(0.5), &json!(0.6)));
    let page = app.get("/api/alerts/audit?limit=2").await.ok();
    let next = app
        .get(&format!("/api/alerts/audit?limit=2&cursor={}", page["next_cursor"].as_str().expect("another page")))
        .await;
    assert_eq!(next.ok()["entries"][0]["id"], entries[2]["id"]);
    app.get("/api/alerts/audit?limit=0&who=me").await.problem(422);
}

async fn invalid_rules_are_reported_by_field(setup: Setup) {
    let app = TestApp::start(setup).await;
    let wrong = json!({"name": "", "kind": "spike", "threshold": 0.1, "window": "1d", "colour": "red",
                       "annotations": {"summary": "{{unknown}}"}});
    let fields = app.post("/api/alerts/rules", &wrong).await.problem(422);
    assert_eq!(fields, ["name", "threshold", "window", "annotations.summary", "colour"]);
    assert_eq!(app.post("/api/alerts/rules", &json!({"name": "x", "kind": "topic"})).await.problem(422), ["kind"]);
    let wrong = json!({"rule": {"kind": "share"}, "start_date": "x", "more": 1});
    let fields = app.post("/api/alerts/rules/backtest", &wrong).await.problem(422);
    assert_eq!(fields, ["start_date", "rule.threshold", "more"]);
    let rule = json!({"kind": "share", "threshold": 0.5});
    for (start, end) in
        [("2026-02-28T00:00:00Z", "2026-02-27T00:00:00Z"), ("2026-02-20T00:00:00Z", "2026-03-01T00:00:00Z")]
    {
        let body = json!({"rule": rule, "start_date": start, "end_date": end});
        assert_eq!(app.post("/api/alerts/rules/backtest", &body).await.problem(422).len(), 1, "{start}");
    }
    app.get("/api/alerts/rules/one").await.problem(404);
    app.get("/api/alerts/77").await.problem(404);
    app.get("/api/alerts/one").await.problem(404);
    app.get("/api/alerts?severity=loud&rule=x").await.problem(422);
}

/// Evaluates all rules once.
async fn evaluate(app: &TestApp) {
    let services = AlertsServices {
        store: app.services.store.clone(),
        stream: app.services.stream.clone(),
        live: app.services.live.clone(),
        clock: app.clock.clone(),
    };
    let options = AlertsOptions {
        interval: Duration::from_secs(15),
        max_lateness: Duration::from_secs(600),
        rules: Vec::new().into(),
        holder: "test".to_owned(),
        lease_ttl: Duration::from_secs(86_400),
    };
    let lease =
        services.store.acquire_lease(LEASE, "test", options.lease_ttl).await.expect("the store").expect("the lease");
    tick(&services, &options, &lease, &mut Memory::default()).await.expect("an evaluation");
}

async fn acknowledgement_records_who_when_and_note(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.post("/api/alerts/rules", &json!({"name": "any", "kind": "volume", "threshold": 0})).await;
    app.store(&[post("a", "web", "I hate this", 30)]).await;
    evaluate(&app).await;
    let id = app.get("/api/alerts?state=firing").await.ok()["alerts"][0]["id"].clone();
    let path = format!("/api/alerts/{id}/acknowledge");
    assert_eq!(app.post(&path, &json!({"note": "x".repeat(2_001)})).await.problem(422), ["note"]);
    let seen = app.post(&path, &json!({"note": "on it"})).await.ok();
    assert_eq!(seen["acknowledged"], json!({"at": "2026-03-01T12:30:00.000Z", "by": "local", "note": "on it"}));
    assert_eq!(app.get(&format!("/api/alerts/{id}")).await.ok()["acknowledged"], seen["acknowledged"]);
    app.post("/api/alerts/999/acknowledge", &json!({})).await.problem(404);
    for _ in 0..10 {
        app.clock.set(app.clock.now() + Duration::from_secs(60));
        evaluate(&app).await;
    }
    app.post(&path, &json!({"note": "late"})).await.problem(409);
}

async fn backtest_gives_the_same_transitions_as_the_engine(setup: Setup) {
    let app = TestApp::start(setup).await;
    let start = START.parse::<Timestamp>().expect("a time");
    let rule = json!({"name": "unrest", "kind": "share", "threshold": 0.5, "min_posts": 5, "for": "1min",
                      "keep_firing_for": "2min", "group_by": "source_and_total", "interval": "1min"});
    app.post("/api/alerts/rules", &rule).await;
    // The numbers of negative and of positive posts per minute.
    let written =
        [(0, 3), (1, 3), (6, 2), (7, 0), (9, 1), (8, 0), (0, 9), (0, 9), (0, 20), (0, 9), (0, 3), (5, 0), (9, 0)];
    for (minute, (hateful, loving)) in (1_u64..).zip(written) {
        let now = start + Duration::from_secs(minute * 60);
        app.clock.set(now);
        let posts = |word: &str, count: usize| -> Vec<Value> {
            let at = now - Duration::from_secs(20);
            (0..count)
                .map(|n| json!({"post_id": format!("{minute}-{word}-{n}"), "source": "web", "content": word, "created_at": at}))
                .collect()
        };
        let mut new = posts("hate", hateful);
        new.extend(posts("love", loving));
        app.store(&new).await;
        evaluate(&app).await;
    }
    let end = start + Duration::from_secs(13 * 60);
    let body = json!({"rule": rule, "start_date": start, "end_date": end});
    let test = app.post("/api/alerts/rules/backtest", &body).await.ok();
    assert_eq!(app.post("/api/alerts/rules/backtest", &body).await.ok(), test, "the backtest is deterministic");
    assert_eq!((&test["evaluations"], &test["step_seconds"]), (&json!(14), &json!(60)));

    let mut lived: Vec<_> = app.get("/api/alerts").await.ok()["alerts"]
        .as_array()
        .expect("alerts")
        .iter()
        .map(|alert| (alert["triggered_at"].clone(), alert["scope"].clone(), alert["resolved_at"].clone()))
        .collect();
    lived.sort_by_key(|(at, scope, _)| (at.to_string(), scope.to_string()));
    let tested: Vec<_> = test["firings"]
        .as_array()
        .expect("firings")
        .iter()
        .map(|firing| (firing["fired_at"].clone(), firing["scope"].clone(), firing["resolved_at"].clone()))
        .collect();
    assert_eq!(tested, lived);
    assert!(tested.len() >= 2, "{tested:?}");
    assert_eq!(test["series"].as_array().map(Vec::len), Some(2));
    // The rule of the backtest must not be stored.
    assert_eq!(app.get("/api/alerts/rules").await.ok()["rules"].as_array().map(Vec::len), Some(1));
}
