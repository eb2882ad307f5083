//! Appends entries, reads the counts of the stream, and trims settled entries.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use fred::types::Value;
use tokio::time::Instant;

use sentistream_core::domain::{EntryId, EntryKey, RawFields};

use super::scripts::{self, MAX_PARTS};
use super::{Depth, Memory, RedisStream, StreamError, reply};

/// The maximum number of entries, and the approximate maximum number of bytes, that one script appends.
const CHUNK: usize = 500;
const CHUNK_BYTES: usize = 2 * 1024 * 1024;
/// The number of entries that one script counts if Redis does not know the lag.
const COUNT_PAGE: i64 = 1_000;
/// The largest lag, in entries, that is always counted exactly.
const COUNT_ALWAYS: u64 = 10_000;
/// The minimum time for which the count of a larger lag is reused. If counting took long, the count is reused for
/// [`COUNT_SHARE`] times that duration.
const COUNT_VALID: Duration = Duration::from_secs(60);
const COUNT_SHARE: u32 = 50;
/// The number of entries that are trimmed at once.
const TRIM_PAGE: i64 = 10_000;

pub(super) async fn append(stream: &RedisStream, entries: &[RawFields]) -> Result<Vec<EntryId>, StreamError> {
    let mut ids = Vec::with_capacity(entries.len());
    let mut rest = entries;
    while !rest.is_empty() {
        let chunk = &rest[..chunk_len(rest)];
        rest = &rest[chunk.len()..];
        // Only the first call checks the limit, and it checks it for all entries: if a later call were refused, only a
        // part of the entries would be appended.
        let limit = if ids.is_empty() { stream.0.options.max_backlog } else { 0 };
        let is_long = chunk[0].0.len() * 2 > MAX_PARTS;
        let scripted = if is_long { &[] } else { chunk };
        ids.extend(append_chunk(stream, scripted, limit, entries.len()).await?);
        if is_long {
            let mut args: Vec<Value> = vec![stream.0.keys.stream.as_str().into(), "*".into()];
            args.extend(reply::flat(&chunk[0]));
            ids.push(reply::id(Some(stream.command("XADD", args).await?))?);
        }
    }
    Ok(ids)
}

/// The number of entries that the next call appends. An entry that is too long for a script is appended in a separate
/// call.
pub(super) fn chunk_len(entries: &[RawFields]) -> usize {
    let mut bytes = 0;
    let fits = |entry: &&RawFields| {
        bytes += entry.0.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        entry.0.len() * 2 <= MAX_PARTS && bytes <= CHUNK_BYTES
    };
    entries.iter().take(CHUNK).take_while(fits).count().max(1)
}

async fn append_chunk(
    stream: &RedisStream,
    chunk: &[RawFields],
    limit: u64,
    coming: usize,
) -> Result<Vec<EntryId>, StreamError> {
    let mut args: Vec<Value> = vec![limit.to_string().into(), coming.to_string().into()];
    for entry in chunk {
        args.push((entry.0.len() * 2).to_string().into());
        args.extend(reply::flat(entry));
    }
    let mut answer = reply::list(stream.eval(scripts::APPEND, &args).await?);
    let result = reply::number(answer.next())?;
    let count = reply::number(answer.next())?;
    match result {
        1 => {}
        2 => return Err(StreamError::MemoryFull { used: count, max: reply::number(answer.next())? }),
        _ => return Err(StreamError::Full { pending: count, limit }),
    }
    let ids = reply::list(answer.next().unwrap_or(Value::Null)).map(|id| reply::id(Some(id))).collect();
    let epoch = stream.epoch(&reply::text(answer.next())?);
    stream.record_added(&epoch, count);
    ids
}

pub(super) async fn depth(stream: &RedisStream) -> Result<Depth, StreamError> {
    let mut answer = reply::list(stream.eval(scripts::DEPTH, &[]).await?);
    let epoch = stream.epoch(&reply::text(answer.next())?);
    let appended = reply::number(answer.next())?;
    let lag_at_most = reply::number(answer.next())?;
    let is_exact = reply::number(answer.next())? == 1;
    let claimed = reply::number(answer.next())?;
    let dead_lettered = reply::number(answer.next())?;
    let dead_letters = reply::number(answer.next())?;
    let oldest: Option<EntryId> = reply::text(answer.next())?.parse().ok();
    let last_delivered = reply::text(answer.next())?;
    stream.record_added(&epoch, reply::number(answer.next())?);
    let memory = Memory {
        used: reply::number(answer.next())?,
        max: reply::number(answer.next())?,
        limit: reply::number(answer.next())?,
    };
    let lag = if is_exact {
        Lag { entries: lag_at_most, is_estimate: false }
    } else {
        unread(stream, &epoch, last_delivered, lag_at_most).await?
    };
    Ok(Depth {
        epoch,
        appended,
        lag: lag.entries,
        is_estimate: lag.is_estimate,
        memory: (memory.max > 0).then_some(memory),
        claimed,
        dead_lettered,
        dead_letters,
        oldest_unsettled: oldest.map(EntryId::appended_at),
    })
}

/// The number of unread entries.
struct Lag {
    entries: u64,
    is_estimate: bool,
}

/// A count of unread entries, from which later numbers are estimated.
pub(super) struct Counted {
    epoch: Arc<str>,
    /// The number of deleted entries that Redis still counts as unread.
    surplus: u64,
    valid_until: Instant,
}

/// The number of unread entries if Redis knows only the upper bound `at_most`. Small numbers are counted. Larger
/// numbers are counted at intervals, and estimated in between.
async fn unread(
    stream: &RedisStream,
    epoch: &Arc<str>,
    last_delivered: String,
    at_most: u64,
) -> Result<Lag, StreamError> {
    let counted = || stream.0.counted.lock().unwrap_or_else(PoisonError::into_inner);
    if at_most > COUNT_ALWAYS
        && let Some(known) = &*counted()
        && known.epoch == *epoch
        && Instant::now() < known.valid_until
    {
        return Ok(Lag { entries: at_most.saturating_sub(known.surplus), is_estimate: true });
    }
    let started = Instant::now();
    let Some(entries) = count_unread(stream, last_delivered).await? else {
        return Ok(Lag { entries: at_most, is_estimate: true });
    };
    let valid_until = Instant::now() + COUNT_VALID.max(started.elapsed() * COUNT_SHARE);
    *counted() = Some(Counted { epoch: epoch.clone(), surplus: at_most.saturating_sub(entries), valid_until });
    Ok(Lag { entries, is_estimate: false })
}

/// Counts the entries after `from`. Returns `None` if that takes longer than the time limit of a command.
async fn count_unread(stream: &RedisStream, mut from: String) -> Result<Option<u64>, StreamError> {
    let deadline = Instant::now() + stream.0.options.command_timeout;
    let mut unread = 0;
    while Instant::now() < deadline {
        let args = [from.into(), COUNT_PAGE.into()];
        let mut page = reply::list(stream.eval(scripts::UNREAD, &args).await?);
        let count = reply::number(page.next())?;
        unread += count;
        if count < COUNT_PAGE as u64 {
            return Ok(Some(unread));
        }
        from = reply::text(page.next())?;
    }
    Ok(None)
}

pub(super) async fn trim(stream: &RedisStream) -> Result<EntryKey, StreamError> {
    loop {
        let mut answer = reply::list(stream.eval(scripts::TRIM, &[TRIM_PAGE.into()]).await?);
        let epoch = stream.epoch(&reply::text(answer.next())?);
        let id = reply::id(answer.next())?;
        if reply::number(answer.next())? == 1 {
            return Ok(EntryKey { epoch, id });
        }
    }
}
