//! Versions, throughput and the state of each component, for operators.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::Timestamp;
use crate::domain::counts::percentage;
use crate::inference::routes::{Route, RouteState, RouteStatus, Routes};
use crate::inference::{ModelInfo, Speed};
use crate::store::posts::PostFilter;
use crate::store::{Store, StoreError};
use crate::stream::{ConsumerInfo, Depth, Stream};

use super::auth::{Authorized, Read};
use super::check::{CheckError, within};
use super::error::ApiError;
use super::feeds::{FeedView, feeds};
use super::health::{Checks, ComponentState};
use super::params::no_params;
use super::sentiment::last;
use super::shape::{self, LanguageCount};
use super::state::State;
use super::stats::{Lag, rate};
use super::{ModelState, answer};

/// The time span in which unscored posts are counted.
const DAY: Duration = Duration::from_secs(86_400);

/// Versions, throughput and the state of each component.
#[derive(Serialize, utoipa::ToSchema)]
pub struct System {
    versions: Versions,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    uptime_seconds: u64,
    database: ServiceView,
    stream: StreamView,
    model: ModelView,
    throughput: Throughput,
    /// Consumers of the stream's group; `null` while the stream is disconnected.
    consumers: Option<Vec<ConsumerView>>,
    cache: CacheView,
    live: LiveView,
    /// Posts of the last 24 hours without a sentiment; `null` while the database is disconnected.
    unscored: Option<UnscoredView>,
    /// The sources that all instances read; `null` while the database is disconnected.
    sources: Option<Vec<FeedView>>,
    /// Sources, alert loop and other components of this process.
    components: Vec<ComponentState>,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// The version of SentiStream, and its platform.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Versions {
    sentistream: &'static str,
    /// Operating system and architecture.
    #[schema(example = "linux x86_64")]
    platform: String,
}

/// A backing service.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ServiceView {
    /// `sqlite`, `postgres`, `embedded` or `redis`.
    kind: &'static str,
    /// `connected` or `disconnected`.
    state: &'static str,
    /// The error, if the service is disconnected.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The stream and its numbers.
#[derive(Serialize, utoipa::ToSchema)]
pub struct StreamView {
    #[serde(flatten)]
    service: ServiceView,
    /// The entries that are not yet processed; `null` while the stream is disconnected.
    lag: Option<Lag>,
    /// The number of entries that were appended in the current epoch (see `epoch`).
    appended: Option<u64>,
    /// The current number of dead letters.
    dead_letters: Option<u64>,
    /// Identifies the data of the stream. When the stream is lost, a new epoch begins.
    epoch: Option<String>,
}

/// The model.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ModelView {
    /// `connected`, `loading`, `failed`, or `absent` in a process without a model.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    info: Option<ModelInfo>,
    /// The throughput of the model over the last five minutes; `null` where it is not measured.
    speed: Option<Speed>,
    /// The models for other languages, as configured in `inference.routes`.
    routes: Vec<RouteView>,
}

/// The model for some languages (a route of `inference.routes`).
#[derive(Serialize, utoipa::ToSchema)]
pub struct RouteView {
    /// Language codes such as `de`.
    languages: Vec<String>,
    /// The model's name in the configuration.
    model: String,
    state: RouteState,
    /// Why the model could not be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Whether the model is behind: new posts in its languages are stored without a sentiment, and are analysed when
    /// the model has caught up.
    behind: bool,
    /// The number of texts that this process has classified with the model.
    posts: u64,
    /// The loaded model; `null` while it is not loaded.
    info: Option<ModelInfo>,
    /// The throughput of the model over the last five minutes; `null` while the model is not loaded.
    speed: Option<Speed>,
}

impl From<&Route> for RouteView {
    fn from(route: &Route) -> Self {
        let RouteStatus { state, reason, info, speed, posts, is_behind } = route.status();
        Self {
            languages: route.languages().to_vec(),
            model: route.model().to_owned(),
            state,
            detail: reason,
            behind: is_behind,
            posts,
            info,
            speed,
        }
    }
}

/// Entries and posts per second over the last minute.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Throughput {
    /// Entries that were appended to the stream; `null` before the second measurement.
    in_per_second: Option<f64>,
    /// Posts that were stored, including unscored posts; `null` while the database is disconnected.
    out_per_second: Option<f64>,
}

/// A consumer of the stream's group.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ConsumerView {
    name: String,
    /// The number of entries that the consumer has claimed.
    claimed: u64,
    /// The seconds since the last command of the consumer.
    idle_seconds: f64,
}

/// The posts that were written in the last 24 hours, and those among them that have no sentiment.
#[derive(Serialize, utoipa::ToSchema)]
pub struct UnscoredView {
    /// The number of all posts of the last 24 hours, including unscored posts.
    posts: i64,
    /// The number of posts without a sentiment.
    unscored_count: i64,
    /// The share of unscored posts in all posts, in percent.
    percentage: f64,
    /// The languages of the unscored posts, most frequent first.
    languages: Vec<LanguageCount>,
}

impl UnscoredView {
    async fn read(store: &Store, now: Timestamp) -> Result<Self, StoreError> {
        let (range, all) = (last(DAY, now), PostFilter::default());
        let (counts, languages) =
            tokio::try_join!(store.window(range, None), store.unscored_languages_in(range, &all))?;
        Ok(Self {
            posts: counts.posts(),
            unscored_count: counts.unscored(),
            percentage: percentage(counts.unscored(), counts.posts()),
            languages: shape::languages(languages.unwrap_or_default()),
        })
    }
}

/// The response cache, as used by this process.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CacheView {
    enabled: bool,
    hits: u64,
    misses: u64,
}

/// The live clients of this process.
#[derive(Serialize, utoipa::ToSchema)]
pub struct LiveView {
    clients: usize,
}

/// System
///
/// Returns the throughput, lag, consumers, cache, model, backing services and versions of this process.
#[utoipa::path(get, path = "/api/system", tag = "operations", responses((status = 200, body = System)))]
pub async fn system(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let now = state.api.clock.now();
    let (api, limit) = (state.api.clone(), state.options.check_timeout);
    let read = state.run(async move {
        let minute = Duration::from_secs(60);
        let (store, stream) = (api.store.clone(), api.stream.clone());
        let (feeding, counting) = (store.clone(), store.clone());
        let (checks, numbers, stored, sources, unscored) = tokio::join!(
            Checks::run(&api, limit),
            within(limit, async move { tokio::try_join!(stream.depth(), stream.consumers()) }),
            within(limit, async move { store.ingested_since(now - minute).await }),
            within(limit, async move { feeds(&feeding, now).await }),
            within(limit, async move { UnscoredView::read(&counting, now).await }),
        );
        let out_per_second = stored.ok().map(|posts| rate(posts, minute));
        Ok::<_, ApiError>((checks, numbers, out_per_second, (sources.ok(), unscored.ok())))
    });
    let (checks, numbers, out_per_second, (sources, unscored)) = read.await?;
    let (hits, misses) = state.cache_use.counts();
    answer::json(&System {
        versions: Versions {
            sentistream: env!("CARGO_PKG_VERSION"),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        },
        started_at: state.started,
        uptime_seconds: now.since(state.started).as_secs(),
        database: ServiceView::new(database_kind(&state.api.stream), checks.database()),
        throughput: Throughput { in_per_second: state.inflow.per_second(), out_per_second },
        consumers: numbers.as_ref().ok().map(|(_, consumers)| consumers.iter().map(ConsumerView::from).collect()),
        stream: StreamView::new(&state, checks.stream(), numbers.ok().map(|(depth, _)| depth)),
        model: ModelView::new(checks.model(), &state.api.routes),
        cache: CacheView { enabled: state.api.cache.is_some(), hits, misses },
        live: LiveView { clients: state.hub.clients() },
        unscored,
        sources,
        components: checks.into_components(),
        timestamp: now,
    })
}

/// The embedded stream is always used with SQLite, and Redis with Postgres.
fn database_kind(stream: &Stream) -> &'static str {
    match stream {
        Stream::Local(_) => "sqlite",
        Stream::Redis(_) => "postgres",
    }
}

impl ServiceView {
    fn new(kind: &'static str, check: Result<(), CheckError>) -> Self {
        let state = if check.is_ok() { "connected" } else { "disconnected" };
        Self { kind, state, detail: check.err().map(|error| error.to_string()) }
    }
}

impl StreamView {
    fn new(state: &State, check: Result<(), CheckError>, depth: Option<Depth>) -> Self {
        let kind = match &state.api.stream {
            Stream::Local(_) => "embedded",
            Stream::Redis(_) => "redis",
        };
        Self {
            service: ServiceView::new(kind, check),
            lag: depth.as_ref().map(|depth| Lag::new(depth, state.api.clock.now())),
            appended: depth.as_ref().map(|depth| depth.appended),
            dead_letters: depth.as_ref().map(|depth| depth.dead_letters),
            epoch: depth.map(|depth| depth.epoch.to_string()),
        }
    }
}

impl ModelView {
    fn new(model: &ModelState, routes: &Routes) -> Self {
        let (info, speed, detail) = match model {
            ModelState::Ready(classifier) => (Some(classifier.info().clone()), classifier.speed(), None),
            ModelState::Failed(reason) => (None, None, Some(reason.to_string())),
            ModelState::Absent | ModelState::Loading => (None, None, None),
        };
        let routes = routes.all().iter().map(RouteView::from).collect();
        Self { state: model.as_str(), detail, info, speed, routes }
    }
}

impl From<&ConsumerInfo> for ConsumerView {
    fn from(consumer: &ConsumerInfo) -> Self {
        Self {
            name: consumer.name.clone(),
            claimed: consumer.claimed,
            idle_seconds: (consumer.idle.as_secs_f64() * 1e3).round() / 1e3,
        }
    }
}
