//! The contracts that every backend must keep: the same cases over each of them.

#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

mod cache;
mod live;
#[path = "../support/ports.rs"]
mod ports;
mod store;
mod stream;
