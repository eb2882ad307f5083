//! The stream of analysed posts for other programs, and forgetting posts in what we keep of them.

use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::{CustomCommand, Value};

use crate::domain::{PostId, RawFields};

use super::{RedisStream, StreamError, reply, scripts};

/// Entries that are sent in one go.
const CHUNK: usize = 500;
/// Entries that one script looks at, and posts that it looks for.
const PAGE: i64 = 500;
const POSTS: usize = 5_000;

pub(super) async fn publish(stream: &RedisStream, entries: &[RawFields]) -> Result<(), StreamError> {
    let key = stream.0.options.processed.as_str();
    let slot = fred::util::redis_keyslot(key.as_bytes());
    let max_len = stream.0.options.processed_max_len.to_string();
    for chunk in entries.chunks(CHUNK) {
        let max_len = max_len.as_str();
        let publish = stream.0.redis.run(|client| async move {
            let pipeline = client.pipeline();
            for entry in chunk {
                let mut args: Vec<Value> = vec![key.into(), "MAXLEN".into(), "~".into(), max_len.into(), "*".into()];
                args.extend(reply::flat(entry));
                pipeline.custom::<(), _>(CustomCommand::new_static("XADD", slot, false), args).await?;
            }
            pipeline.all::<Value>().await
        });
        publish.await?;
    }
    Ok(())
}

pub(super) async fn forget(stream: &RedisStream, posts: &[PostId]) -> Result<(), StreamError> {
    for posts in posts.chunks(POSTS) {
        for key in [&stream.0.options.processed, &stream.0.options.dead_letter] {
            forget_in(stream, key, posts).await?;
        }
    }
    Ok(())
}

/// Walks through one stream up to what is its end now.
async fn forget_in(stream: &RedisStream, key: &str, posts: &[PostId]) -> Result<(), StreamError> {
    let last: Vec<Value> = vec![key.into(), "+".into(), "-".into(), "COUNT".into(), 1.into()];
    let command = CustomCommand::new_static("XREVRANGE", fred::util::redis_keyslot(key.as_bytes()), false);
    let last: Value = stream.0.redis.run(|client| async move { client.custom(command, last).await }).await?;
    let Some(last) = reply::list(last).next() else { return Ok(()) };
    let end = reply::entry(Some(last))?.0.to_string();
    let mut from = "-".to_owned();
    loop {
        let mut args: Vec<Value> = vec![from.into(), end.as_str().into(), PAGE.into()];
        args.extend(posts.iter().map(|post| Value::from(post.as_str())));
        let forget = stream.0.redis.run(|client| async move { client.eval(scripts::FORGET_POSTS, key, args).await });
        let last = reply::text(Some(forget.await?))?;
        if last.is_empty() {
            return Ok(());
        }
        from = format!("({last}");
    }
}
