//! Tests with several processes. One process reads a source, another takes over when the first crashes or hangs, and a
//! restart loses no posts.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sentistream::clock::Clock;
use sentistream::domain::{DeadLetterReason, Timestamp};
use sentistream::redis::{Redis, RedisOptions};
use sentistream::sqlite::{Sqlite, SqliteOptions};
use sentistream::stream::{Consumer, DeadLetterRequest, LocalStream, RedisStream, Stream, StreamOptions};

use crate::fakes::jetstream::{Faults, Jetstream, Log, create};
use crate::process::{DEADLINE, Process};
use crate::services::Shared;

fn settings(host: &Jetstream) -> Vec<String> {
    let settings = [
        "roles=[\"ingester\"]",
        "ingester.sources=bluesky",
        "sources.bluesky.look_back=1h",
        "outbound.allow=127.0.0.1",
    ];
    settings.into_iter().map(str::to_owned).chain([format!("sources.bluesky.hosts=[\"{}\"]", host.url)]).collect()
}

/// Adds `count` posts that are written now.
fn publish(log: &Log, count: usize) {
    for _ in 0..count {
        let now = Clock::system().now().as_micros();
        log.push(now, create("did:plc:ada", &format!("r{}", log.len()), now, "I love it"));
    }
}

fn stream_options(prefix: &str) -> StreamOptions {
    StreamOptions {
        name: format!("{prefix}_posts"),
        group: "sentiment_workers".to_owned(),
        dead_letter: format!("{prefix}_dead"),
        processed: format!("{prefix}_processed"),
        processed_max_len: 10,
        processed_max_bytes: 64 << 20,
        dead_letter_max_bytes: 64 << 20,
        claim_idle: Duration::from_secs(60),
        max_backlog: 100_000,
        command_timeout: Duration::from_secs(5),
    }
}

/// Claims entries and moves them to the dead letters until `count` different posts have arrived. `seen` counts the
/// entries of each post.
async fn taken(stream: &Stream, seen: &mut BTreeMap<String, usize>, count: usize) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let consumer = Consumer("test".into());
    while seen.len() < count {
        assert!(tokio::time::Instant::now() < deadline, "{} of {count} arrived in time", seen.len());
        let entries = stream.claim(&consumer, 500, Duration::from_millis(200)).await.expect("the stream answers");
        for entry in &entries {
            let id = String::from_utf8_lossy(entry.fields.get("post_id").expect("an id")).into_owned();
            *seen.entry(id).or_default() += 1;
        }
        for entry in entries {
            let request = DeadLetterRequest { entry, reason: DeadLetterReason::Invalid, error: String::new() };
            stream.dead_letter(request, Timestamp::EPOCH).await.expect("the stream answers");
        }
    }
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        let mut poll = tokio::time::interval(Duration::from_millis(20));
        while !holds() {
            poll.tick().await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("timed out waiting until {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn source_is_taken_over_when_its_reader_dies_or_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let shared = Shared::create().await;
    let log = Log::new();
    let host = Jetstream::start(&log, Faults::default()).await;
    let settings: Vec<_> = shared.settings().into_iter().chain(settings(&host)).collect();
    let redis =
        RedisOptions { url: shared.redis_url.clone().into(), ca_file: None, command_timeout: Duration::from_secs(5) };
    let redis = Redis::connect(&redis).unwrap();
    let stream = Stream::Redis(RedisStream::connect(redis, stream_options(&shared.prefix)).unwrap());
    let mut seen = BTreeMap::new();

    let first = Process::start(folder.path(), &settings).await;
    eventually("the first process reads", || host.open() == 1).await;
    let second = Process::start(folder.path(), &settings).await;
    publish(&log, 200);
    taken(&stream, &mut seen, 200).await;
    assert_eq!((host.most_open(), seen.values().max()), (1, Some(&1)), "only one process reads the source");

    first.kill().await;
    publish(&log, 200);
    taken(&stream, &mut seen, 400).await;
    assert_eq!(host.most_open(), 1, "the second process took over after the first had ended");

    // The second process hangs, and a third takes over. When the second process resumes, it detects the takeover and
    // disconnects.
    let third = Process::start(folder.path(), &settings).await;
    second.signal("-STOP").await;
    publish(&log, 200);
    taken(&stream, &mut seen, 600).await;
    // The server cannot detect that the second process hangs, so both connections are open.
    eventually("the third process takes over", || host.open() == 2).await;
    second.signal("-CONT").await;
    eventually("the second process disconnects", || host.open() == 1).await;
    // The second process may append again only the events that it had read before it was stopped.
    let known = seen.len();
    publish(&log, 100);
    taken(&stream, &mut seen, 700).await;
    assert_eq!(seen.len() - known, 100);
    assert_eq!(third.terminate().await.code(), Some(0));
    // A process that ends releases its lease, so the next process does not wait until the lease expires.
    publish(&log, 100);
    taken(&stream, &mut seen, 800).await;
    assert_eq!(second.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_process_resumes_at_its_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new();
    let host = Jetstream::start(&log, Faults::default()).await;
    let mut process = Process::start(folder.path(), &settings(&host)).await;
    for round in 1..4 {
        let begun = host.sent();
        publish(&log, 300);
        eventually("some posts are read", || host.sent() > begun + 50).await;
        process.kill().await;
        publish(&log, 100);
        process = Process::start(folder.path(), &settings(&host)).await;
        eventually("the source is read again", || host.asked().len() > round).await;
    }
    let mut seen = BTreeMap::new();
    taken(&queue(folder.path()).await, &mut seen, 1_200).await;
    assert_eq!(process.terminate().await.code(), Some(0));
}

/// Opens the embedded queue of a process.
async fn queue(folder: &Path) -> Stream {
    let options = SqliteOptions {
        path: folder.join("data/sentistream.db"),
        readers: 2,
        read_timeout: Duration::from_secs(5),
        busy_timeout: Duration::from_secs(5),
    };
    let sqlite = Sqlite::open(&options).unwrap();
    let clock = Clock::fixed(Timestamp::EPOCH);
    Stream::Local(LocalStream::open(sqlite, stream_options("test"), clock).await.unwrap())
}
