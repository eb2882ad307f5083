//! What SentiStream writes: the database (SQLite or Postgres) and the stream of posts (SQLite or Redis).

pub mod redis;
pub mod sqlite;
pub mod store;
pub mod stream;
