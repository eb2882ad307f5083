//! Attacks that succeeded against earlier versions, with one test for each. Where the backend matters, a test runs with
//! both set-ups.
//!
//! The attack through downloads of models is in `models.rs`, next to the fake hub.
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

/// The factor by which the number of requests is multiplied: `SENTISTREAM_ABUSE_SCALE`, 1 by default.
pub fn scale() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the length of a test run is set by the environment")]
    let scale = std::env::var("SENTISTREAM_ABUSE_SCALE").ok();
    scale.and_then(|text| text.parse().ok()).unwrap_or(1)
}
