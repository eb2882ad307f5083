//! The tables of the queue: entries, claimed ranges, and the state that must survive the process.
//!
//! All functions run inside a transaction of the writer or on a reader. The store deletes the rows of settled entries
//! from `stream_entries` in its own commit. An entry without a row is therefore settled.
//!
//! Two properties make the queries cheap. First, `seq` has no gaps among unclaimed entries, because one writer at a
//! time appends entries, and entries are removed only after they were claimed. Second, entries are claimed in the order
//! of `seq`. The unclaimed entries are therefore exactly those above the highest claimed entry.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use sentistream_core::domain::{EntryId, RawFields};

diesel::table! {
    stream_entries (seq) {
        seq -> BigInt,
        appended_ms -> BigInt,
        deliveries -> BigInt,
        fields -> Binary,
    }
}

diesel::table! {
    stream_claims (id) {
        id -> BigInt,
        consumer -> Text,
        first_seq -> BigInt,
        last_seq -> BigInt,
    }
}

diesel::table! {
    stream_meta (key) {
        key -> Text,
        value -> Text,
    }
}

diesel::table! {
    stream_outcomes (epoch, outcome) {
        epoch -> Text,
        outcome -> Text,
        count -> BigInt,
    }
}

/// The name of the consumer in a range that no consumer holds. After a crash, such a range does not count as a
/// delivery.
pub(super) const NO_CONSUMER: &str = "";

const EPOCH: &str = "epoch";
const LAST_MS: &str = "last_ms";

/// A row of the table of entries.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The id of the entry.
    pub id: EntryId,
    /// The number of earlier deliveries that count.
    pub deliveries: u32,
    /// The decoded fields; empty if the row is damaged.
    pub fields: RawFields,
}

/// A range of entries with the consumer that holds them, if any. The range is stored so that the claims are known after
/// a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The id of the claim. A claim with a higher id takes precedence.
    pub id: i64,
    /// The name of the consumer, or [`NO_CONSUMER`].
    pub consumer: String,
    /// The first `seq`, inclusive.
    pub first: u64,
    /// The last `seq`, inclusive.
    pub last: u64,
}

/// The state that a process finds when it starts to consume.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The highest entry in the stored claims. The existing entries above it were never claimed.
    pub cursor: u64,
    /// The highest id of a claim.
    pub last_claim: i64,
    /// The entries that were claimed and not settled.
    pub unsettled: Vec<u64>,
}

/// A refused append, with the number of unsettled entries.
pub(super) struct Backlog(pub u64);

/// `seq` as a row id. Larger values are reduced to `i64::MAX`, the largest row id in SQLite.
pub(super) fn to_row_id(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn to_seq(row_id: i64) -> u64 {
    u64::try_from(row_id).unwrap_or(0)
}

/// The epoch. The first call creates it.
pub(super) fn epoch(connection: &mut SqliteConnection) -> QueryResult<String> {
    let new = uuid::Uuid::new_v4().to_string();
    diesel::insert_or_ignore_into(stream_meta::table)
        .values((stream_meta::key.eq(EPOCH), stream_meta::value.eq(new)))
        .execute(connection)?;
    stream_meta::table.find(EPOCH).select(stream_meta::value).first(connection)
}

/// Appends encoded entries. Refuses them if the number of unsettled entries would exceed `limit`, but an empty queue
/// accepts even a batch that is larger than the limit.
///
/// `appended_ms` never decreases, even if the clock is set back, so that ids have the same order as `seq`.
pub(super) fn append(
    connection: &mut SqliteConnection,
    entries: &[Vec<u8>],
    now_ms: i64,
    limit: u64,
) -> QueryResult<Result<Vec<EntryId>, Backlog>> {
    let waiting = pending(connection, entries.len() as u64, limit)?;
    if waiting > 0 && waiting + entries.len() as u64 > limit {
        return Ok(Err(Backlog(waiting)));
    }
    let ms = last_ms(connection)?.max(now_ms);
    for fields in entries {
        diesel::insert_into(stream_entries::table)
            .values((
                stream_entries::appended_ms.eq(ms),
                stream_entries::deliveries.eq(0),
                stream_entries::fields.eq(fields),
            ))
            .execute(connection)?;
    }
    diesel::replace_into(stream_meta::table)
        .values((stream_meta::key.eq(LAST_MS), stream_meta::value.eq(ms.to_string())))
        .execute(connection)?;
    // No other transaction writes at the same time, so the last appended entries are those of this call.
    let end = last_appended(connection)?;
    let first = end + 1 - entries.len() as u64;
    Ok(Ok((first..=end).map(|seq| EntryId { ms: ms as u64, seq }).collect()))
}

/// The number of unsettled entries. Entries are counted only if this number plus `more` may be above `limit`. Otherwise
/// the distance between the first and the last id is returned, which is an upper bound and requires only two lookups.
fn pending(connection: &mut SqliteConnection, more: u64, limit: u64) -> QueryResult<u64> {
    let (first, last) = stream_entries::table
        .select((
            diesel::dsl::sql::<Nullable<BigInt>>("(select min(seq) from stream_entries)"),
            diesel::dsl::sql::<Nullable<BigInt>>("(select max(seq) from stream_entries)"),
        ))
        .limit(1)
        .first::<(Option<i64>, Option<i64>)>(connection)
        .optional()?
        .unwrap_or_default();
    let (Some(first), Some(last)) = (first, last) else { return Ok(0) };
    let at_most = to_seq(last - first + 1);
    if at_most + more <= limit {
        return Ok(at_most);
    }
    let counts = counts(connection)?;
    Ok(counts.claimed + counts.lag)
}

/// Entries above `cursor`, oldest first.
pub(super) fn unclaimed(connection: &mut SqliteConnection, cursor: u64, max: usize) -> QueryResult<Vec<Row>> {
    stream_entries::table
        .filter(stream_entries::seq.gt(to_row_id(cursor)))
        .order(stream_entries::seq)
        .limit(i64::try_from(max).unwrap_or(i64::MAX))
        .load(connection)
        .map(to_rows)
}

/// The entries of `seqs` that are not settled, in the order of `seqs`.
pub(super) fn rows(connection: &mut SqliteConnection, seqs: &[u64]) -> QueryResult<Vec<Row>> {
    let mut found = Vec::with_capacity(seqs.len());
    for seq in seqs {
        found.extend(stream_entries::table.find(to_row_id(*seq)).first(connection).optional()?);
    }
    Ok(to_rows(found))
}

fn to_rows(rows: Vec<(i64, i64, i64, Vec<u8>)>) -> Vec<Row> {
    let row = |(seq, ms, deliveries, fields): (i64, i64, i64, Vec<u8>)| Row {
        id: EntryId { ms: to_seq(ms), seq: to_seq(seq) },
        deliveries: u32::try_from(deliveries).unwrap_or(u32::MAX),
        // Only `encode` writes this column. If the file is damaged, the entry has no fields. It is therefore invalid
        // and becomes a dead letter.
        fields: RawFields::decode(&fields).unwrap_or_default(),
    };
    rows.into_iter().map(row).collect()
}

/// Stores new claims, and deletes those whose entries are all settled or claimed again. Idempotent.
pub(super) fn keep_claims(connection: &mut SqliteConnection, new: &[Range], ended: &[i64]) -> QueryResult<()> {
    for range in new {
        diesel::replace_into(stream_claims::table)
            .values((
                stream_claims::id.eq(range.id),
                stream_claims::consumer.eq(&range.consumer),
                stream_claims::first_seq.eq(to_row_id(range.first)),
                stream_claims::last_seq.eq(to_row_id(range.last)),
            ))
            .execute(connection)?;
    }
    for id in ended {
        diesel::delete(stream_claims::table.find(id)).execute(connection)?;
    }
    Ok(())
}

/// Adds one to the number of deliveries of each entry.
pub(super) fn count_delivery(connection: &mut SqliteConnection, seqs: &[u64]) -> QueryResult<()> {
    for seq in seqs {
        diesel::update(stream_entries::table.find(to_row_id(*seq)))
            .set(stream_entries::deliveries.eq(stream_entries::deliveries + 1))
            .execute(connection)?;
    }
    Ok(())
}

/// Takes over from an earlier process: each entry that it held counts as delivered once more. If several claims cover
/// an entry, the consumer of the newest claim held it.
pub(super) fn begin(connection: &mut SqliteConnection) -> QueryResult<Found> {
    let claims: Vec<Range> = stream_claims::table
        .order(stream_claims::id)
        .load::<(i64, String, i64, i64)>(connection)?
        .into_iter()
        .map(|(id, consumer, first, last)| Range { id, consumer, first: to_seq(first), last: to_seq(last) })
        .collect();
    let cursor = claims.iter().map(|claim| claim.last).max().unwrap_or(0);
    let unsettled: Vec<u64> = stream_entries::table
        .filter(stream_entries::seq.le(to_row_id(cursor)))
        .order(stream_entries::seq)
        .select(stream_entries::seq)
        .load::<i64>(connection)?
        .into_iter()
        .map(to_seq)
        .collect();
    let held = |seq: &u64| {
        let newest = claims.iter().rev().find(|claim| (claim.first..=claim.last).contains(seq));
        newest.is_some_and(|claim| claim.consumer != NO_CONSUMER)
    };
    let delivered: Vec<u64> = unsettled.iter().copied().filter(held).collect();
    count_delivery(connection, &delivered)?;
    // The entries are free now. One new range stores this state and the cursor.
    diesel::delete(stream_claims::table).execute(connection)?;
    let last_claim = claims.last().map_or(0, |claim| claim.id) + 1;
    let first = unsettled.first().copied().unwrap_or(cursor);
    let released = Range { id: last_claim, consumer: NO_CONSUMER.to_owned(), first, last: cursor };
    keep_claims(connection, &[released], &[])?;
    Ok(Found { cursor, last_claim, unsettled })
}

/// The counts of the queue, read in one query.
#[derive(Debug, QueryableByName)]
struct Snapshot {
    #[diesel(sql_type = BigInt)]
    appended: i64,
    #[diesel(sql_type = BigInt)]
    claimed: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    first_unclaimed: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    last: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    oldest_ms: Option<i64>,
    #[diesel(sql_type = BigInt)]
    dead_lettered: i64,
    #[diesel(sql_type = BigInt)]
    dead_letters: i64,
}

/// The counts of the queue.
#[derive(Debug)]
pub(super) struct Counts {
    /// The number of entries that were ever appended.
    pub appended: u64,
    /// The number of entries that no consumer has claimed yet.
    pub lag: u64,
    /// The number of entries that were claimed at least once and are not settled.
    pub claimed: u64,
    /// The number of entries of this epoch that were moved to the dead letters.
    pub dead_lettered: u64,
    /// The current number of dead letters.
    pub dead_letters: u64,
    /// The append time of the oldest unsettled entry, in milliseconds since the Unix epoch; `None` without entries.
    pub oldest_ms: Option<i64>,
}

/// The current counts. The cost of the query depends on the number of claimed entries and of dead letters.
pub(super) fn counts(connection: &mut SqliteConnection) -> QueryResult<Counts> {
    let s: Snapshot = diesel::sql_query(
        "with highest(seq) as (select coalesce(max(last_seq), 0) from stream_claims)
         select
           coalesce((select seq from sqlite_sequence where name = 'stream_entries'), 0) as appended,
           (select count(*) from stream_entries where seq <= (select seq from highest)) as claimed,
           (select min(seq) from stream_entries where seq > (select seq from highest)) as first_unclaimed,
           (select max(seq) from stream_entries) as last,
           (select appended_ms from stream_entries order by seq limit 1) as oldest_ms,
           coalesce((select sum(count) from stream_outcomes where outcome = 'dead_lettered'
             and epoch = (select value from stream_meta where key = 'epoch')), 0) as dead_lettered,
           (select count(*) from dead_letter_entries) as dead_letters",
    )
    .get_result(connection)?;
    let lag = match (s.first_unclaimed, s.last) {
        (Some(first), Some(last)) => to_seq(last - first + 1),
        _ => 0,
    };
    Ok(Counts {
        appended: to_seq(s.appended),
        lag,
        claimed: to_seq(s.claimed),
        dead_lettered: to_seq(s.dead_lettered),
        dead_letters: to_seq(s.dead_letters),
        oldest_ms: s.oldest_ms,
    })
}

/// The lowest id that is not settled, or the next id if all are settled.
pub(super) fn lowest_needed(connection: &mut SqliteConnection) -> QueryResult<EntryId> {
    let oldest = stream_entries::table
        .order(stream_entries::seq)
        .select((stream_entries::appended_ms, stream_entries::seq))
        .first::<(i64, i64)>(connection)
        .optional()?;
    match oldest {
        Some((ms, seq)) => Ok(EntryId { ms: to_seq(ms), seq: to_seq(seq) }),
        None => Ok(EntryId { ms: to_seq(last_ms(connection)?), seq: last_appended(connection)? + 1 }),
    }
}

/// The time of the last append. It never decreases.
fn last_ms(connection: &mut SqliteConnection) -> QueryResult<i64> {
    let ms: Option<String> =
        stream_meta::table.find(LAST_MS).select(stream_meta::value).first(connection).optional()?;
    Ok(ms.and_then(|ms| ms.parse().ok()).unwrap_or(0))
}

/// The `seq` of the last append, even if that entry is settled.
fn last_appended(connection: &mut SqliteConnection) -> QueryResult<u64> {
    let seq: Option<i64> = diesel::select(diesel::dsl::sql::<Nullable<BigInt>>(
        "(select seq from sqlite_sequence where name = 'stream_entries')",
    ))
    .get_result(connection)?;
    Ok(to_seq(seq.unwrap_or(0)))
}
