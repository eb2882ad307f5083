//! The index in Postgres: a `tsvector` per post, with a GIN index.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::grams::grams;
use super::{ADVANCE, Missing, MissingColumns, NEXT, PROGRESS, Progress, ProgressColumns, STEP};
use crate::domain::Post;
use crate::store::sql::sql;

/// Replaces the indexed texts of stored posts.
pub async fn update(connection: &mut AsyncPgConnection, posts: &[&Post]) -> QueryResult<()> {
    sql("INSERT INTO post_search (post, grams) SELECT p.id, array_to_tsvector(string_to_array(v.grams, ' ')) \
         FROM unnest(?, ?) AS v (post_id, grams) JOIN social_media_posts p ON p.post_id = v.post_id \
         ON CONFLICT (post) DO UPDATE SET grams = excluded.grams")
    .bind::<Array<Text>, _>(posts.iter().map(|post| post.post_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(posts.iter().map(|post| grams(&post.content)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds the next posts from before the index, and posts that instances of a release without it have stored, which a
/// trigger records. Returns their number. A step over ids without posts counts as one.
pub fn index_missing(connection: &mut AsyncPgConnection) -> BoxFuture<'_, QueryResult<usize>> {
    const NOTED: &str = "SELECT p.id, p.content FROM post_search s JOIN social_media_posts p ON p.id = s.post \
                         WHERE s.grams IS NULL LIMIT ?";
    async move {
        let noted: Vec<Missing> = sql(NOTED).bind::<BigInt, _>(STEP).rows::<MissingColumns>().load(connection).await?;
        add(connection, &noted).await?;
        let progress: Option<Progress> =
            sql(PROGRESS).rows::<ProgressColumns>().get_result(connection).await.optional()?;
        let Some(progress) = progress else { return Ok(noted.len()) };
        let posts: Vec<Missing> = sql(NEXT)
            .bind::<BigInt, _>(progress.done)
            .bind::<BigInt, _>(progress.last)
            .bind::<BigInt, _>(STEP)
            .rows::<MissingColumns>()
            .load(connection)
            .await?;
        add(connection, &posts).await?;
        let end = progress.after(&posts);
        sql(ADVANCE).bind::<BigInt, _>(end).bind::<BigInt, _>(end).execute(connection).await?;
        Ok(noted.len() + posts.len().max(1))
    }
    .boxed()
}

/// Adds posts, except those that were deleted or that have a later version in the index.
async fn add(connection: &mut AsyncPgConnection, posts: &[Missing]) -> QueryResult<()> {
    if posts.is_empty() {
        return Ok(());
    }
    sql("INSERT INTO post_search (post, grams) SELECT p.id, array_to_tsvector(string_to_array(v.grams, ' ')) \
         FROM unnest(?, ?) AS v (id, grams) JOIN social_media_posts p ON p.id = v.id ORDER BY p.id FOR KEY SHARE OF p \
         ON CONFLICT (post) DO UPDATE SET grams = excluded.grams WHERE post_search.grams IS NULL")
    .bind::<Array<BigInt>, _>(posts.iter().map(|post| post.id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(posts.iter().map(|post| grams(&post.content)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
