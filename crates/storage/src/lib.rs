//! The database (SQLite or Postgres), the stream of posts (SQLite or Redis), and their connections.

pub mod redis;
pub mod sqlite;
pub mod store;
pub mod stream;
