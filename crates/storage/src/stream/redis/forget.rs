//! Removes posts from the processed stream and the dead letters. Each of these streams has an index of its posts.

use fred::interfaces::LuaInterface;
use fred::types::Value;

use sentistream_core::domain::PostId;

use super::scripts::{FORGET_POSTS, INDEX_POSTS};
use super::{RedisStream, StreamError, reply};

/// The maximum number of posts that one script removes.
const POSTS: usize = 1_000;
/// The number of entries that one script adds to an index.
const PAGE: i64 = 500;
/// The maximum number of rebuilds of an index for each [`POSTS`] posts. If more rebuilds are needed, other programs
/// keep changing the stream, and the removal fails.
const REBUILDS: usize = 5;

/// Removes posts from the dead letters, and stored posts from the processed stream.
pub(super) async fn forget(stream: &RedisStream, posts: &[PostId], stored: &[PostId]) -> Result<(), StreamError> {
    let (options, keys) = (&stream.0.options, &stream.0.keys);
    Indexed { stream, key: &options.dead_letter, index: &keys.dead_index }.forget(posts).await?;
    Indexed { stream, key: &options.processed, index: &keys.processed_index }.forget(stored).await
}

/// A stream with an index of its posts.
struct Indexed<'a> {
    stream: &'a RedisStream,
    key: &'a str,
    index: &'a str,
}

impl Indexed<'_> {
    async fn forget(&self, posts: &[PostId]) -> Result<(), StreamError> {
        for posts in posts.chunks(POSTS) {
            let mut rebuilds = 0;
            while !self.forget_once(posts).await? {
                if rebuilds == REBUILDS {
                    return Err(StreamError::Unavailable(format!("another program keeps changing {}", self.key)));
                }
                rebuilds += 1;
                self.rebuild().await?;
            }
        }
        Ok(())
    }

    /// Removes posts that the index contains. Returns `false` if the index does not cover the whole stream.
    async fn forget_once(&self, posts: &[PostId]) -> Result<bool, StreamError> {
        let args = posts.iter().map(|post| Value::from(post.as_str())).collect();
        let removed = self.eval(FORGET_POSTS, args).await?;
        Ok(removed.as_i64().is_none_or(|removed| removed >= 0))
    }

    /// Builds the index again from all entries. This is needed if an earlier version or another program has written to
    /// the stream.
    async fn rebuild(&self) -> Result<(), StreamError> {
        tracing::info!(stream = self.key, "post index incomplete, rebuilding it");
        let mut from = "-".to_owned();
        loop {
            let last = reply::text(Some(self.eval(INDEX_POSTS, vec![from.into(), PAGE.into()]).await?))?;
            if last.is_empty() {
                return Ok(());
            }
            from = format!("({last}");
        }
    }

    async fn eval(&self, script: &'static str, args: Vec<Value>) -> Result<Value, StreamError> {
        let keys = vec![self.key.to_owned(), self.index.to_owned()];
        Ok(self.stream.0.redis.run(|client| async move { client.eval(script, keys, args).await }).await?)
    }
}
