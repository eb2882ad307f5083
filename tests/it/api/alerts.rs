//! The list of alerts.

use std::time::Duration;

use sentistream::domain::Timestamp;
use sentistream::domain::alert::{Instance, InstanceState, Labels, Severity, fingerprint};
use sentistream::store::alerts::{NewAlert, Step};
use serde_json::{Value, json};

use super::test_app::{START, Setup, TestApp, cases};

cases![alerts_are_paged_and_filtered];

fn alert(kind: &str, scope: &str, at: Timestamp) -> Step {
    let opens = NewAlert {
        alert_type: kind.to_owned(),
        actual_value: 0.75,
        window_start: at - Duration::from_secs(300),
        window_end: at,
        post_count: 12,
        details: json!({"negative": 9}),
    };
    let instance = Instance {
        rule_id: i64::from(kind == "negative_ratio"),
        scope: scope.to_owned(),
        fingerprint: fingerprint(&Labels::new()),
        state: InstanceState::Firing,
        since: at,
        began: None,
        evaluated_at: at,
        alert_id: None,
        value: Some(0.75),
        threshold: 0.5,
        severity: Severity::Warning,
        labels: Labels::new(),
        annotations: Labels::new(),
        reason: None,
    };
    Step { from: InstanceState::Normal, instance, at, opens: Some(opens) }
}

async fn alerts_are_paged_and_filtered(setup: Setup) {
    let app = TestApp::start(setup).await;
    let start: Timestamp = START.parse().expect("a time");
    let lease = app.services.store.acquire_lease("alerts", "test", Duration::from_secs(60)).await.expect("the store");
    let lease = lease.expect("no other instance holds the lease");
    let minutes = |n: u64| start + Duration::from_secs(n * 60);
    let opened = [
        alert("negative_share", "all", minutes(0)),
        alert("negative_ratio", "all", minutes(1)),
        alert("negative_share", "source:web", minutes(2)),
    ];
    let applied = app.services.store.apply_alert_steps(&lease, &opened, &[]).await.expect("the store");
    let [over, ..] = opened;
    let alert_id = applied[0].transition.alert_id;
    let instance = Instance { state: InstanceState::Normal, alert_id, ..over.instance };
    let over = Step { from: InstanceState::Firing, instance, at: minutes(5), opens: None };
    app.services.store.apply_alert_steps(&lease, &[over], &[]).await.expect("the store");

    let list = app.get("/api/alerts").await.ok();
    let scopes = |list: &Value| {
        let alerts = list["alerts"].as_array().expect("alerts").clone();
        alerts.iter().map(|a| format!("{} {}", a["alert_type"], a["scope"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(scopes(&list), ["negative_share source:web", "negative_ratio all", "negative_share all"]);
    assert_eq!((&list["total"], &list["next_cursor"]), (&json!(3), &json!(null)));
    let oldest = &list["alerts"][2];
    assert_eq!((&oldest["state"], &oldest["resolved_at"]), (&json!("resolved"), &json!("2026-03-01T12:35:00.000Z")));
    assert_eq!(
        (&oldest["actual_value"], &oldest["post_count"], &oldest["details"]["negative"]),
        (&json!(0.75), &json!(12), &json!(9))
    );
    assert_eq!(list["alerts"][0]["resolved_at"], json!(null));

    let first = app.get("/api/alerts?limit=2").await.ok();
    let cursor = first["next_cursor"].as_str().expect("another page");
    let second = app.get(&format!("/api/alerts?limit=2&cursor={cursor}")).await.ok();
    assert_eq!((scopes(&first).len(), scopes(&second)), (2, vec!["negative_share all".to_owned()]));

    for (query, count) in [
        ("state=firing", 2),
        ("state=resolved", 1),
        ("alert_type=negative_share", 2),
        ("alert_type=negative_share&state=firing", 1),
        ("start_date=2026-03-01T12:31:00Z", 2),
        ("end_date=2026-03-01T12:31:00Z", 1),
        ("alert_type=none", 0),
    ] {
        let list = app.get(&format!("/api/alerts?{query}")).await.ok();
        assert_eq!((scopes(&list).len(), &list["total"]), (count, &json!(count)), "{query}");
    }
    let bad = "limit=0&cursor=x&state=open&alert_type=&start_date=x&scope=all";
    assert_eq!(
        app.get(&format!("/api/alerts?{bad}")).await.problem(422),
        ["limit", "cursor", "state", "alert_type", "start_date", "scope"]
    );
}
