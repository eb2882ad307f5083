//! Tests of the Mastodon source against fake instances with configurable faults.

use std::time::Duration;

use sentistream::domain::Timestamp;
use sentistream::sources::SourceSpec;
use sentistream::sources::mastodon::{self, MastodonOptions};
use serde_json::{Value, json};

use super::ingesting::Ingesting;
use super::polling::{fetcher, fetcher_with_short_timeout, find, stored};
use crate::api::test_app::{START, Setup, TestApp, cases};
use crate::fakes::mastodon::{Instance, TOKEN, status};
use crate::fakes::web::Reply;

cases![
    timelines_are_polled_without_a_gap,
    late_posts_of_other_mastodon_servers_are_read,
    failing_instance_does_not_delay_others,
    source_with_token_streams_edits_and_deletions,
    rejected_mastodon_subscription_is_reported,
    cut_or_silent_stream_reconnects_without_loss,
];

const MILLIS: fn(u64) -> Duration = Duration::from_millis;

fn options(instances: &[&Instance]) -> MastodonOptions {
    MastodonOptions {
        instances: instances.iter().map(|instance| instance.url()).collect(),
        tags: Vec::new(),
        local: true,
        interval: MILLIS(20),
        rewind: Duration::from_secs(300),
        history: Duration::ZERO,
        token: None,
        idle_limit: Duration::from_secs(60),
    }
}

fn spec(app: &TestApp, options: MastodonOptions) -> SourceSpec {
    mastodon::spec("mastodon", options, fetcher, app.clock.clone())
}

fn tagged(id: u64, tags: &[&str]) -> Value {
    let tags: Vec<_> = tags.iter().map(|tag| json!({"name": tag})).collect();
    status(id, "<p>I love it</p>", json!({"tags": tags}))
}

async fn timelines_are_polled_without_a_gap(setup: Setup) {
    let app = TestApp::start(setup).await;
    let (first, second) = (Instance::start().await, Instance::start().await);
    for id in 1..=100 {
        first.write(id, status(id, "<p>I love it</p>", json!({})));
    }
    let markup = r#"<p><span class="h-card"><a href="https://m.example/@bob" class="u-url mention">@<span>bob</span></a></span> I hate &quot;this&quot;<br>really</p><p><a href="https://m.example/tags/acme">#<span>acme</span></a></p><script>alert(1)</script>"#;
    let more = json!({"spoiler_text": "politics", "language": "en-GB", "in_reply_to_id": "99",
                      "account": {"acct": "bob@far.example"}});
    first.write(101, status(101, markup, more));
    first.write(102, status(102, "", json!({"reblog": {"id": "1"}})));
    second.write(1, status(1, "<p>I love it</p>", json!({})));
    let wanted = options(&[&first, &second]);
    let ingesting = Ingesting::start(&app, spec(&app, wanted.clone()));
    // The first poll reads only the newest page. A boost has no text, so it is filtered.
    stored(&app, 40).await;
    let post = find(&app, &first.post_id(101)).await.expect("stored");
    assert_eq!(post["content"], "politics\n\n@bob I hate \"this\"\nreally\n\n#acme");
    assert_eq!(
        (&post["source"], &post["author"], &post["lang"]),
        (&json!("mastodon"), &json!("bob@far.example"), &json!("en-GB"))
    );
    assert_eq!((&post["url"], &post["reply_to"]), (&json!("https://m.example/@ada/101"), &json!(first.post_id(99))));
    let local = find(&app, &first.post_id(100)).await.expect("stored");
    assert_eq!(local["author"], format!("ada@{}", first.url().authority()));
    assert_eq!(local["created_at"], "2026-03-01T12:20:00.000Z");

    // Later polls miss no post.
    for id in 2..=95 {
        second.write(id, status(id, "<p>I love it</p>", json!({})));
    }
    let books = stored(&app, 134).await;
    assert_eq!((&books["analysed"], &books["duplicate"]), (&json!(134), &json!(0)));
    let request = first.web.requests().remove(0);
    assert_eq!((request.query["local"].as_str(), request.query["limit"].as_str()), ("true", "40"));
    assert_eq!(request.header("authorization"), "");
    ingesting.stop().await;

    // A restart continues at the cursor.
    for id in 200..=330 {
        first.write(id, status(id, "<p>I love it</p>", json!({})));
    }
    let ingesting = Ingesting::start(&app, spec(&app, wanted.clone()));
    let books = stored(&app, 265).await;
    assert_eq!((&books["analysed"], &books["duplicate"]), (&json!(265), &json!(0)));
    ingesting.stop().await;

    // A source with two tags reads two timelines. A post with both tags is stored once.
    let third = Instance::start().await;
    third.write(1, tagged(1, &["rust", "linux"]));
    third.write(2, tagged(2, &["linux"]));
    third.write(3, tagged(3, &["cats"]));
    let tags = MastodonOptions { tags: vec!["rust".to_owned(), "linux".to_owned()], ..options(&[&third]) };
    let tagging = Ingesting::start(&app, mastodon::spec("tags", tags, fetcher, app.clock.clone()));
    let books = stored(&app, 267).await;
    assert_eq!((&books["duplicate"], find(&app, &third.post_id(3)).await), (&json!(1), None));
    tagging.stop().await;
}

async fn failing_instance_does_not_delay_others(setup: Setup) {
    let app = TestApp::start(setup).await;
    let (bad, good) = (Instance::start().await, Instance::start().await);
    let ingesting = Ingesting::start(&app, spec(&app, options(&[&bad, &good])));
    app.eventually("both instances are requested", async || {
        (!bad.web.requests().is_empty() && !good.web.requests().is_empty()).then_some(())
    })
    .await;
    let mut count = 0;
    for (name, fault) in [
        ("500", Reply::status(500)),
        ("a page", Reply::ok("<html>Just a moment…</html>")),
        ("cut off", Reply::ok("[{\"id\": \"1\"")),
        ("reset", Reply::Reset),
        // The page comes from a firewall and not from the instance, so the error counts as temporary.
        ("a 403 page", Reply::Answer(403, Vec::new(), b"<html>Attention required</html>".to_vec())),
        ("a 401 page", Reply::status(401)),
        ("busy", Reply::status(429).with("Retry-After", "3")),
    ] {
        let before = ingesting.states.all().remove(0).errors;
        bad.web.script_replies([fault]);
        app.eventually(name, async || bad.web.has_sent_all_replies().then_some(())).await;
        for (instance, id) in [(&good, count + 1), (&bad, count + 1)] {
            instance.write(id, status(id, "<p>I love it</p>", json!({})));
        }
        count += 1;
        app.eventually("the other instance is read", async || find(&app, &good.post_id(count)).await).await;
        app.eventually("the instance is read again", async || find(&app, &bad.post_id(count)).await).await;
        let rest = bad.web.rest();
        assert!(name != "busy" || rest.end - rest.start >= MILLIS(3_000), "the source respects Retry-After: {rest:?}");
        let asked = good.web.requests().into_iter().filter(|request| rest.contains(&request.at));
        assert!(name != "busy" || asked.count() > 1, "the other instance does not wait: {rest:?}");
        let state = ingesting.states.all().remove(0);
        assert!(state.errors > before && state.state.as_str() == "connected", "{name}: {state:?}");
    }
    // A status without text counts as filtered. A status with unexpected types in optional fields is read.
    bad.write(50, json!({"id": "50", "content": 7}));
    bad.write(51, status(51, "<p>I love it</p>", json!({"account": 7, "language": [], "quote": "x", "url": {}})));
    app.eventually("the next status is read", async || find(&app, &bad.post_id(51)).await).await;
    let state = ingesting.states.all().remove(0);
    assert_eq!((state.rejected, state.filtered), (0, 1));

    // The source waits while the rate limit is exhausted.
    let reset = START.parse::<Timestamp>().expect("a time") + Duration::from_secs(1);
    bad.web.script_replies([Reply::ok("[]")
        .with("X-RateLimit-Remaining", "0")
        .with("X-RateLimit-Reset", reset.to_string())]);
    app.eventually("the instance is requested again", async || bad.web.has_sent_all_replies().then_some(())).await;
    bad.write(52, status(52, "<p>I love it</p>", json!({})));
    app.eventually("the instance is read again", async || find(&app, &bad.post_id(52)).await).await;
    let rest = bad.web.rest();
    assert!(rest.end - rest.start >= MILLIS(1_000), "{rest:?}");
    let books = stored(&app, 2 * count as usize + 2).await;
    assert_eq!(books["duplicate"], 0);
    ingesting.stop().await;

    // A request without a reply times out. Two such replies are scripted, because a request that was open when the
    // source stopped may use one.
    bad.web.script_replies([Reply::Silence, Reply::Silence]);
    let impatient = mastodon::spec("mastodon", options(&[&bad, &good]), fetcher_with_short_timeout, app.clock.clone());
    let ingesting = Ingesting::start(&app, impatient);
    bad.write(53, status(53, "<p>I love it</p>", json!({})));
    app.eventually("the instance is read again", async || find(&app, &bad.post_id(53)).await).await;
    assert!(ingesting.states.all().remove(0).errors > 0);
    ingesting.stop().await;

    // The error for a timeline that requires a sign-in names the remedy.
    let closed = Instance::start().await;
    let error = json!({"error": "This method requires an authenticated user"});
    closed.web.script_replies([Reply::Answer(422, Vec::new(), error.to_string().into_bytes())]);
    let alone = Ingesting::start(&app, mastodon::spec("closed", options(&[&closed]), fetcher, app.clock.clone()));
    let state = app
        .eventually("the source fails", async || {
            alone.states.all().pop().filter(|state| state.state.as_str() == "failed")
        })
        .await;
    assert!(state.last_error.expect("an error").contains("set a token"));
    alone.stop().await;
}

fn streaming(instance: &Instance) -> MastodonOptions {
    MastodonOptions { token: Some(TOKEN.to_owned().into()), ..options(&[instance]) }
}

async fn subscribed(app: &TestApp, instance: &Instance, count: usize) {
    app.eventually("the source is subscribed", async || (instance.subscribed() >= count).then_some(())).await;
}

async fn late_posts_of_other_mastodon_servers_are_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    let instance = Instance::start().await;
    // An id contains the time at which its post was written, in milliseconds.
    let id = |millis: u64| (1_772_367_600_000 + millis) << 16;
    let write = |millis: u64| instance.write(id(millis), status(id(millis), "<p>I love it</p>", json!({})));
    write(100);
    let federated = MastodonOptions { local: false, rewind: MILLIS(1_000), ..options(&[&instance]) };
    let ingesting = Ingesting::start(&app, spec(&app, federated));
    stored(&app, 1).await;
    for n in 0..50 {
        write(5_000 + n);
    }
    stored(&app, 51).await;
    // This post was written before the newest post, but is delivered after it.
    write(4_500);
    let books = stored(&app, 52).await;
    assert_eq!((&books["analysed"], &books["duplicate"]), (&json!(52), &json!(0)));
    assert!(instance.web.requests().iter().all(|request| !request.query.contains_key("local")));
    ingesting.stop().await;
}

async fn source_with_token_streams_edits_and_deletions(setup: Setup) {
    let app = TestApp::start(setup).await;
    let instance = Instance::start().await;
    let love = |id| status(id, "<p>I love it</p>", json!({}));
    for id in 1..=3 {
        instance.write(id, love(id));
    }
    let ingesting = Ingesting::start(&app, spec(&app, streaming(&instance)));
    subscribed(&app, &instance, 1).await;
    let quote = r#"<p class="quote-inline">RE: <a href="https://m.example/@bob/3">m.example</a></p><p>I love it</p>"#;
    instance.write(4, status(4, quote, json!({"quote": {"state": "accepted", "quoted_status": {"id": "3"}}})));
    instance.send_frame(
        "{\"stream\": [\"public:local\"], \"event\": \"update\", \"payload\": {\"not\": \"a text\"}}".to_owned(),
    );
    instance.send_frame("nonsense".to_owned());
    instance.send_frame(json!({"stream": ["user"], "event": "notification", "payload": "{}"}).to_string());
    instance.edit(2, status(2, "<p>I hate it now</p>", json!({"edited_at": "2026-03-01T12:25:00.000Z"})));
    instance.delete(1);
    app.eventually("the edit is applied", async || {
        let post = find(&app, &instance.post_id(2)).await?;
        (post["content"] == "I hate it now" && post["sentiment"]["label"] == "negative").then_some(())
    })
    .await;
    app.eventually("the deletion is applied", async || find(&app, &instance.post_id(1)).await.is_none().then_some(()))
        .await;
    let books = stored(&app, 3).await;
    let quoting = find(&app, &instance.post_id(4)).await.expect("stored");
    assert_eq!((&quoting["content"], &quoting["reply_to"]), (&json!("I love it"), &json!(instance.post_id(3))));
    // The token is sent only to the timelines and to the streaming host.
    let asked = instance.web.requests().into_iter().filter(|request| request.path.contains("/instance"));
    assert!(asked.map(|request| request.headers).all(|headers| !headers.contains_key("authorization")));
    assert_eq!((&books["deletion"], &books["replacement"]), (&json!(1), &json!(1)));
    let state = ingesting.states.all().remove(0);
    assert_eq!((state.rejected, state.errors), (2, 0), "{state:?}");
    ingesting.stop().await;

    // A rejected token stops the source. The error does not contain the token.
    let wrong = MastodonOptions { token: Some("outdated".to_owned().into()), ..options(&[&instance]) };
    let refused = Ingesting::start(&app, mastodon::spec("wrong", wrong, fetcher, app.clock.clone()));
    let state = app
        .eventually("the source fails", async || {
            refused.states.all().pop().filter(|state| state.state.as_str() == "failed")
        })
        .await;
    let error = state.last_error.expect("an error");
    assert!(error.contains("create a new token") && !error.contains("outdated"), "{error}");
    refused.stop().await;
}

async fn rejected_mastodon_subscription_is_reported(setup: Setup) {
    let app = TestApp::start(setup).await;
    let instance = Instance::start().await;
    let state = async |ingesting: &Ingesting, wanted: &str| {
        app.eventually(wanted, async || {
            ingesting.states.all().pop().filter(|state| state.state.as_str() == wanted && state.errors > 0)
        })
        .await
    };
    instance.refuse(Some(json!({"error": "Access token does not have the required scopes", "status": 401})));
    let ingesting = Ingesting::start(&app, spec(&app, streaming(&instance)));
    let failed = state(&ingesting, "failed").await;
    let error = failed.last_error.expect("an error");
    assert!(error.contains("required scopes") && error.contains("read:statuses"), "{error}");
    ingesting.stop().await;

    instance.refuse(Some(json!({"error": "Unknown stream type", "status": 400})));
    let ingesting = Ingesting::start(&app, spec(&app, streaming(&instance)));
    let refused = state(&ingesting, "backing_off").await;
    assert!(refused.last_error.expect("an error").contains("Unknown stream type"));
    instance.refuse(None);
    instance.write(1, status(1, "<p>I love it</p>", json!({})));
    stored(&app, 1).await;
    ingesting.stop().await;
}

async fn cut_or_silent_stream_reconnects_without_loss(setup: Setup) {
    let app = TestApp::start(setup).await;
    let instance = Instance::start().await;
    let wanted = MastodonOptions { idle_limit: Duration::from_secs(1), ..streaming(&instance) };
    let ingesting = Ingesting::start(&app, spec(&app, wanted));
    let mut id = 0;
    let mut publish = |count: u64| {
        for _ in 0..count {
            id += 1;
            instance.write(id, status(id, "<p>I love it</p>", json!({})));
        }
    };
    // The instance is empty at first. Posts are written both before and after the subscription is active.
    app.eventually("the source connects", async || (!instance.streaming.requests().is_empty()).then_some(())).await;
    publish(55);
    subscribed(&app, &instance, 1).await;
    publish(5);
    stored(&app, 60).await;
    instance.cut();
    publish(70);
    subscribed(&app, &instance, 2).await;
    publish(5);
    stored(&app, 135).await;
    let before = ingesting.states.all().remove(0).errors;
    instance.mute(true);
    publish(10);
    app.eventually("the source reports an error", async || {
        (ingesting.states.all().remove(0).errors > before).then_some(())
    })
    .await;
    instance.mute(false);
    let books = stored(&app, 145).await;
    assert_eq!(books["analysed"], 145);
    ingesting.stop().await;
}
