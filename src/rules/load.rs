//! Reading the counts that rules are judged by.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::series::{BucketCount, Series, Tally};
use super::{DAY, DAYS, History, View};
use crate::domain::alert::Scope;
use crate::domain::{TimeRange, Timestamp, TopicId, TopicName};
use crate::store::alerts::BucketWidth;
use crate::store::posts::PostFilter;
use crate::store::{Store, StoreError};

/// Most posts that are read for a scope that no rollup counts.
const MAX_POSTS: i64 = 200_000;
const MINUTE: Duration = Duration::from_secs(60);
const QUARTER: Duration = Duration::from_secs(900);
/// What a baseline reaches back behind its day or days: the longest window of a spike, and an hour around it.
const REACH: Duration = Duration::from_secs(4 * 3_600);

/// Why counts could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many posts would have to be counted one by one.
    #[error("more than {MAX_POSTS} posts match {0}: choose a narrower scope or a shorter window")]
    TooMany(Scope),
    /// A rule's topic was never tracked, or is not any more.
    #[error("there is no topic {0}: track one of this name, or change the rule's scope")]
    NoTopic(TopicName),
}

/// Exact counts of some windows of one scope.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    counts: HashMap<TimeRange, BTreeMap<String, Tally>>,
    history: Option<History>,
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
}

/// The scope whose counts serve `scope`: those of one source are among those of all.
pub fn feed(scope: &Scope) -> Scope {
    if matches!(scope, Scope::Source(_)) { Scope::All } else { scope.clone() }
}

/// The windows `ranges` of a feed, and what came before `baseline`, if it is given.
///
/// # Errors
/// When the store does not answer, too many posts match, or the topic is not tracked.
pub async fn live(
    store: &Store,
    scope: &Scope,
    ranges: &HashSet<TimeRange>,
    baseline: Option<Timestamp>,
) -> Result<Windows, LoadError> {
    let past = baseline.map(|end| TimeRange::last(DAY + REACH, end));
    let mut windows = Windows::default();
    if scope.is_rolled_up() {
        let topic = topic(store, scope).await?;
        for range in ranges {
            let sources = store.window_by_source(*range, topic).await?;
            windows.counts.insert(*range, sources.iter().map(|(name, counts)| (name.clone(), counts.into())).collect());
        }
        if let Some(past) = past {
            windows.history = Some(rolled_up(store, past, topic).await?);
        }
        return Ok(windows);
    }
    let whole = ranges.iter().copied().chain(past).reduce(|one, other| {
        let (start, end) = (one.start().min(other.start()), one.end().max(other.end()));
        TimeRange::new(start, end).unwrap_or(one)
    });
    let Some(whole) = whole else { return Ok(windows) };
    let marks = marks(store, scope, whole).await?;
    for range in ranges {
        let sources: &mut BTreeMap<String, Tally> = windows.counts.entry(*range).or_default();
        for (at, source, sentiment, emotion, count) in &marks {
            if *at >= range.start() && *at < range.end() {
                sources.entry(source.clone()).or_default().add(*sentiment, *emotion, *count);
            }
        }
    }
    windows.history = past.map(|past| History { minutes: Series::new(past, MINUTE, marks), quarters: None });
    Ok(windows)
}

/// What a backtest over `range` needs of a scope.
///
/// # Errors
/// When the store does not answer, too many posts match, or the topic is not tracked.
pub async fn history(store: &Store, scope: &Scope, range: TimeRange) -> Result<History, LoadError> {
    let past = TimeRange::last(range.length() + DAY + REACH, range.end());
    if scope.is_rolled_up() {
        return Ok(rolled_up(store, past, topic(store, scope).await?).await?);
    }
    Ok(History { minutes: Series::new(past, MINUTE, marks(store, scope, past).await?), quarters: None })
}

/// The minutes of `past`, and the quarters of an hour of its last day and of the days before.
async fn rolled_up(store: &Store, past: TimeRange, topic: Option<TopicId>) -> Result<History, StoreError> {
    let minutes = store.bucket_counts(BucketWidth::Minute, past.widened(MINUTE), topic).await?;
    let days = TimeRange::last(past.length() + DAY * DAYS, past.end()).widened(QUARTER);
    let quarters = store.bucket_counts(BucketWidth::Quarter, days, topic).await?;
    Ok(History { minutes: Series::new(past, MINUTE, minutes), quarters: Some(Series::new(days, QUARTER, quarters)) })
}

async fn marks(store: &Store, scope: &Scope, range: TimeRange) -> Result<Vec<BucketCount>, LoadError> {
    let filter = PostFilter { start: Some(range.start()), end: Some(range.end()), ..filter(store, scope).await? };
    let marks = store.post_marks(&filter, MAX_POSTS + 1).await?;
    if marks.len() as i64 > MAX_POSTS {
        return Err(LoadError::TooMany(scope.clone()));
    }
    Ok(marks)
}

/// The topic of a scope of one.
async fn topic(store: &Store, scope: &Scope) -> Result<Option<TopicId>, LoadError> {
    let Scope::Topic(name) = scope else { return Ok(None) };
    match store.topic(name).await? {
        Some(topic) => Ok(Some(topic.id)),
        None => Err(LoadError::NoTopic(name.clone())),
    }
}

/// The posts of a scope.
///
/// # Errors
/// When the store does not answer, or the topic is not tracked.
pub async fn filter(store: &Store, scope: &Scope) -> Result<PostFilter, LoadError> {
    Ok(match scope {
        Scope::All => PostFilter::default(),
        Scope::Source(name) => PostFilter { source: Some(name.clone()), ..PostFilter::default() },
        Scope::Topic(_) => PostFilter { topic: topic(store, scope).await?, ..PostFilter::default() },
        Scope::Author(name) => PostFilter { author: Some(name.clone()), ..PostFilter::default() },
        Scope::Text(words) => {
            PostFilter { words: words.split_whitespace().map(str::to_owned).collect(), ..PostFilter::default() }
        }
    })
}
