//! Sources against their fakes: faults, restarts, several instances.

mod bluesky;
mod ingesting;
mod instances;
mod pausing;
mod polling;
mod rss;
