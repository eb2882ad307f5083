//! Cases which check that every entry has one outcome, and that counters equal the number of rows.

use sentistream::domain::{Counts, Emotion, Outcome, Sentiment, TimeRange, Timestamp};
use sentistream::store::posts::{PostFilter, Start};
use sentistream::store::settle::{Change, RemovedPost, Settlement};

use super::fixture::{Fixture, at, author, cases, delete, insert, post, post_id, replace, seconds, source};

cases!(
    post_is_stored_with_its_analysis,
    batch_gives_the_same_result_as_single_entries,
    redelivery_changes_nothing_and_reports_stored_times,
);

/// All stored posts, newest first, and their counts. Checks that the totals equal the counts of a window around all
/// posts.
pub async fn posts_and_counts(fixture: &Fixture) -> (Vec<String>, Counts) {
    let page = fixture.store.posts(&PostFilter::default(), Start::Offset(0), 500).await.expect("a page");
    let mut totals = Counts::default();
    for source in fixture.store.sources().await.expect("sources") {
        totals.merge(&source.counts);
    }
    let all = TimeRange::new(Timestamp::MIN, Timestamp::MAX).expect("a range");
    let window = fixture.store.window(all, None).await.expect("a window");
    assert_eq!(totals, window, "the totals must equal the rollups by time");
    assert_eq!(
        i64::try_from(page.items.len()).expect("few"),
        totals.posts(),
        "the rollups must equal the number of rows"
    );
    (page.items.into_iter().map(|post| post.post_id).collect(), totals)
}

async fn post_is_stored_with_its_analysis(fixture: Fixture) {
    let mut sent = post("a");
    sent.author = Some(author("ada"));
    sent.lang = Some("de".into());
    sent.url = Some("https://example.com/a".into());
    sent.reply_to = Some("b".into());
    let settled = fixture.settle_one(insert(sent)).await;
    let now = fixture.clock.now();
    assert_eq!(settled.outcome, Some(Outcome::Analysed));
    assert_eq!(settled.stored.map(|stored| (stored.ingested_at, stored.analyzed_at)), Some((now, now)));

    let stored = fixture.store.post(&post_id("a")).await.expect("an answer").expect("the post");
    assert_eq!(
        (stored.source.as_str(), stored.author.as_deref(), stored.content.as_str()),
        ("web", Some("ada"), "content of a")
    );
    assert_eq!((stored.lang.as_deref(), stored.url.as_deref()), (Some("de"), Some("https://example.com/a")));
    assert_eq!(stored.reply_to.as_deref(), Some("b"));
    let analysis = stored.analysis.expect("an analysis");
    assert_eq!((analysis.sentiment, analysis.emotion, analysis.confidence), (Sentiment::Positive, Emotion::Joy, 0.75));
    assert_eq!((analysis.scores.sentiment, analysis.scores.emotion[3]), ([0.125, 0.125, 0.75], 0.5));
    assert_eq!((analysis.model_name.as_str(), analysis.truncated), ("test-model", false));
    assert_eq!((stored.created_at, stored.ingested_at, analysis.analyzed_at), (now, now, now));
    assert_eq!(fixture.store.post(&post_id("b")).await.expect("an answer"), None);

    let (ids, counts) = posts_and_counts(&fixture).await;
    assert_eq!((ids, counts.average_confidence()), (vec!["a".to_owned()], 0.75));
    assert_eq!(fixture.store.known_posts(&[post_id("a"), post_id("b")]).await.expect("known"), [post_id("a")].into());
}

async fn batch_gives_the_same_result_as_single_entries(fixture: Fixture) {
    use Outcome::{Analysed, Deletion, Duplicate, Replacement, Skipped};
    let outcomes = fixture
        .outcomes(vec![
            insert(post("a")),
            insert(post("a")),
            replace(post("a"), "2026-03-01T13:00:00Z"),
            replace(post("a"), "2026-03-01T12:30:00Z"),
            delete("b"),
            insert(post("b")),
            replace(post("c"), "2026-03-01T12:30:00Z"),
            insert(post("c")),
            insert(post("d")),
            delete("d"),
            insert(post("d")),
            Change::Known { post_id: post_id("a") },
            Change::Known { post_id: post_id("d") },
            Change::Skip,
        ])
        .await;
    let expected = [
        Analysed,
        Duplicate,
        Replacement,
        Skipped,
        Deletion,
        Skipped,
        Replacement,
        Duplicate,
        Analysed,
        Deletion,
        Skipped,
        Duplicate,
        Skipped,
        Skipped,
    ];
    assert_eq!(outcomes, expected.map(Some));
    let (mut ids, counts) = posts_and_counts(&fixture).await;
    ids.sort_unstable();
    assert_eq!(ids, ["a", "c"]);
    assert_eq!((counts.total(), counts.sentiment(Sentiment::Negative)), (2, 2));
    let books = fixture.store.outcomes("one").await.expect("books");
    assert_eq!((books.analysed, books.duplicate, books.skipped), (2, 3, 5));
    assert_eq!((books.deletion, books.replacement, books.settled()), (2, 2, 14));
    assert_eq!(fixture.store.ingested_since(fixture.clock.now()).await.expect("a count"), 2);
}

async fn redelivery_changes_nothing_and_reports_stored_times(fixture: Fixture) {
    let changes = || {
        vec![
            insert(post("a")),
            insert(post("a")),
            replace(post("b"), "2026-03-01T12:30:00Z"),
            replace(post("a"), "2026-03-01T12:30:00Z"),
            insert(post("c")),
            delete("c"),
            Change::Known { post_id: post_id("b") },
            Change::Skip,
            Change::DeleteAuthor { source: source("web"), author: author("nobody") },
        ]
    };
    let keys = fixture.append(changes().len()).await;
    let batch =
        || keys.iter().cloned().zip(changes()).map(|(key, change)| Settlement { key, change }).collect::<Vec<_>>();
    let first = fixture.store.settle(batch()).await.expect("settled");
    assert!(first.iter().all(|settled| settled.outcome.is_some()));
    let before = (posts_and_counts(&fixture).await, fixture.store.outcomes("one").await.expect("books"));

    fixture.pass(seconds(60));
    for batch in [batch(), batch().into_iter().rev().collect(), vec![batch().remove(0)], vec![batch().remove(4)]] {
        for settled in fixture.store.settle(batch).await.expect("settled") {
            assert_eq!(settled.outcome, None);
            // A redelivered deletion reports its posts again, because other services may still hold copies of them.
            let again = |removed: &RemovedPost| removed.post_id == post_id("c") && removed.analyzed_at.is_none();
            assert!(settled.removed.iter().all(again), "{:?}", settled.removed);
        }
    }
    assert_eq!((posts_and_counts(&fixture).await, fixture.store.outcomes("one").await.expect("books")), before);

    let again = fixture.store.settle(batch()).await.expect("settled");
    let stored: Vec<bool> = again.iter().map(|settled| settled.stored.is_some()).collect();
    assert_eq!(stored, [true, true, true, true, false, false, true, false, false]);
    assert_eq!(again[2].stored, first[2].stored);
    assert_eq!(again[0].stored.map(|stored| stored.ingested_at), Some(at("2026-03-01T12:00:00Z")));
}
