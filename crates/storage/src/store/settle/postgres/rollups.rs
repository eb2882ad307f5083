//! Writes the rollups and counters of a batch, in key order.

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Double, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::store::settle::tally::Tally;
use crate::store::sql::{At, Instant, sql};

/// Adds the changes in `tally` to the rollups and counters, in key order.
pub async fn add(connection: &mut AsyncPgConnection, tally: &Tally) -> QueryResult<()> {
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
    // When the count becomes 0, the sum of confidences is not set to 0, unlike in the other rollups. If the sentiment
    // of a post and its sentiment towards the topic have the same label, their counts cancel out, but their confidences
    // differ.
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
