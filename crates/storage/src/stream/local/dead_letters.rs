//! The table of dead letters.

use diesel::prelude::*;

use crate::stream::{DeadLetter, DeadLetterRequest, DeadLetterSelection, StreamError};
use sentistream_core::domain::{DeadLetterReason, EntryId, PostId, RawFields, Timestamp};

use super::LocalStream;
use super::tables::{self, Backlog, stream_entries, stream_outcomes, to_row_id};

diesel::table! {
    dead_letter_entries (seq) {
        seq -> BigInt,
        failed_ms -> BigInt,
        origin_ms -> BigInt,
        origin_seq -> BigInt,
        deliveries -> BigInt,
        reason -> Text,
        error -> Text,
        post_id -> Nullable<Text>,
        fields -> Binary,
    }
}

diesel::table! {
    dead_letter_size (id) {
        id -> Integer,
        bytes -> BigInt,
    }
}

/// The maximum number of dead letters that one transaction moves or removes. The number is limited so that other writes
/// can run in between.
pub(super) const CHUNK: usize = 500;

#[derive(Queryable)]
struct Row {
    seq: i64,
    failed_ms: i64,
    origin_ms: i64,
    origin_seq: i64,
    deliveries: i64,
    reason: String,
    error: String,
    _post_id: Option<String>,
    fields: Vec<u8>,
}

impl From<Row> for DeadLetter {
    fn from(row: Row) -> Self {
        Self {
            id: id(row.failed_ms, row.seq),
            fields: RawFields::decode(&row.fields).unwrap_or_default(),
            error: row.error,
            reason: DeadLetterReason::read(&row.reason),
            deliveries: u32::try_from(row.deliveries).unwrap_or(u32::MAX),
            failed_at: Timestamp::from_millis(row.failed_ms).unwrap_or_default(),
            origin_id: id(row.origin_ms, row.origin_seq),
        }
    }
}

fn id(ms: i64, seq: i64) -> EntryId {
    EntryId { ms: u64::try_from(ms).unwrap_or(0), seq: u64::try_from(seq).unwrap_or(0) }
}

/// An entry to add to the dead letters.
pub(super) struct NewDeadLetter {
    /// The entry and the reason.
    pub request: DeadLetterRequest,
    /// When the entry becomes a dead letter.
    pub now: Timestamp,
    /// The approximate maximum size of all dead letters, in bytes.
    pub most_bytes: u64,
}

/// Moves an entry to the dead letters and deletes the oldest ones above the size limit. Returns the number of deleted
/// dead letters; `None` if the entry was already settled.
pub(super) fn add(connection: &mut SqliteConnection, new: &NewDeadLetter) -> QueryResult<Option<u64>> {
    use dead_letter_entries as t;

    let NewDeadLetter { request, now, most_bytes } = new;
    let entry = &request.entry;
    let origin = entry.key.id;
    if diesel::delete(stream_entries::table.find(to_row_id(origin.seq))).execute(connection)? == 0 {
        return Ok(None);
    }
    diesel::insert_into(t::table)
        .values((
            t::failed_ms.eq(now.as_millis()),
            t::origin_ms.eq(to_row_id(origin.ms)),
            t::origin_seq.eq(to_row_id(origin.seq)),
            t::deliveries.eq(i64::from(entry.deliveries)),
            t::reason.eq(request.reason.as_str()),
            t::error.eq(&request.error),
            t::post_id.eq(post_id(&entry.fields)),
            t::fields.eq(entry.fields.encode()),
        ))
        .execute(connection)?;
    diesel::insert_into(stream_outcomes::table)
        .values((
            stream_outcomes::epoch.eq(&*entry.key.epoch),
            stream_outcomes::outcome.eq(sentistream_core::domain::Outcome::DeadLettered.as_str()),
            stream_outcomes::count.eq(1),
        ))
        .on_conflict((stream_outcomes::epoch, stream_outcomes::outcome))
        .do_update()
        .set(stream_outcomes::count.eq(stream_outcomes::count + 1))
        .execute(connection)?;
    drop_oldest(connection, *most_bytes).map(Some)
}

/// Deletes the oldest dead letters, at most [`CHUNK`], until the size is at most `most_bytes`. Returns their number.
fn drop_oldest(connection: &mut SqliteConnection, most_bytes: u64) -> QueryResult<u64> {
    let mut dropped = 0;
    while dropped < CHUNK as u64 && bytes(connection)? > most_bytes {
        let oldest: Option<i64> =
            dead_letter_entries::table.select(diesel::dsl::min(dead_letter_entries::seq)).first(connection)?;
        let Some(oldest) = oldest else { break };
        diesel::delete(dead_letter_entries::table.find(oldest)).execute(connection)?;
        dropped += 1;
    }
    Ok(dropped)
}

/// The approximate size of the dead letters in bytes. Database triggers keep this number up to date.
fn bytes(connection: &mut SqliteConnection) -> QueryResult<u64> {
    let bytes: i64 = dead_letter_size::table.find(1).select(dead_letter_size::bytes).first(connection)?;
    Ok(u64::try_from(bytes).unwrap_or_default())
}

/// The id of the post in the entry, if the id is valid. It is stored so that the deletion of a post can find its dead
/// letters.
fn post_id(fields: &RawFields) -> Option<String> {
    let id = std::str::from_utf8(fields.get("post_id")?).ok()?;
    PostId::parse(id).ok().map(PostId::into_string)
}

/// A page of dead letters, newest first, older than `before`.
pub(super) fn page(
    connection: &mut SqliteConnection,
    limit: usize,
    before: Option<EntryId>,
) -> QueryResult<Vec<DeadLetter>> {
    let below = before.map_or(i64::MAX, |id| to_row_id(id.seq));
    let rows: Vec<Row> = dead_letter_entries::table
        .filter(dead_letter_entries::seq.lt(below))
        .order(dead_letter_entries::seq.desc())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(connection)?;
    Ok(rows.into_iter().map(DeadLetter::from).collect())
}

/// The dead letter with this id.
pub(super) fn get(connection: &mut SqliteConnection, id: EntryId) -> QueryResult<Option<DeadLetter>> {
    let row: Option<Row> = dead_letter_entries::table
        .find(to_row_id(id.seq))
        .filter(dead_letter_entries::failed_ms.eq(to_row_id(id.ms)))
        .first(connection)
        .optional()?;
    Ok(row.map(DeadLetter::from))
}

/// Up to `max` ids above `after`, oldest first.
fn ids_above(connection: &mut SqliteConnection, after: u64, max: usize) -> QueryResult<Vec<EntryId>> {
    let rows: Vec<(i64, i64)> = dead_letter_entries::table
        .filter(dead_letter_entries::seq.gt(to_row_id(after)))
        .order(dead_letter_entries::seq)
        .limit(max as i64)
        .select((dead_letter_entries::failed_ms, dead_letter_entries::seq))
        .load(connection)?;
    Ok(rows.into_iter().map(|(ms, seq)| id(ms, seq)).collect())
}

/// Removes dead letters and returns their encoded fields, in the order of `ids`. Unknown ids are ignored.
fn take(connection: &mut SqliteConnection, ids: &[EntryId]) -> QueryResult<Vec<Vec<u8>>> {
    use dead_letter_entries as t;

    let mut taken = Vec::with_capacity(ids.len());
    for id in ids {
        let chosen = t::table.find(to_row_id(id.seq)).filter(t::failed_ms.eq(to_row_id(id.ms)));
        taken.extend(diesel::delete(chosen).returning(t::fields).get_result(connection).optional()?);
    }
    Ok(taken)
}

/// Moves dead letters back to the queue, and returns their number. If they do not fit into the queue, nothing changes.
pub(super) fn replay(
    connection: &mut SqliteConnection,
    ids: &[EntryId],
    now_ms: i64,
    limit: u64,
) -> QueryResult<Result<u64, Backlog>> {
    // The nested transaction undoes the removal of the dead letters if the append is refused.
    let replayed = connection.transaction(|connection| {
        let entries = take(connection, ids)?;
        match tables::append(connection, &entries, now_ms, limit)? {
            Ok(appended) => Ok(appended.len() as u64),
            Err(full) => Err(Refused::Full(full)),
        }
    });
    match replayed {
        Ok(count) => Ok(Ok(count)),
        Err(Refused::Full(full)) => Ok(Err(full)),
        Err(Refused::Query(e)) => Err(e),
    }
}

enum Refused {
    Full(Backlog),
    Query(diesel::result::Error),
}

impl From<diesel::result::Error> for Refused {
    fn from(error: diesel::result::Error) -> Self {
        Self::Query(error)
    }
}

/// Removes dead letters permanently and returns their number.
pub(super) fn purge(connection: &mut SqliteConnection, ids: &[EntryId]) -> QueryResult<u64> {
    Ok(take(connection, ids)?.len() as u64)
}

/// Removes the dead letters of these posts.
pub(super) fn forget(connection: &mut SqliteConnection, posts: &[String]) -> QueryResult<()> {
    for post in posts {
        diesel::delete(dead_letter_entries::table.filter(dead_letter_entries::post_id.eq(post))).execute(connection)?;
    }
    Ok(())
}

/// Iterates over a selection of dead letters in chunks.
pub(super) enum Selected {
    /// The ids above the first number, up to the second number. The second number is the highest id at the start of the
    /// iteration; `None` before the first chunk.
    All(u64, Option<u64>),
    /// The ids that have not been returned yet.
    Ids(Vec<EntryId>),
}

impl Selected {
    pub(super) fn new(selection: &DeadLetterSelection) -> Self {
        match selection {
            DeadLetterSelection::All => Self::All(0, None),
            DeadLetterSelection::Ids(ids) => Self::Ids(ids.clone()),
        }
    }

    /// The next chunk; `None` at the end.
    pub(super) async fn next(&mut self, stream: &LocalStream) -> Result<Option<Vec<EntryId>>, StreamError> {
        let ids = match self {
            Self::Ids(ids) => ids.drain(..ids.len().min(CHUNK)).collect(),
            Self::All(after, end) => {
                let last = match *end {
                    Some(last) => last,
                    None => stream.dead_letters(1, None).await?.first().map_or(0, |newest| newest.id.seq),
                };
                *end = Some(last);
                let from = *after;
                let mut ids = stream.read(move |connection| ids_above(connection, from, CHUNK)).await?;
                ids.retain(|id| id.seq <= last);
                *after = ids.last().map_or(from, |id| id.seq);
                ids
            }
        };
        Ok((!ids.is_empty()).then_some(ids))
    }
}
