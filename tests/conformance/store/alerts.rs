//! Alert rows and who may change them.

use sentistream::domain::{Alert, AlertState};
use sentistream::store::alerts::{AlertChange, AlertFilter, NewAlert};
use sentistream::store::{Lease, StoreError};
use serde_json::json;

use super::bed::{Bed, at, cases, delete, insert, post, post_id, seconds};

cases!(
    one_alert_of_a_type_and_scope_is_open_at_a_time,
    alerts_come_in_pages_newest_first,
    who_lost_the_lease_changes_nothing,
    a_deleted_post_is_no_evidence,
);

fn new_alert(scope: &str) -> NewAlert {
    NewAlert {
        alert_type: "negative_share".to_owned(),
        scope: scope.to_owned(),
        threshold_value: 0.5,
        actual_value: 0.75,
        window_start: at("2026-03-01T11:55:00Z"),
        window_end: at("2026-03-01T12:00:00Z"),
        post_count: 12,
        triggered_at: at("2026-03-01T12:00:00Z"),
        details: json!({"negative": 9, "evidence": [{"post_id": "a", "content": "x"}, {"post_id": "b"}]}),
    }
}

async fn lease(bed: &Bed, holder: &str) -> Lease {
    bed.store.acquire_lease("alerts", holder, seconds(30)).await.expect("an answer").expect("the lease")
}

async fn change(bed: &Bed, lease: &Lease, changes: &[AlertChange]) -> Vec<Alert> {
    bed.store.change_alerts(lease, changes).await.expect("changed")
}

async fn one_alert_of_a_type_and_scope_is_open_at_a_time(bed: Bed) {
    let lease = lease(&bed, "one").await;
    let open = [AlertChange::Open(new_alert("all")), AlertChange::Open(new_alert("source:web"))];
    let opened = change(&bed, &lease, &open).await;
    assert_eq!(opened.iter().map(|alert| alert.scope.as_str()).collect::<Vec<_>>(), ["all", "source:web"]);
    assert_eq!((opened[0].state, opened[0].resolved_at, opened[0].post_count), (AlertState::Firing, None, 12));
    assert_eq!(change(&bed, &lease, &open).await, []);
    assert_eq!(bed.store.open_alerts().await.expect("alerts"), opened);

    let id = opened[0].id;
    let resolve = [AlertChange::Resolve { id, at: at("2026-03-01T12:05:00Z") }];
    let resolved = change(&bed, &lease, &resolve).await;
    assert_eq!(resolved.iter().map(|alert| (alert.id, alert.state)).collect::<Vec<_>>(), [(id, AlertState::Resolved)]);
    assert_eq!(resolved[0].resolved_at, Some(at("2026-03-01T12:05:00Z")));
    assert_eq!(change(&bed, &lease, &resolve).await, []);
    let again = change(&bed, &lease, &open).await;
    assert_eq!(again.iter().map(|alert| alert.scope.as_str()).collect::<Vec<_>>(), ["all"]);
    assert!(again[0].id > opened[1].id);
}

async fn alerts_come_in_pages_newest_first(bed: Bed) {
    let lease = lease(&bed, "one").await;
    let mut ids = Vec::new();
    for number in 0..7 {
        let mut new = new_alert(&format!("source:s{number}"));
        new.triggered_at = at("2026-03-01T12:00:00Z") + seconds(number);
        if number % 2 == 1 {
            new.alert_type = "negative_ratio".to_owned();
        }
        ids.insert(0, change(&bed, &lease, &[AlertChange::Open(new)]).await[0].id);
    }
    change(&bed, &lease, &[AlertChange::Resolve { id: ids[0], at: at("2026-03-01T13:00:00Z") }]).await;

    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = bed.store.alerts(&AlertFilter::default(), after, 3).await.expect("a page");
        assert_eq!(page.total, 7);
        seen.extend(page.alerts.iter().map(|alert| alert.id));
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
    ] {
        let page = bed.store.alerts(&filter, None, 50).await.expect("a page");
        let found: Vec<i64> = page.alerts.iter().map(|alert| alert.id).collect();
        assert_eq!((found.as_slice(), page.total, page.next), (expected, expected.len() as i64, None), "{filter:?}");
    }
}

async fn who_lost_the_lease_changes_nothing(bed: Bed) {
    let old = lease(&bed, "one").await;
    bed.pass(seconds(31));
    let new = lease(&bed, "two").await;
    let open = [AlertChange::Open(new_alert("all"))];
    let refused = bed.store.change_alerts(&old, &open).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost(name)) if name == "alerts"));
    assert_eq!(bed.store.open_alerts().await.expect("alerts"), []);
    assert_eq!(change(&bed, &new, &open).await.len(), 1);
}

async fn a_deleted_post_is_no_evidence(bed: Bed) {
    bed.settle(vec![insert(post("a")), insert(post("b")), insert(post("c"))]).await;
    let lease = lease(&bed, "one").await;
    change(&bed, &lease, &[AlertChange::Open(new_alert("all"))]).await;
    let evidence = async || bed.store.open_alerts().await.expect("alerts").remove(0).details;
    assert_eq!(evidence().await, new_alert("all").details);

    bed.settle(vec![delete("a"), delete("c")]).await;
    assert_eq!(evidence().await, json!({"negative": 9, "evidence": [{"post_id": "b"}]}));
    assert!(bed.store.delete_post(&post_id("b")).await.expect("deleted"));
    assert_eq!(evidence().await, json!({"negative": 9, "evidence": []}));
    // They were gone before this alert was written.
    let opened = change(&bed, &lease, &[AlertChange::Open(new_alert("source:web"))]).await;
    assert_eq!(opened[0].details, json!({"negative": 9, "evidence": []}));
}
