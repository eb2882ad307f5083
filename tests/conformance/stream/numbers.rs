//! Cases of the depth, of back-pressure, and of entries that are no longer needed.

use std::time::Duration;

use sentistream::domain::{DeadLetterReason, Timestamp};
use sentistream::stream::{DeadLetterRequest, Depth, Release, Stream, StreamError};

use super::fixture::{Fixture, consumer, ids, keys, posts, rescue};

const NO_WAIT: Duration = Duration::ZERO;

async fn check(stream: &Stream, expected: [u64; 5], step: &str) -> Depth {
    let depth = stream.depth().await.unwrap();
    let [appended, lag, claimed, dead_lettered, settled] = expected;
    assert_eq!(
        [depth.appended, depth.lag, depth.claimed, depth.dead_lettered],
        [appended, lag, claimed, dead_lettered],
        "{step}"
    );
    assert_eq!(depth.appended, settled + depth.dead_lettered + depth.pending(), "{step}: the counts must balance");
    depth
}

pub async fn stream_counts_balance_after_every_step(fixture: Fixture) {
    let stream = fixture.open().await;
    let (a, b) = (consumer("a"), consumer("b"));
    let empty = check(&stream, [0, 0, 0, 0, 0], "new").await;
    assert_eq!(empty.oldest_unsettled, None);

    let before = Timestamp::from_millis(now_ms()).unwrap();
    let appended = stream.append(posts(0..20)).await.unwrap();
    let depth = check(&stream, [20, 20, 0, 0, 0], "appended").await;
    assert_eq!(depth.oldest_unsettled, Some(appended[0].appended_at()));
    assert!(appended[0].appended_at().since(before) < Duration::from_secs(60));

    let first = stream.claim(&a, 5, NO_WAIT).await.unwrap();
    let second = stream.claim(&b, 5, NO_WAIT).await.unwrap();
    check(&stream, [20, 10, 10, 0, 0], "claimed").await;
    fixture.settle(&stream, &b, &second).await;
    let depth = check(&stream, [20, 10, 5, 0, 5], "later entries settled").await;
    assert_eq!(depth.oldest_unsettled, Some(appended[0].appended_at()));

    let request =
        DeadLetterRequest { entry: first[0].clone(), reason: DeadLetterReason::Invalid, error: "no".to_owned() };
    assert!(stream.dead_letter(request, Timestamp::EPOCH).await.unwrap());
    let depth = check(&stream, [20, 10, 4, 1, 5], "dead-lettered").await;
    assert_eq!(depth.dead_letters, 1);
    fixture.settle(&stream, &a, &first[1..3]).await;
    stream.release(&a, &keys(&first[3..]), Release::Untried).await.unwrap();
    check(&stream, [20, 10, 2, 1, 7], "two entries released").await;

    let rescued = rescue(&stream, &b, 2).await;
    assert_eq!(ids(&rescued), ["p3", "p4"]);
    check(&stream, [20, 10, 2, 1, 7], "rescued").await;
    fixture.settle(&stream, &b, &rescued).await;
    stream.trim().await.unwrap();
    check(&stream, [20, 10, 0, 1, 9], "trimmed").await;
    let rest = stream.claim(&a, 100, NO_WAIT).await.unwrap();
    fixture.settle(&stream, &a, &rest).await;
    stream.trim().await.unwrap();
    let done = check(&stream, [20, 0, 0, 1, 19], "all settled").await;
    assert_eq!(done.oldest_unsettled, None);

    stream.append(posts(20..23)).await.unwrap();
    check(&stream, [23, 3, 0, 1, 19], "appended again").await;
    // Another process sees the same numbers, and the same epoch.
    let other = fixture.open().await;
    let depth = check(&other, [23, 3, 0, 1, 19], "elsewhere").await;
    assert_eq!(depth.epoch, empty.epoch);
}

fn now_ms() -> i64 {
    sentistream::clock::Clock::system().now().as_millis()
}

pub async fn full_stream_refuses_appends_until_entries_are_settled(mut fixture: Fixture) {
    fixture.options.max_backlog = 10;
    let (stream, elsewhere) = (fixture.open().await, fixture.open().await);
    let me = consumer("me");
    stream.append(posts(0..8)).await.unwrap();
    let refused = elsewhere.append(posts(8..11)).await.unwrap_err();
    assert!(matches!(refused, StreamError::Full { pending: 8, limit: 10 }), "{refused}");
    assert!(refused.is_transient());
    elsewhere.append(posts(8..10)).await.unwrap();
    assert!(matches!(stream.append(posts(10..11)).await, Err(StreamError::Full { pending: 10, .. })));

    // Claimed entries still count as pending.
    let claimed = stream.claim(&me, 4, NO_WAIT).await.unwrap();
    assert!(matches!(stream.append(posts(10..11)).await, Err(StreamError::Full { pending: 10, .. })));
    fixture.settle(&stream, &me, &claimed).await;
    stream.append(posts(10..14)).await.unwrap();
    assert!(matches!(stream.append(posts(14..15)).await, Err(StreamError::Full { pending: 10, .. })));
    assert_eq!(stream.depth().await.unwrap().appended, 14, "a refused append stores nothing");

    let rest = stream.claim(&me, 100, NO_WAIT).await.unwrap();
    assert_eq!(rest.len(), 10);
    fixture.settle(&stream, &me, &rest).await;
    // An empty stream accepts a batch that is larger than the limit, because the batch could never be appended
    // otherwise.
    assert_eq!(stream.append(posts(20..45)).await.unwrap().len(), 25);
}

pub async fn entries_below_the_lowest_needed_id_are_never_delivered(fixture: Fixture) {
    let stream = fixture.open().await;
    let me = consumer("me");
    let appended = stream.append(posts(0..300)).await.unwrap();
    let epoch = stream.depth().await.unwrap().epoch;
    let needed = stream.trim().await.unwrap().unwrap();
    assert_eq!(needed.epoch, epoch);
    assert!(needed.id <= appended[0]);

    let claimed = stream.claim(&me, 200, NO_WAIT).await.unwrap();
    fixture.settle(&stream, &me, &claimed[..120]).await;
    fixture.settle(&stream, &me, &claimed[150..]).await;
    assert_eq!(stream.trim().await.unwrap().unwrap().id, appended[120], "the oldest claim is needed");
    let rescued = rescue(&stream, &me, 30).await;
    fixture.settle(&stream, &me, &rescued).await;
    let needed = stream.trim().await.unwrap().unwrap().id;
    assert!(needed > appended[199] && needed <= appended[200]);

    let rest = stream.claim(&me, 200, NO_WAIT).await.unwrap();
    assert_eq!(rest.len(), 100);
    fixture.settle(&stream, &me, &rest).await;
    let needed = stream.trim().await.unwrap().unwrap().id;
    assert!(needed > appended[299]);
    let later = fixture.open().await.append(posts(300..301)).await.unwrap();
    assert!(later[0] >= needed, "{} must be after {needed}", later[0]);
}
