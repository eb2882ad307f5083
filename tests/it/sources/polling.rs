//! Helpers for tests of polling sources.

use std::num::NonZeroU32;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sentistream::clock::Clock;
use sentistream::outbound::{Outbound, OutboundOptions};
use sentistream::sources::budget::Budget;
use sentistream::sources::fetch::Fetcher;
use serde_json::Value;

use crate::api::test_app::TestApp;

/// The timeout of a request. It is long enough for an answer on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A fetcher that may connect only to loopback, without a rate limit.
pub fn fetcher() -> Fetcher {
    fetcher_to(&["127.0.0.1/32"])
}

/// A fetcher for loopback with a short timeout, for servers that do not answer.
pub fn fetcher_with_short_timeout() -> Fetcher {
    fetcher_within(&["127.0.0.1/32"], Duration::from_millis(500))
}

/// A fetcher for loopback that accepts answers of a few megabytes.
pub fn fetcher_of_large_answers() -> Fetcher {
    fetcher_with(OutboundOptions { max_body: 8 << 20, ..limits(&["127.0.0.1/32"], TIMEOUT) })
}

/// A fetcher that may connect to public addresses and `networks`.
pub fn fetcher_to(networks: &[&str]) -> Fetcher {
    fetcher_within(networks, TIMEOUT)
}

fn fetcher_within(networks: &[&str], timeout: Duration) -> Fetcher {
    fetcher_with(limits(networks, timeout))
}

fn limits(networks: &[&str], timeout: Duration) -> OutboundOptions {
    let allow = networks.iter().map(|network| network.parse().expect("a network")).collect();
    OutboundOptions { allow, timeout, max_redirects: 3, max_body: 100_000 }
}

fn fetcher_with(options: OutboundOptions) -> Fetcher {
    let budget = Budget::new(NonZeroU32::new(100_000).expect("a number"), Duration::from_secs(1));
    Fetcher::new(Outbound::new(options).expect("a client"), budget, Clock::system())
}

/// Advances the clock of Tokio by `time`, without waiting. The test must run on one thread.
pub async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// The post `id`; `None` if it is not stored.
pub async fn find(app: &TestApp, id: &str) -> Option<Value> {
    let answer = app.get(&format!("/api/posts/{}", utf8_percent_encode(id, NON_ALPHANUMERIC))).await;
    (answer.status == 200).then(|| answer.json())
}

/// Waits until `count` posts are stored and nothing is pending. Returns the outcome counters at that time.
pub async fn stored(app: &TestApp, count: usize) -> Value {
    app.eventually(&format!("{count} posts are stored"), async || {
        let stats = app.get("/api/stats").await.ok();
        (stats["total_posts"] == count && stats["lag"]["pending"] == 0).then_some(())
    })
    .await;
    app.drained().await["stats"]["books"].clone()
}
