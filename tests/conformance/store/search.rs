//! Cases of the search for words. The results must be the same with and without the index.

use sentistream::domain::{PostId, TimeRange};
use sentistream::store::posts::{PostCursor, PostFilter, Sort, Start};
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, Place, at, cases, delete, insert, post, replace, seconds};

cases!(
    words_are_found_in_any_script_and_position,
    search_results_change_with_edits_and_deletions,
    search_pages_follow_order_and_cursor,
    posts_stored_before_the_index_are_found_and_indexed,
    search_with_index_finds_the_same_posts_as_a_scan,
    posts_indexed_without_symbols_are_indexed_again,
    counting_of_a_common_word_stops_at_the_limit,
    search_sample_contains_only_posts_of_its_range,
    search_sample_of_a_busy_moment_reports_its_limits,
    size_of_text_index_is_known_on_postgres,
);

const TEXTS: [&str; 12] = [
    "I love my new Phone, it is 100% great",
    "smartphones are nothing for me",
    "Größe ÜBER alles: straßenbahn",
    "東京の天気は晴れです",
    "5G is here, and 15GB of it",
    "sure_thing or sure.thing?",
    "Ελλάδα ΟΔΟΣ",
    "AI",
    "한국어 텍스트",
    "C++ is 50% faster than C#, isn't it? 🙂",
    "I ❤️ rockets 🚀🚀",
    "né à Nîmes, 7",
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

/// The ids of the posts that contain the words of `query`, in order, and the reported total.
async fn found(fixture: &Fixture, query: &str) -> (Vec<String>, i64) {
    let filter = words(query);
    let page = fixture.store.sorted_posts(&filter, Sort::Oldest, Start::Offset(0), 50).await.expect("a page");
    let count = fixture.store.count_posts(&filter).await.expect("a total").count;
    (page.items.into_iter().map(|post| post.post_id).collect(), count)
}

async fn words_are_found_in_any_script_and_position(fixture: Fixture) {
    filled(&fixture).await;
    let cases: [(&str, &[&str]); 31] = [
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
        ("c++", &["p9"]),
        ("C#", &["p9"]),
        ("c+", &["p9"]),
        ("++", &["p9"]),
        ("%", &["p0", "p9"]),
        ("50%", &["p9"]),
        ("isn't", &["p9"]),
        ("🙂", &["p9"]),
        ("🚀", &["p10"]),
        ("🚀🚀", &["p10"]),
        ("❤️", &["p10"]),
        ("é", &["p11"]),
        ("7", &["p11"]),
        ("+++", &[]),
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
    // There are few matches, and more posts than a search scans before it uses the index.
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
    let all = fixture.store.posts(&filter, Start::Offset(0), 50).await.expect("a page").items;
    assert_eq!(all.len(), 20);
    assert!(all.is_sorted_by(|one, next| one.created_at > next.created_at));
    let mut paged = Vec::new();
    let mut start = Start::Offset(0);
    while let Some(next) = {
        let page = fixture.store.posts(&filter, start, 7).await.expect("a page");
        paged.extend(page.items);
        page.next
    } {
        assert!(matches!(next, PostCursor::Newest { .. }));
        start = Start::After(next);
    }
    assert_eq!(paged, all);
    let skipped = fixture.store.posts(&filter, Start::Offset(15), 50).await.expect("a page").items;
    assert_eq!(skipped, all[15..]);
    let bounded = PostFilter { start: Some(at("2026-03-01T12:20:00Z")), ..filter };
    let expected = all.iter().filter(|post| post.created_at >= at("2026-03-01T12:20:00Z")).count() as i64;
    assert_eq!(fixture.store.count_posts(&bounded).await.expect("a total").count, expected);
}

async fn posts_stored_before_the_index_are_found_and_indexed(fixture: Fixture) {
    filled(&fixture).await;
    // Restores the state after the migration of a database with posts: no post is indexed.
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

/// The parts from which texts are generated.
const PARTS: [&str; 24] = [
    "love", "gloves", "lov", "over", "th", "the", "a", "b", "x", "C++", "++", "+", "#tag", "tag", "50%", "don't",
    "東京", "京都", "で", "🙂", "❤️", "é", "7", "straße",
];

/// Generates the same texts from [`PARTS`] in every run. Some parts are joined without a space.
fn generated(count: usize) -> Vec<(String, String)> {
    let mut state = 7_u64;
    let mut draw = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % below
    };
    let text = |draw: &mut dyn FnMut(usize) -> usize| {
        let part = |draw: &mut dyn FnMut(usize) -> usize| {
            let space = if draw(3) == 0 { "" } else { " " };
            format!("{}{space}", PARTS[draw(PARTS.len())])
        };
        let length = 1 + draw(4);
        (0..length).map(|_| part(draw)).collect::<String>()
    };
    (0..count).map(|number| (format!("g{number}"), text(&mut draw))).collect()
}

async fn fill(fixture: &Fixture, texts: &[(String, String)]) {
    for batch in texts.chunks(200) {
        let changes = batch.iter().map(|(id, text)| {
            let mut post = post(id);
            post.content = text.clone();
            insert(post)
        });
        fixture.settle(changes.collect()).await;
    }
}

async fn search_with_index_finds_the_same_posts_as_a_scan(fixture: Fixture) {
    let texts = generated(400);
    fill(&fixture, &texts).await;
    let mut queries: Vec<String> = PARTS.iter().map(|part| (*part).to_owned()).collect();
    queries.extend(
        ["love th", "C++ 🙂", "o", "lo", "ov", "ove", "n't", "'t", "0%", "東", "aß", "b🙂", "love gloves 7"]
            .map(String::from),
    );
    for query in queries {
        let words: Vec<String> = query.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let holds = |text: &String| words.iter().all(|word| text.to_lowercase().contains(word));
        let expected = texts.iter().filter(|(_, text)| holds(text)).count();
        let filter = self::words(&query);
        let total = fixture.store.count_posts(&filter).await.expect("a total");
        assert_eq!((total.count, total.capped), (expected as i64, false), "{query}");
        let page = fixture.store.posts(&filter, Start::Offset(0), 500).await.expect("a page").items;
        assert_eq!(page.len(), expected, "{query}");
        assert!(page.iter().all(|post| holds(&post.content)), "{query}");
    }
}

async fn posts_indexed_without_symbols_are_indexed_again(fixture: Fixture) {
    filled(&fixture).await;
    let before = match fixture.place {
        Place::Sqlite { .. } => {
            "UPDATE search_state SET format_done = 0, format_last = (SELECT max(id) FROM social_media_posts)"
        }
        _ => "UPDATE post_search SET grams = ts_delete(grams, U&'\\E001')",
    };
    fixture.run(before).await;
    assert_eq!(found(&fixture, "c++").await.1, 1);
    assert!(fixture.store.index_missing(&CancellationToken::new()).await.expect("indexed") >= TEXTS.len());
    assert_eq!(fixture.store.index_missing(&CancellationToken::new()).await.expect("indexed"), 0);
    for (query, count) in [("c++", 1), ("phone", 2), ("🚀", 1)] {
        assert_eq!(found(&fixture, query).await.1, count, "{query}");
    }
}

/// Copies the only stored post `count` times, and does not add the copies to the index. The text of every fiftieth copy
/// contains `zeppelin`, and the texts of all other copies contain `common`.
async fn copy(fixture: &Fixture, count: usize) {
    fixture
        .run(&format!(
            "INSERT INTO social_media_posts (post_id, source, content, created_at, ingested_at, public_id, \
             sentiment_label, emotion, confidence_score, entry_epoch, entry_ms, entry_seq) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             SELECT 'copy' || n.i, p.source, CASE WHEN n.i % 50 = 0 THEN 'a rare zeppelin' ELSE 'a common phone' END, \
             p.created_at, p.ingested_at, p.public_id, p.sentiment_label, p.emotion, p.confidence_score, 'copy', n.i, 1 \
             FROM n, social_media_posts p"
        ))
        .await;
}

async fn counting_of_a_common_word_stops_at_the_limit(fixture: Fixture) {
    fixture.settle(vec![insert(post("model"))]).await;
    copy(&fixture, 22_000).await;
    fixture.run("UPDATE search_state SET done = 0, last = (SELECT max(id) FROM social_media_posts)").await;
    for (query, count, capped) in [("common", 10_000, true), ("co", 10_000, true), ("zeppelin", 440, false)] {
        let total = fixture.store.count_posts(&words(query)).await.expect("a total");
        assert_eq!((total.count, total.capped), (count, capped), "{query}");
    }
}

async fn search_sample_contains_only_posts_of_its_range(fixture: Fixture) {
    let texts = generated(400);
    fill(&fixture, &texts).await;
    let created = post("any").created_at;
    let range = |from: u64, to: u64| TimeRange::new(created + seconds(from), created + seconds(to)).expect("a range");
    for query in ["love", "東京", "C++", "th", "a", "zeppelin"] {
        let expected = texts.iter().filter(|(_, text)| text.to_lowercase().contains(&query.to_lowercase())).count();
        let sample = fixture.store.sample_words(&words(query), range(0, 10)).await.expect("a sample");
        assert_eq!((sample.total.count, sample.total.capped), (expected as i64, false), "{query}");
        assert_eq!(sample.posts.len(), expected, "{query}");
        let later = fixture.store.sample_words(&words(query), range(10, 20)).await.expect("a sample");
        assert_eq!((later.total.count, later.posts.len()), (0, 0), "{query}");
    }
}

async fn search_sample_of_a_busy_moment_reports_its_limits(fixture: Fixture) {
    fixture.settle(vec![insert(post("model"))]).await;
    let created = post("model").created_at;
    let range = TimeRange::new(created, created + seconds(10)).expect("a range");
    // The rollups cannot answer the condition, and the index is incomplete.
    let filter = PostFilter { min_confidence: Some(0.5), ..words("common") };
    for (copies, count, capped, sampled) in [(9_000, 8_820, false, 2_000), (22_000, 600, true, 600)] {
        fixture.run("DELETE FROM social_media_posts WHERE post_id <> 'model'").await;
        copy(&fixture, copies).await;
        fixture.run(&format!("UPDATE post_rollups SET count = {copies}")).await;
        fixture.run("UPDATE search_state SET done = 0, last = (SELECT max(id) FROM social_media_posts)").await;
        let sample = fixture.store.sample_words(&filter, range).await.expect("a sample");
        assert_eq!((sample.total.count, sample.total.capped), (count, capped), "{copies}");
        assert_eq!(sample.posts.len(), sampled, "{copies}");
    }
}

async fn size_of_text_index_is_known_on_postgres(fixture: Fixture) {
    filled(&fixture).await;
    let size = fixture.store.text_index_size().await.expect("a size");
    match fixture.place {
        Place::Sqlite { .. } => assert_eq!(size, None),
        Place::Postgres { .. } => {
            assert!(size.is_some_and(|size| size.index_bytes > 0 && size.table_bytes > 0), "{size:?}");
        }
    }
}
