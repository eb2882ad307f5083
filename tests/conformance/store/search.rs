//! Searching posts by words returns the same results with and without the index.

use sentistream::domain::PostId;
use sentistream::store::posts::{PostCursor, PostFilter, Sort, Start};
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, at, cases, delete, insert, post, replace, seconds};

cases!(
    words_are_found_in_any_script_and_position,
    search_results_change_with_edits_and_deletions,
    search_pages_follow_order_and_cursor,
    posts_stored_before_the_index_are_found_and_indexed,
);

const TEXTS: [&str; 9] = [
    "I love my new Phone, it is 100% great",
    "smartphones are nothing for me",
    "Größe ÜBER alles: straßenbahn",
    "東京の天気は晴れです",
    "5G is here, and 15GB of it",
    "sure_thing or sure.thing?",
    "Ελλάδα ΟΔΟΣ",
    "AI",
    "한국어 텍스트",
];

async fn filled(fixture: &Fixture) {
    let changes = TEXTS.iter().enumerate().map(|(number, text)| {
        let mut post = post(&format!("p{number}"));
        post.content = (*text).to_owned();
        post.created_at = post.created_at + seconds(number as u64);
        insert(post)
    });
    fixture.settle(changes.collect()).await;
}

fn words(query: &str) -> PostFilter {
    PostFilter { words: query.split_whitespace().map(str::to_owned).collect(), ..PostFilter::default() }
}

/// The numbers of the posts with the words of `query`, in order, and the counted total.
async fn found(fixture: &Fixture, query: &str) -> (Vec<String>, i64) {
    let filter = words(query);
    let page = fixture.store.sorted_posts(&filter, Sort::Oldest, Start::Offset(0), 50).await.expect("a page");
    let count = fixture.store.count_posts(&filter).await.expect("a total").count;
    (page.posts.into_iter().map(|post| post.post_id).collect(), count)
}

async fn words_are_found_in_any_script_and_position(fixture: Fixture) {
    filled(&fixture).await;
    let cases: [(&str, &[&str]); 17] = [
        ("phone", &["p0", "p1"]),
        ("PHONE new", &["p0"]),
        ("art", &["p1"]),
        ("100%", &["p0"]),
        ("größe über", &["p2"]),
        ("straßen", &["p2"]),
        ("東京", &["p3"]),
        ("天", &["p3"]),
        ("晴れです", &["p3"]),
        ("5g", &["p4"]),
        ("sure_thing", &["p5"]),
        ("sure.thing", &["p5"]),
        ("ελλ", &["p6"]),
        ("ai", &["p7"]),
        ("텍스", &["p8"]),
        ("zeppelin", &[]),
        ("phone zeppelin", &[]),
    ];
    for (query, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|id| (*id).to_owned()).collect();
        let count = expected.len() as i64;
        assert_eq!(found(&fixture, query).await, (expected, count), "{query}");
    }
}

async fn search_results_change_with_edits_and_deletions(fixture: Fixture) {
    filled(&fixture).await;
    let mut edited = post("p0");
    edited.content = "now a tablet".to_owned();
    fixture.settle(vec![replace(edited, "2026-03-01T13:00:00Z"), delete("p1")]).await;
    assert_eq!(found(&fixture, "phone").await, (Vec::new(), 0));
    assert_eq!(found(&fixture, "tablet").await, (vec!["p0".to_owned()], 1));
    assert_eq!(fixture.number("SELECT count(*) FROM post_search").await, TEXTS.len() as i64 - 1);
    let gone = fixture.store.delete_post(&PostId::parse("p0").expect("an id")).await.expect("an answer");
    assert!(gone);
    assert_eq!(found(&fixture, "tablet").await, (Vec::new(), 0));
}

async fn search_pages_follow_order_and_cursor(fixture: Fixture) {
    // More posts than are scanned before the index is used, with few matches.
    for batch in 0..10 {
        let changes = (0..500).map(|number| {
            let mut post = post(&format!("{batch}-{number}"));
            let rare = number % 250 == 0;
            post.content = if rare { format!("zeppelin {batch}") } else { "nothing to see".to_owned() };
            post.created_at = post.created_at + seconds(500 * (10 - batch) + number);
            insert(post)
        });
        fixture.settle(changes.collect()).await;
    }
    let filter = words("zeppelin");
    let all = fixture.store.posts(&filter, Start::Offset(0), 50).await.expect("a page").posts;
    assert_eq!(all.len(), 20);
    assert!(all.is_sorted_by(|one, next| one.created_at > next.created_at));
    let mut paged = Vec::new();
    let mut start = Start::Offset(0);
    while let Some(next) = {
        let page = fixture.store.posts(&filter, start, 7).await.expect("a page");
        paged.extend(page.posts);
        page.next
    } {
        assert!(matches!(next, PostCursor::Newest { .. }));
        start = Start::After(next);
    }
    assert_eq!(paged, all);
    let skipped = fixture.store.posts(&filter, Start::Offset(15), 50).await.expect("a page").posts;
    assert_eq!(skipped, all[15..]);
    let bounded = PostFilter { start: Some(at("2026-03-01T12:20:00Z")), ..filter };
    let expected = all.iter().filter(|post| post.created_at >= at("2026-03-01T12:20:00Z")).count() as i64;
    assert_eq!(fixture.store.count_posts(&bounded).await.expect("a total").count, expected);
}

async fn posts_stored_before_the_index_are_found_and_indexed(fixture: Fixture) {
    filled(&fixture).await;
    // The state after the migration of a database with posts.
    fixture.run(
        "DELETE FROM post_search; UPDATE search_state SET done = 0, last = (SELECT max(id) FROM social_media_posts)",
    )
    .await;
    assert_eq!(found(&fixture, "phone").await.1, 2);
    assert!(fixture.store.index_missing(&CancellationToken::new()).await.expect("indexed") >= TEXTS.len());
    assert_eq!(fixture.store.index_missing(&CancellationToken::new()).await.expect("indexed"), 0);
    assert_eq!(fixture.number("SELECT count(*) FROM post_search").await, TEXTS.len() as i64);
    assert_eq!(found(&fixture, "phone").await.1, 2);
}
