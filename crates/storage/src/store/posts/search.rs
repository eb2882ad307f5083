//! Pages and counts of posts that contain words.
//!
//! A page of posts with a common word is found by reading posts in the order of the page. The number of posts with a
//! common word is estimated from a sample of stripes of consecutive ids. For any other word the text index returns
//! candidates, and the texts of uncertain candidates are searched for the word.

use std::cmp::Ordering;

use diesel::Queryable;

use super::query::{on_postgres, on_sqlite};
use super::stripes::Stripes;
use super::{PostCursor, PostFilter, Sort, Start};
use crate::store::backend::read;
use crate::store::search::Query;
use crate::store::sql::{At, CountOf};
use crate::store::{Store, StoreError};
use sentistream_core::domain::Timestamp;

/// The number of posts that are read in the order of the page before the text index is used. If they contain so many
/// matches that reading more posts probably fills the page, up to [`LONG_WALK`] posts are read.
const WALK: i64 = 4_000;
const LONG_WALK: i64 = 16_000;
/// The maximum number of candidates whose texts are read. A word with more candidates is common enough to be found by
/// reading posts in order.
pub const CANDIDATES: i64 = 12_000;
/// The number of candidates that are checked first if there are more than [`CANDIDATES`]. If at least the share
/// `TRUE_PART` of the checked candidates contains the words, more than five sixths of all candidates contain them, with
/// an error probability below 10⁻⁹.
const CHECKED: usize = 1_000;
const TRUE_PART: f64 = 0.93;

/// The sort keys of a post: a row of [`KeyColumns`](super::query::KeyColumns).
#[derive(Clone, Copy, Debug, PartialEq, Queryable)]
pub struct Key {
    pub id: i64,
    pub created_at: At,
    confidence: f64,
}

impl Sort {
    fn compare_keys(self, one: &Key, other: &Key) -> Ordering {
        match self {
            Self::Newest => (other.created_at, other.id).cmp(&(one.created_at, one.id)),
            Self::Oldest => (one.created_at, one.id).cmp(&(other.created_at, other.id)),
            Self::Confidence => other.confidence.total_cmp(&one.confidence).then(other.id.cmp(&one.id)),
        }
    }
}

impl PostCursor {
    /// The sort key of the post that the cursor identifies.
    fn key(self) -> Key {
        match self {
            Self::Newest { created_at, id } | Self::Oldest { created_at, id } => {
                Key { id, created_at: At(created_at), confidence: 0.0 }
            }
            Self::Confidence { confidence, id } => Key { id, created_at: At(Timestamp::EPOCH), confidence },
        }
    }
}

impl Store {
    /// The ids of one page of posts that contain the words of `filter`, and of one further post. `None`: the index
    /// cannot find the page, so the caller must search the table of posts.
    pub(super) async fn search_page(
        &self,
        filter: &PostFilter,
        sort: Sort,
        start: Start,
        limit: i64,
    ) -> Result<Option<Vec<i64>>, StoreError> {
        let (offset, after) = match start {
            Start::Offset(offset) => (usize::try_from(offset).unwrap_or_default(), None),
            Start::After(cursor) => (0, Some(cursor.key())),
        };
        let wanted = offset + usize::try_from(limit).unwrap_or_default() + 1;
        let page = |mut keys: Vec<Key>| {
            if let Some(after) = &after {
                keys.retain(|key| sort.compare_keys(key, after) == Ordering::Greater);
            }
            keys.sort_unstable_by(|one, other| sort.compare_keys(one, other));
            keys.into_iter().map(|key| key.id).skip(offset).take(wanted - offset).collect::<Vec<_>>()
        };
        // Posts are read in the order of the page only if the filter has none of these conditions. No index supports
        // them, so too many posts would be read.
        let rest = (&filter.topic, &filter.lang, filter.min_confidence, filter.ingested_after);
        if rest == (&None, &None, None, None) {
            let mut walked = self.walked_keys(filter, sort, start, WALK).await?;
            if walked.len() < wanted && walked.len() as i64 * LONG_WALK >= wanted as i64 * WALK {
                let expected = WALK * wanted as i64 / walked.len() as i64;
                walked = self.walked_keys(filter, sort, start, (expected + expected / 2).min(LONG_WALK)).await?;
            }
            if walked.len() >= wanted {
                return Ok(Some(page(walked)));
            }
        }
        let Some(query) = self.search_query(&filter.words).await? else { return Ok(None) };
        let candidates = self.search_candidates(&query, CANDIDATES).await?;
        if !candidates.complete {
            return Ok(None);
        }
        Ok(Some(page(self.candidate_keys(filter, &candidates.ids).await?)))
    }

    /// The number of posts that contain the words of `filter`; `limit + 1` if there are more than `limit`. `None`: the
    /// index cannot count them, so the caller must count the posts individually.
    pub(super) async fn search_count(&self, filter: &PostFilter, limit: i64) -> Result<Option<i64>, StoreError> {
        let only_words = PostFilter { words: filter.words.clone(), ..PostFilter::default() };
        if *filter == only_words {
            if self.is_common(filter, limit).await? {
                return Ok(Some(limit + 1));
            }
            let Some(query) = self.search_query(&filter.words).await? else { return Ok(None) };
            return match &query.quick {
                None => self.count_words(filter, &query, limit).await,
                Some(_) => match self.count_candidates(filter, &query, limit).await? {
                    None => self.count_words(filter, &query, limit).await,
                    counted => Ok(counted),
                },
            };
        }
        match self.search_query(&filter.words).await? {
            None => Ok(None),
            Some(query) => self.count_candidates(filter, &query, limit).await,
        }
    }

    /// The number of posts that contain the words: the posts that certainly contain them, plus the matches among the
    /// texts of the uncertain candidates.
    async fn count_words(&self, filter: &PostFilter, query: &Query, limit: i64) -> Result<Option<i64>, StoreError> {
        let certain = match &query.certain {
            None => 0,
            Some(certain) => match self.search_matching(certain, limit + 1).await? {
                None => return self.count_candidates(filter, query, limit).await,
                Some(count) => count,
            },
        };
        let Some(uncertain) = query.uncertain.as_ref().filter(|_| certain <= limit) else { return Ok(Some(certain)) };
        let candidates = self.search_matches(uncertain, CANDIDATES.max(limit + limit / 5)).await?;
        if !candidates.complete && self.are_mostly_true(filter, &candidates.ids).await? {
            return Ok(Some(limit + 1));
        }
        let found = certain + self.count_true(filter, &candidates.ids, limit + 1 - certain).await?;
        Ok((candidates.complete || found > limit).then_some(found))
    }

    /// The number of posts that contain the words: the matches among the texts of all candidates.
    async fn count_candidates(
        &self,
        filter: &PostFilter,
        query: &Query,
        limit: i64,
    ) -> Result<Option<i64>, StoreError> {
        let candidates = self.search_candidates(query, CANDIDATES.max(limit + limit / 5)).await?;
        let found = self.count_true(filter, &candidates.ids, limit + 1).await?;
        Ok((candidates.complete || found > limit).then_some(found))
    }

    /// Whether a sample shows that more than `limit` posts contain the words of `filter`, which has no other
    /// conditions. A small sample is read first, because the words of most searches are not common.
    async fn is_common(&self, filter: &PostFilter, limit: i64) -> Result<bool, StoreError> {
        let (first, last) = self.post_ids().await?;
        let Some(stripes) = Stripes::over(first, last, limit) else { return Ok(false) };
        let mut hits = Vec::new();
        for part in [Stripes::PROBE, Stripes::REST] {
            let mut found = vec![0; part.len()];
            for key in self.candidate_keys(filter, &stripes.ids(part.clone())).await? {
                if let Some(count) = stripes.number(key.id).checked_sub(part.start).and_then(|at| found.get_mut(at)) {
                    *count += 1;
                }
            }
            hits.append(&mut found);
            if !stripes.may_exceed(&hits, limit) {
                return Ok(false);
            }
        }
        Ok(stripes.least(&hits) > limit as f64)
    }

    /// Whether a sample shows that almost all of the posts with `ids` contain the words.
    pub(super) async fn are_mostly_true(&self, filter: &PostFilter, ids: &[i64]) -> Result<bool, StoreError> {
        let step = (ids.len() / CHECKED).max(1);
        let checked: Vec<i64> = ids.iter().step_by(step).copied().collect();
        let found = self.count_true(filter, &checked, i64::MAX).await?;
        Ok(found as f64 >= checked.len() as f64 * TRUE_PART)
    }

    /// Reads the first `posts` posts that match the filter without its words, in the order of the page, and returns the
    /// sort keys of those that also contain the words. An index must support the conditions other than the words,
    /// because otherwise too many posts are read.
    async fn walked_keys(
        &self,
        filter: &PostFilter,
        sort: Sort,
        start: Start,
        posts: i64,
    ) -> Result<Vec<Key>, StoreError> {
        let rest = PostFilter { words: Vec::new(), ..filter.clone() };
        let start = match start {
            Start::Offset(_) => Start::Offset(0),
            after @ Start::After(_) => after,
        };
        // The ids are read in a separate statement. In a single statement Postgres would search all posts for the
        // words.
        let ids: Vec<i64> = read!(
            self,
            replica,
            |c| on_sqlite::page(&rest, sort, start, posts - 1).load(c),
            on_postgres::page(&rest, sort, start, posts - 1).load(c)
        )?;
        self.candidate_keys(filter, &ids).await
    }

    /// The sort keys of the posts among `ids` that match.
    pub(super) async fn candidate_keys(&self, filter: &PostFilter, ids: &[i64]) -> Result<Vec<Key>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        read!(
            self,
            replica,
            |c| on_sqlite::keys_of(filter, ids, i64::MAX).load(c),
            on_postgres::keys_of(filter, ids, i64::MAX).load(c)
        )
    }

    /// The number of posts among `ids` that match, counted up to `most`.
    async fn count_true(&self, filter: &PostFilter, ids: &[i64], most: i64) -> Result<i64, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        read!(
            self,
            replica,
            |c| CountOf(on_sqlite::keys_of(filter, ids, most)).get_result(c),
            CountOf(on_postgres::keys_of(filter, ids, most)).get_result(c)
        )
    }
}
