//! Leases, cursors, direct deletions, and what is forgotten.

use std::time::Duration;

use sentistream::domain::{EntryKey, Outcome, Period, TimeRange};
use sentistream::store::StoreError;
use sentistream::store::aggregate::AggregateQuery;
use sentistream::store::feeds::{FeedReport, Paused};
use sentistream::store::posts::PostFilter;
use sentistream::store::settle::{Change, Settlement};

use tokio_util::sync::CancellationToken;

use super::bed::{Bed, Place, at, cases, insert, post, post_id, seconds};
use super::books::posts_and_counts;

cases!(
    lease_has_one_holder_and_a_growing_token,
    lease_of_host_with_fast_clock_expires_in_time,
    source_continues_after_its_stored_cursor,
    feeds_are_reported_paused_and_dropped_when_silent,
    directly_deleted_post_is_not_stored_again,
    pruning_removes_old_entries_and_minute_counts,
    server_messages_are_english_for_a_superuser,
);

/// Failures of the data are recognised by the messages of Postgres.
async fn server_messages_are_english_for_a_superuser(bed: Bed) {
    let Place::Postgres { url } = &bed.place else { return };
    let database = url.rsplit('/').next().expect("a name");
    bed.run(&format!(
        "ALTER DATABASE {database} SET lc_messages = 'POSIX'; CREATE TABLE seen (language text);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO seen VALUES (current_setting('lc_messages')); RETURN NULL; END $$;
         CREATE TRIGGER see AFTER INSERT ON social_media_posts FOR EACH STATEMENT EXECUTE FUNCTION see()"
    ))
    .await;
    let batch = vec![Settlement { key: bed.append(1).await.remove(0), change: insert(post("a")) }];
    bed.another_store().settle(batch).await.expect("settled");
    assert_eq!(bed.number("SELECT count(*) FROM seen WHERE language = 'C'").await, 1);
}

/// Lets the lease of `holder` expire.
async fn expire(bed: &Bed, name: &str, holder: &str) {
    bed.store.acquire_lease(name, holder, seconds(0)).await.expect("an answer").expect("its lease");
}

async fn lease_has_one_holder_and_a_growing_token(bed: Bed) {
    let acquire = async |holder| bed.store.acquire_lease("alerts", holder, seconds(30)).await.expect("an answer");
    let first = acquire("one").await.expect("free");
    assert_eq!(acquire("two").await, None);
    assert_eq!(acquire("one").await.as_ref(), Some(&first), "renewed");
    expire(&bed, "alerts", "one").await;
    let second = acquire("two").await.expect("expired");
    assert!(second.token > first.token);
    assert_eq!(acquire("one").await, None);

    // An instance that lost a lease cannot release it.
    bed.store.release_lease(&first).await.expect("an answer");
    assert_eq!(acquire("one").await, None);
    bed.store.release_lease(&second).await.expect("released");
    let third = acquire("one").await.expect("released");
    assert!(third.token > second.token);
    let other = bed.store.acquire_lease("other", "two", seconds(30)).await.expect("an answer");
    assert!(other.is_some());

    expire(&bed, "alerts", "one").await;
    let (one, two) = tokio::join!(acquire("one"), acquire("two"));
    assert!(one.is_some() != two.is_some(), "{one:?} {two:?}");
}

async fn lease_of_host_with_fast_clock_expires_in_time(bed: Bed) {
    // The clock of this host is an hour ahead; it dies right after it acquired the lease.
    bed.pass(seconds(3_600));
    let dead = bed.store.acquire_lease("alerts", "fast", Duration::from_millis(50)).await.expect("an answer");
    assert!(dead.is_some());
    bed.clock.set(at(super::bed::START));
    let taken = async {
        while bed.store.acquire_lease("alerts", "other", seconds(30)).await.expect("an answer").is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(seconds(30), taken).await.expect("another host takes over");
}

async fn source_continues_after_its_stored_cursor(bed: Bed) {
    assert_eq!(bed.store.cursor("feed").await.expect("an answer"), None);
    for cursor in ["1", "2"] {
        bed.store.keep_cursor("feed", cursor, None).await.expect("kept");
        assert_eq!(bed.store.cursor("feed").await.expect("an answer").as_deref(), Some(cursor));
    }
    assert_eq!(bed.store.cursor("other").await.expect("an answer"), None);

    // An instance that lost the lease moves no cursor.
    let acquire = async |holder| bed.store.acquire_lease("source:feed", holder, seconds(10)).await.expect("an answer");
    let first = acquire("one").await.expect("free");
    bed.store.keep_cursor("feed", "3", Some(&first)).await.expect("kept");
    expire(&bed, "source:feed", "one").await;
    let second = acquire("two").await.expect("expired");
    bed.store.keep_cursor("feed", "4", Some(&second)).await.expect("kept");
    let late = bed.store.keep_cursor("feed", "5", Some(&first)).await;
    assert!(matches!(late, Err(StoreError::LeaseLost(_))), "{late:?}");
    assert_eq!(bed.store.cursor("feed").await.expect("an answer").as_deref(), Some("4"));
}

async fn feeds_are_reported_paused_and_dropped_when_silent(bed: Bed) {
    let report = |name: &str, report: &str| FeedReport { name: name.to_owned(), report: report.to_owned() };
    assert!(!bed.store.set_feed_paused("news", Paused::Yes).await.expect("an answer"), "no instance feeds it");
    let begun = bed.clock.now();
    let paused = bed.store.report_feeds("one", &[report("news", "{\"n\": 1}"), report("chat", "{}")]).await;
    assert!(paused.expect("kept").is_empty());
    assert!(bed.store.set_feed_paused("news", Paused::Yes).await.expect("an answer"));
    assert_eq!(bed.store.report_feeds("two", &[report("news", "{\"n\": 2}")]).await.expect("kept"), ["news"]);
    let feeds = bed.store.feeds(begun).await.expect("an answer");
    let seen: Vec<_> = feeds.iter().map(|f| (f.name.as_str(), f.paused, f.instance.as_str())).collect();
    assert_eq!(seen, [("chat", false, "one"), ("news", true, "two")]);
    assert!(feeds[1].report.contains('2'), "{feeds:?}");

    bed.pass(seconds(60));
    let since = feeds[0].reported_at + seconds(1);
    let names =
        async || bed.store.feeds(since).await.expect("an answer").into_iter().map(|f| f.name).collect::<Vec<_>>();
    assert_eq!(names().await, ["news"], "what is paused is shown until it is resumed");
    assert!(bed.store.set_feed_paused("news", Paused::No).await.expect("an answer"));
    assert!(names().await.is_empty());
}

async fn directly_deleted_post_is_not_stored_again(bed: Bed) {
    let keys = bed.append(1).await;
    let batch = || vec![Settlement { key: keys[0].clone(), change: insert(post("a")) }];
    bed.store.settle(batch()).await.expect("settled");
    assert!(!bed.store.delete_post(&post_id("b")).await.expect("an answer"), "it is not there");
    assert!(bed.store.delete_post(&post_id("a")).await.expect("an answer"));
    assert!(!bed.store.delete_post(&post_id("a")).await.expect("an answer"), "it is gone");
    assert_eq!(posts_and_counts(&bed).await.1.total(), 0);

    // Its entry again, another entry of the same post, and the post that was not there.
    let again = bed.store.settle(batch()).await.expect("settled");
    assert_eq!((again[0].outcome, again[0].stored), (None, None));
    let outcomes = bed.outcomes(vec![insert(post("a")), insert(post("b"))]).await;
    assert_eq!(outcomes, [Some(Outcome::Skipped), Some(Outcome::Analysed)]);
    let books = bed.store.outcomes("one").await.expect("books");
    assert_eq!((books.analysed, books.skipped, books.settled()), (2, 1, 3));
}

async fn pruning_removes_old_entries_and_minute_counts(bed: Bed) {
    let minute = |hour: &str| {
        let start = at(&format!("2026-03-01T{hour}:00:00Z"));
        AggregateQuery {
            period: Period::Minute,
            range: TimeRange::new(start, start + seconds(60)).expect("a range"),
            filter: PostFilter::default(),
            zone: jiff::tz::TimeZone::UTC,
        }
    };
    let counted = async |hour| bed.store.aggregate(&minute(hour)).await.map(|a| a.buckets[0].counts.total());
    bed.settle(vec![insert(post("a")), Change::Skip, Change::Skip]).await;
    bed.pass(seconds(3 * 3_600));
    let mut later = post("b");
    later.created_at = bed.clock.now();
    let keys = bed.append(1).await;
    bed.settle(vec![insert(later), Change::Skip]).await;
    assert_eq!(bed.store.ingested_since(at("2026-03-01T00:00:00Z")).await.expect("a count"), 2);

    let needed = EntryKey { epoch: "one".into(), id: keys[0].id };
    bed.store.prune(Some(needed), &CancellationToken::new()).await.expect("pruned");
    assert_eq!(bed.store.ingested_since(at("2026-03-01T00:00:00Z")).await.expect("a count"), 1);
    let remembered = bed.number("SELECT count(*) FROM settled_entries").await;
    assert!(remembered <= 1, "{remembered} entries are remembered");
    assert_eq!((counted("12").await.expect("kept"), counted("15").await.expect("kept")), (1, 1));

    // Eight days after the first post its minute goes, its hour stays.
    bed.pass(seconds(8 * 86_400 - 2 * 3_600));
    bed.store.prune(None, &CancellationToken::new()).await.expect("pruned");
    assert!(counted("12").await.is_err());
    assert_eq!(counted("15").await.expect("kept"), 1);
    assert_eq!(bed.number("SELECT count(*) FROM post_rollups WHERE grain = 60").await, 1);
    assert_eq!(posts_and_counts(&bed).await.1.total(), 2);
}
