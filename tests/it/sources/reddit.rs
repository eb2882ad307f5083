//! Tests of the Reddit source against a fake server with configurable faults.

use std::time::Duration;

use sentistream::clock::Clock;
use sentistream::domain::Timestamp;
use sentistream::sources::reddit::{self, RedditOptions};
use sentistream::sources::{Opening, SourceSpec};
use serde_json::json;

use super::ingesting::Ingesting;
use super::polling::{fetcher, fetcher_with_short_timeout, find, stored};
use crate::api::test_app::{START, Setup, TestApp, cases};
use crate::fakes::reddit::{APPLICATION, Site};
use crate::fakes::web::Reply;

cases![
    reddit_posts_and_comments_are_read,
    reddit_post_that_is_approved_late_is_read,
    reddit_server_faults_lose_no_post
];

fn options(site: &Site) -> RedditOptions {
    RedditOptions {
        base: site.web.at("/"),
        token_url: site.web.at("/api/v1/access_token"),
        client_id: APPLICATION.0.to_owned(),
        client_secret: APPLICATION.1.to_owned().into(),
        user_agent: Some("linux:org.example:1 (by /u/ada)".to_owned()),
        subreddits: vec!["rust".to_owned(), "linux".to_owned()],
        comments: true,
        interval: Duration::from_millis(20),
        history: Duration::ZERO,
    }
}

fn spec(app: &TestApp, site: &Site) -> SourceSpec {
    reddit::spec("reddit", options(site), fetcher(), app.clock.clone())
}

async fn reddit_posts_and_comments_are_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    let site = Site::start().await;
    site.post("9", "I love R&D <3", "With **Markdown** & more");
    site.post("a", "Removed", "[removed]");
    site.comment("z1", "I hate it");
    site.comment("z2", "[deleted]");
    let ingesting = Ingesting::start(&app, spec(&app, &site));
    stored(&app, 2).await;
    let post = find(&app, "reddit:t3_9").await.expect("stored");
    assert_eq!(post["content"], "I love R&D <3\n\nWith **Markdown** & more");
    assert_eq!((&post["source"], &post["author"]), (&json!("reddit"), &json!("ada")));
    assert_eq!(
        (&post["url"], &post["created_at"]),
        (&json!("https://www.reddit.com/r/rust/comments/9/x/"), &json!("2026-03-01T12:20:00.000Z"))
    );
    let comment = find(&app, "reddit:t1_z1").await.expect("stored");
    assert_eq!((&comment["reply_to"], &comment["author"]), (&json!("reddit:t3_1"), &json!(null)));
    assert!(
        site.web.requests().iter().all(|request| request.header("user-agent") == "linux:org.example:1 (by /u/ada)")
    );

    // A token is used until it expires or is revoked, so one token was requested so far.
    assert_eq!(site.tokens(), 1);
    // After 8 s the token must be renewed (66 s minus a margin of 60 s), but the lease of the source is still valid.
    app.clock.set(START.parse::<Timestamp>().expect("a time") + Duration::from_secs(8));
    app.eventually("a new token is requested before the old token expires", async || {
        (site.tokens() == 2).then_some(())
    })
    .await;
    site.revoke();
    app.eventually("a new token is requested after the old token is revoked", async || {
        (site.tokens() == 3).then_some(())
    })
    .await;
    let state = ingesting.states.all().remove(0);
    assert_eq!((state.errors, state.filtered), (0, 2), "{state:?}");
    ingesting.stop().await;

    // After a pause, several pages are read, and each post is read once.
    for n in 0..250 {
        site.post(&format!("b{n:03}"), "I love it", "");
    }
    site.add_invalid_things();
    let ingesting = Ingesting::start(&app, spec(&app, &site));
    let books = stored(&app, 252).await;
    assert_eq!((&books["analysed"], &books["duplicate"]), (&json!(252), &json!(0)));
    assert_eq!(ingesting.states.all().remove(0).rejected, 2);
    ingesting.stop().await;
}

#[tokio::test]
async fn reddit_posts_beyond_the_page_limit_are_reported() {
    let site = Site::start().await;
    site.post("1", "I love it", "");
    let options = RedditOptions { comments: false, ..options(&site) };
    let clock = Clock::fixed(START.parse().expect("a time"));
    let mut source = reddit::spec("reddit", options, fetcher(), clock).open(Opening::default());
    let first = source.next(500).await.expect("an answer");
    assert_eq!((first.ops.len(), first.troubles.len()), (1, 0));
    // Each page has a new post. Reddit lists ten pages, so the last of them names no further page.
    let page = |n: u64| {
        let post = json!({"id": format!("b{n}"), "name": format!("t3_b{n}"), "title": "I love it"});
        let after = (n < 9).then(|| format!("t3_b{n}"));
        let data = json!({"after": after, "children": [{"kind": "t3", "data": post}]});
        Reply::ok(json!({"kind": "Listing", "data": data}).to_string())
    };
    site.web.script_replies((0..10).map(page));
    let batch = source.next(500).await.expect("an answer");
    assert_eq!(batch.ops.len(), 10);
    assert_eq!(
        batch.troubles,
        ["r/rust+linux/new: read 10 pages without reaching known items; older items may be missing"]
    );
}

async fn reddit_post_that_is_approved_late_is_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    let site = Site::start().await;
    for n in 100..130 {
        site.post(&format!("b{n}"), "I love it", "");
    }
    let ingesting = Ingesting::start(&app, spec(&app, &site));
    stored(&app, 30).await;
    // The approved post appears after five newer posts, and its id is lower than that of the newest post.
    site.approve(5, "b0", "I love it", "");
    let books = stored(&app, 31).await;
    assert_eq!((&books["analysed"], &books["duplicate"]), (&json!(31), &json!(0)));
    ingesting.stop().await;
    site.approve(9, "b1", "I love it", "");
    let ingesting = Ingesting::start(&app, spec(&app, &site));
    let books = stored(&app, 32).await;
    assert_eq!(books["duplicate"], 0, "after a restart the source still knows the ids");
    ingesting.stop().await;
}

async fn reddit_server_faults_lose_no_post(setup: Setup) {
    let app = TestApp::start(setup).await;
    let site = Site::start().await;
    site.post("100", "I love it", "");
    let ingesting = Ingesting::start(&app, spec(&app, &site));
    let mut count = 1;
    stored(&app, count).await;
    for (name, fault) in [
        ("500", Reply::status(500)),
        ("a page", Reply::ok("<html>")),
        ("reset", Reply::Reset),
        ("a 403 page", Reply::Answer(403, Vec::new(), b"<html>Blocked</html>".to_vec())),
        ("busy", Reply::status(429).with("Retry-After", "1")),
    ] {
        let before = ingesting.states.all().remove(0).errors;
        site.web.script_replies([fault]);
        app.eventually(name, async || site.web.has_sent_all_replies().then_some(())).await;
        site.post(&format!("10{count}"), "I love it", "");
        site.comment(&format!("20{count}"), "I love it");
        count += 2;
        stored(&app, count).await;
        let rest = site.web.rest();
        assert!(name != "busy" || rest.end - rest.start >= Duration::from_secs(1), "{rest:?}");
        assert!(ingesting.states.all().remove(0).errors > before, "{name}");
    }
    // The source waits while the rate limit is exhausted.
    let last = Reply::ok(json!({"kind": "Listing", "data": {"after": null, "children": []}}).to_string());
    site.web.script_replies([last.with("x-ratelimit-remaining", "0.0").with("x-ratelimit-reset", "1")]);
    app.eventually("the site is requested again", async || site.web.has_sent_all_replies().then_some(())).await;
    site.post("200", "I love it", "");
    count += 1;
    stored(&app, count).await;
    let rest = site.web.rest();
    assert!(rest.end - rest.start >= Duration::from_secs(1), "{rest:?}");
    assert_eq!(site.tokens(), 1, "the source keeps its token after a failed request");
    assert_eq!(app.drained().await["stats"]["books"]["duplicate"], 0);
    ingesting.stop().await;

    // A request without a reply times out. Two such replies are scripted, because a request that was open when the
    // source stopped may use one.
    site.web.script_replies([Reply::Silence, Reply::Silence]);
    let ingesting =
        Ingesting::start(&app, reddit::spec("reddit", options(&site), fetcher_with_short_timeout(), app.clock.clone()));
    site.post("201", "I love it", "");
    stored(&app, count + 1).await;
    assert!(ingesting.states.all().remove(0).errors > 0);
    ingesting.stop().await;

    for (name, activity, options, expected) in [
        (
            "secret",
            "failed",
            RedditOptions { client_secret: "wrong".to_owned().into(), ..options(&site) },
            "check client_id and client_secret",
        ),
        (
            "subreddit",
            "backing_off",
            RedditOptions { subreddits: vec!["gone".to_owned()], ..options(&site) },
            "check subreddits",
        ),
    ] {
        let failing = Ingesting::start(&app, reddit::spec(name, options, fetcher(), app.clock.clone()));
        let state = app
            .eventually("the source fails", async || {
                failing.states.all().pop().filter(|state| state.state.as_str() == activity)
            })
            .await;
        let error = state.last_error.expect("an error");
        assert!(error.contains(expected) && !error.contains("wrong"), "{name}: {error}");
        failing.stop().await;
    }
}
