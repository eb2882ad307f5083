//! Tests of polling sources in the real binary, defined in the configuration.

use serde_json::{Value, json};

use crate::fakes::feeds::{Entry, Feeds};
use crate::fakes::github::{Hub, TOKEN};
use crate::fakes::hackernews::{Site as HackerNews, comment};
use crate::fakes::mastodon::{Instance, status};
use crate::fakes::reddit::{APPLICATION, Site as Reddit};
use crate::fakes::reviews::{KEY as REVIEWS_KEY, Reviews};
use crate::fakes::youtube::{KEY as YOUTUBE_KEY, Tube, VIDEO};
use crate::process::{DEADLINE, Process};

#[tokio::test(flavor = "multi_thread")]
async fn configured_sources_are_read_by_the_binary() {
    let folder = tempfile::tempdir().unwrap();
    let (feeds, more) = (Feeds::start().await, Feeds::start().await);
    for host in [&feeds, &more] {
        let entry = Entry {
            id: "tag:1".to_owned(),
            title: "I love it".to_owned(),
            published: 1_772_000_000,
            updated: 1_772_000_000,
        };
        host.publish("/feed.rss", Entry { id: format!("{}1", host.url("/")), ..entry });
    }
    let (mastodon, hackernews, reddit) = (Instance::start().await, HackerNews::start().await, Reddit::start().await);
    mastodon.write(1, status(1, "<p>I love it</p>", json!({})));
    hackernews.put(1, comment(1, "I love it"));
    reddit.post("1", "I love it", "");
    let opml = format!("<opml version=\"2.0\"><body><outline xmlUrl=\"{}\"/></body></opml>", more.url("feed.rss"));
    std::fs::write(folder.path().join("feeds.opml"), opml).unwrap();
    std::fs::write(folder.path().join("secret"), APPLICATION.1).unwrap();
    let settings = [
        "roles=ingester, api".to_owned(),
        "outbound.allow=127.0.0.1".to_owned(),
        "ingester.sources=rss, mastodon, hackernews, talk".to_owned(),
        format!("sources.rss.feeds={}", feeds.url("feed.rss")),
        "sources.rss.opml=feeds.opml".to_owned(),
        format!("sources.mastodon.instances={}", mastodon.url()),
        format!("sources.hackernews.url={}", hackernews.web.at("/v0/")),
        "sources.hackernews.first_id=1".to_owned(),
        "sources.talk.kind=reddit".to_owned(),
        format!("sources.talk.url={}", reddit.web.url),
        format!("sources.talk.token_url={}", reddit.web.at("/api/v1/access_token")),
        format!("sources.talk.client_id={}", APPLICATION.0),
        format!("sources.talk.client_secret_file={}", folder.path().join("secret").display()),
        "sources.talk.subreddits=r/rust, linux".to_owned(),
    ];
    let process = Process::start(folder.path(), &settings).await;
    let posts = |feeds: &Value, name: &str| -> u64 {
        let feeds = feeds["feeds"].as_array().expect("feeds");
        let feed = feeds.iter().find(|feed| feed["name"] == name && feed["state"] == "connected");
        feed.map_or(0, |feed| feed["posts"].as_u64().expect("a number"))
    };
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let mut poll = tokio::time::interval(std::time::Duration::from_millis(50));
    loop {
        poll.tick().await;
        let sources = process.get("/api/sources").await;
        let all = ["rss", "mastodon", "hackernews", "talk"].map(|name| posts(&sources, name));
        if all == [2, 1, 1, 1] {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{all:?}: {sources:#}");
    }
    assert_eq!(process.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_apis_are_read_by_the_binary() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, tube, reviews) = (Hub::start().await, Tube::start().await, Reviews::start().await);
    hub.issue(1, "I love it", 1);
    hub.discussion(2, "I hate it");
    tube.comment("1", "I love it");
    reviews.write(1, "I love it");
    std::fs::write(folder.path().join("token"), TOKEN).unwrap();
    std::fs::write(folder.path().join("key"), REVIEWS_KEY).unwrap();
    let settings = [
        "outbound.allow=127.0.0.1".to_owned(),
        "ingester.sources=github, youtube, shop".to_owned(),
        format!("sources.github.url={}", hub.web.url),
        "sources.github.repositories=https://github.com/Acme/Phone".to_owned(),
        format!("sources.github.token_file={}", folder.path().join("token").display()),
        "sources.github.discussions=true".to_owned(),
        format!("sources.youtube.url={}", tube.web.at("/youtube/v3/")),
        format!("sources.youtube.key={YOUTUBE_KEY}"),
        format!("sources.youtube.videos=https://youtu.be/{VIDEO}"),
        "sources.shop.kind=json".to_owned(),
        format!("sources.shop.url={}", reviews.web.at("/reviews")),
        format!("sources.shop.secret_file={}", folder.path().join("key").display()),
        "sources.shop.text_path=body".to_owned(),
        "sources.shop.id_path=id".to_owned(),
    ];
    let process = Process::start(folder.path(), &settings).await;
    // The six posts are an issue, a discussion with a comment and a reply, a comment on a video, and a review.
    process.wait_until("all posts are stored", |health| health["stats"]["total_posts"] == 6).await;
    assert_eq!(process.terminate().await.code(), Some(0));
}
