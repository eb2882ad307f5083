//! Cases that apply only to the embedded queue, which several processes may open.

use std::time::Duration;

use sentistream::domain::{DeadLetterReason, Timestamp};
use sentistream::stream::DeadLetterRequest;

use super::fixture::{DEADLINE, Fixture, consumer, ids, keys, posts};

#[tokio::test(flavor = "multi_thread")]
async fn command_during_a_running_server_claims_no_entries() {
    let mut fixture = Fixture::local();
    // The idle time is so long that no claim expires in this case.
    fixture.options.claim_idle = DEADLINE;
    let server = fixture.open().await;
    let me = consumer("me");
    server.append(posts(0..6)).await.unwrap();
    let working = server.claim(&me, 4, Duration::ZERO).await.unwrap();

    // An import opens the file, appends entries, reads the depth, and exits.
    let import = fixture.open().await;
    import.append(posts(6..9)).await.unwrap();
    let depth = import.depth().await.unwrap();
    assert_eq!((depth.appended, depth.lag, depth.claimed), (9, 5, 4));
    drop(import);

    server.renew(&me, &keys(&working)).await.unwrap();
    assert!(server.rescue(&consumer("other"), 10).await.unwrap().is_empty(), "the claims are unchanged");
    let mut rest = Vec::new();
    while rest.len() < 5 {
        rest.extend(server.claim(&me, 10, DEADLINE).await.unwrap());
    }
    assert_eq!(ids(&rest), ["p4", "p5", "p6", "p7", "p8"]);
    fixture.settle(&server, &me, &working).await;
    fixture.settle(&server, &me, &rest).await;
    assert_eq!(server.depth().await.unwrap().pending(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn oldest_dead_letters_above_the_size_limit_are_dropped() {
    let mut fixture = Fixture::local();
    fixture.options.dead_letter_max_bytes = 10_000;
    let server = fixture.open().await;
    let me = consumer("me");
    let mut long = posts(0..30);
    long.iter_mut().for_each(|fields| fields.push("note", "x".repeat(1_000)));
    server.append(long).await.unwrap();
    for entry in server.claim(&me, 30, Duration::ZERO).await.unwrap() {
        let letter = DeadLetterRequest { entry, reason: DeadLetterReason::Invalid, error: "no date".to_owned() };
        assert!(server.dead_letter(letter, Timestamp::EPOCH).await.unwrap());
    }
    let kept = server.dead_letters(100, None).await.unwrap();
    assert!((7..=9).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[0].fields.get("post_id").unwrap(), b"p29", "the newest dead letters are kept");
    // The removal of dead letters must decrease the count of their bytes.
    server.purge_dead_letters(&sentistream::stream::DeadLetterSelection::All).await.unwrap();
    let empty = fixture.count_rows("dead_letter_size where bytes = 0").await;
    assert_eq!(empty, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_leave_no_stale_rows() {
    let fixture = Fixture::local();
    let server = fixture.open().await;
    let me = consumer("me");
    for round in 0..50 {
        server.append(posts(round * 4..round * 4 + 4)).await.unwrap();
        let entries = server.claim(&me, 4, Duration::ZERO).await.unwrap();
        let letter =
            DeadLetterRequest { entry: entries[0].clone(), reason: DeadLetterReason::Invalid, error: String::new() };
        server.dead_letter(letter, Timestamp::EPOCH).await.unwrap();
        server.release(&me, &keys(&entries[1..2]), sentistream::stream::Release::Untried).await.unwrap();
        let again = server.rescue(&me, 4).await.unwrap();
        fixture.settle(&server, &me, &entries[2..]).await;
        fixture.settle(&server, &me, &again).await;
    }
    let rows = fixture.count_rows("stream_claims").await;
    assert!(rows <= 4, "only rows of the last claim may remain, but there are {rows}");
    assert_eq!(fixture.count_rows("stream_entries").await, 0);
}
