//! Tests of the GitHub source against a fake server with configurable faults.

use std::time::Duration;

use reqwest::Method;
use sentistream::clock::Clock;
use sentistream::sources::github::{self, GitHubOptions, Parts};
use sentistream::sources::{Opening, Source, SourceSpec};
use serde_json::{Value, json};

use super::ingesting::Ingesting;
use super::managed::send;
use super::polling::{fetcher, fetcher_of_large_answers, find, stored};
use crate::api::test_app::{Setup, TestApp, cases};
use crate::fakes::github::{Hub, TOKEN};
use crate::fakes::web::Reply;
use crate::process::Process;

cases![
    github_issues_and_their_edits_are_read,
    github_comments_and_discussions_are_read,
    missing_repository_does_not_delay_others,
    exhausted_github_rate_limit_is_reported_and_waited_for,
    wrong_token_is_reported_without_the_token,
];

fn spec(app: &TestApp, hub: &Hub, repositories: &[&str], token: Option<&str>) -> SourceSpec {
    let options = GitHubOptions {
        base: hub.web.at("/"),
        repositories: repositories.iter().map(|name| (*name).to_owned()).collect(),
        token: token.map(Into::into),
        parts: Parts { comments: true, discussions: token.is_some(), pull_requests: false },
        interval: Duration::from_millis(20),
        history: Duration::ZERO,
    };
    github::spec("github", options, fetcher(), app.clock.clone())
}

async fn github_issues_and_their_edits_are_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    let hub = Hub::start().await;
    for number in 1..=130 {
        hub.issue(number, "I love it", number);
    }
    let ingesting = Ingesting::start(&app, spec(&app, &hub, &["acme/phone"], None));
    stored(&app, 100).await;
    let issue = find(&app, "github:acme/phone#130").await.expect("stored");
    assert_eq!((&issue["source"], &issue["author"]), (&json!("github"), &json!("ada")));
    assert_eq!(issue["content"], "Screen\n\nI love it");
    assert_eq!(issue["url"], "https://github.com/acme/phone/issues/130");
    assert_eq!(issue["created_at"], "2026-03-01T12:02:10.000Z");
    assert!(find(&app, "github:acme/phone#30").await.is_none(), "the first poll reads one page");
    app.eventually("unchanged lists are answered with 304", async || {
        let asked = hub.web.requests();
        asked.last().is_some_and(|request| !request.header("if-none-match").is_empty()).then_some(())
    })
    .await;

    // An edit replaces the issue. A label, a pull request and a malformed item have no effect.
    hub.issue(129, "I love it", 140);
    hub.issue(130, "I hate it", 141);
    hub.add_issue(
        json!({"id": 1, "number": 131, "title": "Fix", "pull_request": {}, "created_at": "2026-03-01T12:02:20Z",
        "updated_at": "2026-03-01T12:02:20Z", "html_url": "https://github.com/acme/phone/pull/131"}),
    );
    hub.add_issue(json!({"id": "x", "updated_at": "2026-03-01T12:02:21Z"}));
    app.eventually("the edit is stored", async || {
        let issue = find(&app, "github:acme/phone#130").await?;
        (issue["sentiment"]["label"] == "negative").then_some(())
    })
    .await;
    let state = ingesting.states.all().remove(0);
    assert_eq!((state.rejected, state.errors), (1, 0), "{state:?}");
    ingesting.stop().await;

    // After a pause, the source reads several pages, and each issue once.
    for number in 200..450 {
        hub.issue(number, "I love it", number);
    }
    let ingesting = Ingesting::start(&app, spec(&app, &hub, &["acme/phone"], None));
    let books = stored(&app, 350).await;
    assert_eq!((&books["replacement"], &books["duplicate"]), (&json!(1), &json!(0)), "{books}");
    ingesting.stop().await;
}

async fn github_comments_and_discussions_are_read(setup: Setup) {
    let app = TestApp::start(setup).await;
    let hub = Hub::start().await;
    hub.issue(1, "I love it", 1);
    hub.comment(5, 1, "I hate it");
    for number in 10..40 {
        hub.discussion(number, "I love it");
    }
    let ingesting = Ingesting::start(&app, spec(&app, &hub, &["acme/phone"], Some(TOKEN)));
    stored(&app, 2 + 25 * 3).await;
    let comment = find(&app, "github:acme/phone#issuecomment-5").await.expect("stored");
    assert_eq!((&comment["author"], &comment["reply_to"]), (&json!(null), &json!("github:acme/phone#1")));
    let discussion = find(&app, "github:acme/phone#39").await.expect("stored");
    assert_eq!(discussion["content"], "Plans\n\nI love it");
    let reply = find(&app, "github:acme/phone#discussioncomment-391").await.expect("stored");
    assert_eq!(reply["reply_to"], "github:acme/phone#discussioncomment-390");

    // A changed discussion moves to the top of the list.
    hub.discussion(50, "I love it");
    stored(&app, 2 + 26 * 3).await;
    ingesting.stop().await;
    let secrets = hub.web.requests().iter().filter(|request| request.header("authorization").contains(TOKEN)).count();
    assert_eq!(secrets, hub.web.requests().len(), "every request has the token");
}

async fn missing_repository_does_not_delay_others(setup: Setup) {
    let app = TestApp::start(setup).await;
    let hub = Hub::start().await;
    hub.issue(1, "I love it", 1);
    let ingesting = Ingesting::start(&app, spec(&app, &hub, &["acme/none", "acme/phone"], None));
    stored(&app, 1).await;
    app.eventually("the error says what to check", async || {
        let error = ingesting.states.all().pop()?.last_error?;
        (error.contains("404") && error.contains("check repositories")).then_some(())
    })
    .await;
    hub.issue(2, "I hate it", 2);
    stored(&app, 2).await;
    ingesting.stop().await;
}

async fn exhausted_github_rate_limit_is_reported_and_waited_for(setup: Setup) {
    let app = TestApp::start(setup).await;
    let hub = Hub::start().await;
    hub.issue(1, "I love it", 1);
    let message = json!({"message": "API rate limit exceeded for 192.0.2.1."}).to_string();
    let reset = app.clock.now().as_seconds().to_string();
    let limited = Reply::Answer(403, Vec::new(), message.into_bytes());
    hub.web.script_replies([limited.with("X-RateLimit-Remaining", "0").with("X-RateLimit-Reset", reset)]);
    let ingesting = Ingesting::start(&app, spec(&app, &hub, &["acme/phone"], None));
    app.eventually("the error advises a token", async || {
        let error = ingesting.states.all().pop()?.last_error?;
        (error.contains("no more requests") && error.contains("token")).then_some(())
    })
    .await;
    stored(&app, 1).await;
    ingesting.stop().await;
    let rest = hub.web.rest();
    assert!(rest.end - rest.start >= Duration::from_secs(1), "requests wait until the limit is reset");
}

async fn wrong_token_is_reported_without_the_token(setup: Setup) {
    let app = TestApp::start(setup).await;
    let hub = Hub::start().await;
    let ingesting = Ingesting::start(&app, spec(&app, &hub, &["acme/phone"], Some("ghp_wr0ng")));
    let error = app.eventually("the source fails", async || ingesting.states.all().pop()?.last_error).await;
    assert!(error.contains("does not accept the token") && !error.contains("wr0ng"), "{error}");
    ingesting.stop().await;
}

/// Polls the source, and returns the number of new posts.
async fn poll(source: &mut dyn Source) -> usize {
    let batch = source.next(100_000).await.expect("an answer");
    tokio::time::sleep(batch.wait).await;
    batch.ops.len()
}

fn discussions(hub: &Hub) -> Box<dyn Source> {
    let options = GitHubOptions {
        base: hub.web.at("/"),
        repositories: vec!["acme/phone".to_owned()],
        token: Some(TOKEN.into()),
        parts: Parts { discussions: true, ..Parts::default() },
        interval: Duration::from_millis(1),
        history: Duration::ZERO,
    };
    github::spec("github", options, fetcher_of_large_answers(), Clock::system()).open(Opening::default())
}

#[tokio::test]
async fn discussions_beyond_the_page_limit_are_reported() {
    let hub = Hub::start().await;
    hub.add_discussion(1, "I love it", (0, 0));
    let mut source = discussions(&hub);
    assert_eq!(poll(source.as_mut()).await, 1);
    for number in 2..=520 {
        hub.add_discussion(number, "I love it", (0, 0));
    }
    let troubles = source.next(100_000).await.expect("an answer").troubles;
    let expected = "acme/phone: read 20 pages without reaching known discussions; older changes may be missing";
    assert_eq!(troubles, [expected]);
}

#[tokio::test]
async fn thousands_of_known_discussion_items_are_read_once() {
    let hub = Hub::start().await;
    // All discussions changed within seven hours.
    for number in 1..=25 {
        hub.add_discussion(number * 1_000, "I love it", (9, 25));
    }
    let mut source = discussions(&hub);
    assert_eq!(poll(source.as_mut()).await, 25 * (1 + 9 * 26));
    assert_eq!(
        poll(source.as_mut()).await,
        0,
        "known items are not read again, although a cursor cannot hold all of them"
    );
    hub.discussion(26_000, "I love it");
    assert_eq!(poll(source.as_mut()).await, 3);
    hub.discussion(26_000, "I hate it");
    assert_eq!(poll(source.as_mut()).await, 3, "items with a changed text are read again");
    hub.add_discussion(40_000, "I love it", (9, 25));
    assert_eq!(poll(source.as_mut()).await, 1 + 9 * 26);
    assert_eq!(poll(source.as_mut()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn github_source_is_tested_before_it_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::start().await;
    hub.issue(1, "I love it", 1);
    let settings = ["ingester.sources=[]".to_owned(), "outbound.allow=127.0.0.1".to_owned()];
    let process = Process::start(folder.path(), &settings).await;
    let test = async |repository: &str, token: &str| {
        // The URL of an enterprise server, without a trailing slash.
        let settings = json!({"url": hub.web.at("/api/v3"), "repositories": [repository], "discussions": true});
        let request = json!({"name": "hub", "kind": "github", "settings": settings, "secrets": {"token": token}});
        let (status, trial) = send(&process, Method::POST, "/api/sources/test", &request).await;
        assert_eq!(status, 200, "{trial}");
        trial
    };
    let message = |trial: &Value, ok: bool, expected: &[&str]| {
        let text = trial["message"].as_str().expect("a text").to_owned();
        let is_expected = expected.iter().all(|part| text.contains(part)) && !text.contains("wr0ng");
        assert!(trial["ok"] == ok && is_expected, "{trial}");
    };
    let trial = test("acme/phone", TOKEN).await;
    message(&trial, true, &["1 post was read"]);
    assert_eq!(trial["posts"][0]["content"], "Screen\n\nI love it");
    assert!(hub.web.requests().iter().any(|request| request.path == "/api/graphql"), "discussions are tested too");
    message(&test("acme/phone", "ghp_wr0ng").await, false, &["401", "does not accept the token", "create another"]);
    message(&test("acme/none", TOKEN).await, false, &["404", "check repositories and url", "private repository"]);

    let refused = |text: &str| Reply::Answer(403, Vec::new(), json!({"message": text}).to_string().into_bytes());
    hub.web.script_replies([refused("Resource not accessible by personal access token")]);
    let words = ["403", "check the permissions of the token", "Resource not accessible"];
    message(&test("acme/phone", TOKEN).await, false, &words);
    let reset = (Clock::system().now().as_seconds() + 1_800).to_string();
    let limited = refused("API rate limit exceeded").with("X-RateLimit-Remaining", "0");
    hub.web.script_replies([limited.with("X-RateLimit-Reset", reset)]);
    message(&test("acme/phone", TOKEN).await, false, &["allows no more requests for about 3", "min"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn github_settings_are_checked_before_they_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["ingester.sources=[]".to_owned()]).await;
    for (settings, field) in [
        (json!({"repositories": ["a/b"], "discussions": true}), "secrets.token"),
        (json!({"repositories": ["https://gitlab.com/a/b"]}), "settings.repositories"),
        (json!({}), "settings.repositories"),
    ] {
        let request = json!({"name": "x", "kind": "github", "settings": settings});
        let (status, problem) = send(&process, Method::POST, "/api/sources", &request).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
}
