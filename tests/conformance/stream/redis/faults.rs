//! Redis is away, slow, or cut off.

use std::time::{Duration, Instant};

use sentistream::stream::{Stream, StreamError};

use crate::stream::bed::{Bed, PATIENCE, consumer, eventually, ids, posts};
use crate::stream::server::{Network, OwnRedis};

const NO_WAIT: Duration = Duration::ZERO;
const TIMEOUT: Duration = Duration::from_millis(400);
/// What a busy machine may add to a time-out.
const SLACK: Duration = Duration::from_secs(10);

/// A bed, a stream that soon gives up, and one that does not.
async fn hasty_and_patient(url: &str) -> (Bed, Stream, Stream) {
    let mut bed = Bed::redis_at(url);
    bed.options.command_timeout = PATIENCE;
    let patient = bed.open().await;
    bed.options.command_timeout = TIMEOUT;
    let hasty = bed.open().await;
    (bed, hasty, patient)
}

/// Every kind of call says within the time-out that Redis is not there.
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
async fn redis_need_not_be_there_at_the_start() {
    let mut server = OwnRedis::not_started(&[]);
    let (_, stream, patient) = hasty_and_patient(&server.url()).await;
    assert_unavailable(&stream).await;
    server.run();
    eventually("the stream is there", || async { stream.ping().await.ok() }).await;
    patient.append(posts(0..3)).await.unwrap();
    assert_eq!(ids(&patient.claim(&consumer("me"), 10, PATIENCE).await.unwrap()), ["p0", "p1", "p2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_is_noticed_and_work_resumes() {
    let server = OwnRedis::start();
    let (_, stream, other) = hasty_and_patient(&server.url()).await;
    let (me, you) = (consumer("me"), consumer("you"));
    other.append(posts(0..2)).await.unwrap();
    eventually("p0 is claimed", || async { stream.claim(&me, 1, NO_WAIT).await.ok() }).await;
    server.freeze();
    assert_unavailable(&stream).await;
    server.thaw();
    eventually("the stream is back", || async { stream.ping().await.ok() }).await;

    // Reads whose callers had given up were carried out by Redis all the same: nobody has those entries.
    let lost = eventually("p1 comes to someone", || async {
        let mut entries = stream.claim(&me, 10, NO_WAIT).await.ok()?;
        entries.extend(other.rescue(&you, 10).await.unwrap());
        entries.into_iter().find(|entry| entry.fields.get("post_id") == Some(b"p1"))
    })
    .await;
    assert_eq!(lost.deliveries, 1, "a lost answer is no delivery");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_waits_survives_a_frozen_redis() {
    let server = OwnRedis::start();
    let (_, stream, other) = hasty_and_patient(&server.url()).await;
    let me = consumer("me");
    eventually("the stream is there", || async { stream.ping().await.ok() }).await;
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
    // It is claimed, or it fell to a read that had been given up and is free for anyone.
    let rescued = tokio::spawn(async move {
        eventually("the entry is free", || async {
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
async fn a_network_that_swallows_packets_is_left_for_a_new_connection() {
    let server = OwnRedis::start();
    let network = Network::to(&server).await;
    let (_, stream, patient) = hasty_and_patient(&network.url()).await;
    patient.append(posts(0..2)).await.unwrap();
    assert!(patient.claim(&consumer("me"), 1, Duration::from_millis(100)).await.unwrap().len() == 1);
    eventually("a connection", || async { stream.ping().await.ok() }).await;
    for _ in 0..3 {
        network.swallow_open_connections();
        let start = Instant::now();
        let refused = stream.ping().await.unwrap_err();
        assert!(matches!(refused, StreamError::Unavailable(_)), "{refused:?}");
        assert!(start.elapsed() < TIMEOUT + SLACK);
        eventually("a new connection", || async { stream.ping().await.ok() }).await;
        assert!(start.elapsed() < TIMEOUT * 4 + SLACK, "it took {:?}", start.elapsed());
    }
    // More than the sockets hold: a write that hangs is given up too.
    network.swallow_open_connections();
    let mut big = posts(2..3);
    big[0].push("padding", vec![b'x'; 32 * 1024 * 1024]);
    assert!(matches!(stream.append(big).await, Err(StreamError::Unavailable(_))));
    eventually("a new connection", || async { stream.append(posts(3..4)).await.ok() }).await;
}
