//! Cases of claims, renewals, releases, and entries of a process that has crashed.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use sentistream::domain::RawFields;
use sentistream::stream::Release;

use super::fixture::{
    CLAIM_IDLE, DEADLINE, Fixture, consumer, eventually, ids, keys, post, posts, rescue, rescue_rest,
};

const NO_WAIT: Duration = Duration::ZERO;

pub async fn entries_are_delivered_in_order_and_unchanged(fixture: Fixture) {
    let stream = fixture.open().await;
    let me = consumer("a");
    let odd = RawFields(vec![
        (b"post_id".to_vec(), b"odd".to_vec()),
        (b"content".to_vec(), vec![0, 0xff, b'\n', b'"', 0xc3]),
        (vec![0xfe], Vec::new()),
        (b"content".to_vec(), b"twice".to_vec()),
    ]);
    let mut appended = stream.append(vec![post("first"), odd.clone()]).await.unwrap();
    appended.extend(stream.append(posts(0..1_200)).await.unwrap());

    let mut claimed = Vec::new();
    while claimed.len() < 1_202 {
        let entries = stream.claim(&me, 500, NO_WAIT).await.unwrap();
        assert!(!entries.is_empty() && entries.len() <= 500);
        claimed.extend(entries);
    }
    assert_eq!(claimed.iter().map(|entry| entry.key.id).collect::<Vec<_>>(), appended);
    assert!(appended.is_sorted_by(|a, b| a < b));
    assert_eq!(claimed[1].fields, odd);
    assert!(claimed.iter().all(|entry| entry.deliveries == 1));
    assert!(stream.claim(&me, 10, NO_WAIT).await.unwrap().is_empty());
}

/// An entry that crashes its process must not increase the delivery count of other entries.
pub async fn entry_delivered_twice_is_rescued_alone(fixture: Fixture) {
    let stream = fixture.open().await;
    stream.append(posts(0..3)).await.unwrap();
    stream.claim(&consumer("first"), 3, NO_WAIT).await.unwrap();
    let second = eventually("the entry is rescued", || async {
        let entries = stream.rescue(&consumer("second"), 10).await.unwrap();
        (!entries.is_empty()).then_some(entries)
    });
    let second = second.await;
    assert_eq!(second.iter().map(|entry| entry.deliveries).collect::<Vec<_>>(), [2, 2, 2]);
    // Each entry is now delivered alone, and only its own deliveries count.
    for expected in ["p0", "p1", "p2"] {
        let third = eventually("the entry is rescued", || async {
            let entries = stream.rescue(&consumer("third"), 10).await.unwrap();
            (!entries.is_empty()).then_some(entries)
        });
        let third = third.await;
        assert_eq!((ids(&third), third[0].deliveries), (vec![expected.to_owned()], 3));
        fixture.settle(&stream, &consumer("third"), &third).await;
    }
}

pub async fn no_entry_is_claimed_twice(fixture: Fixture) {
    let stream = fixture.open().await;
    stream.append(posts(0..400)).await.unwrap();
    let claims = ["a", "b", "c", "d"].map(|name| {
        let stream = stream.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let entries = stream.claim(&consumer(name), 7, NO_WAIT).await.unwrap();
                if entries.is_empty() {
                    return mine;
                }
                mine.extend(ids(&entries));
            }
        })
    });
    let mut all = Vec::new();
    for claim in claims {
        all.extend(claim.await.unwrap());
    }
    assert_eq!(all.len(), 400);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 400);
}

pub async fn waiting_claim_returns_when_another_process_appends(fixture: Fixture) {
    let (stream, elsewhere) = (fixture.open().await, fixture.open().await);
    // Depending on the timing, the append happens while the claim waits, or before the claim starts.
    for (round, process) in [&stream, &elsewhere, &stream, &elsewhere].into_iter().enumerate() {
        let waiting = tokio::spawn({
            let stream = stream.clone();
            async move { stream.claim(&consumer("a"), 10, DEADLINE).await.unwrap() }
        });
        tokio::time::sleep(Duration::from_millis(40 * (round as u64 / 2))).await;
        let start = Instant::now();
        process.append(vec![post("late")]).await.unwrap();
        let entries = waiting.await.unwrap();
        assert_eq!(ids(&entries), ["late"]);
        assert!(start.elapsed() < DEADLINE / 2, "it took {:?}", start.elapsed());
    }
    let start = Instant::now();
    assert!(stream.claim(&consumer("a"), 10, Duration::from_millis(150)).await.unwrap().is_empty());
    assert!(start.elapsed() >= Duration::from_millis(140), "a claim waits while the stream is empty");
}

pub async fn expired_claim_is_rescued_and_counts_as_delivery(fixture: Fixture) {
    let stream = fixture.open().await;
    let (slow, quick) = (consumer("slow"), consumer("quick"));
    stream.append(posts(0..5)).await.unwrap();
    let start = Instant::now();
    let claimed = stream.claim(&slow, 10, NO_WAIT).await.unwrap();
    let mut rescued = stream.rescue(&quick, 10).await.unwrap();
    assert!(rescued.is_empty() || start.elapsed() >= CLAIM_IDLE, "a fresh claim is not rescued");
    rescued = rescue_rest(&stream, &quick, 5, rescued).await;
    assert!(start.elapsed() > CLAIM_IDLE / 2);
    assert_eq!(ids(&rescued), ids(&claimed));
    assert!(rescued.iter().all(|entry| entry.deliveries == 2));
    assert_eq!(rescued[0].fields, claimed[0].fields);

    // The slow consumer has lost its claims, so it can neither renew nor release them.
    let renewed = Instant::now();
    stream.renew(&quick, &keys(&rescued)).await.unwrap();
    stream.renew(&slow, &keys(&claimed)).await.unwrap();
    stream.release(&slow, &keys(&claimed), Release::Untried).await.unwrap();
    let mut again = stream.rescue(&slow, 10).await.unwrap();
    assert!(again.is_empty() || renewed.elapsed() >= CLAIM_IDLE);
    again = rescue_rest(&stream, &slow, 5, again).await;
    assert!(again.iter().all(|entry| entry.deliveries == 3));
}

pub async fn renewed_claim_is_not_rescued(fixture: Fixture) {
    let stream = fixture.open().await;
    let (me, other) = (consumer("me"), consumer("other"));
    stream.append(posts(0..2)).await.unwrap();
    let claimed = stream.claim(&me, 10, NO_WAIT).await.unwrap();
    let renewed = keys(&claimed[..1]);
    let end = Instant::now() + CLAIM_IDLE * 3;
    let mut rescued = Vec::new();
    while Instant::now() < end {
        let begun = Instant::now();
        stream.renew(&me, &renewed).await.unwrap();
        rescued.extend(stream.rescue(&other, 10).await.unwrap());
        if begun.elapsed() >= CLAIM_IDLE {
            // The machine paused for longer than a claim is valid, so the test cannot check the result.
            return;
        }
        tokio::time::sleep(CLAIM_IDLE / 20).await;
    }
    assert!(ids(&rescued).iter().all(|id| id == "p1"), "only the claim that was not renewed expired: {rescued:?}");
    assert!(!rescued.is_empty());
    // A renewal does not count as a delivery.
    stream.release(&me, &renewed, Release::Failed).await.unwrap();
    let again = eventually("p0 is rescued", || async {
        stream.rescue(&other, 10).await.unwrap().into_iter().find(|entry| entry.key == renewed[0])
    })
    .await;
    assert_eq!(again.deliveries, 2);
}

pub async fn only_a_release_after_a_failure_counts_as_delivery(fixture: Fixture) {
    let stream = fixture.open().await;
    let (me, other) = (consumer("me"), consumer("other"));
    stream.append(vec![post("x")]).await.unwrap();
    let mut held = stream.claim(&me, 1, NO_WAIT).await.unwrap();
    let steps = [
        (Release::Untried, 1),
        (Release::Failed, 2),
        (Release::Untried, 2),
        (Release::Failed, 3),
        (Release::Failed, 4),
    ];
    for (i, (how, deliveries)) in steps.into_iter().enumerate() {
        let (holder, next) = if i % 2 == 0 { (&me, &other) } else { (&other, &me) };
        let released = Instant::now();
        stream.release(holder, &keys(&held), how).await.unwrap();
        // A released entry can be claimed immediately, long before its claim would expire.
        held = stream.rescue(next, 10).await.unwrap();
        assert!(
            released.elapsed() > CLAIM_IDLE || held.len() == 1,
            "step {i}: any consumer can claim a released entry"
        );
        held = if held.is_empty() { rescue(&stream, next, 1).await } else { held };
        assert_eq!(held[0].deliveries, deliveries, "step {i}");
        assert_eq!(stream.depth().await.unwrap().claimed, 1);
    }
}

pub async fn entries_of_a_dead_process_are_claimed_by_another(fixture: Fixture) {
    let dead = fixture.open().await;
    let (a, b) = (consumer("a"), consumer("b"));
    dead.append(posts(0..10)).await.unwrap();
    let working = dead.claim(&a, 4, NO_WAIT).await.unwrap();
    let handed_back = dead.claim(&b, 3, NO_WAIT).await.unwrap();
    dead.release(&b, &keys(&handed_back), Release::Untried).await.unwrap();
    fixture.settle(&dead, &a, &working[..1]).await;
    drop(dead);

    let next = fixture.open().await;
    let depth = next.depth().await.unwrap();
    assert_eq!((depth.appended, depth.lag, depth.claimed), (10, 3, 6));
    let fresh = next.claim(&a, 10, NO_WAIT).await.unwrap();
    assert_eq!(ids(&fresh), ["p7", "p8", "p9"]);
    assert!(fresh.iter().all(|entry| entry.deliveries == 1));
    let mut rescued = rescue(&next, &b, 6).await;
    rescued.sort_by_key(|entry| entry.key.id);
    assert_eq!(ids(&rescued), ["p1", "p2", "p3", "p4", "p5", "p6"]);
    let deliveries: Vec<_> = rescued.iter().map(|entry| entry.deliveries).collect();
    assert_eq!(deliveries, [2, 2, 2, 1, 1, 1], "claimed entries count as delivered, released ones do not");

    // The second process crashes too. Each delivery counts, so that a post that crashes every process is detected.
    drop(next);
    let third = fixture.open().await;
    let mut rescued = rescue(&third, &b, 9).await;
    rescued.sort_by_key(|entry| entry.key.id);
    let deliveries: Vec<_> = rescued.iter().map(|entry| entry.deliveries).collect();
    assert_eq!(deliveries, [3, 3, 3, 2, 2, 2, 2, 2, 2]);
    fixture.settle(&third, &b, &rescued).await;
    assert_eq!(third.depth().await.unwrap().pending(), 0);
}

pub async fn cancelled_claim_counts_no_delivery(mut fixture: Fixture) {
    // Entries that a slow process releases late must not be rescued as expired before, which counts a delivery.
    fixture.options.claim_idle = DEADLINE;
    let stream = fixture.open().await;
    let (gone, other) = (consumer("gone"), consumer("other"));
    stream.append(vec![post("before")]).await.unwrap();
    let claimed = stream.claim(&gone, 1, NO_WAIT).await.unwrap();
    fixture.settle(&stream, &gone, &claimed).await;

    // The claim is cancelled while it waits, as during a shutdown.
    let waiting = tokio::time::timeout(CLAIM_IDLE / 3, stream.claim(&gone, 10, DEADLINE)).await;
    assert!(waiting.is_err());
    stream.append(posts(0..3)).await.unwrap();
    let mut found = Vec::new();
    eventually("all three entries are delivered", || async { Some(stream.claim(&other, 10, NO_WAIT).await.unwrap()) })
        .await
        .into_iter()
        .for_each(|entry| found.push(entry));
    if found.len() < 3 {
        found.extend(rescue(&stream, &other, 3 - found.len()).await);
    }
    found.sort_by_key(|entry| entry.key.id);
    assert_eq!(ids(&found), ["p0", "p1", "p2"]);
    assert!(found.iter().all(|entry| entry.deliveries == 1), "no consumer had claimed them: {found:?}");
}

pub async fn settled_entry_is_never_delivered_again(fixture: Fixture) {
    let stream = fixture.open().await;
    let (a, b) = (consumer("a"), consumer("b"));
    stream.append(posts(0..3)).await.unwrap();
    let claimed = stream.claim(&a, 10, NO_WAIT).await.unwrap();
    let rescued = rescue(&stream, &b, 3).await;
    // The first consumer was slow, and now settles entries that the other consumer has claimed.
    fixture.settle(&stream, &a, &claimed[..2]).await;
    stream.release(&b, &keys(&rescued), Release::Failed).await.unwrap();
    let left = rescue(&stream, &b, 1).await;
    assert_eq!(ids(&left), ["p2"]);
    fixture.settle(&stream, &b, &left).await;

    let next = fixture.open().await;
    assert!(next.claim(&a, 10, NO_WAIT).await.unwrap().is_empty());
    assert!(next.rescue(&a, 10).await.unwrap().is_empty());
    assert_eq!(next.depth().await.unwrap().pending(), 0);
}

pub async fn idle_consumers_without_claims_are_removed(fixture: Fixture) {
    let stream = fixture.open().await;
    stream.append(posts(0..2)).await.unwrap();
    let (busy, done) = (consumer("busy"), consumer("done"));
    stream.claim(&busy, 1, NO_WAIT).await.unwrap();
    let entries = stream.claim(&done, 1, NO_WAIT).await.unwrap();
    fixture.settle(&stream, &done, &entries).await;
    assert_eq!(stream.forget_consumers(Duration::from_secs(60)).await.unwrap(), 0);

    let idle = Duration::from_millis(20);
    eventually("both consumers have been idle", || async {
        stream.consumers().await.unwrap().iter().all(|info| info.idle > idle).then_some(())
    })
    .await;
    assert_eq!(stream.forget_consumers(idle).await.unwrap(), 1);
    let left = stream.consumers().await.unwrap();
    assert_eq!(left.iter().map(|info| (info.name.as_str(), info.claimed)).collect::<Vec<_>>(), [("busy", 1)]);
    assert_eq!(rescue(&stream, &done, 1).await.len(), 1, "the claim of the busy consumer still exists");
}
