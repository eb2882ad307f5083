//! The stream of analysed posts, for other programs.

use fred::interfaces::LuaInterface;
use fred::types::Value;

use sentistream_core::domain::RawFields;

use super::books::chunk_len;
use super::{RedisStream, StreamError, reply, scripts};

/// Appends analysed posts and deletes the oldest ones above the limits of the stream.
pub(super) async fn publish(stream: &RedisStream, entries: &[RawFields]) -> Result<(), StreamError> {
    let options = &stream.0.options;
    let mut rest = entries;
    while !rest.is_empty() {
        let chunk = &rest[..chunk_len(rest)];
        rest = &rest[chunk.len()..];
        let mut args: Vec<Value> =
            vec![options.processed_max_len.to_string().into(), options.processed_max_bytes.to_string().into()];
        for entry in chunk {
            args.push((entry.0.len() * 2).to_string().into());
            args.extend(reply::flat(entry));
        }
        let keys = vec![options.processed.clone(), stream.0.keys.processed_index.clone()];
        let publish = stream
            .0
            .redis
            .run(|client| async move { client.eval::<Value, _, _, _>(scripts::PUBLISH, keys, args).await });
        publish.await?;
    }
    Ok(())
}
