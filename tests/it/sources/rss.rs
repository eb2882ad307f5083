//! Tests of the feed source against fake sites with configurable faults.

use std::time::Duration;

use sentistream::clock::Clock;
use sentistream::domain::Timestamp;
use sentistream::sources::rss::{self, RssOptions};
use sentistream::sources::{Opening, SourceSpec};
use serde_json::json;
use url::Url;

use super::ingesting::Ingesting;
use super::polling::{fetcher, fetcher_of_large_answers, fetcher_to, fetcher_with_short_timeout, find, pass, stored};
use crate::api::test_app::{START, Setup, TestApp, cases};
use crate::fakes::feeds::{self, Entry, Feeds};
use crate::fakes::web::{Reply, Web};

cases![
    feed_entries_are_read_once_and_validators_are_sent,
    feed_is_discovered_and_charset_taken_from_the_header,
    page_without_a_working_feed_is_retried_less_often,
    failing_feed_does_not_delay_others,
    retry_after_delays_all_feeds_of_the_host,
    private_addresses_are_refused_behind_redirects,
];

const MILLIS: fn(u64) -> Duration = Duration::from_millis;

fn spec(app: &TestApp, feeds: &[Url]) -> SourceSpec {
    let options = RssOptions {
        feeds: feeds.to_vec(),
        min_interval: MILLIS(20),
        max_interval: MILLIS(60),
        history: Duration::ZERO,
    };
    rss::spec("rss", options, fetcher, app.clock.clone())
}

/// An entry that was published `minutes` before [`START`].
fn entry(id: &str, title: &str, minutes: i64) -> Entry {
    let published = START.parse::<Timestamp>().expect("a time").as_seconds() - 60 * minutes;
    Entry { id: id.to_owned(), title: title.to_owned(), published, updated: published }
}

async fn feed_entries_are_read_once_and_validators_are_sent(setup: Setup) {
    let app = TestApp::start(setup).await;
    let host = Feeds::start().await;
    for (path, id) in [("/a.rss", "r"), ("/a.atom", "a"), ("/a.json", "j")] {
        for n in 0..3 {
            host.publish(path, entry(&format!("tag:{id}{n}"), "I love R&D <3", 10 + n));
        }
    }
    let urls = [host.url("a.rss"), host.url("a.atom"), host.url("a.json")];
    let ingesting = Ingesting::start(&app, spec(&app, &urls));
    stored(&app, 9).await;
    let post = find(&app, "rss:tag:r0").await.expect("stored");
    assert_eq!((&post["source"], &post["content"]), (&json!("rss"), &json!("I love R&D <3\n\nRead more")));
    assert_eq!(post["created_at"], "2026-03-01T12:20:00.000Z");

    // Later requests carry the validators.
    app.eventually("the feed is requested again", async || (host.asked("/a.rss") > 3).then_some(())).await;
    for request in host.web.requests().iter().skip(3).take(6) {
        assert!(request.header("if-none-match").starts_with("W/\"3,"), "{request:?}");
        assert_eq!(request.header("if-modified-since"), "Sun, 01 Mar 2026 12:20:00 GMT");
    }
    host.publish("/a.rss", entry("tag:r3", "I hate that", 1));
    stored(&app, 10).await;
    let first = entry("tag:a0", "I hate the second version", 10);
    host.publish("/a.atom", Entry { updated: first.updated + 60, ..first });
    app.eventually("the edit is applied", async || {
        let post = find(&app, "rss:tag:a0").await.expect("stored");
        (post["content"] == "I hate the second version" && post["sentiment"]["label"] == "negative").then_some(())
    })
    .await;
    ingesting.stop().await;

    // After a restart, the source sends the stored validators and appends no entry twice.
    let asked = host.web.requests().len();
    host.publish("/a.json", entry("tag:j3", "I love that", 0));
    let ingesting = Ingesting::start(&app, spec(&app, &urls));
    let books = stored(&app, 11).await;
    assert_eq!((&books["analysed"], &books["replacement"], &books["duplicate"]), (&json!(11), &json!(1), &json!(0)));
    assert!(host.web.requests()[asked..].iter().all(|request| !request.header("if-none-match").is_empty()));
    ingesting.stop().await;

    // The schedule is stored too, so a restart requests only the new feed.
    let hour = Duration::from_secs(3_600);
    let rarely = |feeds: Vec<Url>| {
        let options = RssOptions { feeds, min_interval: hour, max_interval: hour, history: Duration::ZERO };
        rss::spec("rss", options, fetcher, app.clock.clone())
    };
    for (path, id) in [("/a.rss", "r4"), ("/a.atom", "a4"), ("/a.json", "j4")] {
        host.publish(path, entry(&format!("tag:{id}"), "I love this", 0));
    }
    let ingesting = Ingesting::start(&app, rarely(urls.to_vec()));
    let all = async || ingesting.states.all().pop().filter(|state| state.posts == 3);
    app.eventually("all feeds are read", all).await;
    ingesting.stop().await;
    let (asked, other) = (host.web.requests().len(), Feeds::start().await);
    other.publish("/b.rss", entry("tag:b0", "I love that", 0));
    // Hosts are polled concurrently. If a feed of the other host were due, it would be requested before this post is
    // stored.
    let ingesting = Ingesting::start(&app, rarely([&urls[..], &[other.url("b.rss")]].concat()));
    stored(&app, 15).await;
    ingesting.stop().await;
    assert_eq!(host.web.requests().len(), asked);
}

#[tokio::test]
async fn entries_beyond_the_newest_thousand_are_reported() {
    let host = Feeds::start().await;
    for n in 1..=1_200 {
        host.publish("/a.json", entry(&format!("tag:{n}"), "I love it", 2_000 + n));
    }
    let options = RssOptions {
        feeds: vec![host.url("a.json")],
        min_interval: MILLIS(1),
        max_interval: MILLIS(1),
        history: Duration::ZERO,
    };
    let clock = Clock::fixed(START.parse().expect("a time"));
    let mut source = rss::spec("rss", options, fetcher_of_large_answers, clock).open(Opening::default());
    let first = source.next(2_000).await.expect("an answer");
    assert_eq!((first.ops.len(), first.troubles.len()), (1_000, 1));
    let expected = "has 1200 entries: the newest 1000 were read; some of the 200 older ones may be missing";
    assert!(first.troubles[0].ends_with(expected), "{:?}", first.troubles);

    host.publish("/a.json", entry("tag:new", "I love it", 0));
    pass(first.wait).await;
    let second = source.next(2_000).await.expect("an answer");
    assert_eq!((second.ops.len(), second.troubles.len()), (1, 0), "{:?}", second.troubles);

    // One of the newest entries is known, as a pinned entry would be, but new entries are among the older ones.
    for n in 1..=1_000 {
        host.publish("/a.json", entry(&format!("tag:late{n}"), "I love it", n));
    }
    pass(second.wait).await;
    let third = source.next(2_000).await.expect("an answer");
    assert_eq!((third.ops.len(), third.troubles.len()), (999, 1), "{:?}", third.troubles);
    let expected = "has 2201 entries: the newest 1000 were read; some of the 1201 older ones may be missing";
    assert!(third.troubles[0].ends_with(expected), "{:?}", third.troubles);
}

async fn feed_is_discovered_and_charset_taken_from_the_header(setup: Setup) {
    let app = TestApp::start(setup).await;
    let page = "<html><head><link rel=\"alternate\" type=\"application/rss+xml\" href=\"/feed.rss\"></head></html>";
    // The text is "Größe" in ISO 8859-1. Only the header declares this encoding, not the document.
    let mut feed = feeds::rss(&[entry("tag:latin", "I love it GRX", 1)]).into_bytes();
    let at = feed.windows(3).position(|bytes| bytes == b"GRX").expect("the marker");
    feed.splice(at..at + 3, *b"Gr\xf6\xdfe");
    let site = Web::start(move |request| match request.path.as_str() {
        "/" => Reply::ok(page).with("Content-Type", "text/html"),
        _ => Reply::ok(feed.clone()).with("Content-Type", "application/rss+xml; charset=ISO-8859-1"),
    })
    .await;
    let ingesting = Ingesting::start(&app, spec(&app, &[site.at("/")]));
    stored(&app, 1).await;
    let post = find(&app, "rss:tag:latin").await.expect("stored");
    assert_eq!(post["content"], "I love it Größe\n\nRead more");
    app.eventually("the feed is polled again", async || (site.requests().len() > 4).then_some(())).await;
    assert_eq!(
        site.requests().iter().filter(|request| request.path == "/").count(),
        1,
        "the URL of the feed is stored"
    );
    ingesting.stop().await;
}

async fn page_without_a_working_feed_is_retried_less_often(setup: Setup) {
    let app = TestApp::start(setup).await;
    let page = "<html><head><link rel=\"alternate\" type=\"application/rss+xml\" href=\"/gone.rss\"></head></html>";
    let site = Web::start(move |request| match request.path.as_str() {
        "/" => Reply::ok(page).with("Content-Type", "text/html"),
        _ => Reply::status(404),
    })
    .await;
    let good = Feeds::start().await;
    good.publish("/feed.rss", entry("good:0", "I love it", 9));
    let ingesting = Ingesting::start(&app, spec(&app, &[site.at("/"), good.url("feed.rss")]));
    stored(&app, 1).await;
    // The other feed is polled at the shortest interval. After some failures, the page is requested less often.
    app.eventually("the page is requested less often", async || {
        let (pages, polls) = (site.requests().len() / 2, good.web.requests().len());
        (polls > 30 && pages * 2 < polls).then_some(())
    })
    .await;
    ingesting.stop().await;
}

async fn failing_feed_does_not_delay_others(setup: Setup) {
    let app = TestApp::start(setup).await;
    let (bad, good) = (Feeds::start().await, Feeds::start().await);
    bad.publish("/feed.rss", entry("bad:0", "I love it", 9));
    good.publish("/feed.rss", entry("good:0", "I love it", 9));
    let moved = feeds::rss(&[entry("bad:moved", "I love it", 3)]);
    let elsewhere = Web::start(move |_| Reply::ok(moved.clone())).await;
    let ingesting = Ingesting::start(&app, spec(&app, &[bad.url("feed.rss"), good.url("feed.rss")]));
    let mut count = 2;
    stored(&app, count).await;
    let huge = "<rss version=\"2.0\"><channel>".to_owned() + &" ".repeat(200_000);
    let around = Reply::status(302).with("Location", "/feed.rss");
    let faults = [
        ("500", Reply::status(500), true),
        ("404", Reply::status(404), true),
        ("malformed", Reply::ok("<rss version=\"2.0\"><channel><title>&&</wrong>"), true),
        ("a page", Reply::ok("<!DOCTYPE html><html><body>Just a moment…</body></html>"), true),
        ("too large", Reply::ok(huge), true),
        ("reset", Reply::Reset, true),
        ("redirect", Reply::status(301).with("Location", elsewhere.at("/").as_str()), false),
        ("redirects without end", around, true),
        (
            "cut off",
            Reply::ok(feeds::rss(&[entry("bad:cut", "I love it", 2)]).split_once("</channel>").expect("the end tag").0),
            false,
        ),
    ];
    for (n, (name, fault, is_error)) in faults.into_iter().enumerate() {
        let before = ingesting.states.all().remove(0).errors;
        // The fourth redirect exceeds the limit.
        bad.web.script_replies(std::iter::repeat_n(fault, if name == "redirects without end" { 4 } else { 1 }));
        app.eventually(name, async || bad.web.has_sent_all_replies().then_some(())).await;
        count += usize::from(matches!(name, "redirect" | "cut off"));
        good.publish("/feed.rss", entry(&format!("good:{n}+"), "I love it", 1));
        bad.publish("/feed.rss", entry(&format!("bad:{n}+"), "I love it", 1));
        count += 2;
        stored(&app, count).await;
        let state = ingesting.states.all().remove(0);
        assert_eq!(state.errors > before, is_error, "{name}: {state:?}");
        assert_eq!(state.state.as_str(), "connected", "{name}: {state:?}");
    }
    let books = app.drained().await["stats"]["books"].clone();
    assert_eq!((&books["analysed"], &books["duplicate"]), (&json!(count), &json!(0)));
    let state = ingesting.states.all().remove(0);
    assert_eq!(state.last_error.as_deref().map(|error| error.contains("redirects")), Some(true), "{state:?}");
    ingesting.stop().await;

    // A request without a reply times out. Two such replies are scripted, because a request that was open when the
    // source stopped may use one.
    bad.web.script_replies([Reply::Silence, Reply::Silence]);
    let options = RssOptions {
        feeds: vec![bad.url("feed.rss")],
        min_interval: MILLIS(20),
        max_interval: MILLIS(60),
        history: Duration::ZERO,
    };
    let ingesting = Ingesting::start(&app, rss::spec("rss", options, fetcher_with_short_timeout, app.clock.clone()));
    bad.publish("/feed.rss", entry("bad:slow", "I love it", 0));
    stored(&app, count + 1).await;
    assert!(ingesting.states.all().remove(0).errors > 0);
    ingesting.stop().await;
}

async fn retry_after_delays_all_feeds_of_the_host(setup: Setup) {
    let app = TestApp::start(setup).await;
    let (busy, good) = (Feeds::start().await, Feeds::start().await);
    for path in ["/a.rss", "/b.rss"] {
        busy.publish(path, entry(path, "I love it", 1));
    }
    good.publish("/c.rss", entry("good", "I love it", 1));
    let feeds = [busy.url("a.rss"), busy.url("b.rss"), good.url("c.rss")];
    let ingesting = Ingesting::start(&app, spec(&app, &feeds));
    stored(&app, 3).await;
    for status in [429, 503] {
        busy.web.script_replies([Reply::status(status).with("Retry-After", "3")]);
        app.eventually("the source is busy", async || busy.web.has_sent_all_replies().then_some(())).await;
        good.publish("/c.rss", entry(&format!("tag:good {status}"), "I love it", 0));
        busy.publish("/b.rss", entry(&format!("tag:busy {status}"), "I love it", 0));
        app.eventually("the other host is read", async || find(&app, &format!("rss:tag:good {status}")).await).await;
        app.eventually("the feed is requested again", async || find(&app, &format!("rss:tag:busy {status}")).await)
            .await;
        let rest = busy.web.rest();
        assert!(rest.end - rest.start >= MILLIS(3_000), "{status}: the source waits for Retry-After: {rest:?}");
        let asked = good.web.requests().into_iter().filter(|request| rest.contains(&request.at));
        assert!(asked.count() > 1, "{status}: the other host does not wait");
    }
    ingesting.stop().await;

    // If no feed answers, the whole source waits. A wait of a day continues after a restart.
    let busy = Web::start(|_| Reply::status(429).with("Retry-After", "86400")).await;
    let urls = [busy.at("/only.rss"), good.url("c.rss")];
    let two = Ingesting::start(&app, spec(&app, &urls));
    app.eventually("the feed is requested", async || (!busy.requests().is_empty()).then_some(())).await;
    good.publish("/c.rss", entry("tag:good again", "I love it", 0));
    app.eventually("the other host is read", async || find(&app, "rss:tag:good again").await).await;
    let state = two.states.all().remove(0);
    assert!(state.last_error.as_deref().is_some_and(|error| error.contains(busy.at("/").as_str())), "{state:?}");
    two.stop().await;
    good.publish("/c.rss", entry("tag:good later", "I love it", 0));
    let two = Ingesting::start(&app, spec(&app, &urls));
    app.eventually("the other host is read", async || find(&app, "rss:tag:good later").await).await;
    two.stop().await;
    assert_eq!(busy.requests().len(), 1);
    let alone = Ingesting::start(
        &app,
        rss::spec(
            "alone",
            RssOptions {
                feeds: vec![busy.at("/only.rss")],
                min_interval: MILLIS(20),
                max_interval: MILLIS(60),
                history: Duration::ZERO,
            },
            fetcher,
            app.clock.clone(),
        ),
    );
    let state = app
        .eventually("the source backs off", async || {
            alone.states.all().pop().filter(|state| state.state.as_str() == "backing_off")
        })
        .await;
    assert!(state.last_error.expect("an error").contains("429"));
    alone.stop().await;
    assert_eq!(busy.requests().len(), 2);
}

async fn private_addresses_are_refused_behind_redirects(setup: Setup) {
    let app = TestApp::start(setup).await;
    let secret = Web::start(|_| Reply::ok(feeds::rss(&[entry("tag:secret", "inside", 1)]))).await;
    let inside = secret.url.port().expect("a port");
    // Connections to 0.0.0.0 also reach this machine.
    let targets = [format!("http://0.0.0.0:{inside}/"), "http://169.254.169.254/latest/meta-data".to_owned()];
    let door = Web::start(move |request| {
        let target = if request.path == "/0" { &targets[0] } else { &targets[1] };
        Reply::status(302).with("Location", target)
    })
    .await;
    let named = format!("http://localhost:{inside}/").parse().expect("a URL");
    for (name, allowed, feeds) in [
        ("direct", "10.0.0.0/8", vec![secret.at("/"), named]),
        ("redirects", "127.0.0.1/32", vec![door.at("/0"), door.at("/1")]),
    ] {
        let options = RssOptions { feeds, min_interval: MILLIS(20), max_interval: MILLIS(60), history: Duration::ZERO };
        let spec = rss::spec(name, options, || fetcher_to(&[allowed]), app.clock.clone());
        let ingesting = Ingesting::start(&app, spec);
        let state = app
            .eventually("the address is refused", async || {
                ingesting.states.all().pop().filter(|state| state.state.as_str() == "failed")
            })
            .await;
        let error = state.last_error.expect("an error");
        assert!(error.contains("outbound.allow") && error.contains("1 more failed"), "{name}: {error}");
        ingesting.stop().await;
    }
    assert!(secret.requests().is_empty(), "no internal address was requested");
    assert_eq!(stored(&app, 0).await["appended"], 0);
}
