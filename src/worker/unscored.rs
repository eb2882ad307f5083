//! Analyses stored posts that have no sentiment, once a model for their language is available.
//!
//! These posts were stored before a model for their language was configured, or while the model of their route was not
//! available. A route is a model that classifies the posts in certain languages instead of the main model. The worker
//! analyses them in small steps. A step stores the analyses of its posts and updates the rollups in one transaction. It
//! skips posts that were edited or deleted in the meantime, so steps can be repeated. A lease allows only one instance
//! at a time to run the steps.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::context::Worker;
use super::counters::count_by_model;
use super::reviews::reanalyse;
use crate::domain::{Analysis, LiveEvent, PostEvent, PostId, SentimentFilter, op::preview};
use crate::inference::InferenceError;
use crate::inference::routes::Route;
use crate::lease::{Coordinated, LeaseManager, RoundError, coordinate};
use crate::lifecycle::{Backoff, Shutdown};
use crate::store::StoreError;
use crate::store::posts::{PostFilter, Start, StoredPost};
use crate::store::settle::{Reanalysis, Replaced};

/// The time between two checks for work.
const EVERY: Duration = Duration::from_secs(2);
/// The time between two searches for all unscored posts. The search is repeated because other instances may have stored
/// further posts without a sentiment.
const AGAIN: Duration = Duration::from_secs(600);
/// The lease of the instance that analyses unscored posts.
const LEASE: &str = "unscored-posts";
const LEASE_TTL: Duration = Duration::from_secs(30);
/// The number of posts in one step.
const STEP: i64 = 64;
/// The maximum age of a stored post whose analysis is sent as a live event.
const NEWS: Duration = Duration::from_secs(300);

/// Analyses unscored posts until a shutdown.
pub async fn run(worker: Worker, shutdown: Shutdown) {
    let leases = LeaseManager::new(worker.store.clone(), worker.options.instance.clone(), LEASE_TTL);
    let backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
    let stop = shutdown.stop_token().clone();
    let mut task = Unscored { worker, leases, shutdown, searched_at: None };
    if let Err(error) = coordinate(&mut task, backoff, &stop).await {
        tracing::error!(%error, "analysis of unscored posts stopped");
    }
}

struct Unscored {
    worker: Worker,
    leases: LeaseManager,
    shutdown: Shutdown,
    /// When all targets were last searched for posts.
    searched_at: Option<Instant>,
}

/// Every failure is retried: the posts remain stored, and a later step can analyse them.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct UnscoredError(#[from] StoreError);

impl RoundError for UnscoredError {
    fn is_transient(&self) -> bool {
        true
    }

    fn is_lease_lost(&self) -> bool {
        matches!(self.0, StoreError::LeaseLost(_))
    }
}

impl Coordinated for Unscored {
    type Error = UnscoredError;
    const TASK: &'static str = "analysis of unscored posts";

    async fn round(&mut self) -> Result<Duration, UnscoredError> {
        let is_due = self.searched_at.is_none_or(|at| at.elapsed() >= AGAIN);
        let mut targets = Vec::new();
        if is_due {
            targets.push(Target::Main);
        }
        let routes = self.worker.routes.all();
        targets.extend(routes.iter().filter(|route| route.take_unscored() || is_due).cloned().map(Target::Route));
        if targets.is_empty() {
            return Ok(EVERY);
        }
        let done = self.analyse_all(&targets).await;
        match &done {
            Ok(true) if is_due => self.searched_at = Some(Instant::now()),
            Ok(true) => {}
            Ok(false) | Err(_) => targets.iter().for_each(Target::keep),
        }
        done?;
        Ok(EVERY)
    }

    fn lease_lost(&mut self) -> Duration {
        EVERY
    }
}

/// The model that analyses posts: the main model, or the model of a route. Each model analyses the posts in its
/// languages.
enum Target {
    Main,
    Route(Route),
}

impl Target {
    /// Requests another search for posts of this target.
    fn keep(&self) {
        if let Self::Route(route) = self {
            route.left_unscored();
        }
    }
}

/// Whether an analysis of posts was completed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Done,
    /// The model or the lease is not available, or the process stops.
    Interrupted,
}

impl Unscored {
    /// Returns whether the posts of all targets were analysed.
    async fn analyse_all(&self, targets: &[Target]) -> Result<bool, StoreError> {
        let Some(handle) = self.leases.acquire(LEASE).await? else { return Ok(false) };
        let mut all = true;
        for target in targets {
            all &= self.analyse_target(target).await? == Progress::Done;
        }
        self.leases.release([handle.lease]).await;
        Ok(all)
    }

    async fn analyse_target(&self, target: &Target) -> Result<Progress, StoreError> {
        let info = self.worker.classifier.current();
        let languages: Vec<Option<&str>> = match target {
            Target::Route(route) => route.languages().iter().map(|lang| Some(lang.as_str())).collect(),
            Target::Main => match self.worker.options.languages.supported(&info.info().languages).known() {
                // The model analyses every language.
                [] => vec![None],
                known => known.iter().map(|lang| Some(lang.as_str())).collect(),
            },
        };
        let (mut progress, mut processed) = (Progress::Done, 0);
        for lang in languages {
            let (end, posts) = self.analyse_language(target, lang).await?;
            processed += posts;
            progress = end;
            if progress == Progress::Interrupted {
                break;
            }
        }
        if let (Target::Route(route), Progress::Done) = (target, progress) {
            route.caught_up();
        }
        if processed > 0 {
            self.worker.cache.clear().await;
            tracing::info!(posts = processed, "unscored posts processed");
        }
        Ok(progress)
    }

    async fn analyse_language(&self, target: &Target, lang: Option<&str>) -> Result<(Progress, usize), StoreError> {
        let filter = PostFilter {
            sentiment: Some(SentimentFilter::Unscored),
            lang: lang.map(str::to_owned),
            ..PostFilter::default()
        };
        let (mut start, mut processed) = (Start::Offset(0), 0);
        loop {
            let page = self.worker.store.posts(&filter, start, STEP).await?;
            let mut posts = page.items;
            if matches!(target, Target::Main) {
                posts.retain(|post| self.worker.routes.of(post.lang.as_deref()).is_none());
            }
            let size = posts.len();
            if self.analyse(target, posts).await? == Progress::Interrupted {
                return Ok((Progress::Interrupted, processed));
            }
            processed += size;
            if self.shutdown.is_stopping() {
                return Ok((Progress::Interrupted, processed));
            }
            let Some(next) = page.next else { return Ok((Progress::Done, processed)) };
            start = Start::After(next);
            if self.leases.acquire(LEASE).await?.is_none() {
                return Ok((Progress::Interrupted, processed));
            }
        }
    }

    /// Analyses posts. If the model fails on a post, the post stays unscored and the other posts are analysed one by
    /// one.
    async fn analyse(&self, target: &Target, posts: Vec<StoredPost>) -> Result<Progress, StoreError> {
        if posts.is_empty() {
            return Ok(Progress::Done);
        }
        let texts = posts.iter().map(|post| post.content.clone()).collect();
        let classified = match target {
            Target::Main => self.shutdown.unless_stopping(self.worker.classifier.current().classify(texts)).await,
            Target::Route(route) => self.shutdown.unless_stopping(route.classify_late(texts)).await,
        };
        match classified {
            None => Ok(Progress::Interrupted),
            Some(Ok(analyses)) => {
                count_by_model(&analyses);
                self.store(posts, analyses).await?;
                Ok(Progress::Done)
            }
            Some(Err(InferenceError::Failed(_) | InferenceError::TooSlow(_))) if posts.len() > 1 => {
                for post in posts {
                    if Box::pin(self.analyse(target, vec![post])).await? == Progress::Interrupted {
                        return Ok(Progress::Interrupted);
                    }
                }
                Ok(Progress::Done)
            }
            Some(Err(InferenceError::Failed(error))) => {
                tracing::warn!(post = posts[0].post_id, error, "unscored post not analysed");
                count("failed", 1);
                Ok(Progress::Done)
            }
            Some(Err(InferenceError::TooSlow(_))) => {
                count("failed", 1);
                Ok(Progress::Done)
            }
            // The model is not available now. The status of the route shows the reason.
            Some(Err(_)) => Ok(Progress::Interrupted),
        }
    }

    async fn store(&self, posts: Vec<StoredPost>, analyses: Vec<Analysis>) -> Result<(), StoreError> {
        let analysed: Vec<(StoredPost, Analysis)> = posts.into_iter().zip(analyses).collect();
        let reanalyses: Vec<Reanalysis> = analysed
            .iter()
            .filter_map(|(post, analysis)| {
                Some(Reanalysis {
                    post_id: PostId::parse(&post.post_id).ok()?,
                    analysis: analysis.clone(),
                    replaces: Replaced::Unscored { content: post.content.clone() },
                })
            })
            .collect();
        let done = reanalyse(&self.worker, &reanalyses).await?;
        let now = self.worker.clock.now();
        let mut events = Vec::new();
        for ((post, analysis), stored) in analysed.into_iter().zip(done) {
            let Some(stored) = stored else {
                count("outdated", 1);
                continue;
            };
            count("judged", 1);
            if now.since(post.ingested_at) <= NEWS {
                let topics = self.worker.topics.current().names(&stored.topics);
                let event = event(post, &analysis, topics);
                events.push(LiveEvent::Post(PostEvent { timestamp: stored.times.analyzed_at, ..event }));
            }
        }
        if !events.is_empty() && self.worker.live.publish(events).await.is_err() {
            metrics::counter!("sentistream_live_publish_failures_total").increment(1);
        }
        Ok(())
    }
}

fn event(post: StoredPost, analysis: &Analysis, topics: Vec<String>) -> PostEvent {
    PostEvent {
        content: preview(&post.content, crate::domain::event::PREVIEW_CHARS).to_owned(),
        post_id: post.post_id,
        source: post.source,
        author: post.author,
        lang: post.lang,
        sentiment_label: Some(analysis.sentiment),
        confidence_score: Some(analysis.confidence),
        emotion: Some(analysis.emotion),
        unscored: None,
        topics,
        topic_sentiments: BTreeMap::new(),
        created_at: post.created_at,
        ingested_at: post.ingested_at,
        timestamp: post.ingested_at,
        traceparent: None,
    }
}

fn count(result: &'static str, posts: u64) {
    metrics::counter!("sentistream_unscored_judged_total", "result" => result).increment(posts);
}
