//! Settling in Postgres: one statement per table for the whole batch.
//!
//! Locks are taken in one order by every transaction, so that they wait and do not deadlock:
//! the authors' lock, the topics', key rows by `post_id`, then posts, alerts, rollups, counters, each in key order.

mod write;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::plan::{AuthorTombstones, PostState, Row, Situation, Slots, Terms, plan};
use super::state::{StateColumns, StateRow, columns, entry_id, segments, select_states};
use super::tally::Tally;
use super::{Change, Rejudgement, Settled, Settlement, Stored};
use crate::domain::{Author, EntryKey, Outcome, PostId, Source, Timestamp};
use crate::store::Retention;
use crate::store::sql::sql;
use crate::store::topics::TOPICS_LOCK;

/// The advisory lock that keeps the deletion of an author apart from everything else:
/// a post of theirs that is being stored meanwhile would slip through.
const AUTHORS_LOCK: i64 = 0x0073_656e_7469_0002;

/// Settles `batch`; see [`crate::store::Store::settle`].
pub fn settle(
    connection: &mut AsyncPgConnection,
    batch: Arc<[Settlement]>,
    terms: Arc<Terms>,
    now: Timestamp,
    retention: Retention,
) -> BoxFuture<'_, QueryResult<Option<Vec<Settled>>>> {
    async move {
        lock_authors(connection, &batch).await?;
        if let Some(version) = terms.version
            && topics_version(connection).await? != version
        {
            return Ok(None);
        }
        let mut settled = claim_keyless(connection, &batch).await?;
        let known = lock_keys(connection, &batch, &mut settled).await?;
        let mut tally = Tally::new(now, &retention);
        let mut answers = Vec::with_capacity(batch.len());
        // Behind a deletion of an author the batch's posts must be read again.
        let mut known = Some(known);
        for segment in segments(&batch) {
            match segment {
                [Settlement { key, change: Change::DeleteAuthor { source, author } }] => {
                    known = None;
                    if settled.insert(key.clone()) {
                        let removed = delete_author(connection, key, (source, author), now, &mut tally).await?;
                        answers.push(Settled { outcome: Some(Outcome::Deletion), stored: None, removed });
                    } else {
                        answers.push(Settled { outcome: None, stored: None, removed: Vec::new() });
                    }
                }
                posts => {
                    let mut slots = Slots::of(posts);
                    let states = match known.take() {
                        Some(states) => states,
                        None => load_states(connection, &slots.ids()).await?,
                    };
                    for (post_id, state) in states {
                        slots.know(&post_id, state);
                    }
                    let authors = load_authors(connection, &slots, posts).await?;
                    let plan = plan(posts, Situation { now, terms: &terms, slots, authors }, &mut settled);
                    write::posts(connection, &plan, now).await?;
                    write::remembered(connection, &plan.remembered).await?;
                    tally.add_posts(&plan);
                    answers.extend(plan.answers);
                }
            }
        }
        for (settlement, settled) in batch.iter().zip(&answers) {
            tally.add_outcome(&settlement.key, settled);
        }
        write::tally(connection, &tally).await?;
        Ok(Some(answers))
    }
    .boxed()
}

/// The version of all topics together, which does not change before this transaction ends.
async fn topics_version(connection: &mut AsyncPgConnection) -> QueryResult<i64> {
    sql("SELECT pg_advisory_xact_lock_shared(?)").bind::<BigInt, _>(TOPICS_LOCK).execute(connection).await?;
    sql("SELECT version FROM topic_state WHERE id = 1").rows::<BigInt>().get_result(connection).await
}

/// Keeps deletions of authors and changes of topics out; the version of the topics.
pub async fn lock_for_backfill(connection: &mut AsyncPgConnection) -> QueryResult<i64> {
    advisory_lock(connection, "SELECT pg_advisory_xact_lock_shared(?)").await?;
    topics_version(connection).await
}

/// Adds to the rollups and counters.
pub async fn write_tally(connection: &mut AsyncPgConnection, tally: &Tally) -> QueryResult<()> {
    write::tally(connection, tally).await
}

/// Deletes one post outside the stream; whether it was there.
pub fn delete_post(
    connection: &mut AsyncPgConnection,
    id: PostId,
    now: Timestamp,
    retention: Retention,
) -> BoxFuture<'_, QueryResult<bool>> {
    async move {
        advisory_lock(connection, "SELECT pg_advisory_xact_lock_shared(?)").await?;
        sql("SELECT 1 FROM post_keys WHERE post_id = ? FOR UPDATE")
            .bind::<Text, _>(id.as_str())
            .execute(connection)
            .await?;
        let states = load_states(connection, &[id.as_str()]).await?;
        let Some(row) = states.into_iter().find_map(|(_, state)| state.row) else { return Ok(false) };
        let mut tally = Tally::new(now, &retention);
        tally.add_row(&row, -1);
        write::removal(connection, &[id.as_str()], now).await?;
        write::remembered(connection, &[row.creator]).await?;
        write::tally(connection, &tally).await?;
        Ok(true)
    }
    .boxed()
}

/// Gives posts another analysis; see [`crate::store::Store::rejudge`].
pub fn rejudge(
    connection: &mut AsyncPgConnection,
    batch: Arc<[Rejudgement]>,
    now: Timestamp,
    retention: Retention,
) -> BoxFuture<'_, QueryResult<Vec<Option<Stored>>>> {
    async move {
        advisory_lock(connection, "SELECT pg_advisory_xact_lock_shared(?)").await?;
        let ids: Vec<&str> = batch.iter().map(|rejudgement| rejudgement.post_id.as_str()).collect();
        sql("SELECT 1 FROM post_keys WHERE post_id = ANY(?) ORDER BY post_id FOR UPDATE")
            .bind::<Array<Text>, _>(&ids)
            .execute(connection)
            .await?;
        let states: HashMap<String, PostState<'static>> = load_states(connection, &ids).await?.into_iter().collect();
        let mut tally = Tally::new(now, &retention);
        let mut done = Vec::with_capacity(batch.len());
        for rejudgement in &*batch {
            let before = states.get(rejudgement.post_id.as_str()).and_then(|state| state.row.as_ref());
            let after = before.and_then(|row| rejudgement.after(row, now));
            if let (Some(before), Some(after)) = (before, &after) {
                tally.add_row(before, -1);
                tally.add_row(after, 1);
                write::analysis(connection, &rejudgement.post_id, &rejudgement.analysis, now).await?;
            }
            done.push(after.as_ref().map(Row::stored));
        }
        write::tally(connection, &tally).await?;
        Ok(done)
    }
    .boxed()
}

async fn lock_authors(connection: &mut AsyncPgConnection, batch: &[Settlement]) -> QueryResult<()> {
    let deletes = batch.iter().any(|settlement| matches!(settlement.change, Change::DeleteAuthor { .. }));
    advisory_lock(
        connection,
        if deletes { "SELECT pg_advisory_xact_lock(?)" } else { "SELECT pg_advisory_xact_lock_shared(?)" },
    )
    .await
}

async fn advisory_lock(connection: &mut AsyncPgConnection, text: &'static str) -> QueryResult<()> {
    sql(text).bind::<BigInt, _>(AUTHORS_LOCK).execute(connection).await?;
    Ok(())
}

/// Remembers the batch's entries that have no post to serialise them; those that were there before are settled.
async fn claim_keyless(connection: &mut AsyncPgConnection, batch: &[Settlement]) -> QueryResult<HashSet<EntryKey>> {
    let mut keys: Vec<&EntryKey> = batch
        .iter()
        .filter(|settlement| settlement.change.post_id().is_none())
        .map(|settlement| &settlement.key)
        .collect();
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    keys.sort_by_key(|key| (key.epoch.clone(), key.id));
    keys.dedup();
    let fresh: HashSet<EntryKey> = write::entries(
        connection,
        "INSERT INTO settled_entries (epoch, ms, seq) SELECT * FROM unnest(?, ?, ?) \
         ON CONFLICT DO NOTHING RETURNING epoch, ms, seq",
        keys.iter().copied(),
    )
    .await?;
    Ok(keys.into_iter().filter(|key| !fresh.contains(*key)).cloned().collect())
}

type States = Vec<(String, PostState<'static>)>;

/// Takes the key rows of the batch's posts, in their order, and reads what is known of those that were there.
/// An entry of a post that nobody has seen cannot have been settled, so only the others are looked up.
async fn lock_keys(
    connection: &mut AsyncPgConnection,
    batch: &[Settlement],
    settled: &mut HashSet<EntryKey>,
) -> QueryResult<States> {
    let slots = Slots::of(batch);
    let mut ids = slots.ids();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    ids.sort_unstable();
    // The update does nothing but lock the row; xmax tells it from an insert.
    let locked: Vec<(String, bool)> =
        sql("INSERT INTO post_keys (post_id) SELECT * FROM unnest(?) ON CONFLICT (post_id) \
         DO UPDATE SET post_id = excluded.post_id RETURNING post_id, xmax <> 0")
        .bind::<Array<Text>, _>(&ids)
        .rows::<(Text, Bool)>()
        .load(connection)
        .await?;
    let seen: HashSet<&str> = locked.iter().filter(|(_, seen)| *seen).map(|(id, _)| &**id).collect();
    if seen.is_empty() {
        return Ok(Vec::new());
    }
    let asked = batch
        .iter()
        .filter(|settlement| settlement.change.post_id().is_some_and(|id| seen.contains(id.as_str())))
        .map(|settlement| &settlement.key);
    let found = write::entries(
        connection,
        "SELECT epoch, ms, seq FROM settled_entries JOIN unnest(?, ?, ?) AS asked (epoch, ms, seq) USING (epoch, ms, seq)",
        asked,
    )
    .await?;
    settled.extend(found);
    load_states(connection, &seen.into_iter().collect::<Vec<_>>()).await
}

async fn load_states(connection: &mut AsyncPgConnection, ids: &[&str]) -> QueryResult<States> {
    let rows: Vec<StateRow> = sql(select_states!("unnest(?) AS i (post_id)"))
        .bind::<Array<Text>, _>(ids)
        .rows::<StateColumns>()
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.post_id.clone(), row.into_state())).collect())
}

/// The tombstones of the authors of the batch's posts, and of those that are stored.
async fn load_authors(
    connection: &mut AsyncPgConnection,
    slots: &Slots<'_>,
    batch: &[Settlement],
) -> QueryResult<AuthorTombstones> {
    let (sources, authors): (Vec<String>, Vec<String>) = slots.authors(batch).into_iter().unzip();
    if authors.is_empty() {
        return Ok(AuthorTombstones::new());
    }
    let rows: Vec<(String, String, String, i64, i64)> =
        sql("SELECT k.source, k.author, k.epoch, k.ms, k.seq FROM author_keys k \
         JOIN unnest(?, ?) AS asked (source, author) ON asked.source = k.source AND asked.author = k.author")
        .bind::<Array<Text>, _>(&sources)
        .bind::<Array<Text>, _>(&authors)
        .rows::<(Text, Text, Text, BigInt, BigInt)>()
        .load(connection)
        .await?;
    let mut tombstones = AuthorTombstones::new();
    for (source, author, epoch, ms, seq) in rows {
        let key = EntryKey { epoch: epoch.into(), id: entry_id((ms, seq)) };
        tombstones.entry((source, author)).or_default().push(key);
    }
    Ok(tombstones)
}

async fn delete_author(
    connection: &mut AsyncPgConnection,
    key: &EntryKey,
    (source, author): (&Source, &Author),
    now: Timestamp,
    tally: &mut Tally,
) -> QueryResult<Vec<PostId>> {
    let (ms, seq) = columns(key.id);
    sql("INSERT INTO author_keys AS k (source, author, epoch, ms, seq) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (source, author, epoch) DO UPDATE SET ms = excluded.ms, seq = excluded.seq \
         WHERE (excluded.ms, excluded.seq) > (k.ms, k.seq)")
    .bind::<Text, _>(source.as_str())
    .bind::<Text, _>(author.as_str())
    .bind::<Text, _>(&*key.epoch)
    .bind::<BigInt, _>(ms)
    .bind::<BigInt, _>(seq)
    .execute(connection)
    .await?;
    let rows: Vec<StateRow> =
        sql(select_states!("(SELECT post_id FROM social_media_posts WHERE source = ? AND author = ?) AS i"))
            .bind::<Text, _>(source.as_str())
            .bind::<Text, _>(author.as_str())
            .rows::<StateColumns>()
            .load(connection)
            .await?;
    let (mut removed, mut creators) = (Vec::new(), Vec::new());
    for found in rows {
        let Ok(post_id) = PostId::parse(&found.post_id) else { continue };
        let state = found.into_state();
        if let Some(row) = state.row.as_ref().filter(|_| state.is_covered(std::slice::from_ref(key))) {
            tally.add_row(row, -1);
            creators.push(row.creator.clone());
            removed.push(post_id);
        }
    }
    removed.sort_unstable();
    let ids: Vec<&str> = removed.iter().map(PostId::as_str).collect();
    write::removal(connection, &ids, now).await?;
    write::remembered(connection, &creators).await?;
    Ok(removed)
}
