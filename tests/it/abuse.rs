//! One test for each attack that succeeded against an earlier version. A test runs on both set-ups (SQLite; Postgres
//! with Redis) if the attack depends on the database.
//!
//! The test of attacks through model downloads is in `models.rs`, next to the fake hub.
//!
//! `make abuse` runs these tests with more requests ([`scale`]).

mod access;
mod audit;
mod bodies;
mod connections;
mod deployment;
mod export;
mod first_start;
mod load;
mod model;
mod names;
mod outbound;
mod searches;
mod secrets;
mod sockets;
mod templates;

/// Tests multiply their number of requests by this factor: `SENTISTREAM_ABUSE_SCALE`, 1 by default.
pub fn scale() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the length of a test run is set by the environment")]
    let scale = std::env::var("SENTISTREAM_ABUSE_SCALE").ok();
    scale.and_then(|text| text.parse().ok()).unwrap_or(1)
}
