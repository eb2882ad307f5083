//! The contracts that every backend must fulfil: the same cases run over each of them.

#![expect(clippy::unwrap_used, reason = "a case that cannot continue has failed")]

mod cache;
mod live;
#[path = "../support/ports.rs"]
mod ports;
mod store;
mod stream;
