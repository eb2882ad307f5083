//! Counts: totals, sources, buckets over time, distribution.

use std::time::Duration;

use serde_json::{Value, json};

use super::test_app::{START, Setup, TestApp, cases, post};

cases![
    totals_and_sources_agree,
    lists_of_sources_are_bounded,
    buckets_have_no_gaps_and_sum_to_the_total,
    days_start_at_midnight_of_their_zone,
    bad_ranges_are_refused,
    distribution_reports_cache_use,
    author_and_text_filters_are_counted_from_posts,
    empty_store_yields_zeros,
];

/// Stores four posts: two joyful posts and an angry post of the source `web`, and a neutral post of `forum`. They were
/// written 1, 2, 61 and 3,600 minutes ago.
async fn four_posts(app: &TestApp) {
    app.store(&[
        post("a", "web", "I love it", 60),
        post("b", "web", "I love it", 120),
        post("c", "web", "I hate it", 61 * 60),
        post("d", "forum", "it is", 3_600 * 60),
    ])
    .await;
}

async fn totals_and_sources_agree(setup: Setup) {
    let app = TestApp::start(setup).await;
    four_posts(&app).await;
    let stats = app.get("/api/stats").await.ok();
    assert_eq!(stats["total_posts"], 4);
    assert_eq!(stats["by_sentiment"], json!({"positive": 2, "neutral": 1, "negative": 1}));
    assert_eq!(stats["percentages"], json!({"positive": 50.0, "neutral": 25.0, "negative": 25.0}));
    assert_eq!((&stats["by_emotion"]["joy"], &stats["by_emotion"]["anger"]), (&json!(2), &json!(1)));
    assert_eq!(stats["by_source"], json!({"web": 3, "forum": 1}));
    assert_eq!((&stats["lag"]["pending"], &stats["lag"]["oldest_seconds"]), (&json!(0), &json!(0.0)));
    assert_eq!(stats["rates"]["posts_per_second_1m"], json!(0.067));
    app.clock.set(app.clock.now() + Duration::from_secs(120));
    let later = app
        .eventually("the cache expires", async || {
            let stats = app.get("/api/stats").await.ok();
            (stats["uptime_seconds"] == 120 && stats["rates"]["posts_per_second_1m"] == 0.0).then_some(stats)
        })
        .await;
    assert_eq!(later["rates"]["posts_per_second_5m"], json!(0.013));

    let sources = app.get("/api/sources").await.ok();
    assert_eq!(sources["total"], 2);
    let web = &sources["sources"][0];
    assert_eq!((&web["source"], &web["count"]), (&json!("web"), &json!(3)));
    assert_eq!(web["last_post"], "2026-03-01T12:29:00.000Z");
    assert_eq!(web["by_sentiment"], json!({"positive": 2, "neutral": 0, "negative": 1}));
    assert_eq!(sources["sources"][1]["source"], "forum");
}

async fn lists_of_sources_are_bounded(setup: Setup) {
    let app = TestApp::start(setup).await;
    let mut posts: Vec<Value> =
        (0..1_003).map(|n| post(&format!("p{n}"), &format!("s{n:04}"), "I love it", 60)).collect();
    posts.push(post("more", "s1002", "I love it", 60));
    app.store(&posts).await;
    let stats = app.get("/api/stats").await.ok();
    assert_eq!(stats["total_posts"], 1_004);
    let by_source = stats["by_source"].as_object().expect("counts");
    assert_eq!((by_source.len(), &by_source["s1002"]), (1_000, &json!(2)));
    let sources = app.get("/api/sources").await.ok();
    assert_eq!((sources["sources"].as_array().map(Vec::len), &sources["total"]), (Some(1_000), &json!(1_003)));
    assert_eq!(sources["sources"][0]["source"], "s1002");
}

async fn buckets_have_no_gaps_and_sum_to_the_total(setup: Setup) {
    let app = TestApp::start(setup).await;
    four_posts(&app).await;
    let day = app.get("/api/sentiment/aggregate?period=hour").await.ok();
    let same = app.get("/api/aggregate?period=hour").await.ok();
    assert_eq!((&day["data"], &day["summary"]), (&same["data"], &same["summary"]));
    assert_eq!(
        (&day["start_date"], &day["end_date"]),
        (&json!("2026-02-28T12:00:00.000Z"), &json!("2026-03-01T13:00:00.000Z"))
    );
    let buckets = day["data"].as_array().expect("buckets");
    assert_eq!(buckets.len(), 25);
    let (last, before) = (&buckets[24], &buckets[23]);
    assert_eq!((&last["timestamp"], &last["total_count"]), (&json!("2026-03-01T12:00:00.000Z"), &json!(2)));
    assert_eq!((&last["positive_percentage"], &last["emotions"]["joy"]), (&json!(100.0), &json!(2)));
    assert_eq!((&before["negative_count"], &before["emotions"]["anger"]), (&json!(1), &json!(1)));
    assert_eq!((&buckets[0]["total_count"], &buckets[0]["average_confidence"]), (&json!(0), &json!(0.0)));
    let summary = &day["summary"];
    assert_eq!(
        (&summary["total_posts"], &summary["positive_total"], &summary["negative_total"]),
        (&json!(3), &json!(2), &json!(1))
    );
    let mean = summary["average_confidence"].as_f64().expect("a number");
    assert!((mean - 0.85).abs() < 1e-3, "{mean}");

    let minutes = "/api/aggregate?period=minute&start_date=2026-03-01T12:27:30Z&end_date=2026-03-01T12:29:00Z";
    let minutes = app.get(minutes).await.ok();
    let counts: Vec<_> =
        minutes["data"].as_array().expect("buckets").iter().map(|b| b["total_count"].clone()).collect();
    assert_eq!(counts, [json!(0), json!(1)]);
    assert_eq!(minutes["start_date"], "2026-03-01T12:27:00.000Z");

    let angry = app.get("/api/aggregate?period=day&emotion=anger&source=web").await.ok();
    assert_eq!(
        (&angry["summary"]["total_posts"], &angry["source"], &angry["emotion"]),
        (&json!(1), &json!("web"), &json!("anger"))
    );
    let old = app.get("/api/aggregate?period=day&start_date=2026-02-26T00:00:00Z&end_date=2026-02-28").await.ok();
    assert_eq!((old["data"].as_array().expect("buckets").len(), &old["summary"]["total_posts"]), (2, &json!(1)));
}

async fn days_start_at_midnight_of_their_zone(setup: Setup) {
    let app = TestApp::start(setup).await;
    let at = |id: &str, time: &str| json!({"post_id": id, "source": "web", "content": "x", "created_at": time});
    app.store(&[at("before", "2026-02-27T22:59:00Z"), at("after", "2026-02-27T23:01:00Z")]).await;
    let range = "start_date=2026-02-27T12:00:00Z&end_date=2026-02-28T12:00:00Z";
    let counts = |answer: Value| {
        let buckets = answer["data"].as_array().expect("buckets").clone();
        buckets.iter().map(|bucket| (bucket["timestamp"].clone(), bucket["total_count"].clone())).collect::<Vec<_>>()
    };
    let berlin = app.get(&format!("/api/aggregate?period=day&tz=Europe/Berlin&{range}")).await.ok();
    assert_eq!(berlin["tz"], "Europe/Berlin");
    assert_eq!(
        counts(berlin),
        [(json!("2026-02-26T23:00:00.000Z"), json!(1)), (json!("2026-02-27T23:00:00.000Z"), json!(1))]
    );
    let utc = app.get(&format!("/api/aggregate?period=day&{range}")).await.ok();
    assert_eq!(
        counts(utc),
        [(json!("2026-02-27T00:00:00.000Z"), json!(2)), (json!("2026-02-28T00:00:00.000Z"), json!(0))]
    );
}

async fn bad_ranges_are_refused(setup: Setup) {
    let app = TestApp::start(setup).await;
    for (query, fields) in [
        ("", &["period"][..]),
        ("period=week", &["period"]),
        ("period=hour&tz=Mars/Olympus&emotion=glee&source=%20", &["source", "emotion", "tz"]),
        ("period=hour&start_date=2026-03-02&end_date=2026-03-01", &["end_date"]),
        ("period=hour&start_date=2030-01-01", &["start_date"]),
        ("period=minute&start_date=2026-02-01&end_date=2026-02-02", &["start_date"]),
        ("period=hour&start_date=2025-01-01&end_date=2026-01-01", &["start_date"]),
        ("period=hour&hours=1", &["hours"]),
    ] {
        assert_eq!(app.get(&format!("/api/aggregate?{query}")).await.problem(422), fields, "{query}");
    }
    for (query, field) in [
        ("hours=0", "hours"),
        ("hours=8761", "hours"),
        ("hours=x", "hours"),
        ("source=%2F", "source"),
        ("limit=1", "limit"),
    ] {
        assert_eq!(app.get(&format!("/api/sentiment/distribution?{query}")).await.problem(422), [field], "{query}");
    }
    assert_eq!(app.get("/api/stats?x=1").await.problem(422), ["x"]);
    assert_eq!(app.get("/api/sources?x=1").await.problem(422), ["x"]);
}

async fn distribution_reports_cache_use(setup: Setup) {
    let app = TestApp::with(setup, Duration::from_secs(60), |_| {}).await;
    four_posts(&app).await;
    let first = app.get("/api/sentiment/distribution").await.ok();
    assert_eq!((&first["timeframe_hours"], &first["total"], &first["cached"]), (&json!(24), &json!(3), &json!(false)));
    assert_eq!(first["distribution"], json!({"positive": 2, "neutral": 0, "negative": 1}));
    assert_eq!(first["percentages"], json!({"positive": 66.67, "neutral": 0.0, "negative": 33.33}));
    assert_eq!(
        first["top_emotions"],
        json!([
            {"emotion": "joy", "count": 2, "percentage": 66.67},
            {"emotion": "anger", "count": 1, "percentage": 33.33},
        ])
    );
    assert_eq!(first["cached_at"].as_str().and_then(|t| t.get(..19)), START.get(..19));
    app.clock.set(app.clock.now() + Duration::from_secs(1));
    let again = app.get("/api/distribution?hours=24").await.ok();
    assert_eq!((&again["cached"], &again["cached_at"]), (&json!(true), &first["cached_at"]));
    assert_eq!(again["distribution"], first["distribution"]);

    let hour = app.get("/api/distribution?hours=1&source=web").await.ok();
    assert_eq!((&hour["total"], &hour["source"], &hour["cached"]), (&json!(2), &json!("web"), &json!(false)));
    assert_eq!(app.get("/api/distribution?hours=8760").await.ok()["total"], 4);
}

async fn author_and_text_filters_are_counted_from_posts(setup: Setup) {
    let app = TestApp::start(setup).await;
    four_posts(&app).await;
    let mut other = post("e", "web", "I love IT too", 62 * 60);
    other["author"] = json!("bob");
    app.store(&[other]).await;
    for (query, from, buckets) in [
        ("sentiment=positive", "rollups", &[("11:00", 1), ("12:00", 2)][..]),
        ("sentiment=positive&source=forum", "rollups", &[]),
        ("author=ada", "posts", &[("11:00", 1), ("12:00", 2)]),
        ("author=bob&emotion=joy", "posts", &[("11:00", 1)]),
        ("q=love+it", "posts", &[("11:00", 1), ("12:00", 2)]),
        ("q=LOVE&author=bob", "posts", &[("11:00", 1)]),
        ("q=hate&sentiment=positive", "posts", &[]),
    ] {
        let aggregate = app.get(&format!("/api/aggregate?period=hour&{query}")).await.ok();
        let found: Vec<(&str, i64)> = aggregate["data"]
            .as_array()
            .expect("buckets")
            .iter()
            .filter(|bucket| bucket["total_count"] != 0)
            .map(|bucket| {
                (&bucket["timestamp"].as_str().expect("a time")[11..16], bucket["total_count"].as_i64().unwrap())
            })
            .collect();
        assert_eq!((found.as_slice(), &aggregate["counted_from"]), (buckets, &json!(from)), "{query}");
        assert_eq!((&aggregate["cached"], aggregate["cached_at"].is_string()), (&json!(false), true));
        let distribution = app.get(&format!("/api/distribution?{query}")).await.ok();
        assert_eq!(
            (&distribution["total"], &distribution["counted_from"]),
            (&aggregate["summary"]["total_posts"], &json!(from))
        );
    }
    let echo = app.get("/api/aggregate?period=day&author=bob&q=a+b&sentiment=neutral").await.ok();
    assert_eq!((&echo["author"], &echo["q"], &echo["sentiment"]), (&json!("bob"), &json!("a b"), &json!("neutral")));
    assert_eq!(app.get("/api/distribution?sentiment=good&q=%00").await.problem(422), ["sentiment", "q"]);
}

async fn empty_store_yields_zeros(setup: Setup) {
    let app = TestApp::start(setup).await;
    assert_eq!(app.get("/api/posts").await.ok()["posts"], json!([]));
    assert_eq!(app.get("/api/posts/recent").await.ok(), json!({"posts": []}));
    assert_eq!(app.get("/api/stats").await.ok()["total_posts"], 0);
    assert_eq!(app.get("/api/sources").await.ok(), json!({"sources": [], "total": 0, "feeds": [], "managed": []}));
    let distribution = app.get("/api/distribution").await.ok();
    assert_eq!((&distribution["percentages"]["positive"], &distribution["top_emotions"]), (&json!(0.0), &json!([])));
    assert_eq!(app.get("/api/aggregate?period=day").await.ok()["summary"]["average_confidence"], 0.0);
    assert_eq!(app.get("/api/alerts").await.ok()["alerts"], json!([]));
    assert_eq!(app.get("/api/dead-letters").await.ok()["dead_letters"], json!([]));
}
