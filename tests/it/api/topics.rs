//! Tracked topics: creation, matching and statistics.

use std::time::Duration;

use reqwest::Method;
use sentistream::lifecycle::Shutdown;
use sentistream::worker::{self, StoragePolicy, Worker, WorkerOptions};
use serde_json::{Value, json};

use super::posts::ids;
use super::socket::Socket;
use super::test_app::{Setup, TestApp, cases, post};

cases![
    topic_changes_need_the_current_etag,
    every_filter_accepts_a_topic,
    unfinished_period_is_compared_with_an_equally_long_one,
    share_counts_days_of_a_time_zone,
    queries_with_likely_mistakes_carry_warnings,
    backfill_matches_stored_posts,
    label_conditions_of_topics_use_the_analysis,
    store_only_matching_drops_posts_with_other_labels,
    share_is_the_part_of_a_topic_in_all_mentions,
    compare_counts_both_periods,
    websocket_filters_posts_by_topic,
    store_only_matching_drops_posts_without_topic,
    post_has_a_sentiment_towards_each_of_its_topics,
    sentiment_towards_new_topic_is_determined_later,
];

async fn create(app: &TestApp, topic: Value) -> Value {
    let answer = app.post("/api/topics", &topic).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

fn three() -> [Value; 3] {
    [
        post("a", "web", "I love the new Acme phone", 30),
        post("b", "web", "I hate #acme", 20),
        post("c", "forum", "I love the meeting on Tuesday", 10),
    ]
}

async fn topic_changes_need_the_current_etag(setup: Setup) {
    let app = TestApp::start(setup).await;
    assert_eq!(app.get("/api/topics").await.ok(), json!({"topics": [], "total": 0}));
    let made = app.post("/api/topics", &json!({"name": "Acme", "query": "acme -giveaway"})).await;
    assert_eq!((made.status, made.header("etag"), made.header("location")), (201, "\"1\"", "/api/topics/acme"));
    assert_eq!(app.post("/api/topics", &json!({"name": "acme", "query": "x"})).await.problem(409), [""; 0]);
    for (topic, fields) in [
        (json!({"name": "no spaces", "query": "acme OR"}), &["query", "name"][..]),
        (json!({"name": "share", "query": "x"}), &["name"]),
        (json!({"name": "x", "query": "-x"}), &["query"]),
        (json!({"name": "x", "query": "x", "colour": "red"}), &["body"]),
    ] {
        assert_eq!(app.post("/api/topics", &topic).await.problem(422), fields, "{topic}");
    }
    let wrong = app.post("/api/topics", &json!({"name": "x", "query": "acme OR"})).await.json();
    assert!(wrong["detail"].as_str().is_some_and(|text| text.contains("at character 8")), "{wrong}");

    let put = |tag: &'static str| {
        let request = app.request(Method::PUT, "/api/topics/acme").json(&json!({"query": "acme", "description": "a"}));
        app.send(request.header("if-match", tag))
    };
    put("\"7\"").await.problem(412);
    let changed = put("\"1\"").await;
    assert_eq!((changed.status, changed.header("etag"), &changed.json()["query"]), (200, "\"2\"", &json!("acme")));
    put("\"1\"").await.problem(412);
    assert_eq!(app.get("/api/topics/acme").await.ok()["description"], "a");
    app.get("/api/topics/none").await.problem(404);
    app.send(app.request(Method::DELETE, "/api/topics/acme").header("if-match", "\"1\"")).await.problem(412);
    assert_eq!(app.delete("/api/topics/acme").await.status, 204);
    app.delete("/api/topics/acme").await.problem(404);
    assert_eq!(app.get("/api/posts?topic=acme").await.problem(422), ["topic"]);
}

async fn every_filter_accepts_a_topic(setup: Setup) {
    let app = TestApp::start(setup).await;
    create(&app, json!({"name": "acme", "query": "acme"})).await;
    create(&app, json!({"name": "tags", "query": "#acme"})).await;
    app.store(&three()).await;
    for (query, expected) in [
        ("topic=acme", &["b", "a"][..]),
        ("topic=acme&sort=oldest", &["a", "b"]),
        ("topic=acme&sort=confidence", &["a", "b"]),
        ("topic=acme&sentiment=negative", &["b"]),
        ("topic=acme&q=phone", &["a"]),
        ("topic=tags&author=ada", &["b"]),
        ("topic=tags&source=forum", &[]),
        ("topic=acme&start_date=2026-03-01T12:29:35Z", &["b"]),
    ] {
        let list = app.get(&format!("/api/posts?{query}")).await.ok();
        assert_eq!((ids(&list), &list["total"]), (expected.to_vec(), &json!(expected.len())), "{query}");
        let export = app.get(&format!("/api/posts/export?format=ndjson&{query}")).await.text();
        assert_eq!(export.lines().count(), expected.len(), "{query}");
    }
    let first = app.get("/api/posts?topic=acme&limit=1").await.ok();
    let cursor = first["next_cursor"].as_str().expect("a second page");
    assert_eq!(ids(&app.get(&format!("/api/posts?topic=acme&limit=1&cursor={cursor}")).await.ok()), ["a"]);

    let aggregate = app.get("/api/aggregate?period=hour&topic=acme").await.ok();
    assert_eq!((&aggregate["summary"]["total_posts"], &aggregate["counted_from"]), (&json!(2), &json!("rollups")));
    let narrow = app.get("/api/aggregate?period=minute&topic=acme&author=ada").await.ok();
    assert_eq!((&narrow["summary"]["total_posts"], &narrow["counted_from"]), (&json!(2), &json!("posts")));
    let distribution = app.get("/api/distribution?topic=acme").await.ok();
    assert_eq!(distribution["distribution"], json!({"positive": 1, "neutral": 0, "negative": 1}));
    assert_eq!(app.get("/api/stats").await.ok()["by_topic"], json!({"acme": 2, "tags": 1}));

    app.delete("/api/posts/b").await;
    assert_eq!(ids(&app.get("/api/posts?topic=acme").await.ok()), ["a"]);
    assert_eq!(app.get("/api/topics/tags").await.ok()["posts"]["total"], 0);
}

async fn backfill_matches_stored_posts(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.store(&three()).await;
    let preview = app.post("/api/topics/preview", &json!({"query": "love", "examples": 1})).await.ok();
    assert_eq!((&preview["scanned"], &preview["matched"]["total"]), (&json!(3), &json!(2)));
    assert_eq!((&preview["percentage"], &preview["examples"][0]["post_id"]), (&json!(66.67), &json!("c")));
    let newest = app.post("/api/topics/preview", &json!({"query": "acme", "posts": 2})).await.ok();
    assert_eq!((&newest["scanned"], &newest["matched"]["total"]), (&json!(2), &json!(1)));
    assert_eq!(app.post("/api/topics/preview", &json!({"query": "("})).await.problem(422), ["query"]);
    assert_eq!(app.get("/api/topics").await.ok()["total"], 0, "nothing was saved");

    create(&app, json!({"name": "love", "query": "love"})).await;
    create(&app, json!({"name": "later", "query": "love", "backfill": false})).await;
    create(&app, json!({"name": "backfill", "query": "love", "backfill": false})).await;
    let done = app
        .eventually("stored posts are matched", async || {
            let topic = app.get("/api/topics/love").await.ok();
            (topic["backfill"]["running"] == false).then_some(topic)
        })
        .await;
    assert_eq!((&done["backfill"]["progress"], &done["posts"]["total"]), (&json!(100.0), &json!(2)));
    assert_eq!(ids(&app.get("/api/posts?topic=love").await.ok()), ["c", "a"]);
    assert_eq!(ids(&app.get("/api/posts?topic=later").await.ok()), [""; 0]);
    let named = app.send(app.request(Method::POST, "/api/topics/backfill/backfill")).await;
    assert_eq!((named.status, &named.json()["name"]), (202, &json!("backfill")));
    let asked = app.send(app.request(Method::POST, "/api/topics/later/backfill")).await;
    assert_eq!((asked.status, &asked.json()["backfill"]["running"]), (202, &json!(true)));
    app.eventually("the other posts are matched", async || {
        (app.get("/api/topics/later").await.ok()["posts"]["total"] == 2).then_some(())
    })
    .await;
}

async fn share_is_the_part_of_a_topic_in_all_mentions(setup: Setup) {
    let app = TestApp::start(setup).await;
    create(&app, json!({"name": "acme", "query": "acme"})).await;
    create(&app, json!({"name": "love", "query": "love"})).await;
    create(&app, json!({"name": "rare", "query": "rare"})).await;
    app.store(&three()).await;
    app.store(&[post("d", "web", "I love it", 3_600)]).await;
    let share = app.get("/api/topics/share").await.ok();
    assert_eq!((&share["total_posts"], &share["total_mentions"]), (&json!(4), &json!(5)));
    let topics = share["topics"].as_array().expect("topics");
    let listed: Vec<_> = topics.iter().map(|t| (t["topic"].as_str().unwrap(), &t["total"], &t["share"])).collect();
    assert_eq!(
        listed,
        [("love", &json!(3), &json!(60.0)), ("acme", &json!(2), &json!(40.0)), ("rare", &json!(0), &json!(0.0))]
    );
    assert_eq!((&topics[0]["net_sentiment"], &topics[1]["net_sentiment"]), (&json!(100.0), &json!(0.0)));
    assert_eq!(share["data"], Value::Null);

    let hours = app.get("/api/topics/share?period=hour&source=web").await.ok();
    let data = hours["data"].as_array().expect("buckets");
    let last = &data[data.len() - 1];
    assert_eq!(last["topics"], json!({"acme": 2, "love": 1, "rare": 0}));
    assert_eq!(data[data.len() - 2]["net_sentiment"], json!({"love": 100.0}));
    assert_eq!((&hours["total_posts"], &hours["total_mentions"]), (&json!(3), &json!(4)));
    assert_eq!(app.get("/api/topics/share?period=week").await.problem(422), ["period"]);
}

async fn compare_counts_both_periods(setup: Setup) {
    let app = TestApp::start(setup).await;
    create(&app, json!({"name": "acme", "query": "acme"})).await;
    app.store(&three()).await;
    app.store(&[post("d", "web", "I hate acme", 25 * 3_600)]).await;
    let all = app.get("/api/compare").await.ok();
    assert_eq!((&all["current"]["total"], &all["previous"]["total"]), (&json!(3), &json!(1)));
    assert_eq!((&all["change"]["total"], &all["change"]["total_percentage"]), (&json!(2), &json!(200.0)));
    assert_eq!(all["change"]["percentages"]["negative"], json!(-66.67));
    assert_eq!(all["current"]["start_date"], all["previous"]["end_date"]);
    let acme =
        app.get("/api/compare?topic=acme&start_date=2026-03-01T12:00:00Z&end_date=2026-03-01T13:00:00Z").await.ok();
    assert_eq!((&acme["current"]["total"], &acme["previous"]["total"]), (&json!(2), &json!(0)));
    assert_eq!((&acme["change"]["total_percentage"], &acme["topic"]), (&Value::Null, &json!("acme")));
    let yesterday = "previous_start=2026-02-28T11:00:00Z";
    let days = format!("/api/compare?start_date=2026-03-01T12:00:00Z&end_date=2026-03-01T13:00:00Z&{yesterday}");
    assert_eq!(app.get(&days).await.ok()["previous"]["total"], 1);
}

async fn websocket_filters_posts_by_topic(setup: Setup) {
    let app = TestApp::start(setup).await;
    create(&app, json!({"name": "acme", "query": "acme"})).await;
    let mut socket = Socket::open(&app).await;
    socket.send_text(json!({"type": "subscribe", "filters": {"topic": "acme"}}).to_string()).await;
    socket.until_pong().await;
    app.store(&three()).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let frame = socket.next("post").await;
        assert_eq!(frame["data"]["topics"], json!(["acme"]));
        seen.push(frame["data"]["post_id"].as_str().expect("an id").to_owned());
    }
    seen.sort_unstable();
    assert_eq!(seen, ["a", "b"]);
}

async fn store_only_matching_drops_posts_without_topic(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.shutdown_workers().await;
    create(&app, json!({"name": "acme", "query": "acme"})).await;
    let choosy = super::test_app::worker(&app.services);
    let options = WorkerOptions { storage: StoragePolicy::Matching, ..choosy.options.clone() };
    let shutdown = Shutdown::default();
    let work = tokio::spawn(worker::run(Worker { options, ..choosy }, shutdown.clone()));
    // A text that cannot be analysed is skipped before the analysis, because it matches no topic.
    app.store(&three()).await;
    app.store(&[post("e", "web", "explode", 5)]).await;
    assert_eq!(ids(&app.get("/api/posts").await.ok()), ["b", "a"]);
    let books = app.drained().await["stats"]["books"].clone();
    assert_eq!((&books["analysed"], &books["skipped"], &books["dead_lettered"]), (&json!(2), &json!(2), &json!(0)));
    shutdown.stop();
    tokio::time::timeout(Duration::from_secs(20), work)
        .await
        .expect("the worker ends in time")
        .expect("no panic")
        .expect("no error");
}

async fn label_conditions_of_topics_use_the_analysis(setup: Setup) {
    let app = TestApp::start(setup).await;
    create(&app, json!({"name": "angry", "query": "acme sentiment:negative"})).await;
    create(&app, json!({"name": "glad", "query": "emotion:joy OR phone"})).await;
    app.store(&three()).await;
    let listed = async |topic: &str| ids(&app.get(&format!("/api/posts?topic={topic}")).await.ok()).join(" ");
    assert_eq!((listed("angry").await.as_str(), listed("glad").await.as_str()), ("b", "c a"));
    assert_eq!(app.get("/api/sentiment/distribution?topic=angry").await.ok()["total"], 1);

    let preview = app.post("/api/topics/preview", &json!({"query": "love OR acme -sentiment:positive"})).await.ok();
    assert_eq!((&preview["scanned"], &preview["matched"]["total"]), (&json!(3), &json!(3)));
    let preview = app.post("/api/topics/preview", &json!({"query": "(love OR acme) -sentiment:positive"})).await.ok();
    assert_eq!(preview["examples"][0]["post_id"], "b", "{preview}");
    assert_eq!(app.post("/api/topics/preview", &json!({"query": "emotion:rage"})).await.problem(422), ["query"]);

    create(&app, json!({"name": "late", "query": "sentiment:positive -tuesday"})).await;
    app.eventually("stored posts are matched", async || (!listed("late").await.is_empty()).then_some(())).await;
    assert_eq!(listed("late").await, "a");
}

async fn store_only_matching_drops_posts_with_other_labels(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.shutdown_workers().await;
    create(&app, json!({"name": "angry", "query": "acme sentiment:negative"})).await;
    let choosy = super::test_app::worker(&app.services);
    let options = WorkerOptions { storage: StoragePolicy::Matching, ..choosy.options.clone() };
    let shutdown = Shutdown::default();
    let work = tokio::spawn(worker::run(Worker { options, ..choosy }, shutdown.clone()));
    app.store(&three()).await;
    assert_eq!(ids(&app.get("/api/posts").await.ok()), ["b"]);
    let books = app.drained().await["stats"]["books"].clone();
    assert_eq!((&books["analysed"], &books["skipped"]), (&json!(1), &json!(2)), "{books}");
    shutdown.stop();
    tokio::time::timeout(Duration::from_secs(20), work)
        .await
        .expect("the worker ends in time")
        .expect("no panic")
        .expect("no error");
}

async fn unfinished_period_is_compared_with_an_equally_long_one(setup: Setup) {
    let app = TestApp::start(setup).await;
    // One post every ten minutes for three hours. The current time is 12:30.
    let posts: Vec<Value> = (0..18).map(|n| post(&format!("p{n}"), "web", "I love it", n * 600 + 30)).collect();
    app.store(&posts).await;
    let hour = "/api/compare?start_date=2026-03-01T12:00:00Z&end_date=2026-03-01T13:00:00Z";
    let half = app.get(hour).await.ok();
    assert_eq!((&half["current"]["total"], &half["previous"]["total"]), (&json!(3), &json!(3)));
    assert_eq!(half["change"]["total_percentage"], json!(0.0));
    assert!(half["current"]["end_date"].as_str().is_some_and(|end| end.starts_with("2026-03-01T12:30:00")), "{half}");
    let significance = &half["change"]["significance"];
    assert_eq!(significance["total_percentage"]["significant"], json!(false), "{significance}");
    assert_eq!(significance["percentages"]["positive"]["significant"], json!(false), "{significance}");

    let sad: Vec<Value> = (0..40).map(|n| post(&format!("s{n}"), "web", "I hate it", 20)).collect();
    app.store(&sad).await;
    let turned = app.get(hour).await.ok()["change"]["significance"].clone();
    assert_eq!(turned["percentages"]["negative"]["significant"], json!(true), "{turned}");
    assert_eq!(turned["total_percentage"]["significant"], json!(true), "{turned}");
    let empty = app.get("/api/compare?source=none").await.ok();
    assert_eq!(empty["change"]["significance"]["total_percentage"], Value::Null);
}

async fn share_counts_days_of_a_time_zone(setup: Setup) {
    let app = TestApp::start(setup).await;
    create(&app, json!({"name": "acme", "query": "acme"})).await;
    // The posts were written at 12:30 and 03:00 UTC. In New York, 03:00 UTC is on the previous day.
    app.store(&[post("a", "web", "I love acme", 0), post("b", "web", "I love acme", 34_200)]).await;
    let days = |share: &Value| -> Vec<i64> {
        let data = share["data"].as_array().expect("buckets");
        data.iter().map(|bucket| bucket["topics"]["acme"].as_i64().expect("a count")).collect()
    };
    let utc = app.get("/api/topics/share?period=day").await.ok();
    assert_eq!((days(&utc).last(), &utc["tz"]), (Some(&2), &json!("UTC")));
    let york = app.get("/api/topics/share?period=day&tz=America/New_York").await.ok();
    assert_eq!((days(&york), &york["tz"]), (vec![1, 1], &json!("America/New_York")));
    assert_eq!(york["data"][1]["timestamp"], "2026-03-01T05:00:00.000Z");
    assert_eq!(york["topics"][0]["share_interval"]["high"], json!(100.0));
    assert_eq!(app.get("/api/topics/share?tz=Mars").await.problem(422), ["tz"]);
}

async fn queries_with_likely_mistakes_carry_warnings(setup: Setup) {
    let app = TestApp::start(setup).await;
    let made = create(&app, json!({"name": "either", "query": "acme or apex"})).await;
    assert_eq!(made["warnings"][0]["position"], 6, "{made}");
    let preview = app.post("/api/topics/preview", &json!({"query": "acme NEAR/2 phone"})).await.ok();
    assert_eq!(preview["warnings"], json!([]));
    for query in ["C++", "C#", ".NET", "$T"] {
        assert_eq!(app.post("/api/topics/preview", &json!({"query": query})).await.problem(422), ["query"], "{query}");
    }
}

const TWO: &str = "I love the new Acme phone, but I hate that old Apex phone";

/// The label and the clause of each topic of the post `two`.
async fn opinions(app: &TestApp) -> Value {
    let post = app.get("/api/posts/two").await.ok();
    let of = |topic: &Value| {
        let clause = &topic["clause"];
        let at = |edge: &str| clause[edge].as_u64().map(|at| at as usize);
        let words = at("start").zip(at("end")).map(|(start, end)| TWO[start..end].to_owned());
        json!([topic["topic"], topic["sentiment_of"], topic["label"], words])
    };
    post["topics"].as_array().expect("topics").iter().map(of).collect()
}

async fn post_has_a_sentiment_towards_each_of_its_topics(setup: Setup) {
    let app = TestApp::start(setup).await;
    for name in ["acme", "apex"] {
        create(&app, json!({"name": name, "query": name})).await;
    }
    let mut socket = Socket::open(&app).await;
    let wanted = json!({"type": "subscribe", "filters": {"topic": "apex", "sentiment": "negative"}});
    socket.send_text(wanted.to_string()).await;
    socket.until_pong().await;
    app.store(&[post("two", "web", TWO, 20), post("one", "web", "I love Apex", 10)]).await;
    let expected = json!([
        ["acme", "topic", "positive", "I love the new Acme phone"],
        ["apex", "topic", "negative", "but I hate that old Apex phone"],
    ]);
    assert_eq!(opinions(&app).await, expected);
    assert_eq!(socket.next("post").await["data"]["post_id"], "two");

    let whole = app.get("/api/posts/two").await.ok()["sentiment"]["label"].clone();
    let listed = app.get("/api/posts?topic=apex&sentiment=negative").await.ok();
    assert_eq!((ids(&listed), &listed["total"]), (vec!["two"], &json!(1)));
    assert_eq!(listed["posts"][0]["topic_sentiment"]["label"], "negative");
    assert_eq!(
        (&listed["posts"][0]["sentiment"]["label"], &listed["filters"]["sentiment_of"]),
        (&whole, &json!("topic"))
    );
    let towards = json!({"positive": 1, "neutral": 0, "negative": 1});
    let mut of_post = json!({"positive": 1, "neutral": 0, "negative": 0});
    let label = whole.as_str().expect("a label");
    of_post[label] = json!(of_post[label].as_i64().unwrap_or_default() + 1);
    for (query, expected) in [("topic=apex", &towards), ("topic=apex&sentiment_of=post", &of_post)] {
        assert_eq!(&app.get(&format!("/api/distribution?{query}")).await.ok()["distribution"], expected, "{query}");
        let summary = app.get(&format!("/api/aggregate?period=hour&{query}")).await.ok()["summary"].clone();
        assert_eq!(summary["negative_total"], expected["negative"], "{query}");
        let current = app.get(&format!("/api/compare?{query}")).await.ok()["current"].clone();
        assert_eq!(&current["distribution"], expected, "{query}");
    }
    app.get("/api/distribution?topic=apex&sentiment_of=author").await.problem(422);

    app.delete("/api/posts/two").await;
    assert_eq!(app.get("/api/posts?topic=apex&sentiment=negative").await.ok()["total"], 0);
}

async fn sentiment_towards_new_topic_is_determined_later(setup: Setup) {
    let app = TestApp::start(setup).await;
    app.store(&[post("two", "web", TWO, 20)]).await;
    create(&app, json!({"name": "apex", "query": "apex"})).await;
    let expected = json!([["apex", "topic", "negative", "but I hate that old Apex phone"]]);
    app.eventually("the sentiment is determined", async || (opinions(&app).await == expected).then_some(())).await;
    assert_eq!(app.get("/api/posts?topic=apex&sentiment=negative").await.ok()["total"], 1);
}
