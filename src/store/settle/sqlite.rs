//! Settling in SQLite: row by row with kept statements, in one transaction of the single writer.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Double, Nullable, SmallInt, Text};
use diesel::sqlite::SqliteConnection;

use super::plan::{AuthorTombstones, Plan, PostState, Situation, Slots, plan};
use super::state::{IN_AUTHORS_POSTS, SELECT_STATE, StateColumns, StateRow, columns, entry_id, segments};
use super::tally::Tally;
use super::{Change, Settled, Settlement};
use crate::domain::{Analysis, Author, EntryKey, Outcome, Post, PostId, Source, Timestamp};
use crate::store::posts::{public_id, scores_json};
use crate::store::sql::{At, Document, Instant, JsonText, sql};
use crate::store::{Retention, alerts};

/// Settles `batch`; see [`crate::store::Store::settle`].
pub fn settle(
    connection: &mut SqliteConnection,
    batch: &[Settlement],
    now: Timestamp,
    retention: &Retention,
) -> QueryResult<Vec<Settled>> {
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
                let plan = plan(posts, Situation { now, slots, authors }, &mut settled);
                apply(connection, &plan, now)?;
                tally.add_posts(&plan);
                answers.extend(plan.answers);
            }
        }
    }
    for (settlement, settled) in batch.iter().zip(&answers) {
        tally.add_outcome(&settlement.key, settled);
    }
    write_tally(connection, &tally)?;
    Ok(answers)
}

/// Deletes one post outside the stream; whether it was there.
pub fn delete_post(
    connection: &mut SqliteConnection,
    post_id: &PostId,
    now: Timestamp,
    retention: &Retention,
) -> QueryResult<bool> {
    let Some(state) = load_state(connection, post_id.as_str())? else { return Ok(false) };
    let Some(row) = &state.row else { return Ok(false) };
    let mut tally = Tally::new(now, retention);
    tally.add_row(row, -1);
    remove(connection, post_id.as_str())?;
    write_key(connection, post_id, &PostState { deleted: true, ..PostState::default() }, now)?;
    write_tally(connection, &tally)?;
    Ok(true)
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
        let fresh = sql("INSERT INTO post_keys (post_id) VALUES (?) ON CONFLICT DO NOTHING")
            .bind::<Text, _>(id)
            .execute(connection)?;
        if fresh == 0
            && let Some(state) = load_state(connection, id)?
        {
            slots.know(id, state);
        }
    }
    Ok(slots)
}

fn load_state(connection: &mut SqliteConnection, post_id: &str) -> QueryResult<Option<PostState<'static>>> {
    let row: Option<StateRow> = sql(format!("{SELECT_STATE} = ?"))
        .bind::<Text, _>(post_id)
        .rows::<StateColumns>()
        .get_result(connection)
        .optional()?;
    Ok(row.map(StateRow::into_state))
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

fn apply(connection: &mut SqliteConnection, plan: &Plan<'_>, now: Timestamp) -> QueryResult<()> {
    for slot in &plan.slots {
        match (&slot.before.row, &slot.after.row, slot.content) {
            (None, Some(row), Some((post, analysis))) => insert(connection, (post, analysis), &row.creator, now)?,
            (Some(_), Some(_), Some((post, analysis))) => update(connection, post, analysis, now)?,
            (Some(_), None, _) => remove(connection, slot.post_id.as_str())?,
            _ => {}
        }
        if slot.key_changed() {
            write_key(connection, slot.post_id, &slot.after, now)?;
        }
    }
    Ok(())
}

fn insert(
    connection: &mut SqliteConnection,
    (post, analysis): (&Post, &Analysis),
    creator: &EntryKey,
    now: Timestamp,
) -> QueryResult<()> {
    let (ms, seq) = columns(creator.id);
    sql("INSERT INTO social_media_posts (post_id, source, content, author, created_at, ingested_at, lang, url, \
         reply_to, public_id, sentiment_label, emotion, entry_epoch, entry_ms, entry_seq) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    .bind::<Text, _>(post.post_id.as_str())
    .bind::<Text, _>(post.source.as_str())
    .bind::<Text, _>(post.content.as_str())
    .bind::<Nullable<Text>, _>(post.author.as_ref().map(Author::as_str))
    .bind::<Instant, _>(At(post.created_at))
    .bind::<Instant, _>(At(now))
    .bind::<Nullable<Text>, _>(post.lang.as_deref())
    .bind::<Nullable<Text>, _>(post.url.as_deref())
    .bind::<Nullable<Text>, _>(post.reply_to.as_deref())
    .bind::<Binary, _>(public_id(&post.post_id).into_bytes().as_slice())
    .bind::<Text, _>(analysis.sentiment.as_str())
    .bind::<Text, _>(analysis.emotion.as_str())
    .bind::<Text, _>(&*creator.epoch)
    .bind::<BigInt, _>(ms)
    .bind::<BigInt, _>(seq)
    .execute(connection)?;
    sql("INSERT INTO sentiment_analysis (post_id, model_name, sentiment_label, confidence_score, emotion, \
         analyzed_at, scores, truncated) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
    .bind::<Text, _>(post.post_id.as_str())
    .bind::<Text, _>(&*analysis.model_name)
    .bind::<Text, _>(analysis.sentiment.as_str())
    .bind::<Double, _>(analysis.confidence)
    .bind::<Text, _>(analysis.emotion.as_str())
    .bind::<Instant, _>(At(now))
    .bind::<Document, _>(JsonText(scores_json(&analysis.scores)))
    .bind::<Bool, _>(analysis.truncated)
    .execute(connection)?;
    Ok(())
}

fn update(connection: &mut SqliteConnection, post: &Post, analysis: &Analysis, now: Timestamp) -> QueryResult<()> {
    sql("UPDATE social_media_posts SET source = ?, content = ?, author = ?, created_at = ?, lang = ?, url = ?, \
         reply_to = ?, sentiment_label = ?, emotion = ? WHERE post_id = ?")
    .bind::<Text, _>(post.source.as_str())
    .bind::<Text, _>(post.content.as_str())
    .bind::<Nullable<Text>, _>(post.author.as_ref().map(Author::as_str))
    .bind::<Instant, _>(At(post.created_at))
    .bind::<Nullable<Text>, _>(post.lang.as_deref())
    .bind::<Nullable<Text>, _>(post.url.as_deref())
    .bind::<Nullable<Text>, _>(post.reply_to.as_deref())
    .bind::<Text, _>(analysis.sentiment.as_str())
    .bind::<Text, _>(analysis.emotion.as_str())
    .bind::<Text, _>(post.post_id.as_str())
    .execute(connection)?;
    sql("UPDATE sentiment_analysis SET model_name = ?, sentiment_label = ?, confidence_score = ?, emotion = ?, \
         analyzed_at = ?, scores = ?, truncated = ? WHERE post_id = ?")
    .bind::<Text, _>(&*analysis.model_name)
    .bind::<Text, _>(analysis.sentiment.as_str())
    .bind::<Double, _>(analysis.confidence)
    .bind::<Text, _>(analysis.emotion.as_str())
    .bind::<Instant, _>(At(now))
    .bind::<Document, _>(JsonText(scores_json(&analysis.scores)))
    .bind::<Bool, _>(analysis.truncated)
    .bind::<Text, _>(post.post_id.as_str())
    .execute(connection)?;
    Ok(())
}

/// Removes a post, its analysis, and what alerts cite of it.
fn remove(connection: &mut SqliteConnection, post_id: &str) -> QueryResult<()> {
    sql("DELETE FROM social_media_posts WHERE post_id = ?").bind::<Text, _>(post_id).execute(connection)?;
    clear_evidence(connection, post_id)
}

fn clear_evidence(connection: &mut SqliteConnection, post_id: &str) -> QueryResult<()> {
    let cited: Vec<(i64, JsonText)> = sql(
        "SELECT a.id, a.details FROM alert_evidence e JOIN sentiment_alerts a ON a.id = e.alert_id WHERE e.post_id = ?",
    )
    .bind::<Text, _>(post_id)
    .rows::<(BigInt, Document)>()
    .load(connection)?;
    for (id, details) in cited {
        sql("UPDATE sentiment_alerts SET details = ? WHERE id = ?")
            .bind::<Document, _>(JsonText(alerts::without_evidence(&details.0, &|cited| cited == post_id)))
            .bind::<BigInt, _>(id)
            .execute(connection)?;
        sql("DELETE FROM alert_evidence WHERE post_id = ?").bind::<Text, _>(post_id).execute(connection)?;
    }
    Ok(())
}

fn write_key(
    connection: &mut SqliteConnection,
    post_id: &PostId,
    state: &PostState<'_>,
    now: Timestamp,
) -> QueryResult<()> {
    let earliest = state.earliest.map(columns);
    sql("UPDATE post_keys SET deleted_at = ?, edited_at = ?, earliest_ms = ?, earliest_seq = ? WHERE post_id = ?")
        .bind::<Nullable<Instant>, _>(state.deleted.then_some(At(now)))
        .bind::<Nullable<Instant>, _>(state.edited_at.map(At))
        .bind::<Nullable<BigInt>, _>(earliest.map(|(ms, _)| ms))
        .bind::<Nullable<BigInt>, _>(earliest.map(|(_, seq)| seq))
        .bind::<Text, _>(post_id.as_str())
        .execute(connection)?;
    Ok(())
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
    let rows: Vec<StateRow> = sql(format!("{SELECT_STATE} {IN_AUTHORS_POSTS}"))
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
        remove(connection, post_id.as_str())?;
        write_key(connection, &post_id, &PostState { deleted: true, ..PostState::default() }, now)?;
        removed.push(post_id);
    }
    Ok(removed)
}

fn write_tally(connection: &mut SqliteConnection, tally: &Tally) -> QueryResult<()> {
    for ((grain, bucket, source, sentiment, emotion), (count, confidence)) in tally.rollups() {
        sql("INSERT INTO post_rollups (grain, bucket, source, sentiment, emotion, count, confidence_sum) \
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count, \
             confidence_sum = iif(count + excluded.count = 0, 0.0, confidence_sum + excluded.confidence_sum)")
        .bind::<SmallInt, _>(grain)
        .bind::<Instant, _>(At(bucket))
        .bind::<Text, _>(source)
        .bind::<Text, _>(sentiment)
        .bind::<Text, _>(emotion)
        .bind::<BigInt, _>(count)
        .bind::<Double, _>(confidence)
        .execute(connection)?;
    }
    for (bucket, count) in tally.ingested() {
        sql("INSERT INTO ingest_counters (bucket, count) VALUES (?, ?) \
             ON CONFLICT DO UPDATE SET count = count + excluded.count")
        .bind::<Instant, _>(At(bucket))
        .bind::<BigInt, _>(count)
        .execute(connection)?;
    }
    for (epoch, outcome, count) in tally.outcomes() {
        sql("INSERT INTO stream_outcomes (epoch, outcome, count) VALUES (?, ?, ?) \
             ON CONFLICT DO UPDATE SET count = count + excluded.count")
        .bind::<Text, _>(epoch)
        .bind::<Text, _>(outcome)
        .bind::<BigInt, _>(count)
        .execute(connection)?;
    }
    Ok(())
}
