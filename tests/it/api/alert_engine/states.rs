//! The transitions of series. Each evaluation is done by a new instance.

use std::time::Duration;

use sentistream::domain::LiveEvent;
use sentistream::domain::alert::InstanceState;
use sentistream::live::{LiveMessage, Received};
use serde_json::json;

use super::engine::{Engine, at, posts, rule, states};
use crate::api::test_app::{DEADLINE, Setup, TestApp, cases};

cases![
    series_keeps_its_state_across_restarts,
    grouped_rule_raises_an_alert_per_source,
    absence_rule_fires_for_a_silent_source,
    disabled_rule_resolves_its_alerts,
    brief_downtime_does_not_change_alerts,
    clock_that_was_ahead_does_not_silence_rules,
];

async fn clock_that_was_ahead_does_not_silence_rules(setup: Setup) {
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    let spec =
        json!({"name": "unrest", "kind": "share", "threshold": 0.5, "window": "5min", "min_posts": 5, "delay": "0s"});
    rule(&app, spec).await;
    app.clock.set(at(3_600));
    engine.evaluate().await;

    app.clock.set(at(60));
    app.store(&posts("m", ("web", "hate"), 10, at(50))).await;
    engine.evaluate().await;
    assert_eq!(states(&engine.transitions().await, "all").last(), Some(&InstanceState::Firing));
}

async fn series_keeps_its_state_across_restarts(setup: Setup) {
    use InstanceState::{Firing, NoData, Normal, Pending, Recovering};
    let app = TestApp::start(setup).await;
    let mut live = app.services.live.subscribe();
    let mut engine = Engine::new(&app);
    let id = rule(
        &app,
        json!({"name": "unrest", "kind": "share", "threshold": 0.5, "window": "5min", "min_posts": 5, "delay": "0s",
        "for": "2min", "keep_firing_for": "2min", "severity": "critical", "labels": {"team": "care"},
        "annotations": {"summary": "{{value}} of {{posts}} in {{window}}"}}),
    )
    .await;
    /// One evaluation: its minute; the posts that arrive before it, as (minute of writing, number of negative posts,
    /// number of positive posts); and the state of the series after the evaluation.
    type Step = (u64, &'static [(u64, usize, usize)], InstanceState);
    let script: [Step; 14] = [
        (0, &[], NoData),
        (1, &[(1, 0, 6)], Normal),
        (2, &[(2, 10, 0)], Pending),
        (3, &[], Pending),
        (4, &[], Firing),
        (5, &[(5, 0, 20)], Recovering),
        (6, &[(6, 40, 0)], Firing),
        (7, &[(7, 0, 60)], Recovering),
        (8, &[], Recovering),
        (9, &[], Normal),
        // Posts that arrive four minutes late count at the time at which they were written.
        (10, &[(6, 50, 0)], Pending),
        (11, &[], NoData),
        (12, &[(12, 8, 0)], Pending),
        (14, &[], Firing),
    ];
    let mut before = Normal;
    let mut expected = Vec::new();
    for (minute, written, state) in script {
        app.clock.set(at(minute * 60));
        for &(when, hateful, loving) in written {
            let when = at(when * 60) - Duration::from_millis(10_500);
            let prefix = format!("m{minute}");
            let mut new = posts(&prefix, ("web", "hate"), hateful, when);
            new.extend(posts(&prefix, ("web", "love"), loving, when));
            app.store(&new).await;
        }
        if minute == 11 {
            // All remaining posts of the window are deleted.
            for n in 0..60 {
                assert_eq!(app.delete(&format!("/api/posts/m7-love-{n}")).await.status, 204);
            }
        }
        engine.evaluate().await;
        engine.evaluate().await;
        if state != before {
            expected.push((before, state, at(minute * 60)));
        }
        before = state;
        let written: Vec<_> =
            engine.transitions().await.iter().map(|change| (change.from_state, change.to_state, change.at)).collect();
        assert_eq!(written, expected, "minute {minute}");
    }

    let list = app.get("/api/alerts").await.ok();
    assert_eq!(list["total"], 2, "two alerts, each opened once");
    let (second, first) = (&list["alerts"][0], &list["alerts"][1]);
    assert_eq!((&first["state"], &first["resolved_at"]), (&json!("resolved"), &json!(at(9 * 60))));
    assert_eq!(
        (&second["state"], &second["phase"], &second["severity"]),
        (&json!("firing"), &json!("firing"), &json!("critical"))
    );
    assert_eq!(
        (&first["alert_type"], &first["scope"], &first["rule_id"]),
        (&json!("unrest"), &json!("all"), &json!(id))
    );
    assert_eq!(
        first["labels"],
        json!({"alertname": "unrest", "severity": "critical", "kind": "share",
        "rule_id": id.to_string(), "team": "care"})
    );
    assert_eq!(first["annotations"]["summary"], "71.4 % of 70 in 5min");
    let detail = app.get(&format!("/api/alerts/{}", first["id"])).await.ok();
    let line: Vec<_> =
        detail["timeline"].as_array().expect("a timeline").iter().map(|t| t["to_state"].clone()).collect();
    assert_eq!(line, ["firing", "recovering", "firing", "recovering", "normal"].map(|state| json!(state)));

    // Deleting the rule resolves its alert.
    let rules = app.get("/api/alerts/rules").await.ok();
    assert_eq!(
        (&rules["rules"][0]["state"], &rules["rules"][0]["series"][0]["scope"]),
        (&json!("firing"), &json!("all"))
    );
    let delete = app.request(reqwest::Method::DELETE, &format!("/api/alerts/rules/{id}")).header("if-match", "\"1\"");
    assert_eq!(app.send(delete).await.status, 204);
    engine.evaluate().await;
    engine.evaluate().await;
    let all = engine.transitions().await;
    assert_eq!((all.len(), all[all.len() - 1].to_state), (expected.len() + 1, Normal));
    assert!(all[all.len() - 1].reason.as_deref().is_some_and(|reason| reason.contains("deleted")));
    assert_eq!(app.get("/api/alerts?state=firing").await.ok()["total"], 0);

    // Live clients receive each transition, in order.
    let mut received_transitions = Vec::new();
    while received_transitions.len() < all.len() {
        let received = tokio::time::timeout(DEADLINE, live.recv()).await.expect("an event in time");
        let Some(Received::Message(LiveMessage::Event { event, .. })) = received else { panic!("{received:?}") };
        if let LiveEvent::AlertState(transition) = event.as_ref() {
            received_transitions.push(transition.clone());
        }
    }
    assert_eq!(received_transitions, all);
}

async fn grouped_rule_raises_an_alert_per_source(setup: Setup) {
    use InstanceState::{Firing, NoData};
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    rule(
        &app,
        json!({"name": "unrest", "kind": "ratio", "threshold": 2, "window": "5min",
        "group_by": "source_and_total", "annotations": {"summary": "{{source}}"}}),
    )
    .await;
    app.clock.set(at(60));
    let mut new = posts("a", ("web", "hate"), 12, at(30));
    new.extend(posts("b", ("reddit", "hate"), 9, at(30)));
    new.extend(posts("c", ("bluesky", "love"), 30, at(30)));
    app.store(&new).await;
    engine.evaluate().await;
    let all = engine.transitions().await;
    assert_eq!(
        all.iter().map(|change| change.scope.as_str()).collect::<Vec<_>>(),
        ["source:web"],
        "sources with few posts or positive posts raise no alert"
    );
    assert_eq!((all[0].labels["source"].as_str(), all[0].annotations["summary"].as_str()), ("web", "web"));
    assert_eq!(all[0].value, Some(12.0));

    // Without posts the alert is resolved.
    engine.evaluate_until(&app, at(600)).await;
    let all = engine.transitions().await;
    assert_eq!(states(&all, "source:web"), [Firing, NoData]);
    assert_eq!(states(&all, "all"), [NoData]);
    assert_eq!(all.iter().filter(|change| change.resolves()).count(), 1);
}

async fn absence_rule_fires_for_a_silent_source(setup: Setup) {
    use InstanceState::{Firing, Normal};
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    rule(&app, json!({"name": "silence", "kind": "absence", "window": "10min", "group_by": "source"})).await;
    app.clock.set(at(60));
    let mut new = posts("a", ("web", "love"), 2, at(30));
    new.extend(posts("b", ("reddit", "love"), 2, at(30)));
    app.store(&new).await;
    engine.evaluate().await;
    assert_eq!(engine.transitions().await, []);
    engine.evaluate_until(&app, at(480)).await;
    app.store(&posts("reddit", ("reddit", "love"), 1, at(470))).await;
    engine.evaluate_until(&app, at(840)).await;
    app.clock.set(at(900));
    app.store(&posts("c", ("reddit", "love"), 1, at(870))).await;
    engine.evaluate().await;
    // The source sends no posts for more than a day. Other posts are stored in that time, so this is not downtime.
    app.clock.set(at(40_000));
    app.store(&posts("between", ("reddit", "love"), 1, at(39_990))).await;
    app.clock.set(at(100_000));
    app.store(&posts("d", ("reddit", "love"), 1, at(99_990))).await;
    engine.evaluate().await;
    let all = engine.transitions().await;
    assert_eq!((states(&all, "source:web"), states(&all, "source:reddit")), (vec![Firing], vec![]));
    app.clock.set(at(100_060));
    app.store(&posts("e", ("web", "love"), 1, at(100_050))).await;
    engine.evaluate().await;
    assert_eq!(states(&engine.transitions().await, "source:web"), [Firing, Normal]);
}

async fn disabled_rule_resolves_its_alerts(setup: Setup) {
    use InstanceState::Firing;
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    rule(&app, json!({"name": "train", "kind": "volume", "threshold": 3, "scope": "text:this number"})).await;
    rule(
        &app,
        json!({"name": "ann", "kind": "share", "of": "emotion:anger", "threshold": 0.5, "scope": "author:author 1",
        "min_posts": 2}),
    )
    .await;
    app.clock.set(at(60));
    app.store(&posts("a", ("web", "hate"), 12, at(30))).await;
    engine.evaluate().await;
    let all = engine.transitions().await;
    assert_eq!((states(&all, "text:this number"), states(&all, "author:author 1")), (vec![Firing], vec![Firing]));
    assert_eq!((all[0].value, all[0].labels["text"].as_str()), (Some(12.0), "this number"));
    // Disabling a rule resolves its alerts.
    let rules = app.get("/api/alerts/rules").await.ok()["rules"].clone();
    let mut draft = rules[0].clone();
    for field in ["id", "version", "provisioned", "created_at", "updated_at", "state", "series"] {
        draft.as_object_mut().expect("a rule").remove(field);
    }
    draft["enabled"] = json!(false);
    let path = format!("/api/alerts/rules/{}", rules[0]["id"]);
    let put = app.request(reqwest::Method::PUT, &path).header("if-match", "\"1\"").json(&draft);
    assert_eq!(app.send(put).await.ok()["version"], 2);
    engine.evaluate().await;
    let open = app.get("/api/alerts?state=firing").await.ok();
    assert_eq!((&open["total"], &open["alerts"][0]["alert_type"]), (&json!(1), &json!("ann")));
}

async fn brief_downtime_does_not_change_alerts(setup: Setup) {
    use InstanceState::Firing;
    let app = TestApp::start(setup).await;
    let mut engine = Engine::new(&app);
    rule(&app, json!({"name": "unrest", "kind": "share", "threshold": 0.5, "window": "1min", "min_posts": 5})).await;
    rule(&app, json!({"name": "silence", "kind": "absence", "window": "1min"})).await;
    for second in [60, 75, 90] {
        app.clock.set(at(second));
        app.store(&posts(&format!("s{second}"), ("web", "hate"), 8, at(second - 5))).await;
        engine.evaluate().await;
    }
    // The next evaluation is 62 seconds later, and no post arrived in between.
    app.clock.set(at(152));
    engine.evaluate().await;
    app.clock.set(at(167));
    app.store(&posts("again", ("web", "hate"), 8, at(160))).await;
    engine.evaluate().await;
    let all = engine.transitions().await;
    assert_eq!(states(&all, "all"), [Firing], "{all:?}");
}
