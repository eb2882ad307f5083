//! Cases of leases, cursors, direct deletions, and pruning.

use std::time::Duration;

use sentistream::domain::{EntryKey, Outcome, Period, TimeRange};
use sentistream::store::StoreError;
use sentistream::store::aggregate::AggregateQuery;
use sentistream::store::feeds::{FeedReport, Paused};
use sentistream::store::posts::PostFilter;
use sentistream::store::settle::{Change, Settlement};

use tokio_util::sync::CancellationToken;

use crate::stream::fixture::eventually;

use super::books::posts_and_counts;
use super::fixture::{Fixture, Place, at, cases, insert, post, post_id, seconds};

cases!(
    lease_has_one_holder_and_a_growing_token,
    lease_of_host_with_fast_clock_expires_in_time,
    lease_that_expires_too_late_is_taken_over,
    source_continues_after_its_stored_cursor,
    paused_source_is_listed_until_it_is_resumed,
    deleted_post_is_not_stored_again,
    pruning_removes_old_entries_and_minute_counts,
    server_messages_are_english_for_a_superuser,
);

/// The store recognises data errors by the English messages of Postgres.
async fn server_messages_are_english_for_a_superuser(fixture: Fixture) {
    let Place::Postgres { url } = &fixture.place else { return };
    let database = url.rsplit('/').next().expect("a name");
    fixture
        .run(&format!(
            "ALTER DATABASE {database} SET lc_messages = 'POSIX'; CREATE TABLE seen (language text);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO seen VALUES (current_setting('lc_messages')); RETURN NULL; END $$;
         CREATE TRIGGER see AFTER INSERT ON social_media_posts FOR EACH STATEMENT EXECUTE FUNCTION see()"
        ))
        .await;
    let batch = vec![Settlement { key: fixture.append(1).await.remove(0), change: insert(post("a")) }];
    fixture.another_store().settle(batch).await.expect("settled");
    assert_eq!(fixture.number("SELECT count(*) FROM seen WHERE language = 'C'").await, 1);
}

/// Makes the lease of `holder` expire.
async fn expire(fixture: &Fixture, name: &str, holder: &str) {
    fixture.store.acquire_lease(name, holder, seconds(0)).await.expect("an answer").expect("its lease");
}

async fn lease_has_one_holder_and_a_growing_token(fixture: Fixture) {
    let acquire = async |holder| fixture.store.acquire_lease("alerts", holder, seconds(30)).await.expect("an answer");
    let first = acquire("one").await.expect("free");
    assert_eq!(acquire("two").await, None);
    assert_eq!(acquire("one").await.as_ref(), Some(&first), "renewed");
    expire(&fixture, "alerts", "one").await;
    let second = acquire("two").await.expect("expired");
    assert!(second.token > first.token);
    assert_eq!(acquire("one").await, None);

    // An instance that lost a lease cannot release it.
    fixture.store.release_lease(&first).await.expect("an answer");
    assert_eq!(acquire("one").await, None);
    fixture.store.release_lease(&second).await.expect("released");
    let third = acquire("one").await.expect("released");
    assert!(third.token > second.token);
    let other = fixture.store.acquire_lease("other", "two", seconds(30)).await.expect("an answer");
    assert!(other.is_some());

    expire(&fixture, "alerts", "one").await;
    let (one, two) = tokio::join!(acquire("one"), acquire("two"));
    assert!(one.is_some() != two.is_some(), "{one:?} {two:?}");
}

async fn lease_of_host_with_fast_clock_expires_in_time(fixture: Fixture) {
    // The clock of this host is an hour ahead. The host fails immediately after it has acquired the lease.
    fixture.pass(seconds(3_600));
    let dead = fixture.store.acquire_lease("alerts", "fast", Duration::from_millis(50)).await.expect("an answer");
    assert!(dead.is_some());
    fixture.clock.set(at(super::fixture::START));
    eventually("another host takes over", || async {
        fixture.store.acquire_lease("alerts", "other", seconds(30)).await.expect("an answer")
    })
    .await;
}

async fn lease_that_expires_too_late_is_taken_over(fixture: Fixture) {
    // The clock of the database was an hour ahead when the holder acquired the lease, and has been corrected since.
    let early =
        fixture.store.acquire_lease("alerts", "one", seconds(3_600)).await.expect("an answer").expect("a lease");
    let next = fixture.store.acquire_lease("alerts", "two", seconds(30)).await.expect("an answer").expect("a lease");
    assert!(next.token > early.token, "{} after {}", next.token, early.token);
    assert!(fixture.store.acquire_lease("alerts", "one", seconds(30)).await.expect("an answer").is_none());
}

async fn source_continues_after_its_stored_cursor(fixture: Fixture) {
    assert_eq!(fixture.store.cursor("feed").await.expect("an answer"), None);
    for cursor in ["1", "2"] {
        fixture.store.keep_cursor("feed", cursor, None).await.expect("kept");
        assert_eq!(fixture.store.cursor("feed").await.expect("an answer").as_deref(), Some(cursor));
    }
    assert_eq!(fixture.store.cursor("other").await.expect("an answer"), None);

    // An instance that lost the lease cannot move the cursor.
    let acquire =
        async |holder| fixture.store.acquire_lease("source:feed", holder, seconds(10)).await.expect("an answer");
    let first = acquire("one").await.expect("free");
    fixture.store.keep_cursor("feed", "3", Some(&first)).await.expect("kept");
    expire(&fixture, "source:feed", "one").await;
    let second = acquire("two").await.expect("expired");
    fixture.store.keep_cursor("feed", "4", Some(&second)).await.expect("kept");
    let late = fixture.store.keep_cursor("feed", "5", Some(&first)).await;
    assert!(matches!(late, Err(StoreError::LeaseLost(_))), "{late:?}");
    assert_eq!(fixture.store.cursor("feed").await.expect("an answer").as_deref(), Some("4"));
}

async fn paused_source_is_listed_until_it_is_resumed(fixture: Fixture) {
    let report = |name: &str, report: &str| FeedReport { name: name.to_owned(), report: report.to_owned() };
    assert!(
        !fixture.store.set_feed_paused("news", Paused::Yes).await.expect("an answer"),
        "no instance reads this source"
    );
    let begun = fixture.clock.now();
    let paused = fixture.store.report_feeds("one", &[report("news", "{\"n\": 1}"), report("chat", "{}")]).await;
    assert!(paused.expect("kept").is_empty());
    assert!(fixture.store.set_feed_paused("news", Paused::Yes).await.expect("an answer"));
    assert_eq!(fixture.store.report_feeds("two", &[report("news", "{\"n\": 2}")]).await.expect("kept"), ["news"]);
    let feeds = fixture.store.feeds(begun).await.expect("an answer");
    let seen: Vec<_> = feeds.iter().map(|f| (f.name.as_str(), f.paused, f.instance.as_str())).collect();
    assert_eq!(seen, [("chat", false, "one"), ("news", true, "two")]);
    assert!(feeds[1].report.contains('2'), "{feeds:?}");

    fixture.pass(seconds(60));
    let since = feeds[0].reported_at + seconds(1);
    let names =
        async || fixture.store.feeds(since).await.expect("an answer").into_iter().map(|f| f.name).collect::<Vec<_>>();
    assert_eq!(names().await, ["news"], "a paused source is shown until it is resumed");
    assert!(fixture.store.set_feed_paused("news", Paused::No).await.expect("an answer"));
    assert!(names().await.is_empty());
}

async fn deleted_post_is_not_stored_again(fixture: Fixture) {
    let keys = fixture.append(1).await;
    let batch = || vec![Settlement { key: keys[0].clone(), change: insert(post("a")) }];
    fixture.store.settle(batch()).await.expect("settled");
    assert!(!fixture.store.delete_post(&post_id("b")).await.expect("an answer"), "the post does not exist");
    assert!(fixture.store.delete_post(&post_id("a")).await.expect("an answer"));
    assert!(!fixture.store.delete_post(&post_id("a")).await.expect("an answer"), "the post is deleted");
    assert_eq!(posts_and_counts(&fixture).await.1.total(), 0);

    // The batch contains the same entry again, another entry of the same post, and an entry of the unknown post.
    let again = fixture.store.settle(batch()).await.expect("settled");
    assert_eq!((again[0].outcome, again[0].stored), (None, None));
    let outcomes = fixture.outcomes(vec![insert(post("a")), insert(post("b"))]).await;
    assert_eq!(outcomes, [Some(Outcome::Skipped), Some(Outcome::Analysed)]);
    let books = fixture.store.outcomes("one").await.expect("books");
    assert_eq!((books.analysed, books.skipped, books.settled()), (2, 1, 3));
}

async fn pruning_removes_old_entries_and_minute_counts(fixture: Fixture) {
    let minute = |hour: &str| {
        let start = at(&format!("2026-03-01T{hour}:00:00Z"));
        AggregateQuery {
            period: Period::Minute,
            range: TimeRange::new(start, start + seconds(60)).expect("a range"),
            filter: PostFilter::default(),
            zone: jiff::tz::TimeZone::UTC,
        }
    };
    let counted = async |hour| fixture.store.aggregate(&minute(hour)).await.map(|a| a.buckets[0].counts.total());
    fixture.settle(vec![insert(post("a")), Change::Skip, Change::Skip]).await;
    fixture.pass(seconds(3 * 3_600));
    let mut later = post("b");
    later.created_at = fixture.clock.now();
    let keys = fixture.append(1).await;
    fixture.settle(vec![insert(later), Change::Skip]).await;
    assert_eq!(fixture.store.ingested_since(at("2026-03-01T00:00:00Z")).await.expect("a count"), 2);

    let needed = EntryKey { epoch: "one".into(), id: keys[0].id };
    fixture.store.prune(Some(needed.clone()), &CancellationToken::new()).await.expect("pruned");
    fixture.store.prune_entries(&needed, &CancellationToken::new()).await.expect("pruned");
    assert_eq!(fixture.store.ingested_since(at("2026-03-01T00:00:00Z")).await.expect("a count"), 1);
    let remembered = fixture.number("SELECT count(*) FROM settled_entries").await;
    assert!(remembered <= 1, "{remembered} entries are still stored");
    assert_eq!((counted("12").await.expect("kept"), counted("15").await.expect("kept")), (1, 1));

    // Eight days after the first post, its minute count is pruned, but its other counts remain.
    fixture.pass(seconds(8 * 86_400 - 2 * 3_600));
    fixture.store.prune(None, &CancellationToken::new()).await.expect("pruned");
    assert!(counted("12").await.is_err());
    assert_eq!(counted("15").await.expect("kept"), 1);
    assert_eq!(fixture.number("SELECT count(*) FROM post_rollups WHERE grain = 60").await, 1);
    assert_eq!(posts_and_counts(&fixture).await.1.total(), 2);
}
