//! Cases of reading posts: order, pages, filters, and totals.

use sentistream::domain::{Author, Emotion, Sentiment};
use sentistream::store::posts::{COUNT_LIMIT, PostFilter, Start, Total};
use sentistream::store::settle::Change;

use super::fixture::{Fixture, analysis, at, author, cases, post, seconds, source};

cases!(
    pages_have_no_gaps_and_no_repetitions,
    each_filter_selects_only_matching_posts,
    words_are_found_in_any_case,
    totals_are_exact_or_marked_as_capped,
);

async fn ids(fixture: &Fixture, filter: &PostFilter) -> Vec<String> {
    let page = fixture.store.posts(filter, Start::Offset(0), 100).await.expect("a page");
    let total = fixture.store.count_posts(filter).await.expect("a total");
    assert_eq!(total, Total { count: page.items.len() as i64, capped: false }, "{filter:?}");
    page.items.into_iter().map(|post| post.post_id).collect()
}

async fn pages_have_no_gaps_and_no_repetitions(fixture: Fixture) {
    // Each second has four posts, so that some pages end between posts with equal times.
    let changes = (0..25).map(|number| {
        let mut post = post(&format!("p{number:02}"));
        post.created_at = post.created_at + seconds(number / 4);
        super::fixture::insert(post)
    });
    fixture.settle(changes.collect()).await;
    let none = PostFilter::default();
    let expected: Vec<String> = (0..25).rev().map(|number| format!("p{number:02}")).collect();
    assert_eq!(ids(&fixture, &none).await, expected);

    let (mut seen, mut start) = (Vec::new(), Some(Start::Offset(0)));
    while let Some(from) = start {
        let page = fixture.store.posts(&none, from, 7).await.expect("a page");
        let by_offset = fixture.store.posts(&none, Start::Offset(seen.len() as i64), 7).await.expect("a page");
        assert_eq!(page, by_offset);
        assert!(page.items.len() == 7 || page.next.is_none());
        start = page.next.map(Start::After);
        seen.extend(page.items.into_iter().map(|post| post.post_id));
    }
    assert_eq!(seen, expected);
    let behind = fixture.store.posts(&none, Start::Offset(25), 7).await.expect("a page");
    assert_eq!((behind.items.len(), behind.next), (0, None));
}

async fn each_filter_selects_only_matching_posts(fixture: Fixture) {
    let version = |id: &str, place: &str, writer: &str, sentiment, emotion, minute: u64| {
        let mut post = post(id);
        post.source = source(place);
        post.author = Author::parse(writer).ok();
        post.created_at = at("2026-03-01T11:00:00Z") + seconds(60 * minute);
        Change::Insert { post, analysis: Some(analysis(sentiment, emotion)) }
    };
    use {Emotion as E, Sentiment as S};
    fixture
        .settle(vec![
            version("a", "web", "ada", S::Positive, E::Joy, 0),
            version("b", "web", "", S::Negative, E::Anger, 1),
            version("c", "blog", "ada", S::Negative, E::Fear, 2),
        ])
        .await;
    fixture.pass(seconds(60));
    let mut unsure = analysis(S::Neutral, E::Neutral);
    unsure.confidence = 0.4;
    let mut late = post("d");
    late.created_at = at("2026-03-01T10:59:00Z");
    fixture.settle(vec![Change::Insert { post: late, analysis: Some(unsure) }]).await;

    let all = PostFilter::default;
    let cases = [
        (all(), vec!["c", "b", "a", "d"]),
        (PostFilter { source: Some(source("web")), ..all() }, vec!["b", "a", "d"]),
        (PostFilter { source: Some(source("none")), ..all() }, vec![]),
        (PostFilter { sentiment: Some(S::Negative.into()), ..all() }, vec!["c", "b"]),
        (PostFilter { sentiment: Some(S::Negative.into()), source: Some(source("web")), ..all() }, vec!["b"]),
        (PostFilter { emotion: Some(E::Joy), ..all() }, vec!["a"]),
        (PostFilter { author: Some(author("ada")), ..all() }, vec!["c", "a"]),
        (PostFilter { min_confidence: Some(0.75), ..all() }, vec!["c", "b", "a"]),
        (PostFilter { min_confidence: Some(0.76), ..all() }, vec![]),
        (PostFilter { start: Some(at("2026-03-01T11:01:00Z")), ..all() }, vec!["c", "b"]),
        (PostFilter { end: Some(at("2026-03-01T11:01:00Z")), ..all() }, vec!["a", "d"]),
        (
            PostFilter { start: Some(at("2026-03-01T10:59:30Z")), end: Some(at("2026-03-01T11:02:00Z")), ..all() },
            vec!["b", "a"],
        ),
        (
            PostFilter { start: Some(at("2026-03-01T11:01:00Z")), end: Some(at("2026-03-01T11:01:00Z")), ..all() },
            vec![],
        ),
        (PostFilter { ingested_after: Some(at("2026-03-01T12:00:00Z")), ..all() }, vec!["d"]),
        (PostFilter { ingested_after: Some(at("2026-03-01T11:59:59Z")), ..all() }, vec!["c", "b", "a", "d"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(&fixture, &filter).await, expected, "{filter:?}");
    }
}

async fn words_are_found_in_any_case(fixture: Fixture) {
    let contents = ["Die GRÖẞE zählt", "50% off_now \\o/", "Привет, МИР", "plain text"];
    let changes = contents.iter().enumerate().map(|(number, content)| {
        let mut post = post(&number.to_string());
        post.content = (*content).to_owned();
        post.created_at = post.created_at - seconds(number as u64);
        super::fixture::insert(post)
    });
    fixture.settle(changes.collect()).await;
    for (words, expected) in [
        (vec!["größe"], vec!["0"]),
        (vec!["ZÄHLT", "die"], vec!["0"]),
        (vec!["die", "plain"], vec![]),
        (vec!["50%"], vec!["1"]),
        (vec!["%"], vec!["1"]),
        (vec!["_"], vec!["1"]),
        (vec!["\\O"], vec!["1"]),
        (vec!["мир"], vec!["2"]),
        (vec!["Text"], vec!["3"]),
        (vec!["'"], vec![]),
    ] {
        let filter =
            PostFilter { words: words.iter().map(|word| (*word).to_owned()).collect(), ..PostFilter::default() };
        assert_eq!(ids(&fixture, &filter).await, expected, "{words:?}");
    }
}

async fn totals_are_exact_or_marked_as_capped(fixture: Fixture) {
    let posts = usize::try_from(COUNT_LIMIT).expect("fits usize") + 5;
    for first in (0..posts).step_by(500) {
        let changes = (first..(first + 500).min(posts)).map(|number| {
            let mut post = post(&number.to_string());
            post.created_at = at("2026-03-01T00:00:00Z") + seconds(number as u64);
            super::fixture::insert(post)
        });
        fixture.settle(changes.collect()).await;
    }
    let total = |filter: PostFilter| {
        let store = fixture.store.clone();
        async move { store.count_posts(&filter).await.expect("a total") }
    };
    let all = PostFilter::default;
    let exact = |count: usize| Total { count: count as i64, capped: false };
    assert_eq!(total(all()).await, exact(posts));
    assert_eq!(total(PostFilter { emotion: Some(Emotion::Joy), ..all() }).await, exact(posts));
    assert_eq!(total(PostFilter { emotion: Some(Emotion::Fear), ..all() }).await, exact(0));
    // The ranges include open ranges, and ranges that do not start or end at bucket boundaries.
    let start = Some(at("2026-03-01T00:10:07Z"));
    assert_eq!(total(PostFilter { start, ..all() }).await, exact(posts - 607));
    let end = Some(at("2026-03-01T02:31:59.5Z"));
    assert_eq!(total(PostFilter { start, end, ..all() }).await, exact(9_120 - 607));
    // Rollups cannot count posts by confidence, so the posts must be scanned.
    let confident = PostFilter { min_confidence: Some(0.5), ..all() };
    assert_eq!(total(confident.clone()).await, Total { count: COUNT_LIMIT, capped: true });
    assert_eq!(total(PostFilter { end, ..confident }).await, exact(9_120));
}
