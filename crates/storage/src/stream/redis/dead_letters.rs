//! The dead letters: a stream that contains the original fields of entries and the reasons for their failures.

use fred::interfaces::{ClientLike, TransactionInterface};
use fred::types::{CustomCommand, Value};

use sentistream_core::domain::{DeadLetterReason, EntryId, RawFields, Timestamp};

use super::scripts::{self, MAX_PARTS};
use super::{DeadLetter, DeadLetterRequest, DeadLetterSelection, RedisStream, StreamError, reply};

/// The fields that are added after the original ones, in this order.
const ADDED_FIELDS: [&str; 5] = ["error", "reason", "deliveries", "failed_at", "origin_id"];
/// The number of dead letters that one script replays.
const CHUNK: i64 = 100;
/// The maximum number of ids in one command.
const IDS: usize = 1_000;

pub(super) async fn add(
    stream: &RedisStream,
    request: &DeadLetterRequest,
    now: Timestamp,
) -> Result<bool, StreamError> {
    let entry = &request.entry;
    let mut fields = entry.fields.clone();
    let values = [
        request.error.clone(),
        request.reason.to_string(),
        entry.deliveries.to_string(),
        now.to_string(),
        entry.key.id.to_string(),
    ];
    for (name, value) in ADDED_FIELDS.into_iter().zip(values) {
        fields.push(name, value);
    }
    let moved = if fields.0.len() * 2 > MAX_PARTS {
        add_long(stream, entry.key.id, &fields).await?
    } else {
        let most = stream.0.options.dead_letter_max_bytes.to_string();
        let mut args: Vec<Value> = vec![(&*entry.key.epoch).into(), entry.key.id.to_string().into(), most.into()];
        args.extend(reply::flat(&fields));
        let mut answer = reply::list(stream.eval(scripts::DEAD_LETTER, &args).await?);
        let moved = reply::number(answer.next())? == 1;
        crate::stream::report_dropped(reply::number(answer.next())?);
        moved
    };
    stream.drop_held(None, std::slice::from_ref(&entry.key));
    Ok(moved)
}

/// Adds an entry with more fields than a script accepts. This uses a transaction, which cannot check first whether the
/// entry was already settled. If it was settled, the dead letter is removed again.
async fn add_long(stream: &RedisStream, id: EntryId, fields: &RawFields) -> Result<bool, StreamError> {
    let keys = &stream.0.keys;
    let [key, group, books, done, letters] =
        [&keys.stream, &stream.0.options.group, &keys.books, &keys.done, &keys.dead_letter]
            .map(|key| Value::from(&**key));
    // The format is that of the function `sortable` in the scripts.
    let sortable = Value::from(format!("{:020}-{:020}", id.ms, id.seq));
    let mut add = vec![letters.clone(), "*".into()];
    add.extend(reply::flat(fields));
    let commands = vec![
        ("XADD", add),
        ("XACK", vec![key, group, id.to_string().into()]),
        ("ZADD", vec![done.clone(), 0.into(), sortable.clone()]),
        ("HINCRBY", vec![books.clone(), "dead_lettered".into(), 1.into()]),
    ];
    let mut answer = reply::list(stream.transaction(commands).await?);
    let added = reply::text(answer.next())?;
    let was_pending = reply::number(answer.next())? == 1;
    let is_new = reply::number(answer.next())? == 1;
    if was_pending && is_new {
        return Ok(true);
    }
    let mut undo =
        vec![("XDEL", vec![letters, added.into()]), ("HINCRBY", vec![books, "dead_lettered".into(), (-1).into()])];
    if is_new {
        undo.push(("ZREM", vec![done, sortable]));
    }
    stream.transaction(undo).await?;
    Ok(false)
}

pub(super) async fn page(
    stream: &RedisStream,
    limit: usize,
    before: Option<EntryId>,
) -> Result<Vec<DeadLetter>, StreamError> {
    let end = before.map_or("+".to_owned(), |id| format!("({id}"));
    let count = i64::try_from(limit).unwrap_or(i64::MAX);
    let args: Vec<Value> =
        vec![stream.0.keys.dead_letter.as_str().into(), end.into(), "-".into(), "COUNT".into(), count.into()];
    reply::list(stream.command("XREVRANGE", args).await?).map(dead_letter).collect()
}

pub(super) async fn get(stream: &RedisStream, id: EntryId) -> Result<Option<DeadLetter>, StreamError> {
    let id = id.to_string();
    let args: Vec<Value> = vec![stream.0.keys.dead_letter.as_str().into(), id.as_str().into(), id.as_str().into()];
    reply::list(stream.command("XRANGE", args).await?).map(dead_letter).next().transpose()
}

/// Parses a dead letter. The added fields come last. A dead letter that another program added does not have them, so
/// all its fields are original.
fn dead_letter(value: Value) -> Result<DeadLetter, StreamError> {
    let (id, mut fields) = reply::entry(Some(value))?;
    let size = original_size(&fields);
    let added = RawFields(fields.0.split_off(size));
    let text =
        |name: &str| added.get(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default();
    Ok(DeadLetter {
        id,
        fields,
        error: text("error"),
        reason: DeadLetterReason::read(&text("reason")),
        deliveries: text("deliveries").parse().unwrap_or(0),
        failed_at: text("failed_at").parse().unwrap_or_else(|_| id.appended_at()),
        origin_id: text("origin_id").parse().unwrap_or_default(),
    })
}

fn original_size(fields: &RawFields) -> usize {
    match fields.0.len().checked_sub(ADDED_FIELDS.len()) {
        Some(size) if fields.0[size..].iter().zip(ADDED_FIELDS).all(|((name, _), added)| name == added.as_bytes()) => {
            size
        }
        _ => fields.0.len(),
    }
}

pub(super) async fn replay(stream: &RedisStream, selection: &DeadLetterSelection) -> Result<u64, StreamError> {
    let mut replayed = 0;
    match selection {
        DeadLetterSelection::Ids(ids) => {
            for id in ids {
                let id = id.to_string();
                replayed += replay_page(stream, &id, &id).await?.0;
            }
        }
        DeadLetterSelection::All => {
            // Only the current dead letters are replayed, so that an entry which fails again during the replay is not
            // replayed twice.
            let Some(newest) = page(stream, 1, None).await?.into_iter().next() else { return Ok(0) };
            let (mut from, end) = ("-".to_owned(), newest.id.to_string());
            loop {
                let (count, last) = replay_page(stream, &from, &end).await?;
                replayed += count;
                if last.is_empty() {
                    break;
                }
                from = format!("({last}");
            }
        }
    }
    Ok(replayed)
}

/// Replays one page of dead letters. Returns their number, and the last id that was read; an empty id at the end.
async fn replay_page(stream: &RedisStream, from: &str, end: &str) -> Result<(u64, String), StreamError> {
    let limit = stream.0.options.max_backlog;
    let args: Vec<Value> = vec![limit.to_string().into(), from.into(), end.into(), CHUNK.into()];
    let mut answer = reply::list(stream.eval(scripts::REPLAY, &args).await?);
    let result = reply::number(answer.next())?;
    let count = reply::number(answer.next())?;
    match result {
        1 => {}
        2 => return Err(StreamError::MemoryFull { used: count, max: reply::number(answer.next())? }),
        _ => return Err(StreamError::Full { pending: count, limit }),
    }
    let mut replayed = reply::number(answer.next())?;
    let last = reply::text(answer.next())?;
    for id in reply::list(answer.next().unwrap_or(Value::Null)) {
        replayed += replay_long(stream, reply::id(Some(id))?).await?;
    }
    Ok((replayed, last))
}

async fn replay_long(stream: &RedisStream, id: EntryId) -> Result<u64, StreamError> {
    let Some(letter) = get(stream, id).await? else { return Ok(0) };
    let mut add: Vec<Value> = vec![stream.0.keys.stream.as_str().into(), "*".into()];
    add.extend(reply::flat(&letter.fields));
    let remove: Vec<Value> = vec![stream.0.keys.dead_letter.as_str().into(), id.to_string().into()];
    let mut answer = reply::list(stream.transaction(vec![("XADD", add), ("XDEL", remove)]).await?);
    answer.next();
    reply::number(answer.next())
}

pub(super) async fn purge(stream: &RedisStream, selection: &DeadLetterSelection) -> Result<u64, StreamError> {
    let key: Value = stream.0.keys.dead_letter.as_str().into();
    match selection {
        DeadLetterSelection::All => {
            let args = vec![key, "MAXLEN".into(), "=".into(), 0.into()];
            let purged = reply::number(Some(stream.command("XTRIM", args).await?))?;
            stream.command("DEL", vec![stream.0.keys.dead_index.as_str().into()]).await?;
            Ok(purged)
        }
        DeadLetterSelection::Ids(ids) => {
            let mut purged = 0;
            for ids in ids.chunks(IDS) {
                let ids: Vec<Value> = ids.iter().map(|id| id.to_string().into()).collect();
                purged += reply::number(Some(stream.eval(scripts::PURGE, &ids).await?))?;
            }
            Ok(purged)
        }
    }
}

impl RedisStream {
    /// Runs commands as one transaction and returns their results.
    async fn transaction(&self, commands: Vec<(&'static str, Vec<Value>)>) -> Result<Value, StreamError> {
        let slot = self.0.keys.slot();
        let run = self.0.redis.run(|client| async move {
            let transaction = client.multi();
            for (name, args) in commands {
                transaction.custom::<(), _>(CustomCommand::new_static(name, slot, false), args).await?;
            }
            transaction.exec(true).await
        });
        run.await.map_err(StreamError::from)
    }
}
