//! Tests of sources against fakes of their services: faults, restarts, and several instances.

mod backfill;
mod bluesky;
mod github;
mod hackernews;
mod history;
mod imap;
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
