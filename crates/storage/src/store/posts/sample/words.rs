//! Reads samples of posts that contain words, and counts these posts.

use super::{SampleRow, SampledPost, TARGET, WINDOWS, within};
use crate::store::backend::read;
use crate::store::posts::query::{on_postgres, on_sqlite};
use crate::store::posts::search::CANDIDATES;
use crate::store::posts::{COUNT_LIMIT, PostFilter, Total};
use crate::store::{Store, StoreError};
use sentistream_core::domain::TimeRange;

/// The maximum number of posts of a range whose texts are searched for words without the text index.
const READ: i64 = 8_000;
/// The maximum number of posts whose texts are searched for common words. If a range has more posts, about this many
/// are taken from windows that are spread evenly over the range.
const SPREAD: i64 = 12_000;
/// The approximate number of posts in the larger windows that are read if the first windows have fewer than [`TARGET`]
/// matches, and there are too many posts to count all that match the other conditions.
const SCANNED: i64 = 100_000;
/// The maximum number of posts of a range for which the lowest and the highest id are determined exactly.
const BOUNDED: i64 = 150_000;

/// A sample of posts that contain words.
#[derive(Clone, Debug, PartialEq)]
pub struct WordSample {
    /// The number of posts that contain the words. Counting stops early for common words.
    pub total: Total,
    /// The posts. If more than 2,000 were found, they are an evenly spread selection.
    pub posts: Vec<SampledPost>,
}

impl WordSample {
    /// A sample of `posts`, which are all posts that contain the words.
    fn of_all(mut posts: Vec<SampledPost>) -> Self {
        let count = posts.len() as i64;
        let total = Total { count: count.min(COUNT_LIMIT), capped: count > COUNT_LIMIT };
        thin(&mut posts);
        Self { total, posts }
    }
}

/// The posts of a range that may contain the words.
struct Near {
    ids: Vec<i64>,
    /// Whether there are further candidates in the range.
    many: bool,
    /// Whether the ids include every post of the range that may contain the words.
    exact: bool,
}

impl Store {
    /// A sample of the posts of `range` that match `filter`. The filter must contain words, and its times are ignored.
    /// To limit the cost, very common words are searched only in windows that are spread evenly over the range.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sample_words(&self, filter: &PostFilter, range: TimeRange) -> Result<WordSample, StoreError> {
        let filter = within(filter, range);
        let rest = self.count_posts(&PostFilter { words: Vec::new(), ..filter.clone() }).await?;
        let _turn = self.scans.turn().await;
        if !rest.capped && rest.count <= READ {
            return Ok(WordSample::of_all(self.newest_sampled(&filter, READ).await?));
        }
        let query = self.search_query(&filter.words).await?.filter(|query| !query.is_slow);
        let Some(query) = query else { return self.spread(&filter, range, rest).await };
        let near = self.near(query.quick.as_ref().unwrap_or(&query.candidates), range, rest).await?;
        if near.many {
            let sample = self.spread(&filter, range, rest).await?;
            return Ok(match self.are_mostly_true(&filter, &near.ids).await? {
                true => WordSample { total: Total { count: COUNT_LIMIT, capped: true }, ..sample },
                false => sample,
            });
        }
        let mut found = self.candidate_keys(&filter, &near.ids).await?;
        found.sort_unstable_by_key(|key| key.created_at);
        let count = (found.len() as i64).min(COUNT_LIMIT);
        let total = Total { count, capped: !near.exact || found.len() as i64 > COUNT_LIMIT };
        thin(&mut found);
        let ids: Vec<i64> = found.into_iter().map(|key| key.id).collect();
        Ok(WordSample { total, posts: self.sampled_ids(&ids).await? })
    }

    /// The candidates for `query` in `range`. `rest` is the number of posts in the range that match the other
    /// conditions.
    async fn near(&self, query: &str, range: TimeRange, rest: Total) -> Result<Near, StoreError> {
        if !rest.capped && rest.count <= BOUNDED {
            let (first, last) = self.post_ids_of(range).await?;
            let found = self.search_matches_among(query, first..=last, CANDIDATES).await?;
            return Ok(Near { ids: found.ids, many: !found.complete, exact: true });
        }
        let (first, last) = self.end_ids_of(range).await?;
        let found = self.search_matches_among(query, first..=last, CANDIDATES).await?;
        if !found.complete {
            return Ok(Near { ids: found.ids, many: true, exact: true });
        }
        let all = self.search_matches(query, CANDIDATES).await?;
        Ok(Near { ids: if all.complete { all.ids } else { found.ids }, many: false, exact: all.complete })
    }

    /// The matches in windows that are spread over `range`, or all matches if the range has few posts. `rest` is the
    /// number of posts in the range that match the other conditions. The times of `filter` are those of `range`.
    async fn spread(&self, filter: &PostFilter, range: TimeRange, rest: Total) -> Result<WordSample, StoreError> {
        // If `rest` is only a lower bound, a count from the rollups is used, which may include other posts.
        let posts = match rest.capped {
            true => self.count_posts(&filter.widened()).await?.count.max(rest.count),
            false => rest.count,
        };
        if posts <= SPREAD {
            return Ok(WordSample::of_all(self.newest_sampled(filter, SPREAD).await?));
        }
        let most = SPREAD * 2 / i64::from(WINDOWS);
        let mut part = SPREAD as f64 / posts as f64;
        let mut found = self.windows_sampled(filter, range, part, most).await?;
        if rest.capped && (found.len() as i64) < TARGET {
            part = SCANNED as f64 / posts as f64;
            found = self.windows_sampled(filter, range, part, most).await?;
        }
        let count = found.len() as i64;
        // All matches were found if the windows cover the whole range, and together have fewer matches than one window
        // may return.
        let total = Total { count: count.min(COUNT_LIMIT), capped: part < 1.0 || count >= most };
        thin(&mut found);
        Ok(WordSample { total, posts: found })
    }

    async fn sampled_ids(&self, ids: &[i64]) -> Result<Vec<SampledPost>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<SampleRow> =
            read!(self, replica, |c| on_sqlite::samples_of(ids).load(c), on_postgres::samples_of(ids).load(c))?;
        Ok(rows.into_iter().map(SampledPost::from).collect())
    }
}

/// Keeps [`TARGET`] items, evenly spread over the list.
fn thin<T>(list: &mut Vec<T>) {
    let (length, wanted) = (list.len(), usize::try_from(TARGET).unwrap_or_default());
    if length > wanted {
        let mut at = 0;
        list.retain(|_| {
            let kept = at * wanted / length != (at + 1) * wanted / length;
            at += 1;
            kept
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinned_list_is_evenly_spread() {
        let mut list: Vec<usize> = (0..5_000).collect();
        thin(&mut list);
        assert_eq!(list.len(), 2_000);
        assert!(list.windows(2).all(|pair| pair[1] - pair[0] <= 3));
        let mut short = vec![1, 2];
        thin(&mut short);
        assert_eq!(short, [1, 2]);
    }
}
