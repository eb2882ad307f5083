//! Writes the posts of a batch, their topics and their keys: one statement per table, with arrays as values.

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, Text, Uuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::store::labels::LabelColumns;
use crate::store::posts::public_id;
use crate::store::search::postgres as search;
use crate::store::settle::plan::{Plan, Row, Slot, Version};
use crate::store::settle::state::columns;
use crate::store::settle::topics::TopicValues;
use crate::store::sql::{At, Instant, sql};
use sentistream_core::domain::{Author, EntryKey, Post, Timestamp};

use super::{analyses, removal};

/// Writes the planned states of the batch's posts and of their keys.
pub async fn posts(connection: &mut AsyncPgConnection, plan: &Plan<'_>, now: Timestamp) -> QueryResult<()> {
    let mut changes = Changes::default();
    for slot in &plan.slots {
        match (&slot.before.row, &slot.after.row, slot.content) {
            (None, Some(row), Some(version)) => {
                changes.inserted.push((version, &row.creator));
                changes.topics.extend(values(slot.post_id.as_str(), row));
            }
            (Some(before), Some(row), Some(version)) => {
                changes.updated.push(version);
                // The topics are rewritten even if they are the same, because the sentiments towards them belong to the
                // new version.
                if !before.topics.is_empty() || !row.topics.is_empty() {
                    changes.untracked.push(slot.post_id.as_str());
                    changes.topics.extend(values(slot.post_id.as_str(), row));
                }
            }
            (Some(_), None, _) => changes.removed.push(slot.post_id.as_str()),
            _ => {}
        }
        if slot.is_unknown() || slot.key_changed() {
            changes.keys.push(slot);
        }
    }
    if !changes.inserted.is_empty() {
        insert_posts(connection, &changes.inserted, now).await?;
        let versions: Vec<Version<'_>> = changes.inserted.iter().map(|(version, _)| *version).collect();
        analyses::write(connection, &versions, now).await?;
    }
    if !changes.updated.is_empty() {
        update_posts(connection, &changes.updated).await?;
        analyses::remove_missing(connection, &changes.updated).await?;
        analyses::write(connection, &changes.updated, now).await?;
        let posts: Vec<&Post> = changes.updated.iter().map(|version| version.post).collect();
        search::update(connection, &posts).await?;
    }
    if !changes.untracked.is_empty() {
        sql("DELETE FROM post_topics AS t USING social_media_posts p WHERE t.post = p.id AND p.post_id = ANY(?)")
            .bind::<Array<Text>, _>(&changes.untracked)
            .execute(connection)
            .await?;
    }
    topics(connection, &changes.topics).await?;
    if !changes.keys.is_empty() {
        update_keys(connection, &changes.keys, now).await?;
    }
    removal::remove_posts(connection, &changes.removed).await?;
    Ok(())
}

#[derive(Default)]
struct Changes<'a> {
    inserted: Vec<(Version<'a>, &'a EntryKey)>,
    updated: Vec<Version<'a>>,
    removed: Vec<&'a str>,
    /// Posts whose topics are replaced.
    untracked: Vec<&'a str>,
    /// Pairs of a post and one of its topics.
    topics: Vec<(&'a str, TopicValues)>,
    keys: Vec<&'a Slot<'a>>,
}

/// The topics of a post, each with the values of its columns.
pub fn values<'a>(post_id: &'a str, row: &'a Row<'_>) -> impl Iterator<Item = (&'a str, TopicValues)> {
    row.topics.iter().map(move |topic| (post_id, TopicValues::of(topic, row)))
}

/// Inserts the topic matches of stored posts.
pub async fn topics(connection: &mut AsyncPgConnection, topics: &[(&str, TopicValues)]) -> QueryResult<()> {
    if topics.is_empty() {
        return Ok(());
    }
    let values = || topics.iter().map(|(_, values)| values);
    sql("INSERT INTO post_topics (topic_id, created_at, post, sentiment_label, confidence_score, clause_start, \
         clause_end) SELECT v.topic_id, p.created_at, p.id, v.sentiment, v.confidence, v.clause_start, v.clause_end \
         FROM unnest(?, ?, ?, ?, ?, ?) AS v (post_id, topic_id, sentiment, confidence, clause_start, clause_end) \
         JOIN social_media_posts p ON p.post_id = v.post_id")
    .bind::<Array<Text>, _>(topics.iter().map(|(post_id, _)| *post_id).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(values().map(|values| values.topic).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(values().map(|values| values.sentiment).collect::<Vec<_>>())
    .bind::<Array<Nullable<Double>>, _>(values().map(|values| values.confidence).collect::<Vec<_>>())
    .bind::<Array<Nullable<Integer>>, _>(values().map(|values| values.clause_start).collect::<Vec<_>>())
    .bind::<Array<Nullable<Integer>>, _>(values().map(|values| values.clause_end).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_posts(
    connection: &mut AsyncPgConnection,
    inserted: &[(Version<'_>, &EntryKey)],
    now: Timestamp,
) -> QueryResult<()> {
    let post = || inserted.iter().map(|(version, _)| version.post);
    let labels: Vec<LabelColumns> = inserted.iter().map(|(version, _)| version.labels()).collect();
    let id = || inserted.iter().map(|(_, creator)| columns(creator.id));
    sql(
        "WITH inserted AS (INSERT INTO social_media_posts (ingested_at, post_id, source, content, author, created_at, \
         lang, url, reply_to, public_id, sentiment_label, emotion, confidence_score, entry_epoch, entry_ms, entry_seq) \
         SELECT ?, * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id, post_id) \
         INSERT INTO post_search (post, grams) SELECT i.id, array_to_tsvector(string_to_array(v.grams, ' ')) \
         FROM inserted i JOIN unnest(?, ?) AS v (post_id, grams) ON v.post_id = i.post_id",
    )
    .bind::<Instant, _>(At(now))
    .bind::<Array<Text>, _>(post().map(|post| post.post_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(post().map(|post| post.source.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(post().map(|post| post.content.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(post().map(|post| post.author.as_ref().map(Author::as_str)).collect::<Vec<_>>())
    .bind::<Array<Instant>, _>(post().map(|post| At(post.created_at)).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(post().map(|post| post.lang.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(post().map(|post| post.url.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(post().map(|post| post.reply_to.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Uuid>, _>(post().map(|post| public_id(&post.post_id)).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(labels.iter().map(|labels| labels.sentiment).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(labels.iter().map(|labels| &*labels.emotion).collect::<Vec<_>>())
    .bind::<Array<Double>, _>(inserted.iter().map(|(version, _)| version.confidence()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(inserted.iter().map(|(_, creator)| &*creator.epoch).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(id().map(|(ms, _)| ms).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(id().map(|(_, seq)| seq).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(post().map(|post| post.post_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(post().map(|post| search::lexemes(&post.content)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn update_posts(connection: &mut AsyncPgConnection, updated: &[Version<'_>]) -> QueryResult<()> {
    let labels: Vec<LabelColumns> = updated.iter().map(Version::labels).collect();
    let post = || updated.iter().map(|version| version.post);
    sql("UPDATE social_media_posts AS p SET source = v.source, content = v.content, author = v.author, \
         created_at = v.created_at, lang = v.lang, url = v.url, reply_to = v.reply_to, \
         sentiment_label = v.sentiment_label, emotion = v.emotion, confidence_score = v.confidence_score \
         FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) AS v (post_id, source, content, author, created_at, lang, url, \
         reply_to, sentiment_label, emotion, confidence_score) WHERE p.post_id = v.post_id")
    .bind::<Array<Text>, _>(post().map(|post| post.post_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(post().map(|post| post.source.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(post().map(|post| post.content.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(post().map(|post| post.author.as_ref().map(Author::as_str)).collect::<Vec<_>>())
    .bind::<Array<Instant>, _>(post().map(|post| At(post.created_at)).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(post().map(|post| post.lang.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(post().map(|post| post.url.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(post().map(|post| post.reply_to.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(labels.iter().map(|labels| labels.sentiment).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(labels.iter().map(|labels| &*labels.emotion).collect::<Vec<_>>())
    .bind::<Array<Double>, _>(updated.iter().map(Version::confidence).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn update_keys(connection: &mut AsyncPgConnection, keys: &[&Slot<'_>], now: Timestamp) -> QueryResult<()> {
    let after = || keys.iter().map(|slot| &slot.after);
    let earliest = || after().map(|state| state.earliest.map(columns));
    // The key row of a post that is too old to be stored is marked as a tombstone, so that it is pruned like other
    // tombstones.
    let deleted = || keys.iter().map(|slot| (slot.after.deleted || slot.is_unknown()).then_some(At(now)));
    sql("UPDATE post_keys AS k SET deleted_at = v.deleted_at, edited_at = v.edited_at, earliest_ms = v.ms, \
         earliest_seq = v.seq FROM unnest(?, ?, ?, ?, ?) AS v (post_id, deleted_at, edited_at, ms, seq) \
         WHERE k.post_id = v.post_id")
    .bind::<Array<Text>, _>(keys.iter().map(|slot| slot.post_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Instant>>, _>(deleted().collect::<Vec<_>>())
    .bind::<Array<Nullable<Instant>>, _>(after().map(|state| state.edited_at.map(At)).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(earliest().map(|id| id.map(|(ms, _)| ms)).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(earliest().map(|id| id.map(|(_, seq)| seq)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
