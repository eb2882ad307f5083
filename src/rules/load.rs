//! Reads the counts from which rules are evaluated.

mod delays;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::copies::{self, DistinctCounts, PostText};
use super::history::{Gaps, History, LateCount, MINUTE, QUARTER};
use super::series::{BucketCount, Series, Tally};
use super::{DAY, LONGEST_DELAY, PROFILE, PUNCTUAL, View};
use crate::domain::alert::{RuleSpec, Scope};
use crate::domain::{SentimentOf, TimeRange, Timestamp, TopicId, TopicName};
use crate::store::alerts::{BucketWidth, LatePosts, PostMark};
use crate::store::demonstration::DemoState;
use crate::store::posts::{PostFilter, Start};
use crate::store::{Store, StoreError};

pub use delays::DelayCache;

/// The maximum number of posts that are read for a scope without rollups, and of late posts that a backtest reads.
const MAX_POSTS: i64 = 200_000;
/// The maximum number of posts of a window that are compared by text or author. If there are more posts, the newest
/// posts are compared, and their counts are scaled up.
const MAX_TEXTS: i64 = 5_000;
/// The counts of a baseline begin this long before the day that precedes the window. This time covers the longest
/// window of a spike, and the recent hours that scale the profile.
const REACH: Duration = Duration::from_secs(7 * 3_600);

/// Why counts could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RuleLoadError {
    /// The store failed or does not respond.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many posts of the scope must be read one by one: all posts of a scope without rollups, or the late posts of
    /// a backtest.
    #[error("more than {MAX_POSTS} posts of {0} must be read one by one: choose a narrower scope or a shorter window")]
    TooMany(Scope),
    /// The rule's topic is not tracked.
    #[error("there is no topic {0}: create one with this name, or change the rule's scope")]
    NoTopic(TopicName),
}

/// Exact counts of some windows of one scope.
#[derive(Debug, Default)]
pub struct Windows {
    counts: HashMap<TimeRange, BTreeMap<String, Tally>>,
    history: Option<History>,
    gaps: Gaps,
    texts: HashMap<TimeRange, Vec<PostText>>,
}

impl View for Windows {
    fn window(&self, range: TimeRange, source: Option<&str>) -> Tally {
        let Some(sources) = self.counts.get(&range) else { return Tally::default() };
        match source {
            Some(name) => sources.get(name).copied().unwrap_or_default(),
            None => sources.values().fold(Tally::default(), |mut sum, part| {
                sum.merge(part);
                sum
            }),
        }
    }

    fn sources(&self, range: TimeRange) -> BTreeSet<String> {
        self.counts.get(&range).into_iter().flat_map(|sources| sources.keys().cloned()).collect()
    }

    fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    fn distinct(&self, spec: &RuleSpec, range: TimeRange, source: Option<&str>) -> Option<DistinctCounts> {
        let texts = self.texts.get(&range)?;
        Some(scaled(spec, texts, source, self.window(range, None)))
    }

    fn unobserved(&self, range: TimeRange) -> f64 {
        self.gaps.share_of(range)
    }
}

impl Windows {
    /// Reads the texts and authors of the newest posts in `range`, at most 5,000. Does nothing if they were already
    /// read.
    ///
    /// # Errors
    /// When the store does not answer, or the topic is not tracked.
    pub async fn read_texts(&mut self, store: &Store, scope: &Scope, range: TimeRange) -> Result<(), RuleLoadError> {
        if let Entry::Vacant(entry) = self.texts.entry(range) {
            entry.insert(texts(store, scope, range).await?);
        }
        Ok(())
    }
}

/// The distinct counts of `texts`. They are scaled up to `all` if `texts` are only the newest posts.
pub fn scaled(spec: &RuleSpec, texts: &[PostText], source: Option<&str>, all: Tally) -> DistinctCounts {
    let counted = copies::count(spec, texts, source);
    let part = texts.len() as f64 / all.posts().max(1) as f64;
    if part >= 1.0 || texts.is_empty() || (texts.len() as i64) < MAX_TEXTS {
        return counted;
    }
    DistinctCounts { tally: counted.tally.scaled(1.0 / part), ..counted }
}

/// The feed of a scope: the scope whose counts are read from the store. The feed of a single source is all posts,
/// because the counts of all posts are stored by source.
pub fn feed(scope: &Scope) -> Scope {
    if matches!(scope, Scope::Source(_)) { Scope::All } else { scope.clone() }
}

/// The counts that the rules of a feed need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// The windows whose posts are counted.
    pub ranges: HashSet<TimeRange>,
    /// The latest end of all windows that need a baseline; `None` if no window needs one.
    pub baseline: Option<Timestamp>,
}

/// The counts of each feed by quarter of an hour. They are read again when a whole quarter of an hour is missing. The
/// newest quarters of an hour may miss posts that arrive later, so [`History::windows`] reads them from the counts by
/// minute.
#[derive(Debug, Default)]
pub struct QuarterCache(HashMap<Scope, Arc<Series>>);

impl QuarterCache {
    /// Removes feeds that are not `wanted`.
    pub fn retain(&mut self, wanted: impl Fn(&Scope) -> bool) {
        self.0.retain(|scope, _| wanted(scope));
    }

    async fn series(&mut self, source: &Reader<'_>, past: TimeRange) -> Result<Arc<Series>, StoreError> {
        let fresh = |series: &&Arc<Series>| {
            series.range().end() >= past.end().floor(QUARTER) && series.range().start() <= past.start().ceil(QUARTER)
        };
        if let Some(series) = self.0.get(source.scope).filter(fresh) {
            return Ok(series.clone());
        }
        let series = Arc::new(source.rollups(BucketWidth::Quarter, past).await?);
        self.0.insert(source.scope.clone(), series.clone());
        Ok(series)
    }
}

/// Reads the counts that the rules of a feed need.
///
/// # Errors
/// When the store does not answer, too many posts match, or the topic is not tracked.
pub async fn live(
    store: &Store,
    scope: &Scope,
    wanted: &Wanted,
    cache: &mut QuarterCache,
) -> Result<Windows, RuleLoadError> {
    let reader = Reader::new(store, scope).await?;
    let earliest = wanted.ranges.iter().map(TimeRange::start).chain(wanted.baseline.map(|end| end - PROFILE)).min();
    let Some(earliest) = earliest else { return Ok(Windows::default()) };
    let mut windows = Windows { gaps: Gaps::new(store.unobserved(earliest).await?), ..Windows::default() };
    let past = wanted.baseline.map(|end| TimeRange::last(DAY + REACH + LONGEST_DELAY, end));
    if scope.is_rolled_up() {
        for range in &wanted.ranges {
            let sources = store.window_by_source(*range, reader.topic, SentimentOf::Topic).await?;
            windows.counts.insert(*range, sources.iter().map(|(name, counts)| (name.clone(), counts.into())).collect());
        }
        if let Some(past) = past {
            let minutes = reader.rollups(BucketWidth::Minute, past).await?;
            let quarters = cache.series(&reader, TimeRange::last(PROFILE + DAY, past.end())).await?;
            windows.history = Some(reader.history(minutes, quarters).await?);
        }
        return Ok(windows);
    }
    let whole = wanted.ranges.iter().copied().chain(past).reduce(|one, other| {
        let (start, end) = (one.start().min(other.start()), one.end().max(other.end()));
        TimeRange::new(start, end).unwrap_or(one)
    });
    let Some(whole) = whole else { return Ok(windows) };
    let marks = marks(store, scope, whole).await?;
    for range in &wanted.ranges {
        let sources: &mut BTreeMap<String, Tally> = windows.counts.entry(*range).or_default();
        for mark in &marks {
            let at = mark.arrival.written_at;
            if at >= range.start() && at < range.end() {
                sources.entry(mark.source.clone()).or_default().add(mark.labels, 1);
            }
        }
    }
    if let Some(past) = past {
        windows.history = Some(reader.of_marks(past, &marks).await?);
    }
    Ok(windows)
}

/// Reads the counts of a scope that a backtest over `range` needs.
///
/// # Errors
/// When the store does not answer, too many posts match, or the topic is not tracked.
pub async fn history(store: &Store, scope: &Scope, range: TimeRange) -> Result<History, RuleLoadError> {
    let reader = Reader::new(store, scope).await?;
    let past = TimeRange::last(range.length() + DAY + REACH + LONGEST_DELAY, range.end());
    if !scope.is_rolled_up() {
        let marks = marks(store, scope, past).await?;
        return Ok(reader.of_marks(past, &marks).await?);
    }
    let minutes = reader.rollups(BucketWidth::Minute, past).await?;
    let days = TimeRange::last(range.length() + PROFILE + DAY, range.end());
    let quarters = Arc::new(reader.rollups(BucketWidth::Quarter, days).await?);
    let mut history = reader.history(minutes, quarters).await?;
    let late = LatePosts { range: past, topic: reader.topic, least: PUNCTUAL, most: LONGEST_DELAY };
    let late = store.late_posts(&late, MAX_POSTS + 1).await?;
    if late.len() as i64 > MAX_POSTS {
        return Err(RuleLoadError::TooMany(scope.clone()));
    }
    history.late = late.iter().map(late_count).collect();
    Ok(history)
}

/// Reads the texts and authors of the newest posts of `range`, at most 5,000.
///
/// # Errors
/// When the store does not answer, or the topic is not tracked.
pub async fn texts(store: &Store, scope: &Scope, range: TimeRange) -> Result<Vec<PostText>, RuleLoadError> {
    let filter = PostFilter { start: Some(range.start()), end: Some(range.end()), ..filter(store, scope).await? };
    let page = store.posts(&filter, Start::Offset(0), MAX_TEXTS).await?;
    let text = |post: crate::store::posts::StoredPost| PostText {
        labels: post.labels(),
        source: post.source,
        author: post.author,
        content: post.content,
    };
    Ok(page.items.into_iter().map(text).collect())
}

/// Reads the series of one scope.
struct Reader<'a> {
    store: &'a Store,
    scope: &'a Scope,
    topic: Option<TopicId>,
    /// When the collection of posts of the scope began, if it is known.
    since: Option<Timestamp>,
}

impl<'a> Reader<'a> {
    async fn new(store: &'a Store, scope: &'a Scope) -> Result<Self, RuleLoadError> {
        let Scope::Topic(name) = scope else { return Ok(Self { store, scope, topic: None, since: None }) };
        let topic = store.topic(name).await?.ok_or_else(|| RuleLoadError::NoTopic(name.clone()))?;
        // Older posts count only after all of them have been matched against the topic.
        let matched = topic.backfill.last > 0 && !topic.backfill.is_running();
        let since = (!matched).then_some(topic.updated_at);
        Ok(Self { store, scope, topic: Some(topic.id), since })
    }

    async fn rollups(&self, width: BucketWidth, range: TimeRange) -> Result<Series, StoreError> {
        let bucket = if width == BucketWidth::Minute { MINUTE } else { QUARTER };
        let counts = self.store.bucket_counts(width, range.widened(bucket), self.topic).await?;
        Ok(Series::new(range, bucket, &counts))
    }

    /// Creates a history from these series and the recorded downtime.
    async fn history(&self, minutes: Series, quarters: Arc<Series>) -> Result<History, StoreError> {
        let start = quarters.range().start();
        let mut history = History::new(minutes, quarters);
        let first = self.store.first_post_since(start).await?;
        history.since = first.into_iter().chain(self.since).max();
        let demo = self.store.demonstration().await?.filter(|demo| demo.state != DemoState::Removed);
        history.made_up_until = demo.map(|demo| demo.began_at);
        history.gaps = Gaps::new(self.store.unobserved(start).await?);
        Ok(history)
    }

    async fn of_marks(&self, past: TimeRange, marks: &[PostMark]) -> Result<History, StoreError> {
        let counts: Vec<BucketCount> = marks.iter().map(count).collect();
        let (minutes, quarters) = (Series::new(past, MINUTE, &counts), Series::new(past, QUARTER, &counts));
        let mut history = self.history(minutes, Arc::new(quarters)).await?;
        let is_late = |mark: &&PostMark| {
            let lateness = mark.arrival.stored_at.since(mark.arrival.written_at);
            lateness > PUNCTUAL && lateness <= LONGEST_DELAY
        };
        history.late = marks.iter().filter(is_late).map(late_count).collect();
        history.late.sort_by_key(|late| late.written_at);
        Ok(history)
    }
}

fn count(mark: &PostMark) -> BucketCount {
    BucketCount { at: mark.arrival.written_at, source: mark.source.clone(), labels: mark.labels, count: 1 }
}

fn late_count(mark: &PostMark) -> LateCount {
    let mut tally = Tally::default();
    tally.add(mark.labels, 1);
    let arrival = mark.arrival;
    LateCount { written_at: arrival.written_at, stored_at: arrival.stored_at, source: mark.source.clone(), tally }
}

async fn marks(store: &Store, scope: &Scope, range: TimeRange) -> Result<Vec<PostMark>, RuleLoadError> {
    let filter = PostFilter { start: Some(range.start()), end: Some(range.end()), ..filter(store, scope).await? };
    let marks = store.post_marks(&filter, MAX_POSTS + 1).await?;
    if marks.len() as i64 > MAX_POSTS {
        return Err(RuleLoadError::TooMany(scope.clone()));
    }
    Ok(marks)
}

/// The filter that selects the posts of a scope.
///
/// # Errors
/// When the store does not answer, or the topic is not tracked.
pub async fn filter(store: &Store, scope: &Scope) -> Result<PostFilter, RuleLoadError> {
    Ok(match scope {
        Scope::All => PostFilter::default(),
        Scope::Source(name) => PostFilter { source: Some(name.clone()), ..PostFilter::default() },
        Scope::Topic(_) => PostFilter { topic: Reader::new(store, scope).await?.topic, ..PostFilter::default() },
        Scope::Author(name) => PostFilter { author: Some(name.clone()), ..PostFilter::default() },
        Scope::Text(words) => {
            PostFilter { whole_words: words.split_whitespace().map(str::to_owned).collect(), ..PostFilter::default() }
        }
    })
}
