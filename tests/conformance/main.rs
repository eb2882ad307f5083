//! The contracts that every backend must fulfil: the same cases run over each of them.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod cache;
mod live;
#[path = "../support/ports.rs"]
mod ports;
mod store;
mod stream;
