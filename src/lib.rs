//! SentiStream.

pub mod app;
pub mod cache;
pub mod clock;
pub mod config;
pub mod domain;
pub mod inference;
pub mod lifecycle;
pub mod live;
pub mod sources;
pub mod sqlite;
pub mod store;
pub mod stream;
pub mod telemetry;
