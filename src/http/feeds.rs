//! Shows the state of each configured source, and pauses and resumes sources.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::Timestamp;
use crate::domain::managed_source::HISTORY_SUFFIX;
use crate::domain::op::preview;
use crate::sources::SourceState;
use crate::sources::history::Progress;
use crate::sources::states::SourceActivity;
use crate::sources::webhook;
use crate::store::feeds::{FeedRow, Paused};
use crate::store::hooks::HookRow;
use crate::store::{Store, StoreError};

use super::answer;
use super::auth::{Authorized, Edit};
use super::error::{ApiError, Problem};
use super::params::{no_params, segment_before_last};
use super::state::State;

/// A source is offline when no instance has reported its state for this long.
const SILENCE: Duration = Duration::from_secs(30);
/// A source that is not paused is hidden when no instance has reported its state for this long.
const HIDDEN_AFTER: Duration = Duration::from_secs(86_400);

/// A configured source and its state.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FeedView {
    #[serde(flatten)]
    state: SourceState,
    /// Whether the source is paused.
    paused: bool,
    /// Whether an instance has reported the state of the source within the last 30 seconds.
    online: bool,
    /// The instance that reads the source, or that read it last.
    instance: String,
    /// When the instance last reported its state.
    #[schema(value_type = String, format = DateTime)]
    reported_at: Timestamp,
    /// The progress of reading the posts that were written before the source was added. Absent if these posts were not
    /// requested, if reading has not begun, and in the responses to a pause and a resumption.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    backfill: Option<Backfill>,
}

/// The progress of reading the posts that were written before a source was added.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Backfill {
    /// The state; `finished` when all posts were read.
    state: SourceActivity,
    /// The number of posts that were read.
    posts: u64,
    /// The time of the oldest post that was read.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// The time back to which posts are read.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// The last error.
    last_error: Option<String>,
}

impl Backfill {
    fn new(row: &FeedRow, cursor: &str, now: Timestamp) -> Option<Self> {
        let progress = Progress::read(cursor)?;
        let state = FeedView::new(row.clone(), now).state;
        Some(Self {
            state: state.state,
            posts: progress.posts,
            until: progress.until,
            since: progress.since,
            last_error: state.last_error,
        })
    }
}

impl FeedView {
    fn new(row: FeedRow, now: Timestamp) -> Self {
        let mut state: SourceState = serde_json::from_str(&row.report).unwrap_or_default();
        state.name = row.name;
        // A pause or resumption is shown immediately. The report shows it only seconds later, when the instance has
        // applied it.
        if row.paused && state.state != SourceActivity::Failed {
            state.state = SourceActivity::Paused;
        } else if !row.paused && state.state == SourceActivity::Paused {
            state.state = SourceActivity::Starting;
        }
        Self {
            state,
            paused: row.paused,
            online: now.since(row.reported_at) < SILENCE,
            instance: row.instance,
            reported_at: row.reported_at,
            backfill: None,
        }
    }

    /// Replaces the counts, the last post and the last error with those of all instances, if the source is a webhook.
    fn with_requests(mut self, hook: Option<HookRow>) -> Self {
        if let Some(hook) = hook.filter(|_| self.state.kind == webhook::KIND) {
            self.state.posts = hook.accepted;
            self.state.rejected = hook.rejected;
            self.state.last_post = hook.last_post;
            self.state.last_error = hook.last_error.or(self.state.last_error);
        }
        self
    }
}

/// The sources whose state an instance has reported within a day, and the paused sources.
///
/// # Errors
/// When the database is not available.
pub async fn feeds(store: &Store, now: Timestamp) -> Result<Vec<FeedView>, StoreError> {
    let (rows, hooks, cursors) =
        tokio::try_join!(store.feeds(now - HIDDEN_AFTER), store.hooks(), store.cursors_of(HISTORY_SUFFIX))?;
    let mut hooks: BTreeMap<String, HookRow> = hooks.into_iter().map(|hook| (hook.name.clone(), hook)).collect();
    let (histories, rows): (Vec<FeedRow>, _) = rows.into_iter().partition(|row| row.name.ends_with(HISTORY_SUFFIX));
    let view = |row: FeedRow| {
        let hook = hooks.remove(&row.name);
        let history = histories.iter().find(|history| history.name.strip_suffix(HISTORY_SUFFIX) == Some(&row.name));
        let backfill = history.and_then(|history| Backfill::new(history, cursors.get(&history.name)?, now));
        FeedView { backfill, ..FeedView::new(row, now).with_requests(hook) }
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Pause a source
///
/// The instance that reads the source stops reading it within seconds. The source stays paused across restarts.
#[utoipa::path(
    post, path = "/api/sources/{name}/pause", tag = "operations",
    params(("name" = String, Path, description = "The name of the source", example = "bluesky")),
    responses((status = 200, body = FeedView), (status = 404, body = Problem))
)]
pub async fn pause(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    set_paused(&state, &request, Paused::Yes).await
}

/// Resume a source
///
/// Reading continues within seconds, at the position where it stopped. A failed source is retried.
#[utoipa::path(
    post, path = "/api/sources/{name}/resume", tag = "operations",
    params(("name" = String, Path, description = "The name of the source", example = "bluesky")),
    responses((status = 200, body = FeedView), (status = 404, body = Problem))
)]
pub async fn resume(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    set_paused(&state, &request, Paused::No).await
}

async fn set_paused(state: &State, request: &HttpRequest, paused: Paused) -> Result<HttpResponse, ApiError> {
    no_params(request)?;
    let name = segment_before_last(request)?;
    let (store, now, wanted) = (state.api.store.clone(), state.api.clock.now(), name.clone());
    let found = state.run(async move {
        store.set_feed_paused(&wanted, paused).await?;
        let feeds = store.feeds(now - HIDDEN_AFTER).await?;
        Ok::<_, StoreError>(feeds.into_iter().find(|row| row.name == wanted))
    });
    match found.await? {
        Some(row) => answer::json(&FeedView::new(row, now)),
        None => Err(ApiError::not_found(format!("no instance reads a source {:?}", preview(&name, 100)))),
    }
}
