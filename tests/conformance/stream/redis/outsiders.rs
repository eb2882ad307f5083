//! Cases in which other programs append to, read, delete from and trim the stream.

use std::time::Duration;

use sentistream::domain::{DeadLetterReason, PostId, RawFields, Timestamp};
use sentistream::stream::{DeadLetterRequest, DeadLetterSelection};

use crate::stream::fixture::{Fixture, consumer, ids, post, posts, redis_url, rescue};
use crate::stream::server::Outsider;

const NO_WAIT: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_other_programs_are_delivered() {
    let fixture = Fixture::redis();
    let outsider = Outsider::at(&redis_url()).await;
    let name = fixture.options.name.as_bytes();
    // The other program appends both before and after a process of SentiStream opens the stream.
    let first: String = outsider.run("XADD", &[name, b"*", b"post_id", b"x0", b"content", b"\xff\x00"]).await;
    let stream = fixture.open().await;
    let me = consumer("me");
    let claimed = stream.claim(&me, 10, NO_WAIT).await.unwrap();
    assert_eq!(claimed[0].key.id.to_string(), first);
    assert_eq!(claimed[0].fields.get("content"), Some(b"\xff\x00".as_slice()));
    let _: String = outsider.run("XADD", &[name, b"*", b"post_id", b"x1"]).await;
    let _: String = outsider.run("XADD", &[name, b"9999999999999-7", b"post_id", b"x2"]).await;
    stream.append(vec![post("x3")]).await.unwrap();
    let rest = stream.claim(&me, 10, NO_WAIT).await.unwrap();
    assert_eq!(ids(&rest), ["x1", "x2", "x3"]);
    fixture.settle(&stream, &me, &[claimed, rest].concat()).await;
    let depth = stream.depth().await.unwrap();
    assert_eq!((depth.appended, depth.pending()), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn trimming_keeps_entries_that_any_group_needs() {
    let fixture = Fixture::redis();
    let outsider = Outsider::at(&redis_url()).await;
    let name = fixture.options.name.as_bytes();
    let stream = fixture.open().await;
    let me = consumer("me");
    let appended = stream.append(posts(0..10)).await.unwrap();
    let claimed = stream.claim(&me, 10, NO_WAIT).await.unwrap();
    fixture.settle(&stream, &me, &claimed).await;
    let _: String = outsider.run("XGROUP", &[b"CREATE", name, b"others", b"0"]).await;
    let read = [b"GROUP", b"others".as_slice(), b"them", b"COUNT", b"4", b"STREAMS", name, b">"];
    let _: fred::types::Value = outsider.run("XREADGROUP", &read).await;
    let ack = [name, b"others", &appended[0].to_string().into_bytes(), &appended[2].to_string().into_bytes()];
    let _: i64 = outsider.run("XACK", &ack).await;

    assert_eq!(stream.trim().await.unwrap().unwrap().id, appended[1]);
    assert_eq!(outsider.run::<i64>("XLEN", &[name]).await, 9);
    let _: i64 = outsider.run("XGROUP", &[b"DESTROY", name, b"others"]).await;
    assert!(stream.trim().await.unwrap().unwrap().id > appended[9]);
    assert_eq!(outsider.run::<i64>("XLEN", &[name]).await, 0);
    let depth = stream.depth().await.unwrap();
    assert_eq!((depth.appended, depth.pending()), (10, 0), "trimming changes no count");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_deleted_by_other_programs_are_not_pending() {
    let fixture = Fixture::redis();
    let outsider = Outsider::at(&redis_url()).await;
    let name = fixture.options.name.as_bytes();
    let stream = fixture.open().await;
    let me = consumer("me");
    let appended = stream.append(posts(0..8)).await.unwrap();
    let claimed = stream.claim(&me, 3, NO_WAIT).await.unwrap();
    // Deletes a claimed entry, and an entry that no consumer has read.
    for id in [appended[1], appended[5]] {
        assert_eq!(outsider.run::<i64>("XDEL", &[name, id.to_string().as_bytes()]).await, 1);
    }
    let depth = stream.depth().await.unwrap();
    assert_eq!(
        (depth.lag, depth.claimed),
        (4, 3),
        "Redis does not report the lag after a deletion, so the entries are counted"
    );
    let rescued = rescue(&stream, &me, 2).await;
    assert_eq!(ids(&rescued), ["p0", "p2"]);
    let depth = stream.depth().await.unwrap();
    assert_eq!((depth.lag, depth.claimed, depth.appended), (4, 2, 7), "the claimed entry is detected as deleted");
    fixture.settle(&stream, &me, &claimed).await;
    let rest = stream.claim(&me, 10, NO_WAIT).await.unwrap();
    assert_eq!(ids(&rest), ["p3", "p4", "p6", "p7"]);
    fixture.settle(&stream, &me, &rest).await;
    assert_eq!(stream.depth().await.unwrap().pending(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_with_thousands_of_fields_passes_every_operation() {
    let fixture = Fixture::redis();
    let outsider = Outsider::at(&redis_url()).await;
    let stream = fixture.open().await;
    let me = consumer("me");
    let mut long = RawFields::default();
    for i in 0..5_000 {
        long.push(&format!("field{i}"), vec![0xff, (i % 256) as u8]);
    }
    stream.append(vec![post("a"), long.clone(), post("b")]).await.unwrap();
    let claimed = stream.claim(&me, 10, NO_WAIT).await.unwrap();
    assert_eq!(claimed[1].fields, long);
    let request = |error: &str| DeadLetterRequest {
        entry: claimed[1].clone(),
        reason: DeadLetterReason::Invalid,
        error: error.to_owned(),
    };
    assert!(stream.dead_letter(request("long"), Timestamp::EPOCH).await.unwrap());
    assert!(!stream.dead_letter(request("again"), Timestamp::EPOCH).await.unwrap());
    let depth = stream.depth().await.unwrap();
    assert_eq!((depth.dead_lettered, depth.dead_letters, depth.claimed), (1, 1, 2));
    assert_eq!(stream.dead_letters(10, None).await.unwrap()[0].fields, long);

    assert_eq!(stream.replay_dead_letters(&DeadLetterSelection::All).await.unwrap(), 1);
    assert_eq!(stream.claim(&me, 10, NO_WAIT).await.unwrap()[0].fields, long);
    assert_eq!(outsider.run::<i64>("XLEN", &[fixture.options.dead_letter.as_bytes()]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_programs_can_read_dead_letters_and_processed_posts() {
    let fixture = Fixture::redis();
    let outsider = Outsider::at(&redis_url()).await;
    let (dead, processed) = (fixture.options.dead_letter.as_bytes(), fixture.options.processed.as_bytes());
    let stream = fixture.open().await;
    let me = consumer("me");
    stream.append(vec![post("bad")]).await.unwrap();
    let entry = stream.claim(&me, 1, NO_WAIT).await.unwrap().remove(0);
    let id = entry.key.id.to_string();
    let request = DeadLetterRequest { entry, reason: DeadLetterReason::Invalid, error: "content: is empty".to_owned() };
    stream.dead_letter(request, Timestamp::from_millis(1_767_225_600_000).unwrap()).await.unwrap();
    let letters: Vec<(String, Vec<String>)> = outsider.run("XRANGE", &[dead, b"-", b"+"]).await;
    let expected = [
        "post_id",
        "bad",
        "source",
        "test",
        "content",
        "the content of bad",
        "error",
        "content: is empty",
        "reason",
        "invalid",
        "deliveries",
        "1",
        "failed_at",
        "2026-01-01T00:00:00.000Z",
        "origin_id",
        &id,
    ];
    assert_eq!(letters[0].1, expected);
    // Dead letters that other programs wrote are listed and replayed unchanged.
    let _: String = outsider.run("XADD", &[dead, b"*", b"post_id", b"theirs"]).await;
    assert_eq!(stream.dead_letters(1, None).await.unwrap()[0].fields.get("post_id"), Some(b"theirs".as_slice()));
    assert_eq!(stream.replay_dead_letters(&DeadLetterSelection::All).await.unwrap(), 2);
    assert_eq!(ids(&stream.claim(&me, 10, NO_WAIT).await.unwrap()), ["bad", "theirs"]);

    stream.publish_processed(posts(0..3_000)).await.unwrap();
    let length = outsider.run::<i64>("XLEN", &[processed]).await;
    assert!((1_000..1_400).contains(&length), "about 1,000 are kept, not {length}");
    let gone = ["p2999", "p2100"].map(|id| PostId::parse(id).unwrap());
    stream.forget_posts(&gone, &gone).await.unwrap();
    assert_eq!(outsider.run::<i64>("XLEN", &[processed]).await, length - 2);
}
