//! Mastodon's instances with everything that may go wrong.

use std::time::Duration;

use sentistream::domain::Timestamp;
use sentistream::sources::SourceSpec;
use sentistream::sources::mastodon::{self, MastodonOptions};
use serde_json::{Value, json};

use super::ingesting::Ingesting;
use super::polling::{fetcher, find, hasty, stored};
use crate::api::test_app::{START, Setup, TestApp, cases};
use crate::fakes::mastodon::{Instance, TOKEN, status};
use crate::fakes::web::Reply;

cases![
    time_lines_are_polled_without_a_gap,
    an_instance_in_trouble_holds_up_no_other_and_loses_nothing,
    a_token_lets_edits_and_deletions_arrive,
    a_stream_that_is_cut_or_silent_is_made_anew_and_nothing_is_lost,
];

const MILLIS: fn(u64) -> Duration = Duration::from_millis;

fn options(instances: &[&Instance]) -> MastodonOptions {
    MastodonOptions {
        instances: instances.iter().map(|instance| instance.url()).collect(),
        tags: Vec::new(),
        local: true,
        interval: MILLIS(20),
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

async fn time_lines_are_polled_without_a_gap(setup: Setup) {
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
    // The newest page to begin with; what is passed on has no text of its own.
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

    // From there on nothing is left out.
    for id in 2..=95 {
        second.write(id, status(id, "<p>I love it</p>", json!({})));
    }
    let books = stored(&app, 134).await;
    assert_eq!((&books["analysed"], &books["duplicate"]), (&json!(134), &json!(0)));
    let request = first.web.requests().remove(0);
    assert_eq!((request.query["local"].as_str(), request.query["limit"].as_str()), ("true", "40"));
    assert_eq!(request.header("authorization"), "");
    ingesting.stop().await;

    // A restart goes on where it was, however much there is.
    for id in 200..=330 {
        first.write(id, status(id, "<p>I love it</p>", json!({})));
    }
    let ingesting = Ingesting::start(&app, spec(&app, wanted.clone()));
    let books = stored(&app, 265).await;
    assert_eq!((&books["analysed"], &books["duplicate"]), (&json!(265), &json!(0)));
    ingesting.stop().await;

    // Tags instead of everything; a post with both is one post.
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

async fn an_instance_in_trouble_holds_up_no_other_and_loses_nothing(setup: Setup) {
    let app = TestApp::start(setup).await;
    let (bad, good) = (Instance::start().await, Instance::start().await);
    let ingesting = Ingesting::start(&app, spec(&app, options(&[&bad, &good])));
    app.eventually("both are asked", async || {
        (!bad.web.requests().is_empty() && !good.web.requests().is_empty()).then_some(())
    })
    .await;
    let mut count = 0;
    for (name, fault) in [
        ("500", Reply::status(500)),
        ("a page", Reply::ok("<html>Just a moment…</html>")),
        ("cut off", Reply::ok("[{\"id\": \"1\"")),
        ("reset", Reply::Reset),
        ("refused", Reply::status(401)),
        ("busy", Reply::status(429).with("Retry-After", "3")),
    ] {
        let before = ingesting.states.all().remove(0).errors;
        bad.web.will([fault]);
        app.eventually(name, async || bad.web.has_said_all().then_some(())).await;
        for (instance, id) in [(&good, count + 1), (&bad, count + 1)] {
            instance.write(id, status(id, "<p>I love it</p>", json!({})));
        }
        count += 1;
        app.eventually("the other one is read", async || find(&app, &good.post_id(count)).await).await;
        app.eventually("it is read again", async || find(&app, &bad.post_id(count)).await).await;
        let rest = bad.web.rest();
        assert!(name != "busy" || rest.end - rest.start >= MILLIS(3_000), "it had its time: {rest:?}");
        let asked = good.web.requests().into_iter().filter(|request| rest.contains(&request.at));
        assert!(name != "busy" || asked.count() > 1, "the other one waits for nobody: {rest:?}");
        let state = ingesting.states.all().remove(0);
        assert!(state.errors > before && state.state.as_str() == "connected", "{name}: {state:?}");
    }
    // One status that is none costs no other.
    bad.write(50, json!({"id": "50", "content": 7}));
    bad.write(51, status(51, "<p>I love it</p>", json!({})));
    app.eventually("the next one is read", async || find(&app, &bad.post_id(51)).await).await;
    assert_eq!(ingesting.states.all().remove(0).rejected, 1);

    // An instance that says that its limit is reached is left alone until it says.
    let reset = START.parse::<Timestamp>().expect("a time") + Duration::from_secs(1);
    bad.web.will([Reply::ok("[]").with("X-RateLimit-Remaining", "0").with("X-RateLimit-Reset", reset.to_string())]);
    app.eventually("it is asked once more", async || bad.web.has_said_all().then_some(())).await;
    bad.write(52, status(52, "<p>I love it</p>", json!({})));
    app.eventually("it is read again", async || find(&app, &bad.post_id(52)).await).await;
    let rest = bad.web.rest();
    assert!(rest.end - rest.start >= MILLIS(1_000), "{rest:?}");
    let books = stored(&app, 2 * count as usize + 2).await;
    assert_eq!(books["duplicate"], 0);
    ingesting.stop().await;

    // An answer that never comes is given up. One may meet a question that was left at the stop.
    bad.web.will([Reply::Silence, Reply::Silence]);
    let impatient = mastodon::spec("mastodon", options(&[&bad, &good]), hasty, app.clock.clone());
    let ingesting = Ingesting::start(&app, impatient);
    bad.write(53, status(53, "<p>I love it</p>", json!({})));
    app.eventually("it is read again", async || find(&app, &bad.post_id(53)).await).await;
    assert!(ingesting.states.all().remove(0).errors > 0);
    ingesting.stop().await;

    // One that shows its time line to nobody says what helps.
    let closed = Instance::start().await;
    closed.web.will([Reply::status(422)]);
    let alone = Ingesting::start(&app, mastodon::spec("closed", options(&[&closed]), fetcher, app.clock.clone()));
    let state = app
        .eventually("it fails", async || alone.states.all().pop().filter(|state| state.state.as_str() == "failed"))
        .await;
    assert!(state.last_error.expect("told").contains("set a token"));
    alone.stop().await;
}

fn streaming(instance: &Instance) -> MastodonOptions {
    MastodonOptions { token: Some(TOKEN.to_owned().into()), ..options(&[instance]) }
}

async fn subscribed(app: &TestApp, instance: &Instance, count: usize) {
    app.eventually("it listens", async || (instance.subscribed() >= count).then_some(())).await;
}

async fn a_token_lets_edits_and_deletions_arrive(setup: Setup) {
    let app = TestApp::start(setup).await;
    let instance = Instance::start().await;
    let love = |id| status(id, "<p>I love it</p>", json!({}));
    for id in 1..=3 {
        instance.write(id, love(id));
    }
    let ingesting = Ingesting::start(&app, spec(&app, streaming(&instance)));
    subscribed(&app, &instance, 1).await;
    instance.write(4, love(4));
    instance
        .say("{\"stream\": [\"public:local\"], \"event\": \"update\", \"payload\": {\"not\": \"a text\"}}".to_owned());
    instance.say("nonsense".to_owned());
    instance.say(json!({"stream": ["user"], "event": "notification", "payload": "{}"}).to_string());
    instance.edit(2, status(2, "<p>I hate it now</p>", json!({"edited_at": "2026-03-01T12:25:00.000Z"})));
    instance.delete(1);
    app.eventually("the edit replaces", async || {
        let post = find(&app, &instance.post_id(2)).await?;
        (post["content"] == "I hate it now" && post["sentiment"]["label"] == "negative").then_some(())
    })
    .await;
    app.eventually("the deletion deletes", async || find(&app, &instance.post_id(1)).await.is_none().then_some(()))
        .await;
    let books = stored(&app, 3).await;
    assert_eq!((&books["deletion"], &books["replacement"]), (&json!(1), &json!(1)));
    let state = ingesting.states.all().remove(0);
    assert_eq!((state.rejected, state.errors), (2, 0), "{state:?}");
    ingesting.stop().await;

    // A token that is refused needs a person, and is not shown.
    let wrong = MastodonOptions { token: Some("outdated".to_owned().into()), ..options(&[&instance]) };
    let refused = Ingesting::start(&app, mastodon::spec("wrong", wrong, fetcher, app.clock.clone()));
    let state = app
        .eventually("it fails", async || refused.states.all().pop().filter(|state| state.state.as_str() == "failed"))
        .await;
    let error = state.last_error.expect("told");
    assert!(error.contains("make a new one") && !error.contains("outdated"), "{error}");
    refused.stop().await;
}

async fn a_stream_that_is_cut_or_silent_is_made_anew_and_nothing_is_lost(setup: Setup) {
    let app = TestApp::start(setup).await;
    let instance = Instance::start().await;
    let wanted = MastodonOptions { idle_limit: Duration::from_secs(1), ..streaming(&instance) };
    let ingesting = Ingesting::start(&app, spec(&app, wanted));
    let mut id = 0;
    let mut say = |count: u64| {
        for _ in 0..count {
            id += 1;
            instance.write(id, status(id, "<p>I love it</p>", json!({})));
        }
    };
    // Nothing at first; then before the subscription holds, and after.
    app.eventually("it connects", async || {
        instance.web.requests().iter().any(|request| request.path.ends_with("streaming")).then_some(())
    })
    .await;
    say(55);
    subscribed(&app, &instance, 1).await;
    say(5);
    stored(&app, 60).await;
    instance.cut();
    say(70);
    subscribed(&app, &instance, 2).await;
    say(5);
    stored(&app, 135).await;
    let before = ingesting.states.all().remove(0).errors;
    instance.mute(true);
    say(10);
    app.eventually("it notices", async || (ingesting.states.all().remove(0).errors > before).then_some(())).await;
    instance.mute(false);
    let books = stored(&app, 145).await;
    assert_eq!(books["analysed"], 145);
    ingesting.stop().await;
}
