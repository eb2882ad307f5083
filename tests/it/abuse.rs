//! Attacks that once worked, one case for each, on both set-ups where backends matter.
//!
//! `make abuse` runs them with more requests ([`scale`]).

mod access;
mod audit;
mod bodies;
mod export;
mod first_start;
mod load;
mod model;
mod searches;
mod secrets;
mod sockets;

/// How many times more requests than in the ordinary tests: `SENTISTREAM_ABUSE_SCALE`, 1 by default.
pub fn scale() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the length of a test run is set by the environment")]
    let scale = std::env::var("SENTISTREAM_ABUSE_SCALE").ok();
    scale.and_then(|text| text.parse().ok()).unwrap_or(1)
}
