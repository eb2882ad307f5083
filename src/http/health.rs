//! Health report, liveness and readiness.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::{Books, Counts, Timestamp};
use crate::store::StoreError;
use crate::stream::{Depth, Stream};

use super::auth::{Authenticator, Scope};
use super::check::{CheckError, within};
use super::error::ApiError;
use super::progress::Problem;
use super::state::{State, from_cached};
use super::{Api, ModelState, answer};

/// The state of a component of the process (a source, the alert loop).
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ComponentState {
    /// The name of the component, such as `source:bluesky` or `alerts`.
    pub name: String,
    /// Whether the component works.
    pub healthy: bool,
    /// The state of the component, such as `connected` or `retrying`.
    pub state: String,
    /// What is wrong with the component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Returns the states of the components besides database, stream and model; must not block.
pub type Components = Arc<dyn Fn() -> Vec<ComponentState> + Send + Sync>;

/// The overall state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything works.
    Healthy,
    /// The database can be read, but writes fail, or another component fails or is not ready; `problems` lists what is
    /// wrong.
    Degraded,
    /// The database is disconnected.
    Unhealthy,
}

/// The response of `GET /api/health`.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Health {
    status: Status,
    /// The state of each service by name: `database`, `redis` (`embedded` without Redis), `model`, and others such as
    /// sources. Without the scope `read`, the others are reported only by kind, such as `source`, and only if they do
    /// not work.
    #[schema(example = json!({"database": "connected", "redis": "embedded", "model": "connected"}))]
    services: BTreeMap<String, String>,
    /// What is wrong, one message per problem; empty when everything works. Causes require the scope `read`.
    problems: Vec<String>,
    stats: HealthStats,
    /// The version of this program.
    #[schema(example = "0.1.0")]
    version: &'static str,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// The numbers of the health report; `null` without the scope `read` and while the database is disconnected. While the
/// stream is disconnected, `pending`, `dead_letters`, `processed`, `failed`, `books` and `epoch` are also `null`.
#[derive(Default, Serialize, utoipa::ToSchema)]
pub struct HealthStats {
    /// All posts, including unscored posts and posts that were deleted after their retention time, but not posts that
    /// were deleted on request.
    total_posts: Option<i64>,
    /// The posts of `total_posts` with an analysis, which excludes unscored posts.
    total_analyses: Option<i64>,
    /// Posts stored within the last hour.
    recent_posts_1h: Option<i64>,
    /// Entries that are not yet processed: waiting or claimed.
    pending: Option<u64>,
    /// The current number of dead letters.
    dead_letters: Option<u64>,
    /// Entries that were processed in the current epoch of the stream (see `epoch`) and did not become dead letters.
    processed: Option<u64>,
    /// Entries that became dead letters in the current epoch of the stream.
    failed: Option<u64>,
    /// Entries that were appended in the current epoch of the stream, by outcome. While `pending` is 0, the outcomes
    /// add up to `appended`.
    books: Option<Books>,
    /// Identifies the stream's data; a new value means that the stream was lost and counting restarted.
    epoch: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredTotals {
    total_posts: i64,
    #[serde(default)]
    total_analyses: i64,
    recent_posts_1h: i64,
}

/// The results of the checks of the backing services.
pub struct Checks {
    database: Result<(), CheckError>,
    stream: Result<(), CheckError>,
    model: ModelState,
    components: Vec<ComponentState>,
}

impl Checks {
    /// Checks every service concurrently, each for at most `limit`.
    pub async fn run(api: &Api, limit: Duration) -> Self {
        let (store, stream) = (api.store.clone(), api.stream.clone());
        let (database, stream) = tokio::join!(
            within(limit, async move { store.ping().await }),
            within(limit, async move { stream.ping().await }),
        );
        let model = api.model.borrow().clone();
        Self { database, stream, model, components: (api.components)() }
    }

    fn status(&self, problems: &[Problem]) -> Status {
        let model = matches!(self.model, ModelState::Ready(_) | ModelState::Absent);
        if self.database.is_err() {
            Status::Unhealthy
        } else if self.stream.is_ok()
            && model
            && problems.is_empty()
            && self.components.iter().all(|component| component.healthy)
        {
            Status::Healthy
        } else {
            Status::Degraded
        }
    }

    fn services(&self, stream: &Stream) -> BTreeMap<String, String> {
        let mut services = self.backing_services(stream);
        services.extend(self.components.iter().map(|component| (component.name.clone(), component.state.clone())));
        services
    }

    /// The states of database, stream and model.
    fn backing_services(&self, stream: &Stream) -> BTreeMap<String, String> {
        let connected = |result: &Result<(), CheckError>| if result.is_ok() { "connected" } else { "disconnected" };
        let redis = match (stream, &self.stream) {
            (Stream::Local(_), Ok(())) => "embedded",
            (_, result) => connected(result),
        };
        let states = [("database", connected(&self.database)), ("redis", redis), ("model", self.model.as_str())];
        states.into_iter().map(|(name, state)| (name.to_owned(), state.to_owned())).collect()
    }

    /// The kinds of components that do not work: `source` for `source:bluesky`.
    fn unhealthy_kinds(&self) -> BTreeSet<&str> {
        let unhealthy = self.components.iter().filter(|component| !component.healthy);
        unhealthy.map(|component| component.name.split(':').next().unwrap_or_default()).collect()
    }

    /// The report for clients without the scope `read`, without names, causes and numbers.
    fn summary(&self, api: &Api, observed: &[Problem]) -> Health {
        let mut services = self.backing_services(&api.stream);
        services.extend(self.unhealthy_kinds().into_iter().map(|kind| (kind.to_owned(), "unhealthy".to_owned())));
        let mut problems = self.reasons();
        problems.extend(observed.iter().map(|problem| problem.summary().to_owned()));
        problems.extend(self.unhealthy_kinds().into_iter().map(|kind| format!("{kind}: unhealthy")));
        Health {
            status: self.status(observed),
            services,
            problems,
            stats: HealthStats::default(),
            version: env!("CARGO_PKG_VERSION"),
            timestamp: api.clock.now(),
        }
    }

    /// Every problem as a message.
    fn messages(&self, observed: &[Problem]) -> Vec<String> {
        let state = |component: &ComponentState| {
            let detail = component.detail.as_ref().map_or_else(String::new, |detail| format!(" ({detail})"));
            format!("{}: {}{detail}", component.name, component.state)
        };
        let components = self.components.iter().filter(|component| !component.healthy).map(state);
        self.reasons().into_iter().chain(observed.iter().map(ToString::to_string)).chain(components).collect()
    }

    /// The result of the database check.
    ///
    /// # Errors
    /// When the check failed.
    pub fn database(&self) -> Result<(), CheckError> {
        self.database.clone()
    }

    /// The result of the stream check.
    ///
    /// # Errors
    /// When the check failed.
    pub fn stream(&self) -> Result<(), CheckError> {
        self.stream.clone()
    }

    /// The state of the model.
    pub fn model(&self) -> &ModelState {
        &self.model
    }

    /// The states of the components besides database, stream and model.
    pub fn into_components(self) -> Vec<ComponentState> {
        self.components
    }

    /// The components that are not ready; empty when the process can serve. Causes are left out, because this report
    /// needs no token; `/api/system` and the log contain them.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.database.is_err() {
            reasons.push("database: not available".to_owned());
        }
        if self.stream.is_err() {
            reasons.push("stream: not available".to_owned());
        }
        match &self.model {
            ModelState::Absent | ModelState::Ready(_) => {}
            ModelState::Loading => reasons.push("model: loading".to_owned()),
            ModelState::Failed(_) => reasons.push("model: cannot be loaded".to_owned()),
        }
        reasons
    }
}

/// Health
///
/// The HTTP status is always 200, and the body reports the state of each service and the outcome counters. The states
/// of database, stream and model need no token. Names of sources, causes and counters require the scope `read`.
#[utoipa::path(get, path = "/api/health", tag = "operations", responses((status = 200, body = Health)))]
pub async fn health(
    state: web::Data<State>,
    authenticator: web::Data<Authenticator>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let limit = state.options.check_timeout;
    let api = state.api.clone();
    if authenticator.authorize(&request, Scope::Read).is_err() {
        let checks = state.run(async move { Ok::<_, ApiError>(Checks::run(&api, limit).await) }).await?;
        return answer::json(&checks.summary(&state.api, &state.progress.problems()));
    }
    let checking = state.run(async move {
        let (checks, numbers) = tokio::join!(Checks::run(&api, limit), numbers(&api, limit));
        Ok::<_, ApiError>((checks, numbers))
    });
    let (report, totals) = tokio::join!(checking, tokio::time::timeout(limit, totals(&state)));
    let (checks, numbers) = report?;
    let totals = totals.ok().and_then(Result::ok);

    let problems = state.progress.problems();
    let (depth, books) = numbers.unzip();
    answer::json(&Health {
        status: checks.status(&problems),
        problems: checks.messages(&problems),
        services: checks.services(&state.api.stream),
        stats: HealthStats {
            total_posts: totals.as_ref().map(|totals| totals.total_posts),
            total_analyses: totals.as_ref().map(|totals| totals.total_analyses),
            recent_posts_1h: totals.as_ref().map(|totals| totals.recent_posts_1h),
            pending: depth.as_ref().map(Depth::pending),
            dead_letters: depth.as_ref().map(|depth| depth.dead_letters),
            processed: books.map(|books: Books| books.settled() - books.dead_lettered),
            failed: books.map(|books| books.dead_lettered),
            books,
            epoch: depth.map(|depth| depth.epoch.to_string()),
        },
        version: env!("CARGO_PKG_VERSION"),
        timestamp: state.api.clock.now(),
    })
}

/// The number of entries in the stream, and the outcome counters of the stream's epoch.
async fn numbers(api: &Api, limit: Duration) -> Option<(Depth, Books)> {
    let (store, stream) = (api.store.clone(), api.stream.clone());
    let read = async move {
        let depth = stream.depth().await.ok()?;
        let outcomes = store.outcomes(&depth.epoch).await.ok()?;
        let books = Books {
            appended: depth.appended,
            pending: depth.pending(),
            dead_lettered: depth.dead_lettered,
            ..outcomes
        };
        Some((depth, books))
    };
    within(limit, async move { Ok::<_, Infallible>(read.await) }).await.ok().flatten()
}

async fn totals(state: &State) -> Result<StoredTotals, ApiError> {
    let (store, clock) = (state.api.store.clone(), state.api.clock.clone());
    let compute = async move {
        let since = clock.now() - Duration::from_secs(3_600);
        let (sources, recent_posts_1h) = tokio::try_join!(store.sources(), store.ingested_since(since))?;
        let mut all = Counts::default();
        for source in &sources {
            all.merge(&source.counts);
        }
        Ok::<_, StoreError>(StoredTotals { total_posts: all.posts(), total_analyses: all.total(), recent_posts_1h })
    };
    let cached = state.cached("health".to_owned(), async move { compute.await.map_err(ApiError::from) }).await?;
    from_cached(&cached)
}

/// Liveness: 200 as soon as the process serves requests.
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// The response of `GET /readyz`.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Readiness {
    ready: bool,
    /// Always empty: a process that is not ready responds with 503, and `detail` contains the reasons.
    reasons: Vec<String>,
}

/// Readiness
///
/// Returns 200 if the database, its tables, the stream and the model are ready, otherwise 503 with the reasons.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, body = Readiness),
        (status = 503, description = "Not ready; `detail` contains the reasons", body = super::error::Problem),
    )
)]
pub async fn ready(state: web::Data<State>) -> Result<HttpResponse, ApiError> {
    let (api, limit) = (state.api.clone(), state.options.check_timeout);
    let reasons = state
        .run(async move {
            let checks = Checks::run(&api, limit).await;
            let mut reasons = checks.reasons();
            let store = api.store.clone();
            if checks.database.is_ok()
                && !within(limit, async move { store.is_migrated().await }).await.unwrap_or(false)
            {
                reasons.push("database: its tables are not migrated yet".to_owned());
            }
            Ok::<_, ApiError>(reasons)
        })
        .await?;
    if reasons.is_empty() {
        return answer::json(&Readiness { ready: true, reasons });
    }
    Err(ApiError::unavailable(reasons.join("; ")))
}
