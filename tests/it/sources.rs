//! Sources with fakes of their services: faults, restarts, several instances.

mod bluesky;
mod github;
mod hackernews;
mod history;
mod ingesting;
mod instances;
mod json;
mod managed;
mod mastodon;
mod pausing;
mod polling;
mod reddit;
mod rss;
mod steam;
mod webhook;
mod wired;
mod youtube;
