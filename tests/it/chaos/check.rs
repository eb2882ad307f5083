//! Checks of the stored posts after the faults.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sentistream::clock::Clock;
use serde_json::Value;

use super::feed::Sent;
use crate::api::test_app::balances;
use crate::process::{Process, within};

/// Waits until the health report shows no outage.
pub async fn recovered(process: &Process) {
    let healthy = async || process.try_health().await.filter(|health| health["status"] == "healthy").map(drop);
    within("health recovers", healthy).await;
}

/// Waits until no entry is pending, and the counts of all outcomes sum to the appended entries.
pub async fn settled(process: &Process) {
    let quiet = |health: &Value| health["stats"]["pending"] == 0 && balances(health);
    process.wait_until("all entries are settled and the outcome counts balance", quiet).await;
}

/// Every stored post, by its id. Fails if an id occurs twice.
pub async fn stored(process: &Process) -> BTreeMap<String, Value> {
    let mut stored = BTreeMap::new();
    let mut path = "/api/posts?limit=500".to_owned();
    loop {
        let page = process.get(&path).await;
        for post in page["posts"].as_array().expect("a page of posts") {
            let id = post["post_id"].as_str().expect("an id").to_owned();
            assert!(stored.insert(id.clone(), post.clone()).is_none(), "post {id} is stored twice");
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/posts?limit=500&cursor={cursor}"),
            None => return stored,
        }
    }
}

/// Checks that exactly the expected posts are stored, each with its content and an analysis.
pub async fn stored_is_what_was_sent(process: &Process, sent: &Sent) {
    let stored = stored(process).await;
    let missing: Vec<_> = sent.expected().filter(|(id, _)| !stored.contains_key(*id)).map(|(id, _)| id).collect();
    assert!(missing.is_empty(), "{} posts are missing: {:?}", missing.len(), &missing[..missing.len().min(10)]);
    let left: Vec<_> = stored.keys().filter(|id| sent.deleted.contains(*id) || !sent.posts.contains_key(*id)).collect();
    assert!(left.is_empty(), "{} posts should not be stored: {:?}", left.len(), &left[..left.len().min(10)]);
    for (id, post) in &stored {
        assert_eq!(post["content"], *sent.posts[id], "{id}");
        assert!(post["sentiment"]["label"].is_string(), "{id} has no analysis");
    }
}

/// Checks the transitions of each alert, and returns their number. Each transition starts in the state in which the
/// previous transition ended. The last transition ends in the state of the alert. A series has at most one open alert.
pub async fn transitions_have_no_gap(process: &Process) -> usize {
    let mut open = BTreeSet::new();
    let mut count = 0;
    let mut path = "/api/alerts?limit=500".to_owned();
    loop {
        let page = process.get(&path).await;
        for alert in page["alerts"].as_array().expect("a page of alerts") {
            let detail = process.get(&format!("/api/alerts/{}", alert["id"])).await;
            count += follow_each_other(&detail);
            let series = format!("{} {}", detail["alert_type"], detail["scope"]);
            assert!(detail["state"] != "firing" || open.insert(series), "another alert is open: {detail:#}");
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/alerts?limit=500&cursor={cursor}"),
            None => return count,
        }
    }
}

fn follow_each_other(alert: &Value) -> usize {
    let alerts = |state: &Value| state == "firing" || state == "recovering";
    let timeline = alert["timeline"].as_array().expect("transitions");
    let (first, last) = (timeline.first().expect("a transition"), timeline.last().expect("a transition"));
    assert!(
        !alerts(&first["from_state"]) && first["to_state"] == "firing",
        "the first transition does not open the alert: {alert:#}"
    );
    for pair in timeline.windows(2) {
        assert_eq!(pair[0]["to_state"], pair[1]["from_state"], "a transition is missing: {alert:#}");
        assert!(alerts(&pair[0]["to_state"]), "a transition follows the resolution: {alert:#}");
    }
    assert_eq!(
        alerts(&last["to_state"]),
        alert["state"] == "firing",
        "the last transition does not lead to the state of the alert: {alert:#}"
    );
    timeline.len()
}

/// Checks that the totals, which come from rollups, equal the counts of the stored posts.
pub async fn rollups_equal_recounts(process: &Process) {
    let stored = stored(process).await;
    let mut by_label: BTreeMap<&str, u64> = BTreeMap::new();
    let mut by_emotion: BTreeMap<&str, u64> = BTreeMap::new();
    let mut by_minute: BTreeMap<String, u64> = BTreeMap::new();
    for post in stored.values() {
        *by_label.entry(post["sentiment"]["label"].as_str().expect("a label")).or_default() += 1;
        *by_emotion.entry(post["sentiment"]["emotion"].as_str().expect("an emotion")).or_default() += 1;
        *by_minute.entry(post["created_at"].as_str().expect("a time")[..16].to_owned()).or_default() += 1;
    }
    let stats = process.get("/api/stats").await;
    let count = |table: &str, name: &str| stats[table][name].as_u64().unwrap_or(0);
    for (label, expected) in by_label {
        assert_eq!(count("by_sentiment", label), expected, "{label}: {stats:#}");
    }
    for (emotion, expected) in by_emotion {
        assert_eq!(count("by_emotion", emotion), expected, "{emotion}: {stats:#}");
    }
    // A fault moves a clock forward by up to an hour, so posts may have times in the future.
    let now = Clock::system().now();
    let (start, end) = (now - Duration::from_secs(20 * 3_600), now + Duration::from_secs(2 * 3_600));
    let aggregate = process.get(&format!("/api/aggregate?period=minute&start_date={start}&end_date={end}")).await;
    let buckets = aggregate["data"].as_array().expect("buckets");
    let counted: BTreeMap<String, u64> = buckets
        .iter()
        .map(|bucket| {
            let minute = bucket["timestamp"].as_str().expect("a time")[..16].to_owned();
            (minute, bucket["total_count"].as_u64().expect("a count"))
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(counted, by_minute);
}
