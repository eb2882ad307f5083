//! Cases of deletions: their results, and concurrent work.

use sentistream::domain::{EntryKey, Outcome};
use sentistream::store::settle::{Change, RemovedPost, Settlement};
use tokio_util::sync::CancellationToken;

use crate::stream::fixture::eventually;

use super::fixture::{Fixture, Place, admin, author, cases, delete, insert, post, post_id, seconds, source};

cases!(
    deletion_of_unknown_post_removes_nothing,
    redelivered_deletion_reports_its_post_again,
    author_with_many_posts_is_deleted_in_steps,
    interrupted_author_deletion_reports_every_post,
    deletion_removes_dead_letters_of_the_post,
    deleted_text_is_erased_from_the_file,
);

async fn deletion_of_unknown_post_removes_nothing(fixture: Fixture) {
    let settled = fixture.settle_one(delete("never seen")).await;
    assert_eq!((settled.outcome, settled.removed), (Some(Outcome::Deletion), Vec::new()));
}

async fn redelivered_deletion_reports_its_post_again(fixture: Fixture) {
    fixture.settle(vec![insert(post("a"))]).await;
    let analyzed_at = Some(fixture.clock.now());
    fixture.pass(seconds(1));
    let key: EntryKey = fixture.append(1).await.remove(0);
    let settle = async || {
        let batch = vec![Settlement { key: key.clone(), change: delete("a") }];
        fixture.store.settle(batch).await.expect("settled").remove(0)
    };
    let first = settle().await;
    assert_eq!(first.removed, [RemovedPost { post_id: post_id("a"), analyzed_at }]);
    // The worker may have crashed before it deleted copies of the post elsewhere, so a redelivery must report the post
    // again.
    let again = settle().await;
    assert_eq!(again.outcome, None);
    assert_eq!(again.removed, [RemovedPost { post_id: post_id("a"), analyzed_at: None }]);
}

fn by(writer: &str, id: &str) -> Change {
    let mut post = post(id);
    post.author = Some(author(writer));
    insert(post)
}

fn deletion_of(writer: &str) -> Change {
    Change::DeleteAuthor { source: source("web"), author: author(writer) }
}

async fn author_with_many_posts_is_deleted_in_steps(fixture: Fixture) {
    fixture.settle((0..1_300).map(|number| by("ada", &format!("a{number}"))).collect()).await;
    fixture.settle(vec![by("bob", "b")]).await;
    let Place::Postgres { url } = &fixture.place else {
        let settled = fixture.settle_one(deletion_of("ada")).await;
        assert_eq!((settled.outcome, settled.removed.len()), (Some(Outcome::Deletion), 1_300));
        assert_eq!(fixture.number("SELECT count(*) FROM social_media_posts").await, 1);
        return;
    };
    // Another transaction locks one of the posts, so that the deletion waits within one of its steps.
    let other = admin(url).await;
    other.batch_execute("BEGIN; SELECT 1 FROM post_keys WHERE post_id = 'a700' FOR UPDATE").await.expect("a lock");
    let key = fixture.append(1).await.remove(0);
    let store = fixture.store.clone();
    let batch = vec![Settlement { key, change: deletion_of("ada") }];
    let deletion = tokio::spawn(async move { store.settle(batch).await.expect("settled").remove(0) });
    let left = "SELECT count(*) FROM social_media_posts WHERE author = 'ada'";
    eventually("the tombstone is committed before the posts are deleted", || async {
        (fixture.number("SELECT count(*) FROM author_keys").await > 0).then_some(())
    })
    .await;
    // While the deletion waits, other workers can store posts, and late posts of the author are rejected.
    let late = EntryKey { epoch: "one".into(), id: sentistream::domain::EntryId { ms: 1, seq: 1 } };
    let batch = vec![Settlement { key: late, change: by("ada", "late") }];
    let skipped =
        tokio::time::timeout(seconds(10), fixture.store.settle(batch)).await.expect("an answer").expect("settled");
    assert_eq!(skipped[0].outcome, Some(Outcome::Skipped));
    let others = tokio::time::timeout(seconds(10), fixture.settle_one(by("bob", "b2"))).await.expect("an answer");
    assert_eq!(others.outcome, Some(Outcome::Analysed));
    assert!(fixture.number(left).await >= 300, "the deletion has not ended");
    other.batch_execute("COMMIT").await.expect("released");
    let settled = deletion.await.expect("a task");
    assert_eq!((settled.outcome, settled.removed.len()), (Some(Outcome::Deletion), 1_300));
    assert_eq!(fixture.number(left).await, 0);
}

async fn interrupted_author_deletion_reports_every_post(fixture: Fixture) {
    fixture.settle((0..1_300).map(|number| by("ada", &format!("a{number}"))).collect()).await;
    let key = fixture.append(1).await.remove(0);
    let batch = vec![Settlement { key, change: deletion_of("ada") }];
    let (store, first) = (fixture.store.clone(), batch.clone());
    let deletion = tokio::spawn(async move { store.settle(first).await });
    let left = "SELECT count(*) FROM social_media_posts";
    // The test polls without pauses, because all steps could end during a pause.
    let begun = async {
        while fixture.number(left).await == 1_300 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(seconds(20), begun).await.expect("the first step");
    deletion.abort();
    let _ = deletion.await;
    // The same entry is now delivered to another process.
    let settled = fixture.another_store().settle(batch).await.expect("settled").remove(0);
    assert_eq!(settled.removed.len(), 1_300);
    assert!(settled.removed.iter().all(|post| post.analyzed_at == Some(fixture.clock.now())));
    assert_eq!(fixture.number(left).await, 0);
    let later = fixture.append(1).await.remove(0);
    fixture.store.prune_entries(&later, &CancellationToken::new()).await.expect("pruned");
    assert_eq!(fixture.number("SELECT count(*) FROM removed_posts").await, 0);
}

async fn deletion_removes_dead_letters_of_the_post(fixture: Fixture) {
    if let Place::Postgres { .. } = &fixture.place {
        // With Postgres, dead letters are in Redis and not in the database.
        return;
    }
    fixture.settle(vec![insert(post("a"))]).await;
    for id in ["a", "b"] {
        let letter = "INSERT INTO dead_letter_entries (failed_ms, origin_ms, origin_seq, deliveries, reason, error, \
                      post_id, fields)";
        fixture.run(&format!("{letter} VALUES (1, 1, 1, 1, 'invalid', 'x', '{id}', x'00')")).await;
    }
    fixture.settle(vec![delete("a")]).await;
    assert_eq!(fixture.number("SELECT count(*) FROM dead_letter_entries").await, 1);
}

async fn deleted_text_is_erased_from_the_file(fixture: Fixture) {
    let Place::Sqlite { sqlite, .. } = &fixture.place else { return };
    let mut secret = post("a");
    secret.content = "xylophone-secret ".repeat(500);
    fixture.settle(vec![insert(secret)]).await;
    fixture.store.scrub().await.expect("scrubbed");
    let found = || {
        let bytes = std::fs::read(sqlite.path()).expect("the file");
        bytes.windows(16).any(|part| part == b"xylophone-secret")
    };
    assert!(found());
    fixture.settle(vec![delete("a")]).await;
    fixture.store.scrub().await.expect("scrubbed");
    assert!(!found());
}
