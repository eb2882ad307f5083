//! Posts and counts that are kept for a while only, and what is erased.

use sentistream::domain::{EntryId, EntryKey, Outcome, Period, TimeRange, Timestamp};
use sentistream::store::aggregate::AggregateQuery;
use sentistream::store::posts::{PostFilter, Start};
use sentistream::store::settle::{Change, Settlement};
use sentistream::store::{Keep, Store};

use super::bed::{Bed, analysis, at, author, cases, insert, post, seconds, source};

cases!(
    posts_that_are_removed_leave_their_counts_and_do_not_come_back,
    counts_are_removed_by_day_and_said_to_be,
    everything_of_an_author_is_erased,
);

const DAY: u64 = 86_400;

fn keeping(bed: &Bed, posts: u64, rollups: Option<u64>) -> Store {
    bed.store.clone().keeping(Keep { posts: Some(seconds(posts)), rollups: rollups.map(seconds) })
}

async fn stored(store: &Store) -> usize {
    store.posts(&PostFilter::default(), Start::Offset(0), 500).await.expect("a page").posts.len()
}

async fn total(store: &Store) -> i64 {
    let all = TimeRange::new(Timestamp::MIN, Timestamp::MAX).expect("a range");
    store.counts(all, &PostFilter::default()).await.expect("counts").total()
}

async fn posts_that_are_removed_leave_their_counts_and_do_not_come_back(bed: Bed) {
    let old = |number: u64| {
        let mut post = post(&format!("old{number}"));
        post.created_at = post.created_at - seconds(2 * DAY + number);
        post
    };
    let changes: Vec<Change> = (0..1_100).map(|number| insert(old(number))).chain([insert(post("new"))]).collect();
    bed.settle(changes).await;
    let store = keeping(&bed, DAY, None);
    bed.pass(seconds(60));
    // Entries that may come again keep their rows.
    let needed = |seq| EntryKey { epoch: "one".into(), id: EntryId { ms: 0, seq } };
    if matches!(bed.place, super::bed::Place::Postgres { .. }) {
        store.prune(Some(needed(1))).await.expect("pruned");
        assert_eq!(bed.number("SELECT count(*) FROM social_media_posts").await, 1_101);
    }
    let later = EntryKey { epoch: "one".into(), id: EntryId { ms: u64::MAX >> 1, seq: 0 } };
    store.prune(Some(later)).await.expect("pruned");
    assert_eq!((stored(&store).await, total(&store).await), (1, 1_101));
    assert_eq!(store.count_posts(&PostFilter::default()).await.expect("a total").count, 1_101);
    assert_eq!(bed.number("SELECT count(*) FROM sentiment_analysis").await, 1);

    // A late copy is skipped; so is a post that never was here but would be removed at once.
    let keys = bed.append(2).await;
    let batch = keys.into_iter().zip([insert(old(3)), insert(old(9_999))]);
    let batch = batch.map(|(key, change)| Settlement { key, change }).collect();
    let settled = store.settle(batch).await.expect("settled");
    assert!(settled.iter().all(|settled| settled.outcome == Some(Outcome::Skipped)), "{settled:?}");
    assert_eq!(total(&store).await, 1_101);
    assert_eq!(store.outcomes("one").await.expect("books").skipped, 2);
}

async fn counts_are_removed_by_day_and_said_to_be(bed: Bed) {
    let changes = (0..6).map(|days| {
        let mut post = post(&format!("d{days}"));
        post.created_at = post.created_at - seconds(days * DAY);
        insert(post)
    });
    bed.settle(changes.collect()).await;
    let store = keeping(&bed, DAY, Some(2 * DAY));
    store.prune(None).await.expect("pruned");
    let days = |start: &str| AggregateQuery {
        period: Period::Day,
        range: TimeRange::new(at(start), at("2026-03-02T00:00:00Z")).expect("a range"),
        filter: PostFilter::default(),
        zone: jiff::tz::TimeZone::UTC,
    };
    let kept = store.aggregate(&days("2026-02-28T00:00:00Z")).await.expect("an aggregate");
    assert_eq!(kept.buckets.iter().map(|bucket| bucket.counts.total()).collect::<Vec<_>>(), [1, 1]);
    let gone = store.aggregate(&days("2026-02-20T00:00:00Z")).await.expect_err("not kept").to_string();
    assert!(gone.contains("retention.rollups"), "{gone}");
    assert_eq!(store.count_posts(&PostFilter::default()).await.expect("a total").count, 6, "those of all time stay");
    assert_eq!(bed.number("SELECT count(*) FROM post_rollups WHERE grain = 86400").await, 4);
}

async fn everything_of_an_author_is_erased(bed: Bed) {
    let by = |id: String, who: &str, place: &str| {
        let mut post = post(&id);
        (post.author, post.source) = (Some(author(who)), source(place));
        Change::Insert {
            post,
            analysis: analysis(sentistream::domain::Sentiment::Negative, sentistream::domain::Emotion::Fear),
        }
    };
    let theirs = (0..450).map(|number| by(format!("a{number}"), "ada", if number % 10 == 0 { "blog" } else { "web" }));
    bed.settle(theirs.chain([by("b".to_owned(), "bob", "web")]).collect()).await;
    let mut places = bed.store.sources_of(&author("ada")).await.expect("sources");
    places.sort_unstable();
    assert_eq!(places, [source("blog"), source("web")]);
    let erased = bed.store.erase_author(&source("web"), &author("ada")).await.expect("erased");
    assert_eq!((erased.posts.len(), stored(&bed.store).await, total(&bed.store).await), (405, 46, 46));
    assert_eq!(bed.store.sources_of(&author("ada")).await.expect("sources"), [source("blog")]);
    assert_eq!(bed.store.erase_author(&source("web"), &author("ada")).await.expect("erased").posts.len(), 0);
    let late = bed.outcomes(vec![by("a1".to_owned(), "ada", "web")]).await;
    assert_eq!(late, [Some(Outcome::Skipped)]);
}
