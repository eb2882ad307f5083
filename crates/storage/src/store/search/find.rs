//! Runs queries on the text index.

use std::ops::RangeInclusive;

use diesel::Queryable;
use diesel::sql_types::{BigInt, Bool, Text};

use super::{Query, postgres};
use crate::store::backend::read;
use crate::store::sql::{At, Instant, sql};
use crate::store::{Store, StoreError};
use sentistream_core::domain::TimeRange;

/// The maximum number of candidates of a query that leaves out the grams that are slow to find. Reading the texts of so
/// many posts costs less than searching a large index for the slow grams.
const QUICK: i64 = 40_000;

/// Posts that may contain some words.
#[derive(Debug)]
pub struct Candidates {
    /// The ids of the posts, at most the limit of the search.
    pub ids: Vec<i64>,
    /// Whether these are all candidates.
    pub complete: bool,
}

/// The result of a query that counts posts.
#[derive(Queryable)]
struct Counted {
    count: i64,
    unfinished: bool,
}

impl Store {
    /// At most `limit` posts that may contain the words of `query`. The limit may be exceeded if the quick query finds
    /// all candidates.
    pub(in crate::store) async fn search_candidates(
        &self,
        query: &Query,
        limit: i64,
    ) -> Result<Candidates, StoreError> {
        if let Some(quick) = &query.quick {
            let found = self.search_matches(quick, limit.max(QUICK)).await?;
            if found.complete {
                return Ok(found);
            }
        }
        self.search_matches(&query.candidates, limit).await
    }

    /// At most `limit` posts that match `query`, which is one of the texts in a [`Query`]. On Postgres, also posts that
    /// do not have all grams yet. If there are more posts than `limit`, SQLite returns those with the highest ids.
    pub(in crate::store) async fn search_matches(&self, query: &str, limit: i64) -> Result<Candidates, StoreError> {
        const SQLITE: &str = "SELECT rowid FROM post_search WHERE post_search MATCH ? ORDER BY rowid DESC LIMIT ?";
        const POSTGRES: &str = "(SELECT post FROM post_search WHERE grams @@ CAST(? AS tsquery) LIMIT ?) UNION (";
        let most = limit + 1;
        let mut ids: Vec<i64> = read!(
            self,
            replica,
            |c| sql(SQLITE).bind::<Text, _>(query).bind::<BigInt, _>(most).rows::<BigInt>().load(c),
            sql(format!("{POSTGRES}{})", postgres::UNFINISHED))
                .bind::<Text, _>(query)
                .bind::<BigInt, _>(most)
                .bind::<BigInt, _>(most)
                .rows::<BigInt>()
                .load(c)
        )?;
        let complete = ids.len() as i64 <= limit;
        ids.truncate(usize::try_from(limit).unwrap_or_default());
        Ok(Candidates { ids, complete })
    }

    /// The posts that match `query` and whose ids are in the range `ids`, at most `limit` in no certain order. On
    /// Postgres, also posts with any id that do not have all grams yet.
    pub(in crate::store) async fn search_matches_among(
        &self,
        query: &str,
        ids: RangeInclusive<i64>,
        limit: i64,
    ) -> Result<Candidates, StoreError> {
        const SQLITE: &str =
            "SELECT rowid FROM post_search WHERE post_search MATCH ? AND rowid >= ? AND rowid <= ? LIMIT ?";
        const POSTGRES: &str = "(SELECT post FROM post_search WHERE grams @@ CAST(? AS tsquery) AND post >= ? \
                                AND post <= ? LIMIT ?) UNION (";
        let most = limit + 1;
        let mut found: Vec<i64> = read!(
            self,
            replica,
            |c| sql(SQLITE)
                .bind::<Text, _>(query)
                .bind::<BigInt, _>(*ids.start())
                .bind::<BigInt, _>(*ids.end())
                .bind::<BigInt, _>(most)
                .rows::<BigInt>()
                .load(c),
            sql(format!("{POSTGRES}{})", postgres::UNFINISHED))
                .bind::<Text, _>(query)
                .bind::<BigInt, _>(*ids.start())
                .bind::<BigInt, _>(*ids.end())
                .bind::<BigInt, _>(most)
                .bind::<BigInt, _>(most)
                .rows::<BigInt>()
                .load(c)
        )?;
        let complete = found.len() as i64 <= limit;
        found.truncate(usize::try_from(limit).unwrap_or_default());
        Ok(Candidates { ids: found, complete })
    }

    /// The lowest and the highest id of the posts of `range`; 0 and -1 if there are none. Reads one index entry for
    /// each of the posts.
    pub(in crate::store) async fn post_ids_of(&self, range: TimeRange) -> Result<(i64, i64), StoreError> {
        // OFFSET prevents the planner from scanning all ids in order.
        const BOUNDS: &str = "SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM \
                              (SELECT id FROM social_media_posts WHERE created_at >= ? AND created_at < ? OFFSET 0) AS p";
        const SQLITE: &str = "SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM social_media_posts \
                              WHERE created_at >= ? AND created_at < ?";
        let (start, end) = (At(range.start()), At(range.end()));
        read!(
            self,
            replica,
            |c| sql(SQLITE).bind::<Instant, _>(start).bind::<Instant, _>(end).rows::<(BigInt, BigInt)>().get_result(c),
            sql(BOUNDS).bind::<Instant, _>(start).bind::<Instant, _>(end).rows::<(BigInt, BigInt)>().get_result(c)
        )
    }

    /// The ids of the earliest and the latest post of `range`. A post that was written between these two may have an id
    /// that is lower or higher than both ids. `range` must contain posts.
    pub(in crate::store) async fn end_ids_of(&self, range: TimeRange) -> Result<(i64, i64), StoreError> {
        const ENDS: &str = "SELECT coalesce((SELECT id FROM social_media_posts WHERE created_at >= ? \
                            ORDER BY created_at, id LIMIT 1), 0), coalesce((SELECT id FROM social_media_posts \
                            WHERE created_at < ? ORDER BY created_at DESC, id DESC LIMIT 1), -1)";
        let ends = || {
            sql(ENDS)
                .bind::<Instant, _>(At(range.start()))
                .bind::<Instant, _>(At(range.end()))
                .rows::<(BigInt, BigInt)>()
        };
        read!(self, replica, |c| ends().get_result(c))
    }

    /// The number of posts that match `query`, which is one of the texts in a [`Query`], counted up to `most`. `None`:
    /// some posts do not have all grams yet.
    pub(in crate::store) async fn search_matching(&self, query: &str, most: i64) -> Result<Option<i64>, StoreError> {
        const SQLITE: &str = "SELECT count(*), 0 FROM \
                              (SELECT rowid FROM post_search WHERE post_search MATCH ? LIMIT ?)";
        let counted: Counted = read!(
            self,
            replica,
            |c| sql(SQLITE).bind::<Text, _>(query).bind::<BigInt, _>(most).rows::<(BigInt, Bool)>().get_result(c),
            sql(postgres::COUNT).bind::<Text, _>(query).bind::<BigInt, _>(most).rows::<(BigInt, Bool)>().get_result(c)
        )?;
        Ok((!counted.unfinished).then_some(counted.count))
    }

    /// The lowest and the highest id of a post; 0 if there are none.
    pub(in crate::store) async fn post_ids(&self) -> Result<(i64, i64), StoreError> {
        const BOUNDS: &str = "SELECT coalesce((SELECT min(id) FROM social_media_posts), 0), \
                              coalesce((SELECT max(id) FROM social_media_posts), 0)";
        read!(self, replica, |c| sql(BOUNDS).rows::<(BigInt, BigInt)>().get_result(c))
    }
}
