//! Cases of alert rows, the states of series, and the lease that is required for changes.

use sentistream::domain::alert::{Acknowledgement, Instance, InstanceState, Labels, Severity, Transition, fingerprint};
use sentistream::domain::{Alert, AlertState};
use sentistream::store::alerts::{AlertFilter, AlertPage, Applied, NewAlert, Step};
use sentistream::store::{Lease, StoreError};
use serde_json::json;

use super::fixture::{Fixture, at, cases, delete, insert, post, post_id, seconds};

cases!(
    state_change_is_written_once_with_its_alert,
    open_alert_continues_under_a_new_rule,
    alert_pages_are_newest_first,
    instance_without_lease_cannot_change_alerts,
    deleted_post_is_removed_from_evidence,
    open_alert_is_acknowledged_with_audit_entry,
);

use InstanceState::{Firing, NoData, Normal, Pending, Recovering};

/// A series of rule 1 for `scope`. It has been in `state` since 12:00 UTC, when the clock of the fixture starts.
fn series(scope: &str, state: InstanceState) -> Instance {
    let labels = Labels::from([("alertname".to_owned(), "unrest".to_owned()), ("scope".to_owned(), scope.to_owned())]);
    Instance {
        rule_id: 1,
        scope: scope.to_owned(),
        fingerprint: fingerprint(&labels),
        state,
        since: at("2026-03-01T12:00:00Z"),
        began: None,
        evaluated_at: at("2026-03-01T12:00:00Z"),
        alert_id: None,
        value: Some(0.75),
        threshold: 0.5,
        severity: Severity::Critical,
        labels,
        annotations: Labels::from([("summary".to_owned(), "so much".to_owned())]),
        reason: None,
    }
}

fn new_alert(alert_type: &str) -> NewAlert {
    NewAlert {
        alert_type: alert_type.to_owned(),
        actual_value: 0.75,
        window_start: at("2026-03-01T11:55:00Z"),
        window_end: at("2026-03-01T12:00:00Z"),
        post_count: 12,
        details: json!({"negative": 9, "evidence": [{"post_id": "a", "content": "x"}, {"post_id": "b"}],
                        "top_authors": [{"author": "ann", "post_ids": ["a"]}, {"author": "bob", "post_ids": ["b", "c"]}]}),
    }
}

/// A step in which the series of `scope` starts to fire.
fn fire(alert_type: &str, scope: &str) -> Step {
    let opens = Some(new_alert(alert_type));
    Step { from: Normal, instance: series(scope, Firing), at: at("2026-03-01T12:00:00Z"), opens }
}

/// Changes the state of the stored series to `to`.
async fn change_state(fixture: &Fixture, lease: &Lease, scope: &str, to: InstanceState) -> Vec<Applied> {
    let kept = fixture.store.alert_instances().await.expect("series").into_iter().find(|series| series.scope == scope);
    let kept = kept.unwrap_or_else(|| series(scope, Normal));
    let opens = (to == Firing && kept.alert_id.is_none()).then(|| new_alert("unrest"));
    let step = Step { from: kept.state, instance: Instance { state: to, ..kept }, at: fixture.clock.now(), opens };
    apply(fixture, lease, &[step]).await
}

async fn lease(fixture: &Fixture, holder: &str) -> Lease {
    fixture.store.acquire_lease("alerts", holder, seconds(30)).await.expect("an answer").expect("the lease")
}

async fn apply(fixture: &Fixture, lease: &Lease, steps: &[Step]) -> Vec<Applied> {
    fixture.store.apply_alert_steps(lease, steps, &[]).await.expect("applied")
}

async fn open(fixture: &Fixture) -> Vec<Alert> {
    fixture.store.open_alerts().await.expect("alerts")
}

async fn state_change_is_written_once_with_its_alert(fixture: Fixture) {
    let lease = lease(&fixture, "one").await;
    let mut written: Vec<Transition> = Vec::new();
    for (passed, to) in [(0, Pending), (60, Firing), (60, Recovering), (60, Firing), (60, Recovering), (60, NoData)] {
        fixture.pass(seconds(passed));
        let applied = change_state(&fixture, &lease, "all", to).await;
        assert_eq!(applied.len(), 1);
        assert_eq!(applied[0].alert.is_some(), to != Pending, "{to}");
        written.push(applied[0].transition.clone());
        assert_eq!(change_state(&fixture, &lease, "all", to).await, [], "an unchanged state is not a transition");
    }
    change_state(&fixture, &lease, "all", Normal).await;
    assert_eq!(fixture.store.alert_instances().await.expect("series"), [], "a normal series has no row");

    let all = fixture.store.transitions_after(0, 100).await.expect("transitions");
    assert_eq!(all[..6], written);
    assert!(all.is_sorted_by(|one, next| one.id < next.id));
    let states: Vec<_> = all.iter().map(|change| change.to_state).collect();
    assert_eq!(states, [Pending, Firing, Recovering, Firing, Recovering, NoData, Normal]);
    assert!(all.windows(2).all(|pair| pair[0].to_state == pair[1].from_state));
    assert_eq!((all[0].alert_id, all[6].alert_id), (None, None));
    let id = all[1].alert_id.expect("an alert");
    assert!(all[1..6].iter().all(|change| change.alert_id == Some(id)));
    assert_eq!((all[1].fires(), all[3].fires(), all[5].resolves()), (true, false, true));
    assert_eq!(fixture.store.transitions_after(all[2].id, 2).await.expect("transitions"), all[3..5]);
    assert_eq!(fixture.store.last_transition().await.expect("an id"), all[6].id);
    assert_eq!(fixture.store.transitions_of_alert(id, 10).await.expect("transitions"), all[1..6]);

    let alert = fixture.store.alert(id).await.expect("an answer").expect("the alert");
    assert_eq!((alert.state, alert.phase, alert.severity), (AlertState::Resolved, NoData, Severity::Critical));
    assert_eq!(alert.resolved_at, Some(at("2026-03-01T12:05:00Z")));
    assert_eq!(
        (alert.rule_id, &alert.labels["scope"], &alert.annotations["summary"]),
        (Some(1), &"all".into(), &"so much".into())
    );
}

async fn open_alert_continues_under_a_new_rule(fixture: Fixture) {
    let lease = lease(&fixture, "one").await;
    let opened = apply(&fixture, &lease, &[fire("unrest", "all"), fire("unrest", "source:web")]).await;
    let ids: Vec<_> = opened.iter().map(|applied| applied.transition.alert_id).collect();
    assert_eq!(open(&fixture).await.iter().map(|alert| Some(alert.id)).collect::<Vec<_>>(), ids);
    // A rule that replaces another rule with the same name does not inherit its series.
    let mut again = fire("unrest", "all");
    again.instance.rule_id = 2;
    let applied = apply(&fixture, &lease, &[again]).await;
    assert_eq!(applied[0].transition.alert_id, ids[0]);
    assert_eq!((open(&fixture).await.len(), open(&fixture).await[0].rule_id), (2, Some(2)));
    assert_eq!(fixture.store.firing_instances().await.expect("series").len(), 3);

    fixture.store.apply_alert_steps(&lease, &[], &[ids[1].expect("an id")]).await.expect("applied");
    assert_eq!(open(&fixture).await.len(), 1, "an open alert without a series is resolved");
}

async fn alert_pages_are_newest_first(fixture: Fixture) {
    let lease = lease(&fixture, "one").await;
    let mut ids = Vec::new();
    for number in 0..7 {
        let alert_type = if number % 2 == 1 { "negative_ratio" } else { "negative_share" };
        let mut step = fire(alert_type, &format!("source:s{number}"));
        step.at = at("2026-03-01T12:00:00Z") + seconds(number);
        if number == 2 {
            step.instance.severity = Severity::Info;
        }
        ids.insert(0, apply(&fixture, &lease, &[step]).await[0].transition.alert_id.expect("an alert"));
    }
    change_state(&fixture, &lease, "source:s6", Normal).await;

    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = fixture.store.alerts(&AlertFilter::default(), after, 3).await.expect("a page");
        assert_eq!(page.total, 7);
        let page = page.page;
        seen.extend(page.items.iter().map(|alert| alert.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
    let all = AlertFilter::default;
    for (filter, expected) in [
        (AlertFilter { state: Some(AlertState::Resolved), ..all() }, &ids[..1]),
        (AlertFilter { state: Some(AlertState::Firing), ..all() }, &ids[1..]),
        (AlertFilter { start: Some(at("2026-03-01T12:00:05Z")), ..all() }, &ids[..2]),
        (AlertFilter { end: Some(at("2026-03-01T12:00:02Z")), ..all() }, &ids[5..]),
        (AlertFilter { alert_type: Some("negative_ratio".to_owned()), ..all() }, &[ids[1], ids[3], ids[5]]),
        (AlertFilter { alert_type: Some("other".to_owned()), ..all() }, &[]),
        (AlertFilter { severity: Some(Severity::Info), ..all() }, &ids[4..5]),
        (AlertFilter { rule_id: Some(7), ..all() }, &[]),
    ] {
        let AlertPage { page, total } = fixture.store.alerts(&filter, None, 50).await.expect("a page");
        let found: Vec<i64> = page.items.iter().map(|alert| alert.id).collect();
        assert_eq!((found.as_slice(), total, page.next), (expected, expected.len() as i64, None), "{filter:?}");
    }
}

async fn instance_without_lease_cannot_change_alerts(fixture: Fixture) {
    let old = lease(&fixture, "one").await;
    // The lease expires.
    fixture.store.acquire_lease("alerts", "one", seconds(0)).await.expect("an answer").expect("its lease");
    let new = lease(&fixture, "two").await;
    let step = [fire("unrest", "all")];
    let refused = fixture.store.apply_alert_steps(&old, &step, &[]).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost(name)) if name == "alerts"));
    assert_eq!(open(&fixture).await, []);
    assert_eq!(fixture.store.transitions_after(0, 10).await.expect("transitions"), []);
    assert_eq!(fixture.store.alert_instances().await.expect("series"), []);
    assert_eq!(apply(&fixture, &new, &step).await.len(), 1);
}

async fn deleted_post_is_removed_from_evidence(fixture: Fixture) {
    fixture.settle(vec![insert(post("a")), insert(post("b")), insert(post("c"))]).await;
    let lease = lease(&fixture, "one").await;
    apply(&fixture, &lease, &[fire("unrest", "all")]).await;
    let evidence = async || open(&fixture).await.remove(0).details;
    assert_eq!(evidence().await, new_alert("unrest").details);

    fixture.settle(vec![delete("a"), delete("c")]).await;
    let bob = json!([{"author": "bob", "post_ids": ["b"]}]);
    assert_eq!(evidence().await, json!({"negative": 9, "evidence": [{"post_id": "b"}], "top_authors": bob}));
    assert!(fixture.store.delete_post(&post_id("b")).await.expect("deleted"));
    let nothing = json!({"negative": 9, "evidence": [], "top_authors": []});
    assert_eq!(evidence().await, nothing);
    // The posts are deleted before this alert is written.
    let opened = apply(&fixture, &lease, &[fire("unrest", "source:web")]).await;
    assert_eq!(opened[0].alert.as_ref().expect("an alert").details, nothing);
}

async fn open_alert_is_acknowledged_with_audit_entry(fixture: Fixture) {
    let lease = lease(&fixture, "one").await;
    let id = apply(&fixture, &lease, &[fire("unrest", "all")]).await[0].transition.alert_id.expect("an alert");
    let mark = Acknowledgement { at: fixture.clock.now(), by: "ann".to_owned(), note: "looking".to_owned() };
    let alert = fixture.store.acknowledge_alert(id, &mark).await.expect("an answer").expect("the alert");
    assert_eq!(alert.acknowledged, Some(mark.clone()));
    assert_eq!(fixture.store.alert(id).await.expect("an answer"), Some(alert));
    let page = fixture.store.alert_audit(None, 10).await.expect("a page");
    assert_eq!((page.items[0].actor.as_str(), page.items[0].action.as_str()), ("ann", "acknowledge"));
    change_state(&fixture, &lease, "all", Normal).await;
    assert_eq!(fixture.store.acknowledge_alert(id, &mark).await.expect("an answer"), None, "the alert is resolved");
}
