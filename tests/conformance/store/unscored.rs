//! Cases of posts without a sentiment. They are counted separately and by language, and never as neutral.

use std::collections::BTreeMap;

use sentistream::domain::{Counts, Emotion, Outcome, Period, Sentiment, SentimentFilter, TimeRange, Timestamp};
use sentistream::store::aggregate::AggregateQuery;
use sentistream::store::posts::{PostFilter, Sort, Start};
use sentistream::store::settle::{Change, Reanalyses, Reanalysis, Replaced};

use super::fixture::{
    Fixture, analysis, at, cases, delete, insert, insert_unscored, post, post_id, replace, seconds, source,
};

cases!(
    unscored_post_is_counted_separately,
    replacement_changes_between_scored_and_unscored,
    removal_of_unscored_post_corrects_counts,
    unscored_post_is_found_by_filter_and_sorted_last,
    unscored_post_gets_no_second_opinion,
    unscored_post_is_analysed_later_unless_its_text_changed,
);

fn all_time() -> TimeRange {
    TimeRange::new(Timestamp::MIN, Timestamp::MAX).expect("a range")
}

/// The counts of all posts. Checks that the totals, the window and the buckets have the same counts.
async fn counts(fixture: &Fixture) -> Counts {
    let window = fixture.store.window(all_time(), None).await.expect("counts");
    let mut totals = Counts::default();
    for source in fixture.store.sources().await.expect("sources") {
        totals.merge(&source.counts);
    }
    assert_eq!(totals, window);
    let range = TimeRange::new(at("2026-03-01T00:00:00Z"), at("2026-03-02T00:00:00Z")).expect("a range");
    for period in [Period::Minute, Period::Hour, Period::Day] {
        let query = AggregateQuery { period, range, filter: PostFilter::default(), zone: jiff::tz::TimeZone::UTC };
        let mut buckets = Counts::default();
        for bucket in fixture.store.aggregate(&query).await.expect("buckets").buckets {
            buckets.merge(&bucket.counts);
        }
        assert_eq!(buckets, window, "{period:?}");
    }
    window
}

async fn languages(fixture: &Fixture) -> BTreeMap<String, i64> {
    let in_all = fixture.store.unscored_languages_in(all_time(), &PostFilter::default()).await.expect("counts");
    let languages = fixture.store.unscored_languages().await.expect("counts");
    assert_eq!(in_all.as_ref(), Some(&languages));
    languages
}

async fn unscored_post_is_counted_separately(fixture: Fixture) {
    let odd = {
        let mut odd = post("odd");
        odd.lang = Some("not a language".to_owned());
        Change::Insert { post: odd, analysis: None }
    };
    let outcomes = fixture.outcomes(vec![insert(post("a")), insert_unscored(post("b")), odd]).await;
    assert_eq!(outcomes, [Some(Outcome::Analysed), Some(Outcome::Unscored), Some(Outcome::Unscored)]);
    let counts = counts(&fixture).await;
    assert_eq!((counts.posts(), counts.total(), counts.unscored()), (3, 1, 2));
    assert_eq!((counts.sentiment(Sentiment::Neutral), counts.emotion(Emotion::Neutral)), (0, 0));
    assert_eq!((counts.percentage(Sentiment::Positive), counts.average_confidence()), (100.0, 0.75));
    assert_eq!(languages(&fixture).await, BTreeMap::from([("de".to_owned(), 1), ("other".to_owned(), 1)]));
    assert_eq!(fixture.number("SELECT count(*) FROM sentiment_analysis").await, 1);
    assert_eq!(fixture.number("SELECT count(*) FROM posts").await, 1);
    let books = fixture.store.outcomes("one").await.expect("books");
    assert_eq!((books.analysed, books.unscored, books.settled()), (1, 2, 3));
    let stored = fixture.store.post(&post_id("b")).await.expect("an answer").expect("the post");
    assert_eq!((stored.analysis, stored.lang.as_deref()), (None, Some("de-AT")));
}

async fn replacement_changes_between_scored_and_unscored(fixture: Fixture) {
    let unscored = |edited_at: &str| {
        let mut post = post("a");
        post.lang = Some("fr".to_owned());
        Change::Replace { post, analysis: None, edited_at: at(edited_at) }
    };
    fixture.settle_one(insert(post("a"))).await;
    let versions = [
        (unscored("2026-03-01T12:00:01Z"), (0, 1)),
        (replace(post("a"), "2026-03-01T12:00:02Z"), (1, 0)),
        (unscored("2026-03-01T12:00:03Z"), (0, 1)),
        // An earlier edit changes nothing.
        (replace(post("a"), "2026-03-01T12:00:02Z"), (0, 1)),
    ];
    for (change, (scored, unscored)) in versions {
        fixture.settle_one(change).await;
        let counts = counts(&fixture).await;
        assert_eq!((counts.total(), counts.unscored()), (scored, unscored));
        assert_eq!(fixture.number("SELECT count(*) FROM sentiment_analysis").await, scored);
        assert_eq!(languages(&fixture).await.get("fr").copied().unwrap_or_default(), unscored);
        let stored = fixture.store.post(&post_id("a")).await.expect("an answer").expect("the post");
        assert_eq!(stored.analysis.is_some(), scored == 1);
    }
}

async fn removal_of_unscored_post_corrects_counts(fixture: Fixture) {
    fixture.settle(vec![insert_unscored(post("a")), insert_unscored(post("b")), insert_unscored(post("c"))]).await;
    fixture.settle_one(delete("a")).await;
    assert!(fixture.store.delete_post(&post_id("b")).await.expect("deleted"));
    let counts = counts(&fixture).await;
    assert_eq!((counts.posts(), counts.unscored()), (1, 1));
    assert_eq!(languages(&fixture).await, BTreeMap::from([("de".to_owned(), 1)]));
}

async fn unscored_post_is_found_by_filter_and_sorted_last(fixture: Fixture) {
    fixture.settle(vec![insert(post("a")), insert_unscored(post("b")), insert(post("c"))]).await;
    let ids = async |filter: &PostFilter, sort| {
        let page = fixture.store.sorted_posts(filter, sort, Start::Offset(0), 10).await.expect("a page");
        page.items.into_iter().map(|post| post.post_id).collect::<Vec<_>>()
    };
    let unscored = PostFilter { sentiment: Some(SentimentFilter::Unscored), ..PostFilter::default() };
    assert_eq!(ids(&unscored, Sort::Newest).await, ["b"]);
    assert_eq!(fixture.store.count_posts(&unscored).await.expect("a count").count, 1);
    let of_web = PostFilter { source: Some(source("web")), ..unscored };
    assert_eq!(fixture.store.counts(all_time(), &of_web).await.expect("counts").unscored(), 1);
    assert_eq!(ids(&PostFilter::default(), Sort::Confidence).await, ["c", "a", "b"]);
    let confident = PostFilter { min_confidence: Some(0.0), ..PostFilter::default() };
    assert_eq!(ids(&confident, Sort::Newest).await, ["c", "a"]);
    let words = PostFilter { words: vec!["content".to_owned()], ..PostFilter::default() };
    assert_eq!(ids(&words, Sort::Newest).await, ["c", "b", "a"]);
}

async fn unscored_post_gets_no_second_opinion(fixture: Fixture) {
    fixture.settle_one(insert_unscored(post("a"))).await;
    let analyzed_at = fixture.clock.now();
    fixture.pass(seconds(1));
    let reanalysis = Reanalysis {
        post_id: post_id("a"),
        analysis: analysis(Sentiment::Negative, Emotion::Fear),
        replaces: Replaced::Analysis(analyzed_at),
    };
    let batch = Reanalyses { list: vec![reanalysis], topics: None };
    assert_eq!(fixture.store.reanalyse(batch).await.expect("an answer"), Some(vec![None]));
    assert_eq!(counts(&fixture).await.unscored(), 1);
}

async fn unscored_post_is_analysed_later_unless_its_text_changed(fixture: Fixture) {
    fixture.settle(vec![insert_unscored(post("a")), insert_unscored(post("b"))]).await;
    fixture.pass(seconds(1));
    let content = post("a").content.clone();
    let reanalysed = |id: &str, content: String| Reanalysis {
        post_id: post_id(id),
        analysis: analysis(Sentiment::Negative, Emotion::Fear),
        replaces: Replaced::Unscored { content },
    };
    let list = vec![reanalysed("a", content.clone()), reanalysed("b", format!("{content} (edited)"))];
    let done = fixture.store.reanalyse(Reanalyses { list, topics: None }).await.expect("an answer").expect("no topics");
    assert!(done[0].is_some() && done[1].is_none());
    let counted = counts(&fixture).await;
    assert_eq!((counted.unscored(), counted.total()), (1, 1));
    let stored = fixture.store.post(&post_id("a")).await.expect("an answer").expect("the post");
    assert_eq!(stored.labels().map(|labels| labels.sentiment), Some(Sentiment::Negative));
    // A second attempt changes nothing.
    let again = Reanalyses { list: vec![reanalysed("a", content)], topics: None };
    assert_eq!(fixture.store.reanalyse(again).await.expect("an answer"), Some(vec![None]));
    assert_eq!(counts(&fixture).await, counted);
}
