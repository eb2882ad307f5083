//! Cases of counts over time.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sentistream::domain::{Counts, Emotion, Period, Sentiment, SentimentOf, TimeRange, Timestamp};
use sentistream::store::AggregateFailure;
use sentistream::store::aggregate::{AggregateError, AggregateQuery};
use sentistream::store::posts::PostFilter;
use sentistream::store::settle::Change;

use super::fixture::{Fixture, START, analysis, at, cases, delete, insert, post, source};

cases!(
    aggregate_has_every_bucket_and_counts_posts_once,
    days_begin_at_midnight_of_the_time_zone,
    invalid_aggregate_query_is_rejected_with_a_reason,
    window_counts_exactly_its_posts,
    sources_are_listed_with_their_newest_post,
);

fn range(start: &str, end: &str) -> TimeRange {
    TimeRange::new(at(start), at(end)).expect("a range")
}

fn query(period: Period, range: TimeRange) -> AggregateQuery {
    AggregateQuery { period, range, filter: PostFilter::default(), zone: TimeZone::UTC }
}

/// The start and number of posts of each bucket.
async fn totals(fixture: &Fixture, query: &AggregateQuery) -> Vec<(String, i64)> {
    let aggregate = fixture.store.aggregate(query).await.expect("an aggregate");
    aggregate.buckets.iter().map(|bucket| (bucket.start.to_string(), bucket.counts.total())).collect()
}

/// Settles one joyful post for each of these times.
async fn written_at(fixture: &Fixture, times: &[&str]) {
    let changes = times.iter().map(|time| {
        let mut post = post(time);
        post.created_at = at(time);
        insert(post)
    });
    fixture.settle(changes.collect()).await;
}

async fn aggregate_has_every_bucket_and_counts_posts_once(fixture: Fixture) {
    let times = ["10:00:00", "10:59:59.999", "11:00:00", "11:30:00", "12:00:00"].map(|t| format!("2026-03-01T{t}Z"));
    written_at(&fixture, &times.each_ref().map(String::as_str)).await;
    let mut angry = post("angry");
    angry.source = source("blog");
    angry.created_at = at("2026-03-01T10:30:00Z");
    fixture
        .settle(vec![Change::Insert { post: angry, analysis: Some(analysis(Sentiment::Negative, Emotion::Anger)) }])
        .await;

    let hours = query(Period::Hour, range("2026-03-01T09:30:00Z", "2026-03-01T12:00:00Z"));
    let aggregate = fixture.store.aggregate(&hours).await.expect("an aggregate");
    assert_eq!(aggregate.range, range("2026-03-01T09:00:00Z", "2026-03-01T12:00:00Z"));
    let cells: Vec<_> = aggregate
        .buckets
        .iter()
        .map(|b| (b.counts.sentiment(Sentiment::Positive), b.counts.sentiment(Sentiment::Negative), b.counts.total()))
        .collect();
    assert_eq!(cells, [(0, 0, 0), (2, 1, 3), (2, 0, 2)]);
    assert_eq!(aggregate.buckets[1].counts.average_confidence(), 0.75);

    let of = |source_name: Option<&str>, emotion| AggregateQuery {
        filter: PostFilter { source: source_name.map(source), emotion, ..PostFilter::default() },
        ..hours.clone()
    };
    let sum = async |query: &AggregateQuery| totals(&fixture, query).await.iter().map(|(_, count)| count).sum::<i64>();
    assert_eq!(sum(&of(Some("blog"), None)).await, 1);
    assert_eq!(sum(&of(None, Some(Emotion::Joy))).await, 4);
    assert_eq!(sum(&of(Some("blog"), Some(Emotion::Joy))).await, 0);

    let minutes = query(Period::Minute, range("2026-03-01T10:58:30Z", "2026-03-01T11:01:00Z"));
    let counts: Vec<i64> = totals(&fixture, &minutes).await.into_iter().map(|(_, count)| count).collect();
    assert_eq!(counts, [0, 1, 1]);

    fixture.settle(vec![delete("angry")]).await;
    assert_eq!(sum(&hours).await, 4);
}

async fn days_begin_at_midnight_of_the_time_zone(fixture: Fixture) {
    // In New York, clocks go forward on 2026-03-08, so this day has 23 hours.
    written_at(
        &fixture,
        &["2026-03-08T04:59:00Z", "2026-03-08T05:00:00Z", "2026-03-09T03:59:00Z", "2026-03-09T04:00:00Z"],
    )
    .await;
    let mut days = query(Period::Day, range("2026-03-08T12:00:00Z", "2026-03-09T12:00:00Z"));
    days.zone = TimeZone::get("America/New_York").expect("a zone");
    let expected = [("2026-03-08T05:00:00.000Z".to_owned(), 2), ("2026-03-09T04:00:00.000Z".to_owned(), 1)];
    assert_eq!(totals(&fixture, &days).await, expected);
    days.zone = TimeZone::get("Asia/Kathmandu").expect("a zone");
    let expected = [("2026-03-07T18:15:00.000Z".to_owned(), 2), ("2026-03-08T18:15:00.000Z".to_owned(), 2)];
    assert_eq!(totals(&fixture, &days).await, expected);
    days.zone = TimeZone::UTC;
    let expected = [("2026-03-08T00:00:00.000Z".to_owned(), 2), ("2026-03-09T00:00:00.000Z".to_owned(), 2)];
    assert_eq!(totals(&fixture, &days).await, expected);
}

async fn invalid_aggregate_query_is_rejected_with_a_reason(fixture: Fixture) {
    let refusal = async |query: &AggregateQuery| match fixture.store.aggregate(query).await {
        Err(AggregateFailure::Query(error)) => error,
        other => panic!("{other:?}"),
    };
    let long = query(Period::Hour, range("2025-01-01T00:00:00Z", "2025-07-28T09:00:00Z"));
    assert_eq!(refusal(&long).await, AggregateError::TooManyBuckets(5_001));
    let fits = query(Period::Hour, range("2025-01-01T00:00:00Z", "2025-07-28T08:00:00Z"));
    assert_eq!(totals(&fixture, &fits).await.len(), 5_000);
    let old = query(Period::Minute, range("2026-02-21T11:59:59Z", "2026-02-21T12:10:00Z"));
    assert_eq!(refusal(&old).await, AggregateError::MinutesGone(at("2026-02-21T12:00:00Z")));
}

async fn window_counts_exactly_its_posts(fixture: Fixture) {
    let mut random = StdRng::seed_from_u64(1);
    let now = at(START);
    // Half of the posts are from the last hours. The other half is up to 23 days old, and most of these posts are older
    // than the oldest minute rollup.
    let posts: Vec<_> = (0..400)
        .map(|number| {
            let age = if number % 2 == 0 {
                random.random_range(0..20_000_000)
            } else {
                random.random_range(0..2_000_000_000)
            };
            let mut post = post(&format!("p{number}"));
            post.source = source(["web", "blog"][number % 2]);
            post.created_at = now - std::time::Duration::from_millis(age);
            (post, analysis(Sentiment::ALL[number % 3], Emotion::ALL[number % 7]))
        })
        .collect();
    fixture
        .settle(
            posts.iter().cloned().map(|(post, analysis)| Change::Insert { post, analysis: Some(analysis) }).collect(),
        )
        .await;

    for round in 0..120 {
        let ends = (0..2).map(|_| {
            let reach = if round % 2 == 0 { 20_000_000 } else { 2_100_000_000 };
            now - std::time::Duration::from_millis(random.random_range(0..reach))
        });
        let mut ends: Vec<Timestamp> = ends.collect();
        ends.sort_unstable();
        let window = TimeRange::new(ends[0], ends[1]).expect("a range");
        let mut expected: BTreeMap<String, Counts> = BTreeMap::new();
        for (post, analysis) in &posts {
            if (window.start()..window.end()).contains(&post.created_at) {
                let counts = expected.entry(post.source.to_string()).or_default();
                counts.add(Some(analysis.labels()), 1, analysis.confidence);
            }
        }
        assert_eq!(
            fixture.store.window_by_source(window, None, SentimentOf::Topic).await.expect("counts"),
            expected,
            "{window:?}"
        );
        let blog = fixture.store.window(window, Some(&source("blog"))).await.expect("counts");
        assert_eq!(blog, expected.get("blog").copied().unwrap_or_default());
    }
}

async fn sources_are_listed_with_their_newest_post(fixture: Fixture) {
    assert_eq!(fixture.store.sources().await.expect("sources"), []);
    let from = |id: &str, place: &str, time: &str| {
        let mut post = post(id);
        post.source = source(place);
        post.created_at = at(time);
        insert(post)
    };
    fixture
        .settle(vec![
            from("a", "web", "2026-03-01T10:00:00Z"),
            from("b", "blog", "2026-03-01T11:00:00Z"),
            from("c", "blog", "2026-03-01T10:30:00Z"),
            from("d", "gone", "2026-03-01T10:30:00Z"),
        ])
        .await;
    fixture.settle(vec![delete("b"), delete("d")]).await;
    fixture.settle(vec![from("e", "blog", "2026-03-01T09:00:00Z")]).await;
    let listed: Vec<_> = fixture
        .store
        .sources()
        .await
        .expect("sources")
        .into_iter()
        .map(|s| (s.source, s.counts.total(), s.last_post.map(|at| at.to_string())))
        .collect();
    let expected = [("blog", 2, "2026-03-01T10:30:00.000Z"), ("web", 1, "2026-03-01T10:00:00.000Z")];
    assert_eq!(listed, expected.map(|(name, count, time)| (name.to_owned(), count, Some(time.to_owned()))));
}
