//! Cases in which Redis is unavailable, slow or disconnected.

use std::time::{Duration, Instant};

use sentistream::stream::{Stream, StreamError};

use crate::stream::fixture::{DEADLINE, Fixture, consumer, eventually, ids, keys, posts};
use crate::stream::server::{Network, OwnRedis};

const NO_WAIT: Duration = Duration::ZERO;
const TIMEOUT: Duration = Duration::from_millis(400);
/// The time by which a call may exceed its timeout on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// A fixture, a stream with a short command timeout, and a stream with a long command timeout.
async fn with_short_and_long_timeout(url: &str) -> (Fixture, Stream, Stream) {
    let mut fixture = Fixture::redis_at(url);
    fixture.options.command_timeout = DEADLINE;
    let long = fixture.open().await;
    fixture.options.command_timeout = TIMEOUT;
    let short = fixture.open().await;
    (fixture, short, long)
}

/// Checks that every kind of call fails within the timeout with the error that Redis is unavailable.
async fn assert_unavailable(stream: &Stream) {
    async fn unavailable<T: std::fmt::Debug>(call: impl Future<Output = Result<T, StreamError>>, name: &str) {
        let start = Instant::now();
        let error = call.await.unwrap_err();
        assert!(matches!(error, StreamError::Unavailable(_)), "{name}: {error:?}");
        assert!(start.elapsed() < TIMEOUT + SLACK, "{name} took {:?}", start.elapsed());
    }
    let me = consumer("me");
    unavailable(stream.append(posts(90..91)), "append").await;
    unavailable(stream.claim(&me, 10, NO_WAIT), "claim").await;
    unavailable(stream.rescue(&me, 10), "rescue").await;
    unavailable(stream.depth(), "depth").await;
    unavailable(stream.ping(), "ping").await;
    unavailable(stream.dead_letters(10, None), "dead_letters").await;
    let start = Instant::now();
    let waited = stream.claim(&me, 10, Duration::from_millis(200)).await;
    assert!(matches!(waited, Err(StreamError::Unavailable(_))), "{waited:?}");
    assert!(start.elapsed() < TIMEOUT + SLACK + Duration::from_millis(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_starts_without_redis() {
    let mut server = OwnRedis::not_started(&[]);
    let (_, stream, long) = with_short_and_long_timeout(&server.url()).await;
    assert_unavailable(&stream).await;
    server.run();
    eventually("the stream is available", || async { stream.ping().await.ok() }).await;
    long.append(posts(0..3)).await.unwrap();
    assert_eq!(ids(&long.claim(&consumer("me"), 10, DEADLINE).await.unwrap()), ["p0", "p1", "p2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_resumes_after_redis_was_frozen() {
    let server = OwnRedis::start();
    let (_, stream, other) = with_short_and_long_timeout(&server.url()).await;
    let (me, you) = (consumer("me"), consumer("you"));
    other.append(posts(0..2)).await.unwrap();
    eventually("the stream is available", || async { stream.ping().await.ok() }).await;
    // If the answer with p0 is lost, the next call claims p1.
    let claimed = eventually("an entry is claimed", || async { stream.claim(&me, 1, NO_WAIT).await.ok() }).await;
    let claimed = keys(&claimed);
    server.freeze();
    assert_unavailable(&stream).await;
    server.thaw();
    eventually("the stream is available again", || async { stream.ping().await.ok() }).await;

    // Redis executes reads whose callers have timed out. No consumer processes the entries of these reads.
    let lost = eventually("the other entry is delivered", || async {
        let mut entries = stream.claim(&me, 10, NO_WAIT).await.ok()?;
        entries.extend(other.rescue(&you, 10).await.unwrap());
        entries.into_iter().find(|entry| !claimed.contains(&entry.key))
    })
    .await;
    assert_eq!(lost.deliveries, 1, "a lost answer does not count as delivery");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_claim_survives_a_frozen_redis() {
    let server = OwnRedis::start();
    let (_, stream, other) = with_short_and_long_timeout(&server.url()).await;
    let me = consumer("me");
    eventually("the stream is available", || async { stream.ping().await.ok() }).await;
    let waiting = tokio::spawn({
        let (stream, me) = (stream.clone(), me.clone());
        async move {
            loop {
                match stream.claim(&me, 10, Duration::from_millis(700)).await {
                    Ok(entries) if !entries.is_empty() => return entries,
                    Ok(_) | Err(StreamError::Unavailable(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    });
    for _ in 0..2 {
        server.freeze();
        tokio::time::sleep(TIMEOUT * 3).await;
        server.thaw();
        eventually("Redis answers", || async { other.ping().await.ok() }).await;
    }
    other.append(posts(0..1)).await.unwrap();
    // Either the claim returns the entry, or a read that has timed out received it, so that any consumer can rescue it.
    let rescued = tokio::spawn(async move {
        eventually("the entry can be claimed", || async {
            let entries = other.rescue(&consumer("you"), 10).await.unwrap_or_default();
            (!entries.is_empty()).then_some(entries)
        })
        .await
    });
    let entries = tokio::select! {
        entries = waiting => entries.unwrap(),
        entries = rescued => entries.unwrap(),
    };
    assert_eq!(ids(&entries), ["p0"]);
    assert_eq!(entries[0].deliveries, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_that_drops_packets_is_replaced() {
    let server = OwnRedis::start();
    let network = Network::to(&server).await;
    let (_, stream, long) = with_short_and_long_timeout(&network.url()).await;
    long.append(posts(0..2)).await.unwrap();
    assert!(long.claim(&consumer("me"), 1, Duration::from_millis(100)).await.unwrap().len() == 1);
    eventually("the stream is connected", || async { stream.ping().await.ok() }).await;
    for _ in 0..3 {
        network.drop_data_of_open_connections();
        let start = Instant::now();
        let refused = stream.ping().await.unwrap_err();
        assert!(matches!(refused, StreamError::Unavailable(_)), "{refused:?}");
        assert!(start.elapsed() < TIMEOUT + SLACK);
        eventually("the stream is connected again", || async { stream.ping().await.ok() }).await;
        assert!(start.elapsed() < TIMEOUT * 4 + SLACK, "it took {:?}", start.elapsed());
    }
    // The data exceed the socket buffers, so that a blocked write times out too.
    network.drop_data_of_open_connections();
    let mut big = posts(2..3);
    big[0].push("padding", vec![b'x'; 32 * 1024 * 1024]);
    assert!(matches!(stream.append(big).await, Err(StreamError::Unavailable(_))));
    eventually("the stream is connected again", || async { stream.append(posts(3..4)).await.ok() }).await;
}
