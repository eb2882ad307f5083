//! Cases of dead letters.

use std::time::Duration;

use sentistream::domain::{DeadLetterReason, PostId, RawFields, Timestamp};
use sentistream::stream::{DeadLetterRequest, DeadLetterSelection, Entry, Stream, StreamError};

use super::fixture::{Fixture, consumer, ids, post, posts, rescue};

const NO_WAIT: Duration = Duration::ZERO;

fn request(entry: &Entry, error: &str) -> DeadLetterRequest {
    DeadLetterRequest { entry: entry.clone(), reason: DeadLetterReason::Invalid, error: error.to_owned() }
}

async fn dead_letter_all(stream: &Stream, entries: &[Entry]) {
    for (i, entry) in entries.iter().enumerate() {
        assert!(stream.dead_letter(request(entry, &format!("error {i}")), Timestamp::EPOCH).await.unwrap());
    }
}

pub async fn entry_is_dead_lettered_once_with_unchanged_bytes(fixture: Fixture) {
    let stream = fixture.open().await;
    let (a, b) = (consumer("a"), consumer("b"));
    let bytes = RawFields(vec![
        (b"content".to_vec(), vec![0xff, 0, 0xc0, b'\r', b'\n']),
        (b"error".to_vec(), b"a field of the entry itself".to_vec()),
        (vec![0, 0x80], vec![]),
        (b"post_id".to_vec(), vec![0xff; 3]),
    ]);
    stream.append(vec![bytes.clone(), post("settled")]).await.unwrap();
    let slow = stream.claim(&a, 10, NO_WAIT).await.unwrap();
    let entries = rescue(&stream, &b, 2).await;
    let now = Timestamp::from_millis(1_767_225_600_123).unwrap();
    let error = "content: is not valid UTF-8 \u{1f4a5}\n";
    assert!(stream.dead_letter(request(&entries[0], error), now).await.unwrap());

    // An entry cannot be dead-lettered a second time, by a consumer that has lost its claim, or after it was settled.
    assert!(!stream.dead_letter(request(&entries[0], "again"), now).await.unwrap());
    assert!(!stream.dead_letter(request(&slow[0], "late"), now).await.unwrap());
    fixture.settle(&stream, &b, &entries[1..]).await;
    assert!(!stream.dead_letter(request(&entries[1], "settled"), now).await.unwrap());

    let letters = stream.dead_letters(10, None).await.unwrap();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(letter.fields, bytes);
    assert_eq!((letter.error.as_str(), letter.reason), (error, DeadLetterReason::Invalid));
    assert_eq!((letter.deliveries, letter.failed_at, letter.origin_id), (2, now, entries[0].key.id));
    assert_eq!(stream.get_dead_letter(letter.id).await.unwrap().as_ref(), Some(letter));
    assert!(stream.rescue(&a, 10).await.unwrap().is_empty());
    let depth = stream.depth().await.unwrap();
    assert_eq!((depth.dead_lettered, depth.dead_letters, depth.pending()), (1, 1, 0));

    assert_eq!(stream.replay_dead_letters(&DeadLetterSelection::All).await.unwrap(), 1);
    let replayed = stream.claim(&a, 10, NO_WAIT).await.unwrap();
    assert_eq!((&replayed[0].fields, replayed[0].deliveries), (&bytes, 1));
    assert_ne!(replayed[0].key, entries[0].key, "a replayed dead letter is a new entry");
    let depth = stream.depth().await.unwrap();
    assert_eq!((depth.appended, depth.dead_lettered, depth.dead_letters, depth.claimed), (3, 1, 0, 1));
}

pub async fn dead_letters_are_paged_replayed_and_purged(fixture: Fixture) {
    let stream = fixture.open().await;
    let me = consumer("me");
    stream.append(posts(0..7)).await.unwrap();
    let entries = stream.claim(&me, 10, NO_WAIT).await.unwrap();
    dead_letter_all(&stream, &entries).await;

    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = stream.dead_letters(3, before).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page);
    }
    let errors: Vec<_> = seen.iter().map(|letter| letter.error.as_str()).collect();
    assert_eq!(errors, ["error 6", "error 5", "error 4", "error 3", "error 2", "error 1", "error 0"]);

    // A command that runs while the server runs changes the dead letters.
    let command = fixture.open().await;
    let chosen = DeadLetterSelection::Ids(vec![seen[0].id, seen[2].id]);
    assert_eq!(command.replay_dead_letters(&chosen).await.unwrap(), 2);
    assert_eq!(command.replay_dead_letters(&chosen).await.unwrap(), 0, "the dead letters are removed");
    assert_eq!(command.get_dead_letter(seen[0].id).await.unwrap(), None);
    let replayed = stream.claim(&me, 10, Duration::from_secs(10)).await.unwrap();
    assert_eq!(ids(&replayed), ["p6", "p4"]);

    assert_eq!(command.purge_dead_letters(&DeadLetterSelection::Ids(vec![seen[1].id, seen[0].id])).await.unwrap(), 1);
    assert_eq!(command.purge_dead_letters(&DeadLetterSelection::All).await.unwrap(), 4);
    let depth = stream.depth().await.unwrap();
    assert_eq!((depth.appended, depth.dead_lettered, depth.dead_letters), (9, 7, 0));

    // A replay moves all dead letters back to the stream, in several steps.
    stream.append(posts(0..1_300)).await.unwrap();
    let entries = stream.claim(&me, 2_000, NO_WAIT).await.unwrap();
    dead_letter_all(&stream, &entries).await;
    assert_eq!(stream.replay_dead_letters(&DeadLetterSelection::All).await.unwrap(), 1_300);
    assert_eq!(ids(&stream.claim(&me, 2_000, NO_WAIT).await.unwrap()), ids(&entries), "oldest first");
}

pub async fn full_stream_refuses_a_replay(mut fixture: Fixture) {
    fixture.options.max_backlog = 5;
    let stream = fixture.open().await;
    let me = consumer("me");
    stream.append(posts(0..2)).await.unwrap();
    let entries = stream.claim(&me, 10, NO_WAIT).await.unwrap();
    dead_letter_all(&stream, &entries).await;
    stream.append(posts(2..7)).await.unwrap();
    let refused = stream.replay_dead_letters(&DeadLetterSelection::All).await.unwrap_err();
    assert!(matches!(refused, StreamError::Full { pending: 5, limit: 5 }), "{refused}");
    assert_eq!(stream.depth().await.unwrap().dead_letters, 2, "the dead letters still exist");

    let claimed = stream.claim(&me, 10, NO_WAIT).await.unwrap();
    fixture.settle(&stream, &me, &claimed).await;
    assert_eq!(stream.replay_dead_letters(&DeadLetterSelection::All).await.unwrap(), 2);
}

pub async fn deleted_posts_have_no_dead_letters(fixture: Fixture) {
    let stream = fixture.open().await;
    let me = consumer("me");
    let twice = [posts(0..700), posts(0..1)].concat();
    stream.append(twice).await.unwrap();
    let entries = stream.claim(&me, 1_000, NO_WAIT).await.unwrap();
    dead_letter_all(&stream, &entries).await;

    let forgotten: Vec<PostId> = ["p0", "p650", "unknown"].iter().map(|id| PostId::parse(id).unwrap()).collect();
    stream.forget_posts(&forgotten, &forgotten).await.unwrap();
    let left: Vec<_> = stream.dead_letters(1_000, None).await.unwrap();
    assert_eq!(left.len(), 698);
    assert!(left.iter().all(|letter| !matches!(letter.fields.get("post_id"), Some(b"p0" | b"p650"))));
    let depth = stream.depth().await.unwrap();
    assert_eq!(
        (depth.appended, depth.dead_lettered, depth.pending()),
        (701, 701, 0),
        "removing dead letters does not change the counts"
    );
}
