//! Removes posts and all citations of them.

use std::collections::BTreeSet;

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::store::alerts::without_evidence;
use crate::store::notify::text_without_quotes;
use crate::store::settle::RemovedPost;
use crate::store::settle::state::columns;
use crate::store::sql::{At, Document, Instant, JsonText, sql};
use sentistream_core::domain::{EntryKey, Timestamp};

/// Removes stored posts and leaves tombstones. Returns how often alerts cited the posts.
pub async fn replace_with_tombstones(
    connection: &mut AsyncPgConnection,
    ids: &[&str],
    now: Timestamp,
) -> QueryResult<i64> {
    if ids.is_empty() {
        return Ok(0);
    }
    sql("UPDATE post_keys SET deleted_at = ?, edited_at = NULL, earliest_ms = NULL, earliest_seq = NULL \
         WHERE post_id = ANY(?)")
    .bind::<Instant, _>(At(now))
    .bind::<Array<Text>, _>(ids)
    .execute(connection)
    .await?;
    remove_posts(connection, ids).await
}

/// Stores which posts the deletion of an author removed.
pub async fn store_removed(
    connection: &mut AsyncPgConnection,
    deletion: &EntryKey,
    posts: &[RemovedPost],
) -> QueryResult<()> {
    if posts.is_empty() {
        return Ok(());
    }
    let (ms, seq) = columns(deletion.id);
    let analyzed = |post: &RemovedPost| At(post.analyzed_at.unwrap_or(Timestamp::EPOCH));
    sql("INSERT INTO removed_posts (epoch, ms, seq, post_id, analyzed_at) \
         SELECT ?, ?, ?, v.post_id, v.analyzed_at FROM unnest(?, ?) AS v (post_id, analyzed_at) ON CONFLICT DO NOTHING")
    .bind::<Text, _>(&*deletion.epoch)
    .bind::<BigInt, _>(ms)
    .bind::<BigInt, _>(seq)
    .bind::<Array<Text>, _>(posts.iter().map(|post| post.post_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Instant>, _>(posts.iter().map(analyzed).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes the rows in `post_keys` of posts that are not stored and have no tombstone.
pub async fn forget_keys(connection: &mut AsyncPgConnection, ids: &[&str]) -> QueryResult<()> {
    if !ids.is_empty() {
        sql("DELETE FROM post_keys WHERE post_id = ANY(?) AND deleted_at IS NULL")
            .bind::<Array<Text>, _>(ids)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Removes posts, their analyses, their citations in alerts, and their quotes in messages. Returns the number of
/// citations.
pub async fn remove_posts(connection: &mut AsyncPgConnection, ids: &[&str]) -> QueryResult<i64> {
    if ids.is_empty() {
        return Ok(0);
    }
    sql("DELETE FROM social_media_posts WHERE post_id = ANY(?)")
        .bind::<Array<Text>, _>(ids)
        .execute(connection)
        .await?;
    let cited: Vec<i64> = sql("DELETE FROM alert_evidence WHERE post_id = ANY(?) RETURNING alert_id")
        .bind::<Array<Text>, _>(ids)
        .rows::<BigInt>()
        .load(connection)
        .await?;
    for id in cited.iter().copied().collect::<BTreeSet<i64>>() {
        let details: JsonText = sql("SELECT details FROM sentiment_alerts WHERE id = ? FOR UPDATE")
            .bind::<BigInt, _>(id)
            .rows::<Document>()
            .get_result(connection)
            .await?;
        sql("UPDATE sentiment_alerts SET details = ? WHERE id = ?")
            .bind::<Document, _>(JsonText(without_evidence(&details.0, &|post| ids.contains(&post))))
            .bind::<BigInt, _>(id)
            .execute(connection)
            .await?;
    }
    remove_quotes(connection, ids).await?;
    Ok(cited.len() as i64)
}

async fn remove_quotes(connection: &mut AsyncPgConnection, ids: &[&str]) -> QueryResult<()> {
    let quoting: Vec<i64> = sql("DELETE FROM alert_delivery_posts WHERE post_id = ANY(?) RETURNING delivery_id")
        .bind::<Array<Text>, _>(ids)
        .rows::<BigInt>()
        .load(connection)
        .await?;
    for id in quoting.into_iter().collect::<BTreeSet<i64>>() {
        let messages: Vec<JsonText> = sql("SELECT message FROM alert_deliveries WHERE id = ? FOR UPDATE")
            .bind::<BigInt, _>(id)
            .rows::<Document>()
            .load(connection)
            .await?;
        for message in messages {
            sql("UPDATE alert_deliveries SET message = ? WHERE id = ?")
                .bind::<Document, _>(JsonText(text_without_quotes(&message.0, &|post| ids.contains(&post))))
                .bind::<BigInt, _>(id)
                .execute(connection)
                .await?;
        }
    }
    Ok(())
}
