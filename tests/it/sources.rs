//! Sources with fakes of their services: faults, restarts, several instances.

mod bluesky;
mod hackernews;
mod ingesting;
mod instances;
mod managed;
mod mastodon;
mod pausing;
mod polling;
mod reddit;
mod rss;
mod steam;
mod wired;
