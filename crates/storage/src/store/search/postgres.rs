//! The index in Postgres: a `tsvector` per post, with a GIN index.

use diesel::QueryResult;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::grams::{FORMAT, grams};
use super::{ADVANCE, Missing, MissingColumns, NEXT, PROGRESS, Progress, ProgressColumns, STEP};
use crate::store::sql::sql;
use sentistream_core::domain::Post;

/// The condition for posts that do not have all grams in the index yet.
macro_rules! unfinished {
    () => {
        "(post_search.grams IS NULL OR NOT (post_search.grams @@ U&'''\\E001'''::tsquery))"
    };
}

/// Reads whether all posts are in the index, and whether all of them have the grams of this release, because earlier
/// releases stored fewer.
pub const STATE: &str = concat!(
    "SELECT done >= last, NOT EXISTS (SELECT 1 FROM post_search WHERE ",
    unfinished!(),
    ") FROM search_state WHERE id = 1"
);
/// Selects the posts that do not have all grams in the index yet. Any search may have to find them.
pub const UNFINISHED: &str = concat!("SELECT post FROM post_search WHERE ", unfinished!(), " LIMIT ?");

/// Counts the posts that match a query, up to a limit, and reads whether there are posts that do not have all grams
/// yet.
pub const COUNT: &str = concat!(
    "SELECT (SELECT count(*) FROM (SELECT 1 FROM post_search WHERE grams @@ CAST(? AS tsquery) LIMIT ?) AS found), \
     EXISTS (SELECT 1 FROM post_search WHERE ",
    unfinished!(),
    ")"
);

/// Reads the sizes of the index and of the table that is indexed, in bytes.
pub const SIZE: &str = "SELECT pg_relation_size('post_search_by_grams'), pg_table_size('post_search')";

/// The maximum size of the grams of one post. Postgres stores at most 1,048,575 bytes of lexemes.
const MOST_BYTES: usize = 1_000_000;

/// The gram that marks the current format, followed by the grams of a text. Only texts of about 100,000 characters of
/// rare scripts and symbols have more grams than Postgres can store; in this case the last grams are left out.
pub fn lexemes(content: &str) -> String {
    let grams = grams(content);
    let end = match grams.as_bytes().get(..MOST_BYTES) {
        Some(stored) => stored.iter().rposition(|byte| *byte == b' ').unwrap_or_default(),
        None => grams.len(),
    };
    if end == 0 { FORMAT.to_string() } else { format!("{FORMAT} {}", &grams[..end]) }
}

/// Replaces the indexed texts of stored posts.
pub async fn update(connection: &mut AsyncPgConnection, posts: &[&Post]) -> QueryResult<()> {
    sql("INSERT INTO post_search (post, grams) SELECT p.id, array_to_tsvector(string_to_array(v.grams, ' ')) \
         FROM unnest(?, ?) AS v (post_id, grams) JOIN social_media_posts p ON p.post_id = v.post_id \
         ON CONFLICT (post) DO UPDATE SET grams = excluded.grams")
    .bind::<Array<Text>, _>(posts.iter().map(|post| post.post_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(posts.iter().map(|post| lexemes(&post.content)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds the next posts that an earlier release stored without grams or with fewer grams, and returns their number. A
/// step that finds no posts in its range of ids returns 1, because 0 means that indexing is complete.
pub fn index_missing(connection: &mut AsyncPgConnection) -> BoxFuture<'_, QueryResult<usize>> {
    const NOTED: &str = concat!(
        "SELECT p.id, p.content FROM post_search JOIN social_media_posts p ON p.id = post_search.post WHERE ",
        unfinished!(),
        " LIMIT ?"
    );
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

/// Adds posts to the index, except deleted posts and posts whose later version is already in the index.
async fn add(connection: &mut AsyncPgConnection, posts: &[Missing]) -> QueryResult<()> {
    if posts.is_empty() {
        return Ok(());
    }
    sql(concat!(
        "INSERT INTO post_search (post, grams) SELECT p.id, array_to_tsvector(string_to_array(v.grams, ' ')) \
         FROM unnest(?, ?) AS v (id, grams) JOIN social_media_posts p ON p.id = v.id ORDER BY p.id FOR KEY SHARE OF p \
         ON CONFLICT (post) DO UPDATE SET grams = excluded.grams WHERE ",
        unfinished!()
    ))
    .bind::<Array<BigInt>, _>(posts.iter().map(|post| post.id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(posts.iter().map(|post| lexemes(&post.content)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lexemes_of_any_text_fit_into_a_tsvector() {
        assert_eq!(lexemes(""), "\u{E001}");
        assert_eq!(lexemes("the"), "\u{E001} he the");
        let letters = ('\u{10400}'..='\u{10427}').chain('\u{1F300}'..='\u{1F5FF}').cycle();
        let long: String =
            letters.clone().zip(letters.skip(37)).flat_map(|(one, other)| [one, other]).take(100_000).collect();
        let list = lexemes(&long);
        assert!(list.len() <= MOST_BYTES + 4 && list.split(' ').all(|gram| !gram.is_empty()));
        let many: String = (0..100_000_u32).filter_map(|code| char::from_u32(0x20000 + code % 40_000)).collect();
        assert!(lexemes(&many).len() <= MOST_BYTES + 4);
    }
}
