//! The statements that write a batch: one statement per table, with arrays as values.

use std::collections::{BTreeSet, HashSet};

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, Text, Uuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::domain::{Analysis, Author, EntryKey, Post, PostId, Timestamp};
use crate::store::alerts::without_evidence;
use crate::store::labels::LabelColumns;
use crate::store::notify::text_without_quotes;
use crate::store::posts::{public_id, scores_json};
use crate::store::search::postgres as search;
use crate::store::settle::RemovedPost;
use crate::store::settle::plan::{Plan, Row, Slot, Version};
use crate::store::settle::state::{columns, entry_id};
use crate::store::settle::tally::Tally;
use crate::store::settle::topics::TopicValues;
use crate::store::sql::{At, Document, Instant, JsonText, sql};

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
                // A new version has other sentiments towards the same topics.
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
        write_analyses(connection, &versions, now).await?;
    }
    if !changes.updated.is_empty() {
        update_posts(connection, &changes.updated).await?;
        remove_analyses(connection, &changes.updated).await?;
        write_analyses(connection, &changes.updated, now).await?;
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
    remove_posts(connection, &changes.removed).await?;
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

/// The topics of a post with their values.
pub fn values<'a>(post_id: &'a str, row: &'a Row<'_>) -> impl Iterator<Item = (&'a str, TopicValues)> {
    row.topics.iter().map(move |topic| (post_id, TopicValues::of(topic, row)))
}

/// Stores topics of stored posts.
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

/// Writes the analyses of the versions that have one.
async fn write_analyses(
    connection: &mut AsyncPgConnection,
    versions: &[Version<'_>],
    now: Timestamp,
) -> QueryResult<()> {
    let scored: Vec<(&Post, &Analysis)> =
        versions.iter().filter_map(|version| Some((version.post, version.analysis?))).collect();
    if scored.is_empty() {
        return Ok(());
    }
    let analysis = || scored.iter().map(|(_, analysis)| *analysis);
    sql("INSERT INTO sentiment_analysis (analyzed_at, post_id, model_name, sentiment_label, confidence_score, \
         emotion, scores, truncated) SELECT ?, * FROM unnest(?, ?, ?, ?, ?, ?, ?) ON CONFLICT (post_id) DO UPDATE SET \
         analyzed_at = excluded.analyzed_at, model_name = excluded.model_name, \
         sentiment_label = excluded.sentiment_label, confidence_score = excluded.confidence_score, \
         emotion = excluded.emotion, scores = excluded.scores, truncated = excluded.truncated")
    .bind::<Instant, _>(At(now))
    .bind::<Array<Text>, _>(scored.iter().map(|(post, _)| post.post_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(analysis().map(|analysis| &*analysis.model_name).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(analysis().map(|analysis| analysis.sentiment.as_str()).collect::<Vec<_>>())
    .bind::<Array<Double>, _>(analysis().map(|analysis| analysis.confidence).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(analysis().map(|analysis| analysis.emotion.as_str()).collect::<Vec<_>>())
    .bind::<Array<Document>, _>(analysis().map(|analysis| JsonText(scores_json(&analysis.scores))).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(analysis().map(|analysis| analysis.truncated).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes the analyses of the versions that have none.
async fn remove_analyses(connection: &mut AsyncPgConnection, versions: &[Version<'_>]) -> QueryResult<()> {
    let unscored: Vec<&str> = versions
        .iter()
        .filter(|version| version.analysis.is_none())
        .map(|version| version.post.post_id.as_str())
        .collect();
    if !unscored.is_empty() {
        sql("DELETE FROM sentiment_analysis WHERE post_id = ANY(?)")
            .bind::<Array<Text>, _>(unscored)
            .execute(connection)
            .await?;
    }
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

/// Replaces the analysis of a stored post, or adds one to an unscored post.
pub async fn analysis(
    connection: &mut AsyncPgConnection,
    post_id: &PostId,
    analysis: &Analysis,
    now: Timestamp,
) -> QueryResult<()> {
    sql("UPDATE social_media_posts SET sentiment_label = ?, emotion = ?, confidence_score = ? WHERE post_id = ?")
        .bind::<Text, _>(analysis.sentiment.as_str())
        .bind::<Text, _>(analysis.emotion.as_str())
        .bind::<Double, _>(analysis.confidence)
        .bind::<Text, _>(post_id.as_str())
        .execute(connection)
        .await?;
    sql(
        "INSERT INTO sentiment_analysis (post_id, model_name, sentiment_label, confidence_score, emotion, analyzed_at, \
         scores, truncated) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (post_id) DO UPDATE SET \
         model_name = excluded.model_name, sentiment_label = excluded.sentiment_label, \
         confidence_score = excluded.confidence_score, emotion = excluded.emotion, \
         analyzed_at = excluded.analyzed_at, scores = excluded.scores, truncated = excluded.truncated",
    )
    .bind::<Text, _>(post_id.as_str())
    .bind::<Text, _>(&*analysis.model_name)
    .bind::<Text, _>(analysis.sentiment.as_str())
    .bind::<Double, _>(analysis.confidence)
    .bind::<Text, _>(analysis.emotion.as_str())
    .bind::<Instant, _>(At(now))
    .bind::<Document, _>(JsonText(scores_json(&analysis.scores)))
    .bind::<Bool, _>(analysis.truncated)
    .execute(connection)
    .await?;
    Ok(())
}

async fn update_keys(connection: &mut AsyncPgConnection, keys: &[&Slot<'_>], now: Timestamp) -> QueryResult<()> {
    let after = || keys.iter().map(|slot| &slot.after);
    let earliest = || after().map(|state| state.earliest.map(columns));
    // The row of a post that is not stored becomes a tombstone, so that it is pruned like one.
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

/// Removes stored posts and leaves tombstones. Returns how often alerts cited the posts.
pub async fn removal(connection: &mut AsyncPgConnection, ids: &[&str], now: Timestamp) -> QueryResult<i64> {
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

/// Stores the posts that the deletion of an author removed.
pub async fn removed(
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

/// Removes the key rows of posts that are not stored and have no tombstone.
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

/// Stores the ids of entries that no row refers to.
pub async fn remembered(connection: &mut AsyncPgConnection, keys: &[EntryKey]) -> QueryResult<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let text = "INSERT INTO settled_entries (epoch, ms, seq) SELECT * FROM unnest(?, ?, ?) \
                ON CONFLICT DO NOTHING RETURNING epoch, ms, seq";
    entries(connection, text, keys.iter()).await?;
    Ok(())
}

/// Runs `text` with three arrays (epoch, ms, seq) of `keys`, and returns the resulting entries.
pub async fn entries<'a>(
    connection: &mut AsyncPgConnection,
    text: &'static str,
    keys: impl Iterator<Item = &'a EntryKey> + Clone,
) -> QueryResult<HashSet<EntryKey>> {
    let rows: Vec<(String, i64, i64)> = sql(text)
        .bind::<Array<Text>, _>(keys.clone().map(|key| &*key.epoch).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(keys.clone().map(|key| columns(key.id).0).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(keys.map(|key| columns(key.id).1).collect::<Vec<_>>())
        .rows::<(Text, BigInt, BigInt)>()
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(|(epoch, ms, seq)| EntryKey { epoch: epoch.into(), id: entry_id((ms, seq)) }).collect())
}

/// Adds to the rollups and counters, in key order.
pub async fn tally(connection: &mut AsyncPgConnection, tally: &Tally) -> QueryResult<()> {
    let rollups = tally.rollups();
    if !rollups.is_empty() {
        let key = || rollups.keys();
        sql("INSERT INTO post_rollups AS r (grain, bucket, source, sentiment, emotion, count, confidence_sum) \
             SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?) ON CONFLICT (grain, bucket, source, sentiment, emotion) \
             DO UPDATE SET count = r.count + excluded.count, confidence_sum = CASE r.count + excluded.count \
             WHEN 0 THEN 0 ELSE r.confidence_sum + excluded.confidence_sum END")
        .bind::<Array<Integer>, _>(key().map(|key| key.0).collect::<Vec<_>>())
        .bind::<Array<Instant>, _>(key().map(|key| At(key.1)).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(key().map(|key| key.2).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(key().map(|key| key.3).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(key().map(|key| key.4).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(rollups.values().map(|(count, _)| *count).collect::<Vec<_>>())
        .bind::<Array<Double>, _>(rollups.values().map(|(_, confidence)| *confidence).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    }
    let topics = tally.topic_rollups();
    if !topics.is_empty() {
        let key = || topics.keys().map(|(_, key)| key);
        sql("INSERT INTO topic_rollups AS r (topic_id, grain, bucket, source, sentiment, emotion, count, \
             confidence_sum) SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (topic_id, grain, bucket, source, sentiment, emotion) \
             DO UPDATE SET count = r.count + excluded.count, confidence_sum = CASE r.count + excluded.count \
             WHEN 0 THEN 0 ELSE r.confidence_sum + excluded.confidence_sum END")
        .bind::<Array<BigInt>, _>(topics.keys().map(|(topic, _)| topic.0).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(key().map(|key| key.0).collect::<Vec<_>>())
        .bind::<Array<Instant>, _>(key().map(|key| At(key.1)).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(key().map(|key| key.2).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(key().map(|key| key.3).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(key().map(|key| key.4).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(topics.values().map(|(count, _)| *count).collect::<Vec<_>>())
        .bind::<Array<Double>, _>(topics.values().map(|(_, confidence)| *confidence).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    }
    topic_shifts(connection, tally).await?;
    let (buckets, counts): (Vec<At>, Vec<i64>) = tally.ingested().map(|(bucket, count)| (At(bucket), count)).unzip();
    if !buckets.is_empty() {
        sql("INSERT INTO ingest_counters AS c (bucket, count) SELECT * FROM unnest(?, ?) \
             ON CONFLICT (bucket) DO UPDATE SET count = c.count + excluded.count")
        .bind::<Array<Instant>, _>(&buckets)
        .bind::<Array<BigInt>, _>(&counts)
        .execute(connection)
        .await?;
    }
    let outcomes: Vec<_> = tally.outcomes().collect();
    if !outcomes.is_empty() {
        sql("INSERT INTO stream_outcomes AS o (epoch, outcome, count) SELECT * FROM unnest(?, ?, ?) \
             ON CONFLICT (epoch, outcome) DO UPDATE SET count = o.count + excluded.count")
        .bind::<Array<Text>, _>(outcomes.iter().map(|(epoch, _, _)| *epoch).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(outcomes.iter().map(|(_, outcome, _)| *outcome).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(outcomes.iter().map(|(_, _, count)| *count).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    }
    Ok(())
}

async fn topic_shifts(connection: &mut AsyncPgConnection, tally: &Tally) -> QueryResult<()> {
    let shifts = tally.topic_shifts();
    if shifts.is_empty() {
        return Ok(());
    }
    let key = || shifts.keys().map(|(_, key)| key);
    // A count of zero may have a sum: the two labels are equal, and the confidences differ.
    sql("INSERT INTO topic_shifts AS r (topic_id, grain, bucket, source, sentiment, emotion, count, confidence_sum) \
         SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (topic_id, grain, bucket, source, sentiment, emotion) \
         DO UPDATE SET count = r.count + excluded.count, confidence_sum = r.confidence_sum + excluded.confidence_sum")
    .bind::<Array<BigInt>, _>(shifts.keys().map(|(topic, _)| topic.0).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(key().map(|key| key.0).collect::<Vec<_>>())
    .bind::<Array<Instant>, _>(key().map(|key| At(key.1)).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(key().map(|key| key.2).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(key().map(|key| key.3).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(key().map(|key| key.4).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(shifts.values().map(|(count, _)| *count).collect::<Vec<_>>())
    .bind::<Array<Double>, _>(shifts.values().map(|(_, confidence)| *confidence).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
