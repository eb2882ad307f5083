//! Cases in which Redis has little memory. The size of streams is limited, and entries of a full server can still be
//! settled.

use std::time::Duration;

use sentistream::domain::{DeadLetterReason, PostId, RawFields, Timestamp};
use sentistream::stream::{DeadLetterRequest, DeadLetterSelection, Release, Stream, StreamError};

use crate::stream::fixture::{Fixture, consumer, keys, post, posts};
use crate::stream::server::{Outsider, OwnRedis};

const NO_WAIT: Duration = Duration::ZERO;

/// The fields of a post of about 4 KB.
fn large(id: usize) -> RawFields {
    let mut fields = post(&format!("p{id}"));
    fields.push("note", "n".repeat(4_000));
    fields
}

async fn small_redis() -> (OwnRedis, Fixture, Outsider) {
    let redis = OwnRedis::start_with(&["--maxmemory", "32mb", "--maxmemory-policy", "noeviction"]);
    let (fixture, outsider) = (Fixture::redis_at(&redis.url()), Outsider::at(&redis.url()).await);
    (redis, fixture, outsider)
}

/// Sets a memory limit that is below the memory in use.
async fn fill(stream: &Stream, outsider: &Outsider) {
    let used = stream.depth().await.unwrap().memory.unwrap().used;
    let _: String = outsider.run("CONFIG", &[b"SET", b"maxmemory", (used * 9 / 10).to_string().as_bytes()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_redis_refuses_appends_and_settles_entries() {
    let (_redis, mut fixture, outsider) = small_redis().await;
    // Claims must not expire in this test, so that only the released entry can be rescued.
    fixture.options.claim_idle = Duration::from_secs(3_600);
    let stream = fixture.open().await;
    let me = consumer("me");
    let mut appended = 0;
    let refused = loop {
        match stream.append((appended..appended + 100).map(large).collect()).await {
            Ok(ids) => appended += ids.len(),
            Err(error) => break error,
        }
        assert!(appended < 20_000);
    };
    let StreamError::MemoryFull { used, max } = refused else { panic!("{refused}") };
    assert!(used * 10 >= max * 8 && used < max, "refused at {used} of {max}");

    fill(&stream, &outsider).await;
    assert!(matches!(stream.append(posts(0..1)).await, Err(StreamError::MemoryFull { .. })));
    let entries = stream.claim(&me, 50, NO_WAIT).await.unwrap();
    stream.publish_processed(entries.iter().map(|entry| entry.fields.clone()).collect()).await.unwrap();
    stream.renew(&me, &keys(&entries)).await.unwrap();
    stream.release(&me, &keys(&entries[..1]), Release::Untried).await.unwrap();
    assert_eq!(stream.rescue(&me, 10).await.unwrap().len(), 1);
    let request =
        DeadLetterRequest { entry: entries[1].clone(), reason: DeadLetterReason::Invalid, error: "full".to_owned() };
    assert!(stream.dead_letter(request, Timestamp::EPOCH).await.unwrap());
    let gone = [PostId::parse("p1").unwrap()];
    stream.forget_posts(&gone, &gone).await.unwrap();
    stream.ack(&me, &keys(&entries)).await.unwrap();
    stream.trim().await.unwrap();
    assert!(stream.depth().await.unwrap().memory.unwrap().is_full());

    let _: String = outsider.run("CONFIG", &[b"SET", b"maxmemory", b"32mb"]).await;
    // Settling the remaining entries frees the memory that appends need.
    loop {
        let entries = stream.claim(&me, 500, NO_WAIT).await.unwrap();
        if entries.is_empty() {
            break;
        }
        stream.ack(&me, &keys(&entries)).await.unwrap();
    }
    stream.trim().await.unwrap();
    stream.append(posts(0..1)).await.unwrap();
    assert_eq!(stream.depth().await.unwrap().pending(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn processed_stream_is_bounded_by_bytes() {
    let (_redis, mut fixture, outsider) = small_redis().await;
    (fixture.options.processed_max_len, fixture.options.processed_max_bytes) = (100_000, 2 << 20);
    let stream = fixture.open().await;
    for chunk in 0..20 {
        stream.publish_processed((chunk * 100..(chunk + 1) * 100).map(large).collect()).await.unwrap();
    }
    let bytes: u64 = outsider.run("MEMORY", &[b"USAGE", fixture.options.processed.as_bytes()]).await;
    assert!((1 << 20..5 << 19).contains(&bytes), "{bytes} bytes");
    // The newest posts are kept, and the index contains them.
    let length: u64 = outsider.run("XLEN", &[fixture.options.processed.as_bytes()]).await;
    let newest = [PostId::parse("p1999").unwrap()];
    stream.forget_posts(&newest, &newest).await.unwrap();
    assert_eq!(outsider.run::<u64>("XLEN", &[fixture.options.processed.as_bytes()]).await, length - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_bounded_by_bytes() {
    let (_redis, mut fixture, outsider) = small_redis().await;
    fixture.options.dead_letter_max_bytes = 1 << 20;
    let stream = fixture.open().await;
    let me = consumer("me");
    for chunk in 0..10 {
        stream.append((chunk * 100..(chunk + 1) * 100).map(large).collect()).await.unwrap();
        for entry in stream.claim(&me, 100, NO_WAIT).await.unwrap() {
            let request = DeadLetterRequest { entry, reason: DeadLetterReason::Invalid, error: "test".to_owned() };
            assert!(stream.dead_letter(request, Timestamp::EPOCH).await.unwrap());
        }
    }
    let depth = stream.depth().await.unwrap();
    assert_eq!(depth.dead_lettered, 1_000, "dropped dead letters still count as dead-lettered");
    assert!((100..300).contains(&depth.dead_letters), "{} dead letters", depth.dead_letters);
    let newest = stream.dead_letters(1, None).await.unwrap().remove(0);
    assert_eq!(newest.fields.get("post_id"), Some(b"p999".as_slice()));
    let gone = [PostId::parse("p999").unwrap()];
    stream.forget_posts(&gone, &[]).await.unwrap();
    assert_ne!(stream.dead_letters(1, None).await.unwrap()[0].id, newest.id);
    let left = stream.purge_dead_letters(&DeadLetterSelection::All).await.unwrap();
    assert_eq!(left, depth.dead_letters - 1);
    assert_eq!(outsider.run::<u64>("XLEN", &[fixture.options.dead_letter.as_bytes()]).await, 0);
}

/// The time that Redis has spent in scripts, in microseconds.
async fn script_time(outsider: &Outsider) -> u64 {
    let stats: String = outsider.run("INFO", &[b"commandstats"]).await;
    let eval = stats.lines().find_map(|line| line.strip_prefix("cmdstat_eval:")).unwrap_or_default();
    let usec = eval.split(',').find_map(|part| part.strip_prefix("usec="));
    usec.map_or(0, |usec| usec.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_of_unknown_posts_cost_less_than_inserts() {
    let redis = OwnRedis::start_with(&["--appendonly", "no"]);
    let (mut fixture, outsider) = (Fixture::redis_at(&redis.url()), Outsider::at(&redis.url()).await);
    fixture.options.processed_max_len = 100_000;
    let stream = fixture.open().await;
    let start = script_time(&outsider).await;
    for chunk in 0..50 {
        let chunk = chunk * 64..(chunk + 1) * 64;
        stream.append(posts(chunk.clone())).await.unwrap();
        stream.publish_processed(posts(chunk)).await.unwrap();
    }
    let inserted = script_time(&outsider).await;
    for chunk in 0..50 {
        let unknown: Vec<_> =
            (0..64).map(|number| PostId::parse(&format!("unknown{chunk}-{number}")).unwrap()).collect();
        stream.forget_posts(&unknown, &[]).await.unwrap();
    }
    let deleted = script_time(&outsider).await;
    let (inserts, deletions) = (inserted - start, deleted - inserted);
    println!("3,200 inserts: {inserts} us of scripts; 3,200 deletions of unknown posts: {deletions} us");
    assert!(deletions < inserts, "deletions {deletions} us, inserts {inserts} us");
}
