//! SentiStream.

pub mod cache;
pub mod clock;
pub mod domain;
pub mod inference;
pub mod lifecycle;
pub mod live;
pub mod redis;
pub mod sources;
pub mod sqlite;
pub mod store;
pub mod stream;
