//! The rollups, which are counts of posts by bucket of time: the widths of the buckets, and how buckets cover a range.

pub(super) mod read;
mod topics;

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::sql_types::{BigInt, Nullable, Text};

use super::backend::read;
use super::labels::language_of;
use super::posts::{CountedFrom, PostFilter};
use super::sql::{At, Instant, labels_of, sql};
use super::{Retention, SourceTotals, Store, StoreError};
use read::{Cell, CellRow, Cells, LanguageCell, cells, sum, totals};
use sentistream_core::domain::{Counts, SentimentFilter, SentimentOf, Source, TimeRange, Timestamp, TopicId};

impl Store {
    /// Every source with its counts and its newest post, sorted by number of posts. Costs O(sources).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored sentiment or
    /// emotion is unknown.
    pub async fn sources(&self) -> Result<Vec<SourceTotals>, StoreError> {
        let counted = by_source(read!(self, replica, |c| totals(Cells::default()).load(c))?);
        let newest = || {
            sql("SELECT r.source, (SELECT max(p.created_at) FROM social_media_posts p WHERE p.source = r.source) \
                 FROM (SELECT DISTINCT source FROM post_rollups WHERE grain = 0 AND count > 0) AS r")
            .rows::<(Text, Nullable<Instant>)>()
        };
        let rows: Vec<(String, Option<At>)> = read!(self, replica, |c| newest().load(c))?;
        let newest: BTreeMap<String, Option<At>> = rows.into_iter().collect();
        let mut sources: Vec<SourceTotals> = counted
            .into_iter()
            .map(|(source, counts)| {
                let last_post = newest.get(&source).copied().flatten().map(|at| at.0);
                SourceTotals { source, counts, last_post }
            })
            .collect();
        sources.sort_by_key(|source| std::cmp::Reverse(source.counts.posts()));
        Ok(sources)
    }

    /// The number of unscored posts of all time, by language. Costs O(sources).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn unscored_languages(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let cells = Cells { sentiment: Some(SentimentFilter::Unscored), ..Cells::default() };
        Ok(by_language(read!(self, replica, |c| totals(cells).load(c))?))
    }

    /// The number of unscored posts that were written in `range` and match `filter`, by language. The sentiment and the
    /// times of the filter are ignored. `None` if the rollups cannot answer the filter.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn unscored_languages_in(
        &self,
        range: TimeRange,
        filter: &PostFilter,
    ) -> Result<Option<BTreeMap<String, i64>>, StoreError> {
        if filter.counted_from() != CountedFrom::Rollups {
            return Ok(None);
        }
        let series = if filter.source.is_some() { Series::Source } else { Series::Together };
        let cells = Cells { sentiment: Some(SentimentFilter::Unscored), ..filter.rolled_up() };
        Ok(Some(by_language(self.cells_as(range, series, cells).await?)))
    }

    /// The number of posts stored at or after `since`, which must be in the last two hours, with a resolution of ten
    /// seconds. Costs O(buckets).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn ingested_since(&self, since: Timestamp) -> Result<i64, StoreError> {
        let query = || {
            sql("SELECT CAST(coalesce(sum(count), 0) AS bigint) FROM ingest_counters WHERE bucket >= ?")
                .bind::<Instant, _>(At(since.floor(INGEST_BUCKET)))
                .rows::<BigInt>()
        };
        read!(self, replica, |c| query().get_result(c))
    }

    /// Counts of the posts that were written in `range`, which may start and end at any time. Whole buckets are read
    /// from the rollups; the posts at the edges of the range are counted one by one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; [`StoreError::Failed`] when a stored sentiment or
    /// emotion is unknown.
    pub async fn window(&self, range: TimeRange, source: Option<&Source>) -> Result<Counts, StoreError> {
        let series = if source.is_some() { Series::Source } else { Series::Together };
        Ok(sum(self.cells(range, series, Cells { source, ..Cells::default() }).await?))
    }

    /// The same counts as [`Self::window`], separately for each source with posts in `range`. If `topic` is set, only
    /// posts of the topic are counted, by the sentiment that `of` selects.
    ///
    /// # Errors
    /// The same errors as [`Self::window`].
    pub async fn window_by_source(
        &self,
        range: TimeRange,
        topic: Option<TopicId>,
        of: SentimentOf,
    ) -> Result<BTreeMap<String, Counts>, StoreError> {
        Ok(by_source(self.cells(range, Series::Source, Cells { topic, of, ..Cells::default() }).await?))
    }

    /// Counts of the posts that were written in `range` and match `filter`.
    pub(super) async fn cells(
        &self,
        range: TimeRange,
        series: Series,
        filter: Cells<'_>,
    ) -> Result<Vec<Cell>, StoreError> {
        self.cells_as(range, series, filter).await
    }

    /// The same as [`Self::cells`], with rows of another type.
    async fn cells_as<R: CellRow>(
        &self,
        range: TimeRange,
        series: Series,
        filter: Cells<'_>,
    ) -> Result<Vec<R>, StoreError> {
        let kept = self.retention.usable(self.clock.now());
        let pieces = cover(range, if filter.topic.is_some() { kept.without_seconds() } else { kept });
        if pieces.is_empty() {
            return Ok(Vec::new());
        }
        let query = cells(&pieces, series, filter);
        // Alert rules use these counts, so they are read from the primary database and not from a replica, which may
        // lag.
        read!(self, primary, |c| c.spawn_blocking(move |c| diesel::RunQueryDsl::load(query, c)), query.load(c))
    }
}

/// The counts by the language in the emotion column of unscored posts.
fn by_language(cells: Vec<LanguageCell>) -> BTreeMap<String, i64> {
    let mut languages: BTreeMap<String, i64> = BTreeMap::new();
    for (_, _, emotion, count, _) in cells {
        if let Some(language) = language_of(&emotion) {
            *languages.entry(language.to_owned()).or_default() += count;
        }
    }
    languages.retain(|_, count| *count > 0);
    languages
}

/// The counts by source, without sources whose posts are all deleted.
fn by_source(cells: Vec<Cell>) -> BTreeMap<String, Counts> {
    let mut sources: BTreeMap<String, Counts> = BTreeMap::new();
    for (source, sentiment, emotion, count, confidence) in cells {
        sources.entry(source).or_default().add(labels_of(sentiment, emotion), count, confidence);
    }
    sources.retain(|_, counts| counts.posts() > 0);
    sources
}

/// The width of the buckets of `ingest_counters`.
pub const INGEST_BUCKET: Duration = Duration::from_secs(10);
/// The retention of `ingest_counters`.
pub const INGEST_KEPT: Duration = Duration::from_secs(2 * 3_600);
/// The retention of rollups by second. They are needed for the edges of windows that end at about the current time.
const SECONDS_KEPT: Duration = Duration::from_secs(2 * 3_600);

/// The bucket widths of `post_rollups`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// All time.
    Total,
    /// One second.
    Second,
    /// One minute.
    Minute,
    /// Fifteen minutes. The UTC offsets of all current time zones are multiples of 15 minutes.
    Quarter,
    /// A day in UTC.
    Day,
}

/// The posts that a rollup row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// The posts of one source.
    Source,
    /// The posts of all sources together. The source column of the row is empty.
    Together,
}

impl Grain {
    /// All widths, from the widest to the narrowest.
    pub const ALL: [Self; 5] = [Self::Total, Self::Day, Self::Quarter, Self::Minute, Self::Second];

    fn seconds(self) -> u32 {
        match self {
            Self::Total => 0,
            Self::Second => 1,
            Self::Minute => 60,
            Self::Quarter => 900,
            Self::Day => 86_400,
        }
    }

    /// The value of the column `grain`: the width in seconds, negative for all sources together.
    pub fn column(self, series: Series) -> i32 {
        let seconds = self.seconds().cast_signed();
        match series {
            Series::Source => seconds,
            Series::Together => -seconds,
        }
    }

    /// The length of a bucket; zero for all time.
    pub fn width(self) -> Duration {
        Duration::from_secs(self.seconds().into())
    }

    /// The start of the bucket that contains `at`.
    pub fn floor(self, at: Timestamp) -> Timestamp {
        match self {
            Self::Total => Timestamp::EPOCH,
            grain => at.floor(grain.width()),
        }
    }
}

/// For each width, the start of the first bucket that is stored at a certain time.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    seconds: Timestamp,
    minutes: Timestamp,
}

impl Kept {
    /// The same without rollups by second, which topics do not have.
    pub fn without_seconds(self) -> Self {
        Self { seconds: Timestamp::MAX, ..self }
    }

    /// The first bucket of `grain` that is stored.
    pub fn from(self, grain: Grain) -> Timestamp {
        match grain {
            Grain::Second => self.seconds,
            Grain::Minute => self.minutes,
            Grain::Total | Grain::Quarter | Grain::Day => Timestamp::MIN,
        }
    }
}

/// The maximum difference between the clocks of instances. Rollups are stored for this much longer than they are read.
pub const CLOCKS_DIFFER: Duration = Duration::from_secs(300);

impl Retention {
    /// The rollups that are written and not pruned at `now`.
    pub(super) fn kept(&self, now: Timestamp) -> Kept {
        self.usable(now - CLOCKS_DIFFER)
    }

    /// The rollups that may be read at `now`.
    pub(super) fn usable(&self, now: Timestamp) -> Kept {
        let from = |grain: Grain, kept: Duration| (now - kept).floor(grain.width());
        Kept { seconds: from(Grain::Second, SECONDS_KEPT), minutes: from(Grain::Minute, self.minute_rollups) }
    }
}

/// A part of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The width of the buckets that cover the piece. `None`: no bucket covers it, so its posts must be counted one by
    /// one.
    pub grain: Option<Grain>,
    /// The range of the piece.
    pub range: TimeRange,
}

/// Splits `range` into pieces: pieces that whole buckets cover, with the widest buckets that fit, and pieces at the
/// edges that no bucket covers.
pub fn cover(range: TimeRange, kept: Kept) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = vec![range];
    for grain in [Grain::Day, Grain::Quarter, Grain::Minute, Grain::Second] {
        let mut left = Vec::new();
        for part in rest {
            let start = part.start().ceil(grain.width()).max(kept.from(grain));
            let end = part.end().floor(grain.width());
            match TimeRange::new(start, end).filter(|whole| whole.length() > Duration::ZERO) {
                Some(whole) => {
                    pieces.push(Piece { grain: Some(grain), range: whole });
                    left.extend(TimeRange::new(part.start(), start));
                    left.extend(TimeRange::new(end, part.end()));
                }
                None => left.push(part),
            }
        }
        rest = left;
    }
    let ragged = rest.into_iter().filter(|part| part.length() > Duration::ZERO);
    pieces.extend(ragged.map(|range| Piece { grain: None, range }));
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    const SPAN: i64 = 40 * 86_400_000_000;

    proptest! {
        #[test]
        fn rollups_cover_a_range_except_for_its_edges(
            start in -SPAN..SPAN, length in 0..SPAN, seconds in -SPAN..SPAN, minutes in -SPAN..SPAN,
        ) {
            let range = TimeRange::new(at(start), at(start + length)).unwrap();
            let kept = Kept { seconds: at(seconds).floor(Grain::Second.width()), minutes: at(minutes).floor(Grain::Minute.width()) };
            let mut pieces = cover(range, kept);
            pieces.sort_by_key(|piece| piece.range.start());
            let mut next = range.start();
            for piece in &pieces {
                prop_assert_eq!(piece.range.start(), next);
                prop_assert!(piece.range.length() > Duration::ZERO);
                next = piece.range.end();
                match piece.grain {
                    Some(grain) => {
                        prop_assert_eq!(piece.range, piece.range.widened(grain.width()));
                        prop_assert!(piece.range.start() >= kept.from(grain));
                    }
                    None => {
                        let fits = |grain: &Grain| piece.range.start() >= kept.from(*grain);
                        let finest = [Grain::Second, Grain::Minute].into_iter().find(fits).unwrap_or(Grain::Quarter);
                        prop_assert!(piece.range.length() < 2 * finest.width());
                    }
                }
            }
            prop_assert_eq!(next, range.end());
            prop_assert!(pieces.len() <= 10);
        }
    }
}
