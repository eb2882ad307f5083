//! The index in SQLite: a full-text table without the texts.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;

use super::grams::grams;
use super::{ADVANCE, Missing, MissingColumns, NEXT, PROGRESS, Progress, ProgressColumns, STEP};
use crate::store::sql::sql;

/// Reads whether all posts are in the index, and whether all of them have the grams of this release, because earlier
/// releases stored fewer.
pub const STATE: &str = "SELECT done >= last, format_done >= format_last FROM search_state WHERE id = 1";
const FORMAT_PROGRESS: &str =
    "SELECT format_done, format_last FROM search_state WHERE id = 1 AND format_done < format_last";
const FORMAT_ADVANCE: &str = "UPDATE search_state SET format_done = ? WHERE id = 1 AND format_done < ?";

/// Adds the most recently inserted post.
pub fn insert(connection: &mut SqliteConnection, content: &str) -> QueryResult<()> {
    sql("INSERT INTO post_search (rowid, grams) VALUES (last_insert_rowid(), ?)")
        .bind::<Text, _>(grams(content))
        .execute(connection)?;
    Ok(())
}

/// Replaces the indexed text of a stored post.
pub fn update(connection: &mut SqliteConnection, post_id: &str, content: &str) -> QueryResult<()> {
    let id: i64 = sql("SELECT id FROM social_media_posts WHERE post_id = ?")
        .bind::<Text, _>(post_id)
        .rows::<BigInt>()
        .get_result(connection)?;
    replace(connection, id, content)
}

fn replace(connection: &mut SqliteConnection, id: i64, content: &str) -> QueryResult<()> {
    sql("INSERT OR REPLACE INTO post_search (rowid, grams) VALUES (?, ?)")
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(grams(content))
        .execute(connection)?;
    Ok(())
}

/// Adds the next posts that an earlier release stored without the index or with another format of grams, and returns
/// their number. A step that finds no posts in its range of ids returns 1, because 0 means that indexing is complete.
pub fn index_missing(connection: &mut SqliteConnection) -> QueryResult<usize> {
    match add_next(connection, PROGRESS, ADVANCE)? {
        0 => add_next(connection, FORMAT_PROGRESS, FORMAT_ADVANCE),
        added => Ok(added),
    }
}

fn add_next(connection: &mut SqliteConnection, progress: &'static str, advance: &'static str) -> QueryResult<usize> {
    let progress: Option<Progress> = sql(progress).rows::<ProgressColumns>().get_result(connection).optional()?;
    let Some(progress) = progress else { return Ok(0) };
    let posts: Vec<Missing> = sql(NEXT)
        .bind::<BigInt, _>(progress.done)
        .bind::<BigInt, _>(progress.last)
        .bind::<BigInt, _>(STEP)
        .rows::<MissingColumns>()
        .load(connection)?;
    for post in &posts {
        replace(connection, post.id, &post.content)?;
    }
    let end = progress.after(&posts);
    sql(advance).bind::<BigInt, _>(end).bind::<BigInt, _>(end).execute(connection)?;
    Ok(posts.len().max(1))
}
