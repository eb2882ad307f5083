//! The statements that write a batch: one per row.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Double, Integer, Nullable, Text};
use diesel::sqlite::SqliteConnection;

use crate::store::alerts::without_evidence;
use crate::store::notify::text_without_quotes;
use crate::store::posts::{public_id, scores_json};
use crate::store::search::sqlite as search;
use crate::store::settle::RemovedPost;
use crate::store::settle::plan::{Plan, PostState, Row, Version};
use crate::store::settle::state::columns;
use crate::store::settle::tally::Tally;
use crate::store::settle::topics::TopicValues;
use crate::store::sql::{At, Document, Instant, JsonText, sql};
use sentistream_core::domain::{Analysis, Author, EntryKey, PostId, Timestamp};

/// Writes the planned states of the batch's posts and of their keys.
pub fn posts(connection: &mut SqliteConnection, plan: &Plan<'_>, now: Timestamp) -> QueryResult<()> {
    for slot in &plan.slots {
        match (&slot.before.row, &slot.after.row, slot.content) {
            (None, Some(row), Some(version)) => {
                insert(connection, version, &row.creator, now)?;
                topics(connection, version.post.post_id.as_str(), row)?;
            }
            (Some(before), Some(row), Some(version)) => {
                update(connection, version, now)?;
                // The topics are rewritten even if they are the same, because the sentiments towards them belong to the
                // new version.
                if !before.topics.is_empty() || !row.topics.is_empty() {
                    clear_topics(connection, version.post.post_id.as_str())?;
                    topics(connection, version.post.post_id.as_str(), row)?;
                }
            }
            (Some(_), None, _) => {
                remove_post(connection, slot.post_id.as_str())?;
            }
            _ => {}
        }
        if slot.key_changed() {
            key(connection, slot.post_id.as_str(), &slot.after, now)?;
        }
        if slot.after.deleted && !slot.before.deleted {
            clear_dead_letters(connection, slot.post_id.as_str())?;
        }
    }
    Ok(())
}

fn insert(
    connection: &mut SqliteConnection,
    version: Version<'_>,
    creator: &EntryKey,
    now: Timestamp,
) -> QueryResult<()> {
    let (post, labels) = (version.post, version.labels());
    let (ms, seq) = columns(creator.id);
    sql("INSERT INTO social_media_posts (post_id, source, content, author, created_at, ingested_at, lang, url, \
         reply_to, public_id, sentiment_label, emotion, confidence_score, entry_epoch, entry_ms, entry_seq) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
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
    .bind::<Text, _>(labels.sentiment)
    .bind::<Text, _>(&*labels.emotion)
    .bind::<Double, _>(version.confidence())
    .bind::<Text, _>(&*creator.epoch)
    .bind::<BigInt, _>(ms)
    .bind::<BigInt, _>(seq)
    .execute(connection)?;
    search::insert(connection, &post.content)?;
    match version.analysis {
        Some(analysis) => insert_analysis(connection, &post.post_id, analysis, now),
        None => Ok(()),
    }
}

fn insert_analysis(
    connection: &mut SqliteConnection,
    post_id: &PostId,
    analysis: &Analysis,
    now: Timestamp,
) -> QueryResult<()> {
    sql("INSERT INTO sentiment_analysis (post_id, model_name, sentiment_label, confidence_score, emotion, \
         analyzed_at, scores, truncated) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
    .bind::<Text, _>(post_id.as_str())
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

fn update(connection: &mut SqliteConnection, version: Version<'_>, now: Timestamp) -> QueryResult<()> {
    let (post, labels) = (version.post, version.labels());
    sql("UPDATE social_media_posts SET source = ?, content = ?, author = ?, created_at = ?, lang = ?, url = ?, \
         reply_to = ?, sentiment_label = ?, emotion = ?, confidence_score = ? WHERE post_id = ?")
    .bind::<Text, _>(post.source.as_str())
    .bind::<Text, _>(post.content.as_str())
    .bind::<Nullable<Text>, _>(post.author.as_ref().map(Author::as_str))
    .bind::<Instant, _>(At(post.created_at))
    .bind::<Nullable<Text>, _>(post.lang.as_deref())
    .bind::<Nullable<Text>, _>(post.url.as_deref())
    .bind::<Nullable<Text>, _>(post.reply_to.as_deref())
    .bind::<Text, _>(labels.sentiment)
    .bind::<Text, _>(&*labels.emotion)
    .bind::<Double, _>(version.confidence())
    .bind::<Text, _>(post.post_id.as_str())
    .execute(connection)?;
    search::update(connection, post.post_id.as_str(), &post.content)?;
    match version.analysis {
        Some(analysis) if update_analysis(connection, &post.post_id, analysis, now)? > 0 => Ok(()),
        // The earlier version is unscored, so there is no analysis to update.
        Some(analysis) => insert_analysis(connection, &post.post_id, analysis, now),
        None => {
            sql("DELETE FROM sentiment_analysis WHERE post_id = ?")
                .bind::<Text, _>(post.post_id.as_str())
                .execute(connection)?;
            Ok(())
        }
    }
}

/// Replaces the analysis of a stored post, or adds one to an unscored post.
pub fn analysis(
    connection: &mut SqliteConnection,
    post_id: &PostId,
    analysis: &Analysis,
    now: Timestamp,
) -> QueryResult<()> {
    sql("UPDATE social_media_posts SET sentiment_label = ?, emotion = ?, confidence_score = ? WHERE post_id = ?")
        .bind::<Text, _>(analysis.sentiment.as_str())
        .bind::<Text, _>(analysis.emotion.as_str())
        .bind::<Double, _>(analysis.confidence)
        .bind::<Text, _>(post_id.as_str())
        .execute(connection)?;
    match update_analysis(connection, post_id, analysis, now)? {
        0 => insert_analysis(connection, post_id, analysis, now),
        _ => Ok(()),
    }
}

/// Updates the analysis of a post. Returns the number of changed rows, which is 0 if the stored version is unscored.
fn update_analysis(
    connection: &mut SqliteConnection,
    post_id: &PostId,
    analysis: &Analysis,
    now: Timestamp,
) -> QueryResult<usize> {
    sql("UPDATE sentiment_analysis SET model_name = ?, sentiment_label = ?, confidence_score = ?, emotion = ?, \
         analyzed_at = ?, scores = ?, truncated = ? WHERE post_id = ?")
    .bind::<Text, _>(&*analysis.model_name)
    .bind::<Text, _>(analysis.sentiment.as_str())
    .bind::<Double, _>(analysis.confidence)
    .bind::<Text, _>(analysis.emotion.as_str())
    .bind::<Instant, _>(At(now))
    .bind::<Document, _>(JsonText(scores_json(&analysis.scores)))
    .bind::<Bool, _>(analysis.truncated)
    .bind::<Text, _>(post_id.as_str())
    .execute(connection)
}

/// Stores the topics of a stored post.
pub fn topics(connection: &mut SqliteConnection, post_id: &str, row: &Row<'_>) -> QueryResult<()> {
    for topic in &row.topics {
        let values = TopicValues::of(topic, row);
        sql("INSERT INTO post_topics (topic_id, sentiment_label, confidence_score, clause_start, clause_end, \
             created_at, post) SELECT ?, ?, ?, ?, ?, created_at, id FROM social_media_posts WHERE post_id = ?")
        .bind::<BigInt, _>(values.topic)
        .bind::<Nullable<Text>, _>(values.sentiment)
        .bind::<Nullable<Double>, _>(values.confidence)
        .bind::<Nullable<Integer>, _>(values.clause_start)
        .bind::<Nullable<Integer>, _>(values.clause_end)
        .bind::<Text, _>(post_id)
        .execute(connection)?;
    }
    Ok(())
}

/// Removes the topics of a stored post.
pub fn clear_topics(connection: &mut SqliteConnection, post_id: &str) -> QueryResult<()> {
    sql("DELETE FROM post_topics WHERE post = (SELECT id FROM social_media_posts WHERE post_id = ?)")
        .bind::<Text, _>(post_id)
        .execute(connection)?;
    Ok(())
}

/// Removes a stored post and leaves a tombstone. Returns how often alerts cited the post.
pub fn removal(connection: &mut SqliteConnection, post_id: &str, now: Timestamp) -> QueryResult<i64> {
    let evidence = remove_post(connection, post_id)?;
    clear_dead_letters(connection, post_id)?;
    key(connection, post_id, &PostState { deleted: true, ..PostState::default() }, now)?;
    Ok(evidence)
}

/// Removes the dead letters of a deleted post. This must be part of the transaction, because the transaction also
/// removes the deletion from the embedded queue. After a crash the deletion is not delivered again.
fn clear_dead_letters(connection: &mut SqliteConnection, post_id: &str) -> QueryResult<()> {
    sql("DELETE FROM dead_letter_entries WHERE post_id = ?").bind::<Text, _>(post_id).execute(connection)?;
    Ok(())
}

/// Stores which posts the deletion of an author removed.
pub fn removed(connection: &mut SqliteConnection, deletion: &EntryKey, posts: &[RemovedPost]) -> QueryResult<()> {
    let (ms, seq) = columns(deletion.id);
    for post in posts {
        sql("INSERT INTO removed_posts (epoch, ms, seq, post_id, analyzed_at) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT DO NOTHING")
        .bind::<Text, _>(&*deletion.epoch)
        .bind::<BigInt, _>(ms)
        .bind::<BigInt, _>(seq)
        .bind::<Text, _>(post.post_id.as_str())
        .bind::<Instant, _>(At(post.analyzed_at.unwrap_or(Timestamp::EPOCH)))
        .execute(connection)?;
    }
    Ok(())
}

/// Removes a post, its analysis, its citations in alerts, and its quotes in messages. Returns the number of citations.
pub fn remove_post(connection: &mut SqliteConnection, post_id: &str) -> QueryResult<i64> {
    sql("DELETE FROM social_media_posts WHERE post_id = ?").bind::<Text, _>(post_id).execute(connection)?;
    clear_quotes(connection, post_id)?;
    clear_evidence(connection, post_id)
}

/// Removes quotes of a post from messages.
fn clear_quotes(connection: &mut SqliteConnection, post_id: &str) -> QueryResult<()> {
    let quoting: Vec<(i64, JsonText)> = sql("SELECT d.id, d.message FROM alert_delivery_posts q \
                                             JOIN alert_deliveries d ON d.id = q.delivery_id WHERE q.post_id = ?")
    .bind::<Text, _>(post_id)
    .rows::<(BigInt, Document)>()
    .load(connection)?;
    for (id, message) in &quoting {
        sql("UPDATE alert_deliveries SET message = ? WHERE id = ?")
            .bind::<Document, _>(JsonText(text_without_quotes(&message.0, &|quoted| quoted == post_id)))
            .bind::<BigInt, _>(id)
            .execute(connection)?;
    }
    if !quoting.is_empty() {
        sql("DELETE FROM alert_delivery_posts WHERE post_id = ?").bind::<Text, _>(post_id).execute(connection)?;
    }
    Ok(())
}

fn clear_evidence(connection: &mut SqliteConnection, post_id: &str) -> QueryResult<i64> {
    let cited: Vec<(i64, JsonText)> = sql(
        "SELECT a.id, a.details FROM alert_evidence e JOIN sentiment_alerts a ON a.id = e.alert_id WHERE e.post_id = ?",
    )
    .bind::<Text, _>(post_id)
    .rows::<(BigInt, Document)>()
    .load(connection)?;
    for (id, details) in &cited {
        sql("UPDATE sentiment_alerts SET details = ? WHERE id = ?")
            .bind::<Document, _>(JsonText(without_evidence(&details.0, &|cited| cited == post_id)))
            .bind::<BigInt, _>(id)
            .execute(connection)?;
    }
    if !cited.is_empty() {
        sql("DELETE FROM alert_evidence WHERE post_id = ?").bind::<Text, _>(post_id).execute(connection)?;
    }
    Ok(cited.len() as i64)
}

fn key(connection: &mut SqliteConnection, post_id: &str, state: &PostState<'_>, now: Timestamp) -> QueryResult<()> {
    let earliest = state.earliest.map(columns);
    sql("INSERT INTO post_keys (deleted_at, edited_at, earliest_ms, earliest_seq, post_id) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT DO UPDATE SET deleted_at = excluded.deleted_at, edited_at = excluded.edited_at, \
         earliest_ms = excluded.earliest_ms, earliest_seq = excluded.earliest_seq")
    .bind::<Nullable<Instant>, _>(state.deleted.then_some(At(now)))
    .bind::<Nullable<Instant>, _>(state.edited_at.map(At))
    .bind::<Nullable<BigInt>, _>(earliest.map(|(ms, _)| ms))
    .bind::<Nullable<BigInt>, _>(earliest.map(|(_, seq)| seq))
    .bind::<Text, _>(post_id)
    .execute(connection)?;
    Ok(())
}

const TOPIC_ROLLUP: &str = "INSERT INTO topic_rollups \
                            (topic_id, grain, bucket, source, sentiment, emotion, count, confidence_sum) \
                            VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count, \
                            confidence_sum = iif(count + excluded.count = 0, 0.0, confidence_sum + excluded.confidence_sum)";
/// When the count becomes 0, the sum of confidences is not set to 0, unlike in the other rollups. If the sentiment of a
/// post and its sentiment towards the topic have the same label, their counts cancel out, but their confidences differ.
const TOPIC_SHIFT: &str = "INSERT INTO topic_shifts \
                           (topic_id, grain, bucket, source, sentiment, emotion, count, confidence_sum) \
                           VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count, \
                           confidence_sum = confidence_sum + excluded.confidence_sum";

/// Adds the changes in `tally` to the rollups and counters, in key order.
pub fn tally(connection: &mut SqliteConnection, tally: &Tally) -> QueryResult<()> {
    for ((grain, bucket, source, sentiment, emotion), (count, confidence)) in tally.rollups() {
        sql("INSERT INTO post_rollups (grain, bucket, source, sentiment, emotion, count, confidence_sum) \
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count, \
             confidence_sum = iif(count + excluded.count = 0, 0.0, confidence_sum + excluded.confidence_sum)")
        .bind::<Integer, _>(grain)
        .bind::<Instant, _>(At(bucket))
        .bind::<Text, _>(source)
        .bind::<Text, _>(sentiment)
        .bind::<Text, _>(emotion)
        .bind::<BigInt, _>(count)
        .bind::<Double, _>(confidence)
        .execute(connection)?;
    }
    for (statement, cells) in [(TOPIC_ROLLUP, tally.topic_rollups()), (TOPIC_SHIFT, tally.topic_shifts())] {
        for ((topic, (grain, bucket, source, sentiment, emotion)), (count, confidence)) in cells {
            sql(statement)
                .bind::<BigInt, _>(topic.0)
                .bind::<Integer, _>(grain)
                .bind::<Instant, _>(At(bucket))
                .bind::<Text, _>(source)
                .bind::<Text, _>(sentiment)
                .bind::<Text, _>(emotion)
                .bind::<BigInt, _>(count)
                .bind::<Double, _>(confidence)
                .execute(connection)?;
        }
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
