//! Lists of posts, and single posts.

use serde_json::{Value, json};

use super::test_app::{Setup, TestApp, cases, post};

cases![
    stored_post_has_its_analysis,
    filters_combine_and_are_echoed,
    pages_cover_every_post_once,
    list_has_requested_order,
    invalid_parameters_are_listed,
    percent_encoded_ids_are_found_and_deleted,
    deleted_post_is_removed_everywhere,
];

/// The ids of the posts in a list.
pub fn ids(list: &Value) -> Vec<&str> {
    let posts = list["posts"].as_array().expect("posts");
    posts.iter().map(|post| post["post_id"].as_str().expect("an id")).collect()
}

fn three() -> Vec<Value> {
    vec![
        post("a", "web", "I love the new phone", 30),
        post("b", "web", "I hate the new phone", 20),
        post("c", "forum", "the meeting is on Tuesday: 100% sure_thing", 10),
    ]
}

async fn stored_post_has_its_analysis(setup: Setup) {
    let app = TestApp::start(setup).await;
    let sent = json!({
        "post_id": "x", "source": "Web", "content": "I love 🎉 \"quotes\" <b>", "created_at": 1_772_368_000,
        "lang": "en", "url": "https://example.org/x", "reply_to": "w",
    });
    app.store(&[sent]).await;

    let expected = json!({
        "post_id": "x", "source": "web", "content": "I love 🎉 \"quotes\" <b>", "author": null,
        "created_at": "2026-03-01T12:26:40.000Z", "ingested_at": "2026-03-01T12:30:00.000Z",
        "lang": "en", "url": "https://example.org/x", "reply_to": "w",
        "sentiment": {
            "label": "positive", "confidence": 0.9, "emotion": "joy", "model_name": "by-words",
            "analyzed_at": "2026-03-01T12:30:00.000Z",
        },
    });
    let list = app.get("/api/posts").await.ok();
    let mut shown = list["posts"][0].clone();
    let confidence = shown["sentiment"]["confidence"].as_f64().expect("a number");
    assert!((confidence - 0.9).abs() < 1e-6);
    shown["sentiment"]["confidence"] = json!(0.9);
    assert_eq!(shown, expected);
    assert_eq!((&list["total"], &list["next_cursor"], &list["total_capped"]), (&json!(1), &json!(null), &json!(null)));
    assert_eq!(app.get("/api/posts/recent").await.ok()["posts"], list["posts"]);

    let one = app.get("/api/posts/x").await.ok();
    assert_eq!(one["content"], expected["content"]);
    assert_eq!(one["scores"]["sentiment"], json!({"positive": 0.9, "neutral": 0.05, "negative": 0.05}));
    assert_eq!(one["scores"]["emotion"]["joy"], 0.8);
    assert_eq!(one["truncated"], false);
}

async fn filters_combine_and_are_echoed(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.store(&three()).await;
    for (query, expected) in [
        ("", &["c", "b", "a"][..]),
        ("source=web", &["b", "a"]),
        ("source=WEB&sentiment=negative", &["b"]),
        ("emotion=joy", &["a"]),
        ("author=ada&emotion=neutral", &["c"]),
        ("author=bob", &[]),
        ("q=PHONE+new", &["b", "a"]),
        ("q=new%20Tuesday", &[]),
        ("q=100%25", &["c"]),
        ("q=sure_thing", &["c"]),
        ("q=sure.thing", &[]),
        ("min_confidence=0.7", &["b", "a"]),
        ("min_confidence=1", &[]),
        ("start_date=2026-03-01T12:29:40Z", &["c", "b"]),
        ("end_date=2026-03-01T13:29:40%2B01:00", &["a"]),
        ("start_date=1772368170&end_date=1772368180000", &["a"]),
        ("start_date=2026-03-01&end_date=2026-03-02", &["c", "b", "a"]),
        ("ingested_after=2026-03-01T12:30:00Z", &[]),
        ("ingested_after=2026-03-01T12:29:59Z", &["c", "b", "a"]),
    ] {
        let list = app.get(&format!("/api/posts?{query}")).await.ok();
        assert_eq!(ids(&list), expected, "{query}");
        assert_eq!(list["total"], expected.len(), "{query}");
    }
    let list = app.get("/api/posts?source=WEB&q=a+b&min_confidence=0.5&start_date=1772368170").await.ok();
    let filters = &list["filters"];
    assert_eq!((&filters["source"], &filters["q"], &filters["emotion"]), (&json!("web"), &json!("a b"), &json!(null)));
    assert_eq!((&filters["min_confidence"], &filters["start_date"]), (&json!(0.5), &json!("2026-03-01T12:29:30.000Z")));
}

async fn pages_cover_every_post_once(setup: Setup) {
    let app = TestApp::start(setup).await;
    // Posts with the same time are ordered by id.
    let posts: Vec<_> = (0..25).map(|n| post(&format!("p{n}"), "web", "text", n / 10)).collect();
    app.store(&posts).await;

    let whole = app.get("/api/posts?limit=500").await.ok();
    assert_eq!(ids(&whole).len(), 25);
    let mut seen = Vec::new();
    let mut path = "/api/posts?limit=7&source=web".to_owned();
    loop {
        let page = app.get(&path).await.ok();
        assert_eq!(page["total"], 25);
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/posts?limit=7&source=web&cursor={cursor}");
    }
    assert_eq!(seen, ids(&whole));
    let skipped = app.get("/api/posts?limit=7&offset=20").await.ok();
    assert_eq!(ids(&skipped), ids(&whole)[20..]);
    assert_eq!((&skipped["limit"], &skipped["offset"]), (&json!(7), &json!(20)));
    assert_eq!(ids(&app.get("/api/posts?offset=9000000").await.ok()), Vec::<&str>::new());
}

async fn list_has_requested_order(setup: Setup) {
    let app = TestApp::start(setup).await;
    // The confidences are 0.9, 0.75, 0.6 and 0.9. Posts with the same confidence are ordered by id, descending.
    app.store(&three()).await;
    app.store(&[post("d", "web", "I love the old phone", 40)]).await;
    for (sort, query, expected) in [
        ("newest", "", &["c", "b", "a", "d"][..]),
        ("oldest", "", &["d", "a", "b", "c"]),
        ("confidence", "", &["d", "a", "b", "c"]),
        ("confidence", "&source=web&q=phone", &["d", "a", "b"]),
        ("oldest", "&sentiment=positive", &["d", "a"]),
    ] {
        let mut seen: Vec<String> = Vec::new();
        let mut path = format!("/api/posts?limit=1&sort={sort}{query}");
        loop {
            let page = app.get(&path).await.ok();
            assert_eq!(page["sort"], sort);
            seen.extend(ids(&page).into_iter().map(str::to_owned));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/posts?limit=1&sort={sort}{query}&cursor={cursor}");
        }
        assert_eq!(seen, expected, "{sort}{query}");
        let export = app.get(&format!("/api/posts/export?format=csv&sort={sort}{query}")).await.text();
        let exported: Vec<&str> = export.lines().skip(1).filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(exported, expected, "the export by {sort}{query}");
    }
}

async fn invalid_parameters_are_listed(setup: Setup) {
    let app = TestApp::start(setup).await;
    for (query, fields) in [
        ("limit=0", &["limit"][..]),
        ("limit=501", &["limit"]),
        ("limit=ten&offset=-1", &["limit", "offset"]),
        ("limit=", &["limit"]),
        ("offset=1.5", &["offset"]),
        ("offset=99999999999999999999", &["offset"]),
        ("source=no%20spaces", &["source"]),
        ("source=", &["source"]),
        ("sentiment=Positive", &["sentiment"]),
        ("emotion=happy", &["emotion"]),
        ("min_confidence=1.1", &["min_confidence"]),
        ("min_confidence=NaN", &["min_confidence"]),
        ("start_date=yesterday&end_date=never", &["start_date", "end_date"]),
        ("start_date=2026-02-01&end_date=2026-01-01", &["end_date"]),
        ("ingested_after=x", &["ingested_after"]),
        ("cursor=abc", &["cursor"]),
        ("cursor=1.1&offset=0", &["offset"]),
        ("cursor=1.1&sort=oldest", &["cursor"]),
        ("cursor=c7ff8000000000000.1&sort=confidence", &["cursor"]),
        ("sort=best", &["sort"]),
        ("source=a&source=b", &["source"]),
        ("q=%00", &["q"]),
        ("limits=5&Source=web", &["limits", "Source"]),
    ] {
        let answer = app.get(&format!("/api/posts?{query}")).await;
        assert_eq!(answer.problem(422), fields, "{query}");
    }
    for query in ["source=%zz", "source=%f", "q=%ff", "%ff=1"] {
        assert_eq!(app.get(&format!("/api/posts?{query}")).await.problem(400), Vec::<String>::new(), "{query}");
    }
    app.get("/api/posts/recent?limit=1").await.problem(422);
}

async fn percent_encoded_ids_are_found_and_deleted(setup: Setup) {
    let app = TestApp::start(setup).await;
    let strange = ["at://did:plc:x/app.bsky.feed.post/abc", "a b+c%2F?#", "ünï-✓", "%", "recent posts", ".."];
    let posts: Vec<_> = strange.iter().map(|id| post(id, "web", "text", 0)).collect();
    app.store(&posts).await;
    for id in &strange[..5] {
        let encoded = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC);
        assert_eq!(app.get(&format!("/api/posts/{encoded}")).await.ok()["post_id"], *id);
        assert_eq!(app.delete(&format!("/api/posts/{encoded}")).await.status, 204, "{id}");
        app.get(&format!("/api/posts/{encoded}")).await.problem(404);
    }
    app.get("/api/posts/at://did:plc:x/app.bsky.feed.post/abc").await.problem(404);
    app.get("/api/posts/unknown").await.problem(404);
    app.get(&format!("/api/posts/{}", "x".repeat(300))).await.problem(404);
    app.get("/api/posts/%00").await.problem(404);
    app.get("/api/posts/%ff").await.problem(400);
    app.get("/api/posts/%2").await.problem(400);
}

async fn deleted_post_is_removed_everywhere(setup: Setup) {
    let app = TestApp::with(setup, std::time::Duration::from_secs(60), |_| {}).await;
    app.store(&three()).await;
    // These requests fill the cache.
    for path in ["/api/stats", "/api/sources", "/api/posts/recent", "/api/distribution", "/api/aggregate?period=hour"] {
        app.get(path).await.ok();
    }
    let gone = app.delete("/api/posts/a").await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    app.delete("/api/posts/a").await.problem(404);
    app.get("/api/posts/a").await.problem(404);

    assert_eq!(ids(&app.get("/api/posts").await.ok()), ["c", "b"]);
    assert_eq!(ids(&app.get("/api/posts/recent").await.ok()), ["c", "b"]);
    let stats = app.get("/api/stats").await.ok();
    assert_eq!((&stats["total_posts"], &stats["by_sentiment"]["positive"]), (&json!(2), &json!(0)));
    assert_eq!(app.get("/api/distribution").await.ok()["total"], 2);
    assert_eq!(app.get("/api/aggregate?period=hour").await.ok()["summary"]["positive_total"], 0);
    assert_eq!(app.get("/api/health").await.ok()["stats"]["total_posts"], 2);

    // A copy that arrives later is not stored again.
    app.store(&three()).await;
    app.get("/api/posts/a").await.problem(404);
}
