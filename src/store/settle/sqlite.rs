//! Settling in SQLite: row by row with kept statements, in one transaction of the single writer.

mod write;

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::sqlite::SqliteConnection;

use super::plan::{AuthorTombstones, PostState, Row, Situation, Slots, Terms, plan};
use super::state::{StateColumns, StateRow, columns, entry_id, segments, select_states};
use super::tally::Tally;
use super::{Change, Rejudgement, Settled, Settlement, Stored};
use crate::domain::{Author, EntryKey, Outcome, PostId, Source, Timestamp};
use crate::store::Retention;
use crate::store::sql::sql;

/// Settles `batch`; see [`crate::store::Store::settle`].
pub fn settle(
    connection: &mut SqliteConnection,
    batch: &[Settlement],
    terms: &Terms,
    now: Timestamp,
    retention: &Retention,
) -> QueryResult<Option<Vec<Settled>>> {
    if let Some(version) = terms.version
        && topics_version(connection)? != version
    {
        return Ok(None);
    }
    let mut settled = take_entries(connection, batch)?;
    let mut tally = Tally::new(now, retention);
    let mut answers = Vec::with_capacity(batch.len());
    for segment in segments(batch) {
        match segment {
            [Settlement { key, change: Change::DeleteAuthor { source, author } }] => {
                if !settled.insert(key.clone()) {
                    answers.push(Settled { outcome: None, stored: None, removed: Vec::new() });
                } else {
                    let removed = delete_author(connection, key, (source, author), now, &mut tally)?;
                    answers.push(Settled { outcome: Some(Outcome::Deletion), stored: None, removed });
                }
            }
            posts => {
                let slots = load(connection, posts)?;
                let authors = load_authors(connection, &slots, posts)?;
                let plan = plan(posts, Situation { now, terms, slots, authors }, &mut settled);
                write::posts(connection, &plan, now)?;
                tally.add_posts(&plan);
                answers.extend(plan.answers);
            }
        }
    }
    for (settlement, settled) in batch.iter().zip(&answers) {
        tally.add_outcome(&settlement.key, settled);
    }
    write::tally(connection, &tally)?;
    Ok(Some(answers))
}

/// The version of all topics together.
pub fn topics_version(connection: &mut SqliteConnection) -> QueryResult<i64> {
    sql("SELECT version FROM topic_state WHERE id = 1").rows::<BigInt>().get_result(connection)
}

/// Adds to the rollups and counters.
pub fn write_tally(connection: &mut SqliteConnection, tally: &Tally) -> QueryResult<()> {
    write::tally(connection, tally)
}

/// Deletes one post outside the stream; whether it was there.
pub fn delete_post(
    connection: &mut SqliteConnection,
    post_id: &PostId,
    now: Timestamp,
    retention: &Retention,
) -> QueryResult<bool> {
    let state = load_state(connection, post_id.as_str())?;
    let Some(row) = &state.row else { return Ok(false) };
    let mut tally = Tally::new(now, retention);
    tally.add_row(row, -1);
    write::removal(connection, post_id.as_str(), now)?;
    write::tally(connection, &tally)?;
    Ok(true)
}

/// Gives posts another analysis; see [`crate::store::Store::rejudge`].
pub fn rejudge(
    connection: &mut SqliteConnection,
    batch: &[Rejudgement],
    now: Timestamp,
    retention: &Retention,
) -> QueryResult<Vec<Option<Stored>>> {
    let mut tally = Tally::new(now, retention);
    let mut done = Vec::with_capacity(batch.len());
    for rejudgement in batch {
        let before = load_state(connection, rejudgement.post_id.as_str())?.row;
        let after = before.as_ref().and_then(|row| rejudgement.after(row, now));
        if let (Some(before), Some(after)) = (&before, &after) {
            tally.add_row(before, -1);
            tally.add_row(after, 1);
            write::analysis(connection, &rejudgement.post_id, &rejudgement.analysis, now)?;
        }
        done.push(after.as_ref().map(Row::stored));
    }
    write::tally(connection, &tally)?;
    Ok(done)
}

/// Takes the batch's entries out of the queue; those that were not there any more are settled already.
fn take_entries(connection: &mut SqliteConnection, batch: &[Settlement]) -> QueryResult<HashSet<EntryKey>> {
    let mut numbers: Vec<i64> = batch.iter().map(|settlement| columns(settlement.key.id).1).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut gone = HashSet::new();
    for run in numbers.chunk_by(|one, next| one + 1 == *next) {
        let (Some(&first), Some(&last)) = (run.first(), run.last()) else { continue };
        let taken: Vec<i64> = sql("DELETE FROM stream_entries WHERE seq BETWEEN ? AND ? RETURNING seq")
            .bind::<BigInt, _>(first)
            .bind::<BigInt, _>(last)
            .rows::<BigInt>()
            .load(connection)?;
        if taken.len() < run.len() {
            let taken: HashSet<i64> = taken.into_iter().collect();
            let missing = |key: &&EntryKey| {
                let seq = columns(key.id).1;
                (first..=last).contains(&seq) && !taken.contains(&seq)
            };
            gone.extend(batch.iter().map(|settlement| &settlement.key).filter(missing).cloned());
        }
    }
    Ok(gone)
}

fn load<'a>(connection: &mut SqliteConnection, batch: &'a [Settlement]) -> QueryResult<Slots<'a>> {
    let mut slots = Slots::of(batch);
    for id in slots.ids() {
        let seen: bool = sql("SELECT EXISTS (SELECT 1 FROM social_media_posts WHERE post_id = ?) \
                              OR EXISTS (SELECT 1 FROM post_keys WHERE post_id = ?)")
        .bind::<Text, _>(id)
        .bind::<Text, _>(id)
        .rows::<Bool>()
        .get_result(connection)?;
        if seen {
            slots.know(id, load_state(connection, id)?);
        }
    }
    Ok(slots)
}

fn load_state(connection: &mut SqliteConnection, post_id: &str) -> QueryResult<PostState<'static>> {
    let row: StateRow = sql(concat!("WITH i (post_id) AS (SELECT ?) ", select_states!("i")))
        .bind::<Text, _>(post_id)
        .rows::<StateColumns>()
        .get_result(connection)?;
    Ok(row.into_state())
}

/// The tombstones of the authors of the batch's posts, and of those that are stored.
fn load_authors(
    connection: &mut SqliteConnection,
    slots: &Slots<'_>,
    batch: &[Settlement],
) -> QueryResult<AuthorTombstones> {
    let mut authors = AuthorTombstones::new();
    let any: bool = sql("SELECT EXISTS (SELECT 1 FROM author_keys)").rows::<Bool>().get_result(connection)?;
    if !any {
        return Ok(authors);
    }
    for (source, author) in slots.authors(batch) {
        let rows: Vec<(String, i64, i64)> =
            sql("SELECT epoch, ms, seq FROM author_keys WHERE source = ? AND author = ?")
                .bind::<Text, _>(&source)
                .bind::<Text, _>(&author)
                .rows::<(Text, BigInt, BigInt)>()
                .load(connection)?;
        let keys = rows.into_iter().map(|(epoch, ms, seq)| EntryKey { epoch: epoch.into(), id: entry_id((ms, seq)) });
        authors.insert((source, author), keys.collect());
    }
    Ok(authors)
}

fn delete_author(
    connection: &mut SqliteConnection,
    key: &EntryKey,
    (source, author): (&Source, &Author),
    now: Timestamp,
    tally: &mut Tally,
) -> QueryResult<Vec<PostId>> {
    let (ms, seq) = columns(key.id);
    sql("INSERT INTO author_keys (source, author, epoch, ms, seq) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (source, author, epoch) DO UPDATE SET ms = excluded.ms, seq = excluded.seq \
         WHERE (excluded.ms, excluded.seq) > (author_keys.ms, author_keys.seq)")
    .bind::<Text, _>(source.as_str())
    .bind::<Text, _>(author.as_str())
    .bind::<Text, _>(&*key.epoch)
    .bind::<BigInt, _>(ms)
    .bind::<BigInt, _>(seq)
    .execute(connection)?;
    let rows: Vec<StateRow> = sql(concat!(
        "WITH i (post_id) AS (SELECT post_id FROM social_media_posts WHERE source = ? AND author = ?) ",
        select_states!("i")
    ))
    .bind::<Text, _>(source.as_str())
    .bind::<Text, _>(author.as_str())
    .rows::<StateColumns>()
    .load(connection)?;
    let mut removed = Vec::new();
    for found in rows {
        let Ok(post_id) = PostId::parse(&found.post_id) else { continue };
        let state = found.into_state();
        if !state.is_covered(std::slice::from_ref(key)) {
            continue;
        }
        if let Some(row) = &state.row {
            tally.add_row(row, -1);
        }
        write::removal(connection, post_id.as_str(), now)?;
        removed.push(post_id);
    }
    Ok(removed)
}
