//! Fakes of external systems on loopback. Each fake implements the real protocol, including faults.

pub mod appview;
pub mod authority;
pub mod discourse;
pub mod feeds;
pub mod github;
pub mod hackernews;
pub mod imap;
pub mod jetstream;
pub mod mastodon;
pub mod oidc;
pub mod reddit;
pub mod reviews;
pub mod steam;
pub mod web;
pub mod youtube;
