//! Settles entries in Postgres, with one statement per table for the whole batch.
//!
//! Every transaction takes its locks in the same order, so that transactions wait for each other and cannot deadlock:
//! the lock of authors, the lock of topics, the rows of `post_keys` by `post_id`, then posts, alerts, rollups and
//! counters, each in the order of their keys.

mod analyses;
mod entries;
mod removal;
mod rollups;
mod write;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::plan::{AuthorTombstones, PlanInput, PostState, Row, Slots, Terms, plan};
use super::removal_step::{AuthorStep, Candidate, CandidateColumns, OldPosts, Removal};
use super::state::{StateColumns, StateRow, columns, entry_id, select_states};
use super::tally::Tally;
use super::topics::{SELECT_TOPICS, TopicColumns, TopicRow};
use super::{Reanalysis, RemovedPost, Settled, Settlement};
use crate::store::Retention;
use crate::store::sql::{At, Instant, sql};
use crate::store::topics::TOPICS_LOCK;
use sentistream_core::domain::{EntryKey, PostId, PostTopic, Timestamp};

/// The advisory lock for author tombstones. Transactions that store posts share it; a transaction that writes a
/// tombstone holds it exclusively.
pub const AUTHORS_LOCK: i64 = 0x0073_656e_7469_0002;

/// Settles `batch`; see [`crate::store::Store::settle`].
pub fn settle(
    connection: &mut AsyncPgConnection,
    batch: Arc<[Settlement]>,
    terms: Arc<Terms>,
    mut tally: Tally,
) -> BoxFuture<'_, QueryResult<Option<Vec<Settled>>>> {
    async move {
        let now = tally.now();
        lock_authors(connection).await?;
        if let Some(version) = terms.version
            && topics_version(connection).await? != version
        {
            return Ok(None);
        }
        let mut settled = claim_keyless(connection, &batch).await?;
        let known = lock_keys(connection, &batch, &mut settled).await?;
        let mut slots = Slots::of(&batch);
        for (post_id, state) in known {
            slots.set_state(&post_id, state);
        }
        let authors = load_authors(connection, &slots, &batch).await?;
        let plan = plan(&batch, PlanInput { now, terms: &terms, slots, authors }, &mut settled);
        write::posts(connection, &plan, now).await?;
        entries::store(connection, &plan.remembered).await?;
        tally.add_posts(&plan);
        let answers = plan.answers;
        for (settlement, settled) in batch.iter().zip(&answers) {
            tally.add_outcome(&settlement.key, settled);
        }
        rollups::add(connection, &tally).await?;
        Ok(Some(answers))
    }
    .boxed()
}

/// Locks the topics and returns their version, which cannot change before this transaction ends.
async fn topics_version(connection: &mut AsyncPgConnection) -> QueryResult<i64> {
    sql("SELECT pg_advisory_xact_lock_shared(?)").bind::<BigInt, _>(TOPICS_LOCK).execute(connection).await?;
    sql("SELECT version FROM topic_state WHERE id = 1").rows::<BigInt>().get_result(connection).await
}

/// Blocks new tombstones of authors and changes of topics until this transaction ends. Returns the version of the
/// topics.
pub async fn lock_for_backfill(connection: &mut AsyncPgConnection) -> QueryResult<i64> {
    lock_authors(connection).await?;
    topics_version(connection).await
}

/// Adds the changes in `tally` to the rollups and counters.
pub async fn write_tally(connection: &mut AsyncPgConnection, tally: &Tally) -> QueryResult<()> {
    rollups::add(connection, tally).await
}

/// Deletes one post without a stream entry. Returns whether the post was stored.
pub fn delete_post(
    connection: &mut AsyncPgConnection,
    id: PostId,
    now: Timestamp,
    retention: Retention,
) -> BoxFuture<'_, QueryResult<bool>> {
    async move {
        lock_authors(connection).await?;
        lock_known_keys(connection, &[id.as_str()]).await?;
        let states = load_states(connection, &[id.as_str()]).await?;
        let Some(row) = states.into_iter().find_map(|(_, state)| state.row) else { return Ok(false) };
        let mut tally = Tally::new(now, &retention);
        tally.add_row(&row, -1);
        removal::replace_with_tombstones(connection, &[id.as_str()], now).await?;
        entries::store(connection, &[row.creator]).await?;
        rollups::add(connection, &tally).await?;
        Ok(true)
    }
    .boxed()
}

/// Replaces the analysis of a stored post.
pub async fn write_analysis(
    connection: &mut AsyncPgConnection,
    reanalysis: &Reanalysis,
    now: Timestamp,
) -> QueryResult<()> {
    analyses::replace(connection, &reanalysis.post_id, &reanalysis.analysis, now).await
}

/// Replaces the topics of a stored post by those of `row`.
pub async fn replace_topics(connection: &mut AsyncPgConnection, post_id: &str, row: &Row<'_>) -> QueryResult<()> {
    sql("DELETE FROM post_topics AS t USING social_media_posts p WHERE t.post = p.id AND p.post_id = ?")
        .bind::<Text, _>(post_id)
        .execute(connection)
        .await?;
    write::topics(connection, &write::values(post_id, row).collect::<Vec<_>>()).await
}

/// Locks the rows of posts in `post_keys`, and reads the states of the posts.
pub async fn lock_states(
    connection: &mut AsyncPgConnection,
    ids: &[&str],
) -> QueryResult<HashMap<String, PostState<'static>>> {
    lock_known_keys(connection, ids).await?;
    Ok(load_states(connection, ids).await?.into_iter().collect())
}

/// Prevents other transactions from writing author tombstones until this transaction ends.
async fn lock_authors(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    sql("SELECT pg_advisory_xact_lock_shared(?)").bind::<BigInt, _>(AUTHORS_LOCK).execute(connection).await?;
    Ok(())
}

/// Locks the rows of posts in `post_keys`, in ascending order.
async fn lock_known_keys(connection: &mut AsyncPgConnection, ids: &[&str]) -> QueryResult<()> {
    sql("SELECT 1 FROM post_keys WHERE post_id = ANY(?) ORDER BY post_id FOR UPDATE")
        .bind::<Array<Text>, _>(ids)
        .execute(connection)
        .await?;
    Ok(())
}

/// Stores the ids of the batch's entries that refer to no post. Returns the entries whose ids were already stored,
/// because these entries are settled.
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
    let fresh: HashSet<EntryKey> = entries::run(
        connection,
        "INSERT INTO settled_entries (epoch, ms, seq) SELECT * FROM unnest(?, ?, ?) \
         ON CONFLICT DO NOTHING RETURNING epoch, ms, seq",
        keys.iter().copied(),
    )
    .await?;
    Ok(keys.into_iter().filter(|key| !fresh.contains(*key)).cloned().collect())
}

type States = Vec<(String, PostState<'static>)>;

/// Locks the rows of the batch's posts in `post_keys` in ascending order, and reads the states of the posts whose rows
/// existed. An entry of a new post cannot have been settled before, so only the entries of existing posts are looked
/// up.
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
    // The update changes nothing and only locks an existing row. `xmax` shows whether the row was inserted or existed.
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
    let found = entries::run(
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
    let mut states: States = rows.into_iter().map(|row| (row.post_id.clone(), row.into_state())).collect();
    let topics: Vec<TopicRow> = sql(format!("{SELECT_TOPICS} p.post_id = ANY(?) ORDER BY t.topic_id"))
        .bind::<Array<Text>, _>(ids)
        .rows::<TopicColumns>()
        .load(connection)
        .await?;
    let mut by_post: HashMap<String, Vec<PostTopic>> = HashMap::new();
    for topic in topics {
        by_post.entry(topic.post_id.clone()).or_default().push(topic.into());
    }
    for (post_id, state) in &mut states {
        if let (Some(row), Some(topics)) = (&mut state.row, by_post.remove(post_id)) {
            row.topics = topics;
        }
    }
    Ok(states)
}

/// The tombstones of the authors of the batch's posts and of the stored posts.
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

/// Removes some posts of an author; see [`super::removal`].
pub fn remove_author_step(
    connection: &mut AsyncPgConnection,
    step: AuthorStep,
    now: Timestamp,
    retention: Retention,
) -> BoxFuture<'_, QueryResult<Removal>> {
    async move {
        lock_authors(connection).await?;
        let candidates: Vec<Candidate> =
            sql("SELECT post_id, created_at, id FROM social_media_posts WHERE author = ? AND source = ? \
                 AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?")
            .bind::<Text, _>(step.author.as_str())
            .bind::<Text, _>(step.source.as_str())
            .bind::<Instant, _>(At(step.after.created_at))
            .bind::<BigInt, _>(step.after.id)
            .bind::<BigInt, _>(step.limit)
            .rows::<CandidateColumns>()
            .load(connection)
            .await?;
        let ids: Vec<&str> = candidates.iter().map(|candidate| candidate.post_id.as_str()).collect();
        lock_known_keys(connection, &ids).await?;
        let mut tally = Tally::new(now, &retention);
        let (mut removal, mut creators) = (Removal::default(), Vec::new());
        for (post_id, state) in load_states(connection, &ids).await? {
            let Ok(post_id) = PostId::parse(&post_id) else { continue };
            let covered = step.deletion.as_ref().is_none_or(|key| state.is_covered(std::slice::from_ref(key)));
            if let Some(row) = state.row.filter(|_| covered) {
                tally.add_row(&row, -1);
                removal.posts.push(RemovedPost { post_id, analyzed_at: row.analyzed_at });
                creators.push(row.creator);
            }
        }
        removal.posts.sort_unstable_by(|one, other| one.post_id.cmp(&other.post_id));
        let gone: Vec<&str> = removal.posts.iter().map(|post| post.post_id.as_str()).collect();
        removal.evidence = removal::replace_with_tombstones(connection, &gone, now).await?;
        entries::store(connection, &creators).await?;
        if let Some(deletion) = &step.deletion {
            removal::store_removed(connection, deletion, &removal.posts).await?;
        }
        rollups::add(connection, &tally).await?;
        removal.next = candidates.last().filter(|_| candidates.len() as i64 == step.limit).map(Candidate::position);
        Ok(removal)
    }
    .boxed()
}

/// Removes old posts; see [`super::removal`].
pub fn remove_old_posts(connection: &mut AsyncPgConnection, old: OldPosts) -> BoxFuture<'_, QueryResult<usize>> {
    async move {
        let Some(needed) = old.needed else { return Ok(0) };
        let (ms, seq) = columns(needed.id);
        let ids: Vec<String> = sql("SELECT post_id FROM social_media_posts WHERE created_at < ? \
                                    AND (entry_epoch <> ? OR (entry_ms, entry_seq) < (?, ?)) ORDER BY created_at LIMIT ?")
        .bind::<Instant, _>(At(old.before))
        .bind::<Text, _>(&*needed.epoch)
        .bind::<BigInt, _>(ms)
        .bind::<BigInt, _>(seq)
        .bind::<BigInt, _>(old.limit)
        .rows::<Text>()
        .load(connection)
        .await?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        lock_known_keys(connection, &ids).await?;
        removal::remove_posts(connection, &ids).await?;
        removal::forget_keys(connection, &ids).await?;
        Ok(ids.len())
    }
    .boxed()
}

/// Removes posts with their counts and keys; see [`crate::store::demonstration`]. The ids of their entries are stored,
/// so that an entry that is delivered again is recognised.
pub fn remove_with_counts(
    connection: &mut AsyncPgConnection,
    ids: Vec<String>,
    now: Timestamp,
    retention: Retention,
) -> BoxFuture<'_, QueryResult<usize>> {
    async move {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        lock_known_keys(connection, &ids).await?;
        let mut tally = Tally::new(now, &retention);
        let mut creators = Vec::new();
        for (_, state) in load_states(connection, &ids).await? {
            if let Some(row) = state.row {
                tally.add_row(&row, -1);
                creators.push(row.creator);
            }
        }
        removal::remove_posts(connection, &ids).await?;
        removal::forget_keys(connection, &ids).await?;
        entries::store(connection, &creators).await?;
        rollups::add(connection, &tally).await?;
        Ok(creators.len())
    }
    .boxed()
}
