//! Conformance tests: the same cases run over every backend of the store, the stream, the live bus and the cache.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod cache;
mod live;
#[path = "../support/ports.rs"]
mod ports;
mod store;
mod stream;
