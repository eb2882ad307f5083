//! Tracked topics, from making one to reading what it says.

use std::time::Duration;

use reqwest::Method;
use sentistream::lifecycle::Shutdown;
use sentistream::worker::{self, StoragePolicy, Worker, WorkerOptions};
use serde_json::{Value, json};

use super::bed::{Bed, Setup, cases, post};
use super::posts::ids;
use super::socket::Socket;

cases![
    a_topic_is_kept_with_etags,
    every_filter_takes_a_topic,
    stored_posts_are_previewed_and_matched,
    topics_divide_the_posts_between_them,
    a_period_is_compared_with_the_one_before,
    live_clients_subscribe_to_topics,
    only_matching_posts_are_stored_when_so_asked,
];

async fn create(bed: &Bed, topic: Value) -> Value {
    let answer = bed.post("/api/topics", &topic).await;
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

async fn a_topic_is_kept_with_etags(setup: Setup) {
    let bed = Bed::start(setup).await;
    assert_eq!(bed.get("/api/topics").await.ok(), json!({"topics": [], "total": 0}));
    let made = bed.post("/api/topics", &json!({"name": "Acme", "query": "acme -giveaway"})).await;
    assert_eq!((made.status, made.header("etag"), made.header("location")), (201, "\"1\"", "/api/topics/acme"));
    assert_eq!(bed.post("/api/topics", &json!({"name": "acme", "query": "x"})).await.problem(409), [""; 0]);
    for (topic, fields) in [
        (json!({"name": "no spaces", "query": "acme OR"}), &["query", "name"][..]),
        (json!({"name": "share", "query": "x"}), &["name"]),
        (json!({"name": "x", "query": "-x"}), &["query"]),
        (json!({"name": "x", "query": "x", "colour": "red"}), &["body"]),
    ] {
        assert_eq!(bed.post("/api/topics", &topic).await.problem(422), fields, "{topic}");
    }
    let wrong = bed.post("/api/topics", &json!({"name": "x", "query": "acme OR"})).await.json();
    assert!(wrong["detail"].as_str().is_some_and(|text| text.contains("at character 8")), "{wrong}");

    let put = |tag: &'static str| {
        let request = bed.request(Method::PUT, "/api/topics/acme").json(&json!({"query": "acme", "description": "a"}));
        bed.send(request.header("if-match", tag))
    };
    put("\"7\"").await.problem(412);
    let changed = put("\"1\"").await;
    assert_eq!((changed.status, changed.header("etag"), &changed.json()["query"]), (200, "\"2\"", &json!("acme")));
    put("\"1\"").await.problem(412);
    assert_eq!(bed.get("/api/topics/acme").await.ok()["description"], "a");
    bed.get("/api/topics/none").await.problem(404);
    bed.send(bed.request(Method::DELETE, "/api/topics/acme").header("if-match", "\"1\"")).await.problem(412);
    assert_eq!(bed.delete("/api/topics/acme").await.status, 204);
    bed.delete("/api/topics/acme").await.problem(404);
    assert_eq!(bed.get("/api/posts?topic=acme").await.problem(422), ["topic"]);
}

async fn every_filter_takes_a_topic(setup: Setup) {
    let bed = Bed::start(setup).await;
    create(&bed, json!({"name": "acme", "query": "acme"})).await;
    create(&bed, json!({"name": "tags", "query": "#acme"})).await;
    bed.store(&three()).await;
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
        let list = bed.get(&format!("/api/posts?{query}")).await.ok();
        assert_eq!((ids(&list), &list["total"]), (expected.to_vec(), &json!(expected.len())), "{query}");
        let export = bed.get(&format!("/api/posts/export?format=ndjson&{query}")).await.text();
        assert_eq!(export.lines().count(), expected.len(), "{query}");
    }
    let first = bed.get("/api/posts?topic=acme&limit=1").await.ok();
    let cursor = first["next_cursor"].as_str().expect("a second page");
    assert_eq!(ids(&bed.get(&format!("/api/posts?topic=acme&limit=1&cursor={cursor}")).await.ok()), ["a"]);

    let aggregate = bed.get("/api/aggregate?period=hour&topic=acme").await.ok();
    assert_eq!((&aggregate["summary"]["total_posts"], &aggregate["counted_from"]), (&json!(2), &json!("rollups")));
    let narrow = bed.get("/api/aggregate?period=minute&topic=acme&author=ada").await.ok();
    assert_eq!((&narrow["summary"]["total_posts"], &narrow["counted_from"]), (&json!(2), &json!("posts")));
    let distribution = bed.get("/api/distribution?topic=acme").await.ok();
    assert_eq!(distribution["distribution"], json!({"positive": 1, "neutral": 0, "negative": 1}));
    assert_eq!(bed.get("/api/stats").await.ok()["by_topic"], json!({"acme": 2, "tags": 1}));

    bed.delete("/api/posts/b").await;
    assert_eq!(ids(&bed.get("/api/posts?topic=acme").await.ok()), ["a"]);
    assert_eq!(bed.get("/api/topics/tags").await.ok()["posts"]["total"], 0);
}

async fn stored_posts_are_previewed_and_matched(setup: Setup) {
    let bed = Bed::start(setup).await;
    bed.store(&three()).await;
    let preview = bed.post("/api/topics/preview", &json!({"query": "love", "examples": 1})).await.ok();
    assert_eq!((&preview["scanned"], &preview["matched"]["total"]), (&json!(3), &json!(2)));
    assert_eq!((&preview["percentage"], &preview["examples"][0]["post_id"]), (&json!(66.67), &json!("c")));
    let newest = bed.post("/api/topics/preview", &json!({"query": "acme", "posts": 2})).await.ok();
    assert_eq!((&newest["scanned"], &newest["matched"]["total"]), (&json!(2), &json!(1)));
    assert_eq!(bed.post("/api/topics/preview", &json!({"query": "("})).await.problem(422), ["query"]);
    assert_eq!(bed.get("/api/topics").await.ok()["total"], 0, "nothing was saved");

    create(&bed, json!({"name": "love", "query": "love"})).await;
    create(&bed, json!({"name": "later", "query": "love", "backfill": false})).await;
    let done = bed
        .eventually("stored posts are matched", async || {
            let topic = bed.get("/api/topics/love").await.ok();
            (topic["backfill"]["running"] == false).then_some(topic)
        })
        .await;
    assert_eq!((&done["backfill"]["progress"], &done["posts"]["total"]), (&json!(100.0), &json!(2)));
    assert_eq!(ids(&bed.get("/api/posts?topic=love").await.ok()), ["c", "a"]);
    assert_eq!(ids(&bed.get("/api/posts?topic=later").await.ok()), [""; 0]);
    let asked = bed.send(bed.request(Method::POST, "/api/topics/later/backfill")).await;
    assert_eq!((asked.status, &asked.json()["backfill"]["running"]), (202, &json!(true)));
    bed.eventually("they are matched too", async || {
        (bed.get("/api/topics/later").await.ok()["posts"]["total"] == 2).then_some(())
    })
    .await;
}

async fn topics_divide_the_posts_between_them(setup: Setup) {
    let bed = Bed::start(setup).await;
    create(&bed, json!({"name": "acme", "query": "acme"})).await;
    create(&bed, json!({"name": "love", "query": "love"})).await;
    create(&bed, json!({"name": "rare", "query": "rare"})).await;
    bed.store(&three()).await;
    bed.store(&[post("d", "web", "I love it", 3_600)]).await;
    let share = bed.get("/api/topics/share").await.ok();
    assert_eq!((&share["total_posts"], &share["total_mentions"]), (&json!(4), &json!(5)));
    let topics = share["topics"].as_array().expect("topics");
    let told: Vec<_> = topics.iter().map(|t| (t["topic"].as_str().unwrap(), &t["total"], &t["share"])).collect();
    assert_eq!(
        told,
        [("love", &json!(3), &json!(60.0)), ("acme", &json!(2), &json!(40.0)), ("rare", &json!(0), &json!(0.0))]
    );
    assert_eq!((&topics[0]["net_sentiment"], &topics[1]["net_sentiment"]), (&json!(100.0), &json!(0.0)));
    assert_eq!(share["data"], Value::Null);

    let hours = bed.get("/api/topics/share?period=hour&source=web").await.ok();
    let data = hours["data"].as_array().expect("buckets");
    let last = &data[data.len() - 1];
    assert_eq!(last["topics"], json!({"acme": 2, "love": 1, "rare": 0}));
    assert_eq!(data[data.len() - 2]["net_sentiment"], json!({"love": 100.0}));
    assert_eq!((&hours["total_posts"], &hours["total_mentions"]), (&json!(3), &json!(4)));
    assert_eq!(bed.get("/api/topics/share?period=week").await.problem(422), ["period"]);
}

async fn a_period_is_compared_with_the_one_before(setup: Setup) {
    let bed = Bed::start(setup).await;
    create(&bed, json!({"name": "acme", "query": "acme"})).await;
    bed.store(&three()).await;
    bed.store(&[post("d", "web", "I hate acme", 25 * 3_600)]).await;
    let all = bed.get("/api/compare").await.ok();
    assert_eq!((&all["current"]["total"], &all["previous"]["total"]), (&json!(3), &json!(1)));
    assert_eq!((&all["change"]["total"], &all["change"]["total_percentage"]), (&json!(2), &json!(200.0)));
    assert_eq!(all["change"]["percentages"]["negative"], json!(-66.67));
    assert_eq!(all["current"]["start_date"], all["previous"]["end_date"]);
    let acme =
        bed.get("/api/compare?topic=acme&start_date=2026-03-01T12:00:00Z&end_date=2026-03-01T13:00:00Z").await.ok();
    assert_eq!((&acme["current"]["total"], &acme["previous"]["total"]), (&json!(2), &json!(0)));
    assert_eq!((&acme["change"]["total_percentage"], &acme["topic"]), (&Value::Null, &json!("acme")));
    let yesterday = "previous_start=2026-02-28T11:00:00Z";
    let days = format!("/api/compare?start_date=2026-03-01T12:00:00Z&end_date=2026-03-01T13:00:00Z&{yesterday}");
    assert_eq!(bed.get(&days).await.ok()["previous"]["total"], 1);
}

async fn live_clients_subscribe_to_topics(setup: Setup) {
    let bed = Bed::start(setup).await;
    create(&bed, json!({"name": "acme", "query": "acme"})).await;
    let mut socket = Socket::open(&bed).await;
    socket.say(json!({"type": "subscribe", "filters": {"topic": "acme"}}).to_string()).await;
    socket.until_pong().await;
    bed.store(&three()).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let frame = socket.next("post").await;
        assert_eq!(frame["data"]["topics"], json!(["acme"]));
        seen.push(frame["data"]["post_id"].as_str().expect("an id").to_owned());
    }
    seen.sort_unstable();
    assert_eq!(seen, ["a", "b"]);
}

async fn only_matching_posts_are_stored_when_so_asked(setup: Setup) {
    let bed = Bed::start(setup).await;
    bed.shutdown_workers().await;
    create(&bed, json!({"name": "acme", "query": "acme"})).await;
    let choosy = super::bed::worker(&bed.rooms);
    let options = WorkerOptions { storage: StoragePolicy::Matching, ..choosy.options.clone() };
    let shutdown = Shutdown::default();
    let work = tokio::spawn(worker::run(Worker { options, ..choosy }, shutdown.clone()));
    // A text that cannot be judged is not judged when nobody asks for it.
    bed.store(&three()).await;
    bed.store(&[post("e", "web", "explode", 5)]).await;
    assert_eq!(ids(&bed.get("/api/posts").await.ok()), ["b", "a"]);
    let books = bed.drained().await["stats"]["books"].clone();
    assert_eq!((&books["analysed"], &books["skipped"], &books["dead_lettered"]), (&json!(2), &json!(2), &json!(0)));
    shutdown.stop();
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("it ends").expect("well").expect("without error");
}
