//! Outside systems on loopback: each speaks its real protocol, faults included.

pub mod feeds;
pub mod hackernews;
pub mod jetstream;
pub mod mastodon;
pub mod reddit;
pub mod web;
