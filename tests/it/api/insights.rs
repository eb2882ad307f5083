//! Explanations of the difference between two ranges.

use serde_json::{Value, json};

use super::test_app::{Setup, TestApp, cases, post};

cases![
    explain_finds_sentiment_words_sources_and_copies,
    explain_of_equal_ranges_reports_no_changes,
    explain_accepts_every_filter_and_range,
    explain_refuses_bad_ranges,
    explain_of_many_posts_reads_a_bounded_sample,
    explain_lists_authors_who_stopped_posting,
];

const NOW: &str = "start_date=2026-03-01T12:00:00Z&end_date=2026-03-01T12:30:00Z";
/// When the newest post of each range was written, in seconds before the end of the current range.
const CURRENT: u64 = 600;
const PREVIOUS: u64 = 2_400;

fn written(id: &str, source: &str, content: &str, seconds: u64) -> Value {
    let mut post = post(id, source, content, seconds);
    post["author"] = json!(format!("author of {id}"));
    post
}

/// Stores sixty posts per range. In the previous range, one third of the posts are angry. In the current range, two
/// thirds are angry about refunds, and these posts come from one source.
async fn incident(app: &TestApp) {
    let mut posts = Vec::new();
    for number in 0..40 {
        let text = format!("I hate that the refund of order {number} never arrived #AcmeFail");
        posts.push(written(&format!("now-{number}"), "twitter", &text, CURRENT + number));
        posts.push(written(&format!("mild-{number}"), "web", "the weather is mild in the valley", PREVIOUS + number));
    }
    for number in 0..20 {
        let text = format!("I hate rainy mornings, says walker {}", ["one", "two", "three"][number as usize % 3]);
        posts.push(written(&format!("rain-{number}"), "web", &text, PREVIOUS + 100 + number));
        posts.push(written(&format!("calm-{number}"), "web", "the weather is mild in the valley", CURRENT + number));
    }
    app.store(&posts).await;
}

fn named<'a>(list: &'a Value, field: &str, name: &str) -> &'a Value {
    let list = list.as_array().expect("a list");
    list.iter().find(|one| one[field] == name).unwrap_or_else(|| panic!("no {name} in {list:?}"))
}

async fn explain_finds_sentiment_words_sources_and_copies(setup: Setup) {
    let app = TestApp::start(setup).await;
    incident(&app).await;
    let answer = app.get(&format!("/api/insights/explain?{NOW}")).await.ok();
    assert_eq!((&answer["current"]["total"], &answer["previous"]["total"]), (&json!(60), &json!(60)));
    assert_eq!((&answer["current"]["sampled"], &answer["counted_from"]), (&json!(60), &json!("rollups")));
    assert_eq!(answer["previous"]["end_date"], answer["current"]["start_date"]);
    assert_eq!(answer["significant"], true);
    let change = &answer["changes"][0];
    assert_eq!(
        (&change["measure"], &change["previous"], &change["current"], &change["emotion"], &change["source"]),
        (&json!("negative"), &json!(33.33), &json!(66.67), &json!("anger"), &json!("twitter"))
    );
    assert_eq!(answer["changes"].as_array().map(Vec::len), Some(1), "the number of posts did not change");

    let words = &answer["words"];
    let tag = named(words, "term", "#acmefail");
    assert_eq!((&tag["kind"], &tag["rate"], &tag["previous_rate"]), (&json!("hashtag"), &json!(100.0), &json!(0.0)));
    let terms: Vec<&str> = words.as_array().expect("words").iter().filter_map(|word| word["term"].as_str()).collect();
    assert!(terms.iter().any(|term| term.contains("refund")), "{terms:?}");
    assert!(!terms.iter().any(|term| ["the", "that", "of", "that the"].contains(term)), "{terms:?}");

    let parts: f64 =
        answer["sources"].as_array().expect("sources").iter().filter_map(|p| p["contribution"].as_f64()).sum();
    assert!((parts - 33.33).abs() < 0.05, "the contributions sum to the change: {parts}");
    let twitter = named(&answer["sources"], "source", "twitter");
    assert_eq!((&twitter["posts"], &twitter["previous_posts"]), (&json!(40), &json!(0)));
    let text = &answer["texts"][0];
    assert_eq!((&text["posts"], &text["authors"], &text["sources"]), (&json!(40), &json!(40), &json!(["twitter"])));
    assert!(text["content"].as_str().is_some_and(|content| content.contains("refund")), "{text}");

    // The response contains every cited post, and at most three per finding.
    let lists = ["words", "sources", "authors", "texts"];
    let ids = lists.iter().flat_map(|list| answer[list].as_array().expect("a list")).map(|part| &part["post_ids"]);
    for ids in ids.chain([&answer["typical"]["current"], &answer["typical"]["previous"]]) {
        let ids = ids.as_array().expect("ids");
        assert!(ids.len() <= 3, "{ids:?}");
        for id in ids {
            let cited = &answer["posts"][id.as_str().expect("an id")];
            assert!(cited["content"].is_string(), "{id} is cited");
        }
    }
    assert!(!answer["typical"]["current"].as_array().expect("ids").is_empty());
}

async fn explain_of_equal_ranges_reports_no_changes(setup: Setup) {
    let app = TestApp::start(setup).await;
    let quiet = app.get("/api/insights/explain").await.ok();
    assert_eq!((&quiet["significant"], &quiet["changes"], &quiet["words"]), (&json!(false), &json!([]), &json!([])));
    incident(&app).await;
    let range = "start_date=2026-03-01T12:00:00Z&against_start=2026-03-01T12:00:00Z";
    let same = app.get(&format!("/api/insights/explain?{range}")).await.ok();
    assert_eq!((&same["significant"], &same["changes"], &same["words"]), (&json!(false), &json!([]), &json!([])));
    assert_eq!(same["sources"][0]["contribution"], 0.0);
}

async fn explain_accepts_every_filter_and_range(setup: Setup) {
    let app = TestApp::start(setup).await;
    let topic = app.post("/api/topics", &json!({"name": "refunds", "query": "refund"})).await;
    assert_eq!(topic.status, 201, "{}", topic.text());
    incident(&app).await;
    for (filter, now, before) in [
        ("topic=refunds", 40, 0),
        ("source=web", 20, 60),
        ("sentiment=negative", 40, 20),
        ("emotion=anger&source=web", 0, 20),
        ("q=refund", 40, 0),
        ("author=author%20of%20rain-1", 0, 1),
    ] {
        let answer = app.get(&format!("/api/insights/explain?{NOW}&{filter}")).await.ok();
        let totals = (&answer["current"]["total"], &answer["previous"]["total"]);
        assert_eq!(totals, (&json!(now), &json!(before)), "{filter}: {answer}");
    }
    let fewer = app.get(&format!("/api/insights/explain?{NOW}&source=web")).await.ok();
    assert_eq!(
        fewer["changes"][0]["measure"], "posts",
        "twenty posts are too few to report a change of sentiment: {fewer}"
    );
    let volume = &app.get(&format!("/api/insights/explain?{NOW}&topic=refunds")).await.ok()["changes"][0];
    assert_eq!(
        (&volume["measure"], &volume["previous"], &volume["current"]),
        (&json!("posts"), &json!(0.0), &json!(40.0))
    );

    let against = "against_start=2026-03-01T11:40:00Z&against_end=2026-03-01T11:50:00Z";
    let chosen = app.get(&format!("/api/insights/explain?{NOW}&{against}")).await.ok();
    assert_eq!(chosen["previous"]["start_date"], "2026-03-01T11:40:00.000Z");
    assert_eq!(chosen["previous"]["end_date"], "2026-03-01T11:50:00.000Z");
    let until = app.get(&format!("/api/insights/explain?{NOW}&against_end=2026-03-01T10:00:00Z")).await.ok();
    assert_eq!(until["previous"]["start_date"], "2026-03-01T09:30:00.000Z");
}

async fn explain_refuses_bad_ranges(setup: Setup) {
    let app = TestApp::start(setup).await;
    for (query, field) in [
        ("start_date=2026-03-02T00:00:00Z", "start_date"),
        ("start_date=2026-03-01T12:00:00Z&end_date=2026-03-01T11:00:00Z", "end_date"),
        ("against_start=2026-03-01T12:00:00Z&against_end=2026-03-01T11:00:00Z", "against_end"),
        ("topic=missing", "topic"),
        ("q=a&wrong=1", "wrong"),
    ] {
        assert_eq!(app.get(&format!("/api/insights/explain?{query}")).await.problem(422), [field], "{query}");
    }
}

async fn explain_of_many_posts_reads_a_bounded_sample(setup: Setup) {
    let app = TestApp::start(setup).await;
    let posts: Vec<Value> = (0..3_000)
        .map(|number| {
            written(&format!("p{number}"), "web", &format!("I hate the queue of desk {number}"), number / 2 + 1)
        })
        .collect();
    app.store(&posts).await;
    let answer = app.get(&format!("/api/insights/explain?{NOW}")).await.ok();
    assert_eq!(answer["current"]["total"], 3_000);
    let sampled = answer["current"]["sampled"].as_i64().expect("a number");
    assert!((1_500..=2_500).contains(&sampled), "{sampled}");
}

async fn explain_lists_authors_who_stopped_posting(setup: Setup) {
    let app = TestApp::start(setup).await;
    incident(&app).await;
    let by = |author: &str, id: &str, seconds: u64| {
        let mut post = written(id, "web", "I hate the queue at the counter", seconds);
        post["author"] = json!(author);
        post
    };
    let posts = [
        by("stopped", "stopped-1", PREVIOUS + 200),
        by("stopped", "stopped-2", PREVIOUS + 201),
        by("continued", "continued-1", PREVIOUS + 202),
        by("continued", "continued-2", CURRENT + 202),
        by("once", "once-1", PREVIOUS + 203),
    ];
    app.store(&posts).await;
    let answer = app.get(&format!("/api/insights/explain?{NOW}")).await.ok();
    let counts = |name: &str| {
        let author = named(&answer["authors"], "author", name);
        (author["posts"].clone(), author["previous_posts"].clone())
    };
    assert_eq!(counts("stopped"), (json!(0), json!(2)));
    assert_eq!(counts("continued"), (json!(1), json!(1)));
    assert!(!answer["authors"].to_string().contains("once"), "an author with a single post is not listed");
}
