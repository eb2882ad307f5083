//! Claims entries, and renews and releases the claims.
//!
//! Redis assigns an entry to a consumer when it sends the answer. If that answer is lost (a timeout, a broken
//! connection, a dropped caller), the entry is assigned but not processed. Such a loss must not count as a delivery, so
//! these entries are released with [`Release::Untried`].

use std::time::Duration;

use fred::interfaces::{ClientLike, HashesInterface};
use fred::types::config::Options;
use fred::types::{CustomCommand, Value};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::redis::RedisError;
use sentistream_core::domain::{EntryId, EntryKey};

use super::{Consumer, ConsumerInfo, Entry, RedisStream, Release, StreamError, is_lost, reply, scripts};

/// The maximum duration of a blocking read. After this time at the latest, the read notices that its caller was
/// dropped.
const BLOCK: Duration = Duration::from_secs(1);
/// The idle time that is set for a released entry. If `claim_idle` is at most a day, any consumer may take over the
/// entry immediately.
const RELEASED_MS: i64 = 86_400_000;
/// The maximum number of ids in one command.
const CHUNK: usize = 1_000;
/// The maximum number of entries that one call claims.
const MOST: usize = 10_000;

/// Claims new entries. The read runs in a separate task. If the caller is dropped, that task releases the entries that
/// arrive later.
pub(super) async fn claim(
    stream: &RedisStream,
    consumer: &Consumer,
    max: usize,
    wait: Duration,
) -> Result<Vec<Entry>, StreamError> {
    let (reply, answer) = oneshot::channel();
    let (stream, consumer) = (stream.clone(), consumer.clone());
    stream.0.redis.runtime().clone().spawn(async move {
        let deadline = Instant::now() + wait;
        let result = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let entries = read(&stream, &consumer, max, left.min(BLOCK)).await;
            let is_empty = entries.as_ref().is_ok_and(Vec::is_empty);
            if !is_empty || left <= BLOCK || reply.is_closed() {
                break entries;
            }
        };
        if let Err(Ok(entries)) = reply.send(result) {
            let keys: Vec<EntryKey> = entries.into_iter().map(|entry| entry.key).collect();
            // If the release fails too, other consumers take over the entries when the claims expire.
            let _ = release(&stream, &consumer, &keys, Release::Untried).await;
        }
    });
    answer.await.unwrap_or_else(|_| Err(StreamError::Unavailable("the runtime is shutting down".to_owned())))
}

async fn read(
    stream: &RedisStream,
    consumer: &Consumer,
    max: usize,
    block: Duration,
) -> Result<Vec<Entry>, StreamError> {
    if stream.held().get(consumer).is_some_and(|held| held.answer_lost) {
        release_orphans(stream, consumer).await?;
    }
    let read = match read_once(stream, consumer, max, block).await {
        Err(error) if is_lost(&error) => {
            stream.begin().await?;
            read_once(stream, consumer, max, block).await
        }
        result => result,
    };
    let (entries, epoch) = read.inspect_err(|_| stream.mark_answer_lost(consumer))?;
    let mut streams = reply::list(entries);
    let Some(only) = streams.next() else { return Ok(Vec::new()) };
    let epoch = match epoch.into_string() {
        Some(epoch) => stream.epoch(&epoch),
        None => stream.begin().await.inspect_err(|_| stream.mark_answer_lost(consumer))?,
    };
    let mut claimed = Vec::new();
    for entry in reply::list(reply::list(only).nth(1).unwrap_or(Value::Null)) {
        let (id, fields) = reply::entry(Some(entry))?;
        claimed.push(Entry { key: EntryKey { epoch: epoch.clone(), id }, fields, deliveries: 1 });
    }
    stream.add_held(consumer, &claimed);
    Ok(claimed)
}

/// Reads new entries and then the epoch, on the same connection and without a pause, so that the epoch is that of the
/// entries.
async fn read_once(
    stream: &RedisStream,
    consumer: &Consumer,
    max: usize,
    block: Duration,
) -> Result<(Value, Value), RedisError> {
    let keys = &stream.0.keys;
    let mut args: Vec<Value> =
        vec!["GROUP".into(), stream.0.options.group.as_str().into(), (&*consumer.0).into(), "COUNT".into()];
    args.push(count(max));
    let millis = i64::try_from(block.as_millis()).unwrap_or(i64::MAX);
    if millis > 0 {
        args.extend(["BLOCK".into(), millis.into()]);
    }
    args.extend(["STREAMS".into(), keys.stream.as_str().into(), ">".into()]);
    let command = CustomCommand::new_static("XREADGROUP", keys.slot(), millis > 0);

    if millis == 0 {
        return stream
            .0
            .redis
            .run(|client| async move { tokio::try_join!(client.custom(command, args), client.hget(&keys.books, "epoch")) })
            .await;
    }
    let redis = &stream.0.redis;
    let line = stream.reader();
    let options = Options { timeout: Some(redis.command_timeout() + block), ..Options::default() };
    let client = line.client.with_options(&options);
    let work = Box::pin(async { tokio::try_join!(client.custom(command, args), client.hget(&keys.books, "epoch")) });
    let read = redis.run_on(&line, block, work).await;
    // After a failure the connection may still wait for an answer. The connection is closed when `line` is dropped.
    if !matches!(read, Err(RedisError::Unavailable(_))) {
        stream.give_back(line);
    }
    read
}

/// Releases entries that Redis assigned to the consumer but that this process did not receive.
async fn release_orphans(stream: &RedisStream, consumer: &Consumer) -> Result<(), StreamError> {
    let ids = reply::list(stream.eval(scripts::ORPHANS, &[(&*consumer.0).into()]).await?);
    let ids: Vec<EntryId> = ids.map(|id| reply::id(Some(id))).collect::<Result<_, _>>()?;
    let orphans: Vec<EntryId> = match stream.held().get(consumer) {
        Some(held) => ids.into_iter().filter(|id| !held.ids.contains(id)).collect(),
        None => ids,
    };
    release_ids(stream, consumer, &orphans, Release::Untried).await?;
    if let Some(held) = stream.held().get_mut(consumer) {
        held.answer_lost = false;
    }
    Ok(())
}

pub(super) async fn rescue(stream: &RedisStream, consumer: &Consumer, max: usize) -> Result<Vec<Entry>, StreamError> {
    let idle = i64::try_from(stream.0.options.claim_idle.as_millis()).unwrap_or(i64::MAX);
    let args = [(&*consumer.0).into(), idle.into(), count(max)];
    let answer = stream.eval(scripts::RESCUE, &args).await.inspect_err(|_| stream.mark_answer_lost(consumer))?;
    let mut answer = reply::list(answer);
    let epoch = stream.epoch(&reply::text(answer.next())?);
    let deleted = reply::number(answer.next())?;
    if deleted > 0 {
        tracing::warn!(entries = deleted, "another program deleted claimed entries from the stream");
    }
    let mut rescued = Vec::new();
    for taken in reply::list(answer.next().unwrap_or(Value::Null)) {
        let mut taken = reply::list(taken);
        let before = u32::try_from(reply::number(taken.next())?).unwrap_or(u32::MAX);
        let (id, fields) = reply::entry(taken.next())?;
        let key = EntryKey { epoch: epoch.clone(), id };
        rescued.push(Entry { key, fields, deliveries: before.saturating_add(1) });
    }
    stream.add_held(consumer, &rescued);
    Ok(rescued)
}

pub(super) async fn renew(stream: &RedisStream, consumer: &Consumer, keys: &[EntryKey]) -> Result<(), StreamError> {
    for ids in stream.present_ids(keys).chunks(CHUNK) {
        let mut args = vec![Value::from(&*consumer.0)];
        args.extend(range_and_ids(ids));
        stream.eval(scripts::RENEW, &args).await?;
    }
    Ok(())
}

pub(super) async fn ack(stream: &RedisStream, consumer: &Consumer, keys: &[EntryKey]) -> Result<(), StreamError> {
    for ids in stream.present_ids(keys).chunks(CHUNK) {
        let mut args: Vec<Value> = vec![stream.0.keys.stream.as_str().into(), stream.0.options.group.as_str().into()];
        args.extend(ids.iter().map(|id| Value::from(id.to_string())));
        stream.command("XACK", args).await?;
    }
    stream.drop_held(Some(consumer), keys);
    Ok(())
}

pub(super) async fn release(
    stream: &RedisStream,
    consumer: &Consumer,
    keys: &[EntryKey],
    how: Release,
) -> Result<(), StreamError> {
    release_ids(stream, consumer, &stream.present_ids(keys), how).await?;
    stream.drop_held(Some(consumer), keys);
    Ok(())
}

async fn release_ids(
    stream: &RedisStream,
    consumer: &Consumer,
    ids: &[EntryId],
    how: Release,
) -> Result<(), StreamError> {
    let counts = match how {
        Release::Untried => "0",
        Release::Failed => "1",
    };
    for ids in ids.chunks(CHUNK) {
        let mut args = vec![Value::from(&*consumer.0), counts.into(), RELEASED_MS.into()];
        args.extend(range_and_ids(ids));
        stream.eval(scripts::RELEASE, &args).await?;
    }
    Ok(())
}

fn count(max: usize) -> Value {
    Value::Integer(max.min(MOST) as i64)
}

/// The arguments for a script: the lowest id, the highest id, and then all ids.
fn range_and_ids(ids: &[EntryId]) -> impl Iterator<Item = Value> {
    let ends = [ids.iter().min(), ids.iter().max()];
    ends.into_iter().flatten().chain(ids).map(|id| Value::from(id.to_string()))
}

pub(super) async fn consumers(stream: &RedisStream) -> Result<Vec<ConsumerInfo>, StreamError> {
    let args: Vec<Value> =
        vec!["CONSUMERS".into(), stream.0.keys.stream.as_str().into(), stream.0.options.group.as_str().into()];
    let answer = match stream.command("XINFO", args.clone()).await {
        Err(error) if is_lost(&error) => {
            stream.begin().await?;
            stream.command("XINFO", args).await
        }
        result => result,
    };
    reply::list(answer?).map(consumer_info).collect()
}

fn consumer_info(value: Value) -> Result<ConsumerInfo, StreamError> {
    let mut info = ConsumerInfo { name: String::new(), claimed: 0, idle: Duration::ZERO };
    let mut parts = reply::list(value);
    while let Some(name) = parts.next() {
        match reply::text(Some(name))?.as_str() {
            "name" => info.name = reply::text(parts.next())?,
            "pending" => info.claimed = reply::number(parts.next())?,
            "idle" => info.idle = Duration::from_millis(reply::number(parts.next())?),
            _ => drop(parts.next()),
        }
    }
    Ok(info)
}

pub(super) async fn forget_consumers(stream: &RedisStream, idle: Duration) -> Result<u64, StreamError> {
    let idle = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
    reply::number(Some(stream.eval(scripts::FORGET_CONSUMERS, &[idle.into()]).await?))
}

impl RedisStream {
    fn reader(&self) -> crate::redis::Line<fred::clients::Client> {
        let idle = self.0.readers.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| self.0.redis.open())
    }

    fn give_back(&self, line: crate::redis::Line<fred::clients::Client>) {
        self.0.readers.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(line);
    }

    fn add_held(&self, consumer: &Consumer, entries: &[Entry]) {
        let mut held = self.held();
        held.entry(consumer.clone()).or_default().ids.extend(entries.iter().map(|entry| entry.key.id));
    }

    fn mark_answer_lost(&self, consumer: &Consumer) {
        self.held().entry(consumer.clone()).or_default().answer_lost = true;
    }

    /// Records that `consumer`, or with `None` every consumer, no longer holds these entries.
    pub(super) fn drop_held(&self, consumer: Option<&Consumer>, keys: &[EntryKey]) {
        for (holder, held) in &mut *self.held() {
            if consumer.is_none_or(|consumer| consumer == holder) {
                for key in keys {
                    held.ids.remove(&key.id);
                }
            }
        }
    }

    /// The ids of the entries that belong to the current epoch. Entries of earlier epochs were lost with their streams.
    fn present_ids(&self, keys: &[EntryKey]) -> Vec<EntryId> {
        let epoch = self.known_epoch().as_ref().map(|known_epoch| known_epoch.epoch.clone());
        keys.iter().filter(|key| Some(&key.epoch) == epoch.as_ref()).map(|key| key.id).collect()
    }
}
