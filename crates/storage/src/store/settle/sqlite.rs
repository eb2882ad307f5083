//! Settles entries in SQLite: row by row with prepared statements, in one transaction of the single writer.

mod write;

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::sqlite::SqliteConnection;

use super::plan::{AuthorTombstones, PlanInput, PostState, Row, Slots, Terms, plan};
use super::removal_step::{AuthorStep, Candidate, CandidateColumns, OldPosts, Removal};
use super::state::{StateColumns, StateRow, columns, entry_id, select_states};
use super::tally::Tally;
use super::topics::{SELECT_TOPICS, TopicColumns, TopicRow};
use super::{Reanalysis, RemovedPost, Settled, Settlement};
use crate::store::Retention;
use crate::store::sql::{At, Instant, sql};
use sentistream_core::domain::{EntryKey, PostId, PostTopic, Timestamp};

/// Settles `batch`; see [`crate::store::Store::settle`].
pub fn settle(
    connection: &mut SqliteConnection,
    batch: &[Settlement],
    terms: &Terms,
    mut tally: Tally,
) -> QueryResult<Option<Vec<Settled>>> {
    let now = tally.now();
    if let Some(version) = terms.version
        && topics_version(connection)? != version
    {
        return Ok(None);
    }
    let mut settled = take_entries(connection, batch)?;
    let slots = load(connection, batch)?;
    let authors = load_authors(connection, &slots, batch)?;
    let plan = plan(batch, PlanInput { now, terms, slots, authors }, &mut settled);
    write::posts(connection, &plan, now)?;
    tally.add_posts(&plan);
    let answers = plan.answers;
    for (settlement, settled) in batch.iter().zip(&answers) {
        tally.add_outcome(&settlement.key, settled);
    }
    write::tally(connection, &tally)?;
    Ok(Some(answers))
}

/// The version of the topics.
pub fn topics_version(connection: &mut SqliteConnection) -> QueryResult<i64> {
    sql("SELECT version FROM topic_state WHERE id = 1").rows::<BigInt>().get_result(connection)
}

/// Adds the changes in `tally` to the rollups and counters.
pub fn write_tally(connection: &mut SqliteConnection, tally: &Tally) -> QueryResult<()> {
    write::tally(connection, tally)
}

/// Deletes one post without a stream entry. Returns whether the post was stored.
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

/// Replaces the analysis of a stored post.
pub fn write_analysis(connection: &mut SqliteConnection, reanalysis: &Reanalysis, now: Timestamp) -> QueryResult<()> {
    write::analysis(connection, &reanalysis.post_id, &reanalysis.analysis, now)
}

/// Replaces the topics of a stored post by those of `row`.
pub fn replace_topics(connection: &mut SqliteConnection, post_id: &str, row: &Row<'_>) -> QueryResult<()> {
    write::clear_topics(connection, post_id)?;
    write::topics(connection, post_id, row)
}

/// Removes the batch's entries from the queue. Returns the entries that were not in the queue, because they were
/// settled before.
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
            slots.set_state(id, load_state(connection, id)?);
        }
    }
    Ok(slots)
}

/// The stored state of a post.
pub fn load_state(connection: &mut SqliteConnection, post_id: &str) -> QueryResult<PostState<'static>> {
    let row: StateRow = sql(concat!("WITH i (post_id) AS (SELECT ?) ", select_states!("i")))
        .bind::<Text, _>(post_id)
        .rows::<StateColumns>()
        .get_result(connection)?;
    let mut state = row.into_state();
    if let Some(row) = &mut state.row {
        let topics: Vec<TopicRow> = sql(format!("{SELECT_TOPICS} p.post_id = ? ORDER BY t.topic_id"))
            .bind::<Text, _>(post_id)
            .rows::<TopicColumns>()
            .load(connection)?;
        row.topics = topics.into_iter().map(PostTopic::from).collect();
    }
    Ok(state)
}

/// The tombstones of the authors of the batch's posts and of the stored posts.
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

/// Removes some posts of an author; see [`super::removal`].
pub fn remove_author_step(
    connection: &mut SqliteConnection,
    step: &AuthorStep,
    now: Timestamp,
    retention: &Retention,
) -> QueryResult<Removal> {
    let candidates: Vec<Candidate> = sql("SELECT post_id, created_at, id FROM social_media_posts WHERE author = ? \
                                          AND source = ? AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?")
    .bind::<Text, _>(step.author.as_str())
    .bind::<Text, _>(step.source.as_str())
    .bind::<Instant, _>(At(step.after.created_at))
    .bind::<BigInt, _>(step.after.id)
    .bind::<BigInt, _>(step.limit)
    .rows::<CandidateColumns>()
    .load(connection)?;
    let mut tally = Tally::new(now, retention);
    let mut removal = Removal::default();
    for candidate in &candidates {
        let Ok(post_id) = PostId::parse(&candidate.post_id) else { continue };
        let state = load_state(connection, &candidate.post_id)?;
        let covered = step.deletion.as_ref().is_none_or(|deletion| state.is_covered(std::slice::from_ref(deletion)));
        if let Some(row) = state.row.as_ref().filter(|_| covered) {
            tally.add_row(row, -1);
            removal.evidence += write::removal(connection, &candidate.post_id, now)?;
            removal.posts.push(RemovedPost { post_id, analyzed_at: row.analyzed_at });
        }
    }
    if let Some(deletion) = &step.deletion {
        write::removed(connection, deletion, &removal.posts)?;
    }
    write::tally(connection, &tally)?;
    removal.next = candidates.last().filter(|_| candidates.len() as i64 == step.limit).map(Candidate::position);
    Ok(removal)
}

/// Removes old posts; see [`super::removal`]. A settled entry is no longer in the embedded queue, so no row is needed
/// to recognise it.
pub fn remove_old_posts(connection: &mut SqliteConnection, old: &OldPosts) -> QueryResult<usize> {
    let ids: Vec<String> =
        sql("SELECT post_id FROM social_media_posts WHERE created_at < ? ORDER BY created_at LIMIT ?")
            .bind::<Instant, _>(At(old.before))
            .bind::<BigInt, _>(old.limit)
            .rows::<Text>()
            .load(connection)?;
    for id in &ids {
        write::remove_post(connection, id)?;
        sql("DELETE FROM post_keys WHERE post_id = ? AND deleted_at IS NULL")
            .bind::<Text, _>(id)
            .execute(connection)?;
    }
    Ok(ids.len())
}

/// Removes posts with their counts and keys; see [`crate::store::demonstration`].
pub fn remove_with_counts(
    connection: &mut SqliteConnection,
    ids: &[String],
    now: Timestamp,
    retention: &Retention,
) -> QueryResult<usize> {
    let mut tally = Tally::new(now, retention);
    let mut removed = 0;
    for id in ids {
        let state = load_state(connection, id)?;
        if let Some(row) = &state.row {
            tally.add_row(row, -1);
            write::remove_post(connection, id)?;
            removed += 1;
        }
        sql("DELETE FROM post_keys WHERE post_id = ?").bind::<Text, _>(id).execute(connection)?;
    }
    write::tally(connection, &tally)?;
    Ok(removed)
}
