//! Pages and counts of posts that contain words.
//!
//! A common word is found by reading posts in the order of the page. For any other word the text index returns
//! candidates, whose texts are then checked.

use std::cmp::Ordering;

use diesel::Queryable;
use diesel::sql_types::{BigInt, Double};

use super::query::{on_postgres, on_sqlite};
use super::{PostCursor, PostFilter, Sort, Start};
use crate::domain::Timestamp;
use crate::store::backend::read;
use crate::store::sql::{At, Instant};
use crate::store::{Store, StoreError};

/// The number of posts that are read in the order of the page before the index is used.
const WALK: i64 = 4_000;
/// The maximum number of candidates whose texts are read. A word with more candidates is common enough to be found by
/// reading posts in order.
const CANDIDATES: i64 = 12_000;

/// The sort keys of a post.
#[derive(Clone, Copy, Debug, PartialEq, Queryable)]
pub struct Key {
    id: i64,
    created_at: At,
    confidence: f64,
}

/// The columns of [`Key`].
pub type KeyColumns = (BigInt, Instant, Double);

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
    /// The ids of one page of posts that contain the words of `filter`, and of one further post. `None`: the page must
    /// be read from the posts.
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
        // Without an index for the other conditions, the first posts of the page may be far apart.
        let rest = (&filter.topic, &filter.lang, filter.min_confidence, filter.ingested_after);
        if rest == (&None, &None, None, None) {
            let walked = self.walked_keys(filter, sort, start).await?;
            if walked.len() >= wanted {
                return Ok(Some(page(walked)));
            }
        }
        match self.search_candidates(&filter.words, CANDIDATES).await? {
            Some(candidates) if candidates.complete => {
                Ok(Some(page(self.candidate_keys(filter, &candidates.ids, i64::MAX).await?)))
            }
            _ => Ok(None),
        }
    }

    /// The number of posts that contain the words of `filter`; `limit + 1` if there are more than `limit`. `None`: they
    /// must be counted individually.
    pub(super) async fn search_count(&self, filter: &PostFilter, limit: i64) -> Result<Option<i64>, StoreError> {
        let Some(candidates) = self.search_candidates(&filter.words, CANDIDATES.max(limit + limit / 5)).await? else {
            return Ok(None);
        };
        let found = self.candidate_keys(filter, &candidates.ids, limit + 1).await?.len() as i64;
        Ok((candidates.complete || found > limit).then_some(found))
    }

    /// The matches among the first posts of the page, if an index supports its order and its other conditions.
    async fn walked_keys(&self, filter: &PostFilter, sort: Sort, start: Start) -> Result<Vec<Key>, StoreError> {
        let rest = PostFilter { words: Vec::new(), ..filter.clone() };
        let start = match start {
            Start::Offset(_) => Start::Offset(0),
            after @ Start::After(_) => after,
        };
        read!(
            self,
            replica,
            |c| on_sqlite::keys_within(filter, on_sqlite::page(&rest, sort, start, WALK - 1)).load(c),
            on_postgres::keys_within(filter, on_postgres::page(&rest, sort, start, WALK - 1)).load(c)
        )
    }

    /// The matches among `ids`, at most `limit`.
    async fn candidate_keys(&self, filter: &PostFilter, ids: &[i64], limit: i64) -> Result<Vec<Key>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        read!(
            self,
            replica,
            |c| on_sqlite::keys_of(filter, ids, limit).load(c),
            on_postgres::keys_of(filter, ids, limit).load(c)
        )
    }
}
