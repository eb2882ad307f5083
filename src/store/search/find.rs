//! Asks the text index.

use diesel::Queryable;
use diesel::sql_types::{BigInt, Bool, Text};

use super::{Query, postgres};
use crate::store::backend::read;
use crate::store::sql::sql;
use crate::store::{Store, StoreError};

/// Posts that may contain some words.
#[derive(Debug)]
pub struct Candidates {
    /// Ids of posts, at most the requested number; on SQLite the highest ones.
    pub ids: Vec<i64>,
    /// Whether these are all candidates.
    pub complete: bool,
}

/// The answer to a count.
#[derive(Queryable)]
struct Counted {
    count: i64,
    unfinished: bool,
}

impl Store {
    /// At most `limit` posts that may contain the words of `query`.
    pub(in crate::store) async fn search_candidates(
        &self,
        query: &Query,
        limit: i64,
    ) -> Result<Candidates, StoreError> {
        if let Some(quick) = &query.quick {
            let found = self.search_matches(quick, limit).await?;
            if found.complete {
                return Ok(found);
            }
        }
        self.search_matches(&query.candidates, limit).await
    }

    /// At most `limit` posts that match `query`, a part of a [`Query`], or whose grams are not known.
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

    /// The number of posts that match `query`, a part of a [`Query`], up to `most`. `None`: the grams of some posts are
    /// not known.
    pub(in crate::store) async fn search_matching(&self, query: &str, most: i64) -> Result<Option<i64>, StoreError> {
        const SQLITE: &str = "SELECT count(*), 0 FROM \
                              (SELECT rowid FROM post_search WHERE post_search MATCH ? LIMIT ?)";
        let counted: Counted = read!(
            self,
            replica,
            |c| sql(SQLITE)
                .bind::<Text, _>(query)
                .bind::<BigInt, _>(most)
                .rows::<(BigInt, Bool)>()
                .get_result(c),
            sql(postgres::COUNT)
                .bind::<Text, _>(query)
                .bind::<BigInt, _>(most)
                .rows::<(BigInt, Bool)>()
                .get_result(c)
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
