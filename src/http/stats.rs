//! Totals, rates, lag and sources.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::managed_source::SourceDefinition;
use crate::domain::{Counts, Timestamp};
use crate::stream::Depth;

use super::answer;
use super::auth::{Authorized, Read};
use super::error::ApiError;
use super::feeds::{FeedView, feeds};
use super::params::no_params;
use super::shape::{self, ByEmotion, BySentiment, LanguageCount};
use super::state::{State, from_cached};

/// The maximum number of sources in an answer. The number is bounded, because every client that may append posts can
/// use any number of source names.
const MAX_SOURCES: usize = 1_000;

/// Totals, rates and lag.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Stats {
    /// All posts, including unscored posts and posts that were deleted after their retention time, but not posts that
    /// were deleted on request.
    total_posts: i64,
    /// The number of posts without a sentiment: no model in use supports their language, or the model for their
    /// language has not analysed them yet.
    #[serde(default)]
    #[schema(required = false)]
    unscored_count: i64,
    /// The languages of the unscored posts, most frequent first.
    #[serde(default)]
    #[schema(required = false)]
    unscored_languages: Vec<LanguageCount>,
    by_sentiment: BySentiment<i64>,
    percentages: BySentiment<f64>,
    by_emotion: ByEmotion<i64>,
    /// The number of posts of each of the 1,000 sources with the most posts.
    by_source: BTreeMap<String, i64>,
    /// The number of posts of each tracked topic, by the topic's name.
    #[serde(default)]
    by_topic: BTreeMap<String, i64>,
    average_confidence: f64,
    rates: Rates,
    /// The entries that are not yet processed; `null` while the stream is disconnected.
    lag: Option<Lag>,
    /// The time since this process started to serve requests.
    #[serde(default)]
    uptime_seconds: u64,
    /// When the totals were read.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// Posts stored per second, on average.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Rates {
    /// Posts per second over the last minute.
    posts_per_second_1m: f64,
    /// Posts per second over the last five minutes.
    posts_per_second_5m: f64,
}

/// Entries of the stream that are not yet processed.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct Lag {
    /// The number of entries that are not yet processed: `waiting` plus `claimed`.
    pending: u64,
    /// The number of entries that no worker has claimed yet.
    waiting: u64,
    /// The number of entries that a worker has claimed.
    claimed: u64,
    /// The age of the oldest of these entries, in seconds; 0 when there is none.
    oldest_seconds: f64,
}

impl Lag {
    /// The lag at `now`.
    pub fn new(depth: &Depth, now: Timestamp) -> Self {
        let oldest = depth.oldest_unsettled.map_or(Duration::ZERO, |appended| now.since(appended));
        Self {
            pending: depth.pending(),
            waiting: depth.lag,
            claimed: depth.claimed,
            oldest_seconds: (oldest.as_secs_f64() * 1e3).round() / 1e3,
        }
    }

    /// The age of the oldest entry that is not yet processed, in seconds; 0 when there is none.
    pub fn oldest_seconds(&self) -> f64 {
        self.oldest_seconds
    }
}

/// The number of `posts` per second of `time`, rounded to three decimal places.
pub fn rate(posts: i64, time: Duration) -> f64 {
    (posts as f64 / time.as_secs_f64() * 1e3).round() / 1e3
}

/// Totals, rates and lag
#[utoipa::path(get, path = "/api/stats", tag = "sentiment", responses((status = 200, body = Stats)))]
pub async fn stats(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let (store, stream, clock) = (state.api.store.clone(), state.api.stream.clone(), state.api.clock.clone());
    let tracked = state.api.topics.current();
    let compute = async move {
        let now = clock.now();
        let (minute, five_minutes) = (Duration::from_secs(60), Duration::from_secs(300));
        let reads = async {
            tokio::try_join!(
                store.sources(),
                store.topic_totals(),
                store.unscored_languages(),
                store.ingested_since(now - minute),
                store.ingested_since(now - five_minutes)
            )
        };
        let (read, depth) = tokio::join!(reads, stream.depth());
        let (sources, topics, languages, last_minute, last_five) = read?;
        let mut all = Counts::default();
        for source in &sources {
            all.merge(&source.counts);
        }
        Ok(Stats {
            total_posts: all.posts(),
            unscored_count: all.unscored(),
            unscored_languages: shape::languages(languages),
            by_sentiment: shape::sentiments(&all),
            percentages: shape::percentages(&all),
            by_emotion: shape::emotions(&all),
            by_source: sources
                .iter()
                .take(MAX_SOURCES)
                .map(|source| (source.source.clone(), source.counts.posts()))
                .collect(),
            by_topic: tracked
                .all()
                .iter()
                .map(|topic| (topic.name.to_string(), topics.get(&topic.id).map_or(0, Counts::posts)))
                .collect(),
            average_confidence: all.average_confidence(),
            rates: Rates {
                posts_per_second_1m: rate(last_minute, minute),
                posts_per_second_5m: rate(last_five, five_minutes),
            },
            // The totals are useful without the stream; `/api/health` reports that it is disconnected.
            lag: depth.ok().map(|depth| Lag::new(&depth, now)),
            uptime_seconds: 0,
            timestamp: now,
        })
    };
    let mut stats: Stats = from_cached(&state.cached("stats".to_owned(), compute).await?)?;
    // Several processes may share the cache, but the uptime belongs to this process.
    stats.uptime_seconds = state.api.clock.now().since(state.started).as_secs();
    answer::json(&stats)
}

/// The sources of posts with their counts, and the state of the sources that instances read.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Sources {
    sources: Vec<SourceView>,
    total: usize,
    /// The sources whose state an instance has reported within a day, and the paused sources.
    feeds: Vec<FeedView>,
    /// The names of the sources that users added. All other sources in `feeds` belong to the configuration, and
    /// their settings can be changed only there.
    managed: Vec<String>,
}

/// A source with its counts.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceView {
    source: String,
    /// The number of posts of the source, including unscored posts and posts that were deleted after their retention
    /// time.
    count: i64,
    /// The number of posts without a sentiment.
    #[serde(default)]
    #[schema(required = false)]
    unscored_count: i64,
    by_sentiment: BySentiment<i64>,
    percentages: BySentiment<f64>,
    by_emotion: ByEmotion<i64>,
    average_confidence: f64,
    /// When the newest stored post of the source was written; `null` if no post of the source is stored any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_post: Option<Timestamp>,
}

/// Sources
///
/// Returns the 1,000 sources with the most posts, sorted by their number of posts, and the state of each source that
/// instances read. `total` counts all sources, including sources whose posts were all deleted after their retention
/// time.
#[utoipa::path(get, path = "/api/sources", tag = "sentiment", responses((status = 200, body = Sources)))]
pub async fn sources(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let store = state.api.store.clone();
    let compute = async move {
        let all = store.sources().await?;
        let total = all.len();
        let sources: Vec<_> = all
            .into_iter()
            .take(MAX_SOURCES)
            .map(|source| SourceView {
                count: source.counts.posts(),
                unscored_count: source.counts.unscored(),
                by_sentiment: shape::sentiments(&source.counts),
                percentages: shape::percentages(&source.counts),
                by_emotion: shape::emotions(&source.counts),
                average_confidence: source.counts.average_confidence(),
                last_post: source.last_post,
                source: source.source,
            })
            .collect();
        Ok((sources, total))
    };
    let cached = state.cached("sources".to_owned(), compute).await?;
    let (sources, total): (Vec<SourceView>, usize) = from_cached(&cached)?;
    let (store, now) = (state.api.store.clone(), state.api.clock.now());
    // The state of sources is not cached, because a client that pauses a source reads the state again immediately.
    let reads = async move { tokio::try_join!(feeds(&store, now), store.managed::<SourceDefinition>()) };
    let (feeds, managed) = state.run(reads).await?;
    let managed = managed.into_iter().map(|stored| stored.spec.name).collect();
    answer::json(&Sources { sources, total, feeds, managed })
}
