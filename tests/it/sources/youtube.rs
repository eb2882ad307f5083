//! Tests of the YouTube source against a fake server with configurable faults.

use std::time::Duration;

use reqwest::Method;
use sentistream::sources::SourceSpec;
use sentistream::sources::youtube::{self, Channel, Place, YouTubeOptions};
use serde_json::{Value, json};

use super::ingesting::Ingesting;
use super::managed::send;
use super::polling::{fetcher, find, stored};
use crate::api::test_app::{Setup, TestApp, cases};
use crate::fakes::web::Reply;
use crate::fakes::youtube::{CLOSED, KEY, Tube, VIDEO, error};
use crate::process::Process;

cases![
    youtube_comments_replies_and_edits_are_read,
    channel_is_read_by_its_handle,
    video_without_comments_does_not_delay_others,
    exhausted_youtube_quota_is_reported,
    wrong_key_is_reported_without_the_key,
];

fn spec(app: &TestApp, tube: &Tube, places: Vec<Place>) -> SourceSpec {
    let options = YouTubeOptions {
        base: tube.web.at("/youtube/v3/"),
        key: KEY.into(),
        places,
        replies: true,
        interval: Duration::from_millis(20),
        history: Duration::ZERO,
    };
    youtube::spec("youtube", options, fetcher(), app.clock.clone())
}

fn video(id: &str) -> Place {
    Place::Video(id.to_owned())
}

async fn youtube_comments_replies_and_edits_are_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    let tube = Tube::start().await;
    for number in 0..130 {
        tube.comment(&format!("old-{number}"), "I love it");
    }
    let ingesting = Ingesting::start(&app, spec(&app, &tube, vec![video(VIDEO)]));
    stored(&app, 100).await;
    let comment = find(&app, "youtube:old-129").await.expect("stored");
    assert_eq!((&comment["source"], &comment["author"]), (&json!("youtube"), &json!("ada")));
    assert_eq!(comment["url"], format!("https://www.youtube.com/watch?v={VIDEO}&lc=old-129"));
    assert!(find(&app, "youtube:old-29").await.is_none(), "the first poll reads one page");

    // The list contains two replies; the other replies are requested.
    for number in 0..5 {
        tube.reply("old-120", &number.to_string(), "I love it");
    }
    stored(&app, 105).await;
    let reply = find(&app, "youtube:old-120.0").await.expect("stored");
    assert_eq!(reply["reply_to"], "youtube:old-120");
    tube.edit("old-125", "I hate it");
    app.eventually("the edit is stored", async || {
        let comment = find(&app, "youtube:old-125").await?;
        (comment["sentiment"]["label"] == "negative").then_some(())
    })
    .await;
    ingesting.stop().await;

    // After a pause, several pages are read, and each comment is read once.
    for number in 0..250 {
        tube.comment(&format!("new-{number}"), "I love it");
    }
    let ingesting = Ingesting::start(&app, spec(&app, &tube, vec![video(VIDEO)]));
    let books = stored(&app, 355).await;
    assert_eq!((&books["replacement"], &books["duplicate"]), (&json!(1), &json!(0)), "{books}");
    ingesting.stop().await;
    assert!(tube.web.requests().iter().all(|request| !request.query.contains_key("key")), "no URL contains the key");
}

async fn channel_is_read_by_its_handle(setup: Setup) {
    let app = TestApp::start(setup).await;
    let tube = Tube::start().await;
    tube.comment("1", "I love it");
    let channel = Place::Channel(Channel::Handle("@acme".to_owned()));
    let ingesting = Ingesting::start(&app, spec(&app, &tube, vec![channel]));
    stored(&app, 1).await;
    tube.comment("2", "I love it");
    stored(&app, 2).await;
    ingesting.stop().await;
    let asked = tube.web.requests().iter().filter(|request| request.path.ends_with("/channels")).count();
    assert_eq!(asked, 1, "the channel of the handle is stored");
}

async fn video_without_comments_does_not_delay_others(setup: Setup) {
    let app = TestApp::start(setup).await;
    let tube = Tube::start().await;
    tube.comment("1", "I love it");
    tube.web.script_replies([Reply::status(500), Reply::ok("<html>")]);
    let ingesting = Ingesting::start(&app, spec(&app, &tube, vec![video(CLOSED), video(VIDEO)]));
    stored(&app, 1).await;
    app.eventually("the error names the video", async || {
        let error = ingesting.states.all().pop()?.last_error?;
        error.contains(&format!("video {CLOSED}: its comments are turned off")).then_some(())
    })
    .await;
    tube.comment("2", "I hate it");
    stored(&app, 2).await;
    ingesting.stop().await;
}

async fn exhausted_youtube_quota_is_reported(setup: Setup) {
    let app = TestApp::start(setup).await;
    let tube = Tube::start().await;
    tube.web.script_replies([error(403, "quotaExceeded", "The request cannot be completed.")]);
    let ingesting = Ingesting::start(&app, spec(&app, &tube, vec![video(VIDEO), video(CLOSED)]));
    let error = app.eventually("the source waits", async || ingesting.states.all().pop()?.last_error).await;
    assert!(error.contains("daily quota") && error.contains("midnight Pacific Time"), "{error}");
    ingesting.stop().await;
    assert_eq!(tube.web.requests().len(), 1, "the quota belongs to the key, so no other video is requested");
}

async fn wrong_key_is_reported_without_the_key(setup: Setup) {
    let app = TestApp::start(setup).await;
    let tube = Tube::start().await;
    let spec = youtube::spec(
        "youtube",
        YouTubeOptions {
            base: tube.web.at("/youtube/v3/"),
            key: "AIza-wr0ng".into(),
            places: vec![video(VIDEO)],
            replies: true,
            interval: Duration::from_millis(20),
            history: Duration::ZERO,
        },
        fetcher(),
        app.clock.clone(),
    );
    let ingesting = Ingesting::start(&app, spec);
    let error = app.eventually("the source fails", async || ingesting.states.all().pop()?.last_error).await;
    assert!(error.contains("the YouTube key is not valid") && !error.contains("wr0ng"), "{error}");
    ingesting.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn youtube_source_is_tested_before_it_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let tube = Tube::start().await;
    tube.comment("1", "I love it");
    let settings = [
        "ingester.sources=[]".to_owned(),
        "outbound.allow=127.0.0.1".to_owned(),
        format!("sources.youtube.url={}", tube.web.at("/youtube/v3")),
    ];
    let process = Process::start(folder.path(), &settings).await;
    let test = async |settings: Value, key: &str| {
        let request = json!({"name": "tube", "kind": "youtube", "settings": settings, "secrets": {"key": key}});
        let (status, trial) = send(&process, Method::POST, "/api/sources/test", &request).await;
        assert_eq!(status, 200, "{trial}");
        trial
    };
    let message = |trial: &Value, ok: bool, expected: &[&str]| {
        let text = trial["message"].as_str().expect("a text").to_owned();
        let is_expected = expected.iter().all(|part| text.contains(part)) && !text.contains("wr0ng");
        assert!(trial["ok"] == ok && is_expected, "{trial}");
    };
    let of_video = |id: &str| json!({"videos": [id]});
    let trial = test(json!({"videos": [VIDEO], "channels": ["@acme"]}), KEY).await;
    message(&trial, true, &["were read"]);
    assert_eq!(trial["posts"][0]["content"], "I love it");
    message(&test(of_video(VIDEO), "AIza-wr0ng").await, false, &["the YouTube key is not valid", "copy it again"]);
    message(&test(of_video(CLOSED), KEY).await, false, &["its comments are turned off"]);
    message(&test(of_video("bbbbbbbbbbb"), KEY).await, false, &["does not exist, or is private"]);
    message(&test(json!({"channels": ["@nobody"]}), KEY).await, false, &["YouTube has no channel @nobody"]);
    for (reason, expected) in [
        ("quotaExceeded", "the daily quota of the YouTube key is used up"),
        ("accessNotConfigured", "enable that API in the project of the key"),
        ("forbidden", "check the key and its restrictions"),
    ] {
        tube.web.script_replies([error(403, reason, "The request cannot be completed.")]);
        message(&test(of_video(VIDEO), KEY).await, false, &[expected]);
    }
    // The URL of another server can be set only in the configuration, so the key is not sent there.
    let request = json!({"name": "tube", "kind": "youtube", "settings": {"url": "https://example.org/"}});
    assert_eq!(send(&process, Method::POST, "/api/sources/test", &request).await.0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn youtube_settings_are_checked_before_they_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["ingester.sources=[]".to_owned()]).await;
    for (settings, secrets, field) in [
        (json!({"videos": [VIDEO]}), json!({}), "secrets.key"),
        (json!({}), json!({"key": KEY}), "settings.videos"),
        (json!({"videos": ["https://example.org/watch"]}), json!({"key": KEY}), "settings.videos"),
        (json!({"channels": ["acme"]}), json!({"key": KEY}), "settings.channels"),
    ] {
        let request = json!({"name": "x", "kind": "youtube", "settings": settings, "secrets": secrets});
        let (status, problem) = send(&process, Method::POST, "/api/sources", &request).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
}
