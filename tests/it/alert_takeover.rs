//! The instance that evaluates alert rules is killed. Another instance continues with the stored state.

use serde_json::{Value, json};

use crate::process::{DEADLINE, Process};
use crate::services::{Shared, number};

fn settings(shared: &Shared, roles: &str) -> Vec<String> {
    let more = [
        roles,
        "ingester.sources=[]",
        "worker.claim_idle=1s",
        "alerts.interval=300ms",
        "alerts.min_posts=4",
        "alerts.significance=0.5",
        "alerts.keep_firing_for=0s",
    ];
    shared.settings().into_iter().chain(more.map(str::to_owned)).collect()
}

/// Waits until `query` gives `wanted`.
async fn until(shared: &Shared, query: &str, wanted: i64) {
    let waiting = async {
        let mut poll = tokio::time::interval(std::time::Duration::from_millis(50));
        loop {
            poll.tick().await;
            if number(&shared.postgres_url, query).await == wanted {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, waiting)
        .await
        .unwrap_or_else(|_| panic!("timed out waiting until {query} gives {wanted}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_leader_failover_keeps_every_transition() {
    let folder = tempfile::tempdir().unwrap();
    let shared = Shared::create().await;
    let front = Process::start(folder.path(), &settings(&shared, "roles=[\"api\", \"worker\"]")).await;
    front.drained(0).await;
    let first = Process::start(folder.path(), &settings(&shared, "roles=[\"alerts\"]")).await;
    until(&shared, "SELECT count(*) FROM leases WHERE name = 'alerts' AND expires_at > now()", 1).await;
    let second = Process::start(folder.path(), &settings(&shared, "roles=[\"alerts\"]")).await;

    let things = ["parcel", "checkout", "update", "hotline", "invoice", "warranty"];
    let angry: Vec<Value> = (0..6)
        .map(|n| json!({"post_id": format!("a{n}"), "source": "web", "content": format!("I hate this terrible {}", things[n])}))
        .collect();
    front.append(&angry).await;
    let firing = "SELECT count(*) FROM alert_transitions WHERE to_state = 'firing'";
    until(&shared, firing, 3).await;
    first.kill().await;

    // The second instance resolves the alerts that the first instance left open once their posts are deleted.
    for n in 0..6 {
        let gone = crate::web::client().delete(format!("{}/api/posts/a{n}", front.url)).send().await.unwrap();
        assert_eq!(gone.status(), 204);
    }
    until(&shared, "SELECT count(*) FROM sentiment_alerts WHERE state = 'resolved'", 3).await;
    // On a slow machine, another instance may have taken the lease before the kill.
    let token = number(&shared.postgres_url, "SELECT token FROM leases WHERE name = 'alerts'").await;
    assert!(token > 1, "another instance holds the lease");
    assert_eq!(number(&shared.postgres_url, firing).await, 3);
    let over = "SELECT count(*) FROM alert_transitions WHERE from_state = 'firing'";
    assert_eq!(number(&shared.postgres_url, over).await, 3);
    assert_eq!(number(&shared.postgres_url, "SELECT count(*) FROM sentiment_alerts").await, 3);
    assert_eq!(second.terminate().await.code(), Some(0));
    assert_eq!(front.terminate().await.code(), Some(0));
}
