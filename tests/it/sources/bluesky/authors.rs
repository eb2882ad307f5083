//! The settings that select authors, and the endpoint that shows the handles of authors.

use sentistream::clock::Clock;
use sentistream::http::Api;
use sentistream::sources::Opening;
use sentistream::sources::bluesky::{self, BlueskyOptions};
use serde_json::json;

use super::super::ingesting::Ingesting;
use super::super::polling::fetcher;
use super::{ADA, BOB, at, options, posts, stored};
use crate::api::test_app::{START, Setup, TestApp, cases};
use crate::fakes::jetstream::{Faults, Jetstream, Log, create, profiles};
use crate::fakes::web::Reply;

cases![authors_are_selected_by_handle_and_did, authors_are_named_by_their_handles,];

async fn authors_are_selected_by_handle_and_did(setup: Setup) {
    let app = TestApp::start(setup).await;
    let log = Log::new();
    let host = Jetstream::start(&log, Faults::default()).await;
    let api = profiles(&[("ada.test", ADA)]).await;
    let wanted = |authors: &[&str]| BlueskyOptions {
        authors: authors.iter().map(|&author| author.to_owned()).collect(),
        api: api.url.clone(),
        ..options(&[&host])
    };
    let start = |options| Ingesting::start(&app, bluesky::spec("bluesky", options, fetcher, app.clock.clone()));
    posts(&log, 5, 0.0);
    log.push(at(1.0), create(BOB, "b1", at(1.0), "I love it"));
    log.push(at(2.0), create("did:plc:eve", "e1", at(2.0), "I love it"));
    let ingesting = start(wanted(&["ada.test", BOB, "gone.test"]));
    stored(&app, 6).await;
    let state = ingesting.states.all().remove(0);
    assert!(state.last_error.as_deref().is_some_and(|error| error.contains("gone.test")), "{state:?}");
    assert_eq!(host.asked().last().expect("a connection").dids, [ADA, BOB]);
    ingesting.stop().await;

    // A URL has no space for so many authors, so the source sends them in a message.
    let many: Vec<String> = (0..150).map(|n| format!("did:plc:{n:03}")).chain([BOB.to_owned()]).collect();
    log.push(at(3.0), create(BOB, "b2", at(3.0), "I love it"));
    log.push(at(3.0), create(ADA, "a2", at(3.0), "I love it"));
    let ingesting = start(wanted(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    stored(&app, 7).await;
    let asked = host.asked().pop().expect("a connection");
    assert!(asked.has_hello && asked.dids.len() == 151, "{asked:?}");
    ingesting.stop().await;

    // If no account is found, the source must fail, because without accounts it would read all posts.
    let failing = Ingesting::start(&app, bluesky::spec("nobody", wanted(&["gone.test"]), fetcher, app.clock.clone()));
    let state =
        app.eventually("the source fails", async || failing.states.all().pop().filter(|state| state.errors > 0)).await;
    assert_eq!((state.state.as_str(), state.posts), ("backing_off", 0));
    failing.stop().await;
}

#[tokio::test]
async fn handle_is_not_called_unknown_after_a_failed_request() {
    let log = Log::new();
    let host = Jetstream::start(&log, Faults::default()).await;
    let api = profiles(&[("ada.test", ADA)]).await;
    posts(&log, 1, 0.0);
    let authors = vec!["ada.test".to_owned(), "new.test".to_owned()];
    let options = BlueskyOptions { authors, api: api.url.clone(), ..options(&[&host]) };
    let spec = bluesky::spec("bluesky", options, fetcher, Clock::fixed(START.parse().expect("a time")));
    let troubles = async || spec.open(Opening::default()).next(1).await.expect("an event").troubles;
    assert_eq!(troubles().await, [r#"authors: found no account with the handle "new.test""#]);
    api.script_replies([Reply::status(500)]);
    let failed = troubles().await;
    let is_right = failed.len() == 1 && failed[0].starts_with("some handles in authors cannot be resolved: ");
    assert!(is_right, "{failed:?}");
}

async fn authors_are_named_by_their_handles(setup: Setup) {
    let api = profiles(&[("ada.test", ADA), ("handle.invalid", BOB)]).await;
    let app = TestApp::start(setup).await;
    let path = format!("/api/authors?source=bluesky&authors={ADA},{BOB},did:plc:nobody,ada");
    let names = bluesky::Names::new(api.at("/"), fetcher());
    let services = Api { names: Some(names), ..app.services.clone() };
    let without = TestApp::over(services.clone(), tempfile::tempdir().expect("a folder"), |_| {});
    assert_eq!(without.get(&path).await.ok()["names"], json!({}), "without a Bluesky source nothing is requested");
    let services = Api { reads_bluesky: true, ..services };
    let named = TestApp::over(services, tempfile::tempdir().expect("a folder"), |_| {});
    for _ in 0..3 {
        assert_eq!(named.get(&path).await.ok(), json!({"source": "bluesky", "names": {ADA: "ada.test"}}));
    }
    assert_eq!(api.requests().len(), 1, "the answer is cached");
    let other = named.get(&path.replace("bluesky", "mastodon")).await.ok();
    assert_eq!(other["names"], json!({}));
    assert_eq!(named.get("/api/authors?source=bluesky").await.problem(422), ["authors"]);
    let many = "did:plc:x,".repeat(101);
    assert_eq!(named.get(&format!("/api/authors?source=bluesky&authors={many}")).await.problem(422), ["authors"]);
}
