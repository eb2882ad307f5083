//! Outside systems on loopback: each speaks its real protocol, faults included.

pub mod feeds;
pub mod jetstream;
pub mod web;
