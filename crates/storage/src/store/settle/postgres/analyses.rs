//! Writes analyses of posts.

use diesel::QueryResult;
use diesel::sql_types::{Array, Bool, Double, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::store::posts::scores_json;
use crate::store::settle::plan::Version;
use crate::store::sql::{At, Document, Instant, JsonText, sql};
use sentistream_core::domain::{Analysis, Post, PostId, Timestamp};

/// Writes the analyses of the versions that have one.
pub async fn write(connection: &mut AsyncPgConnection, versions: &[Version<'_>], now: Timestamp) -> QueryResult<()> {
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
pub async fn remove_missing(connection: &mut AsyncPgConnection, versions: &[Version<'_>]) -> QueryResult<()> {
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

/// Replaces the analysis of a stored post, or adds one to an unscored post.
pub async fn replace(
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
