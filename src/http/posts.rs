//! Posts: lists, single posts, appending, deleting, exporting.

pub mod append;
pub mod export;
pub mod filter;
pub mod view;

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::{LiveEvent, PostId, SentimentOf};
use crate::store::StoreError;
use crate::store::posts::{PostCursor, PostFilter, Start};

use super::answer;
use super::auth::{Admin, Authorized, Read};
use super::error::{ApiError, Problem};
use super::params::{Params, last_segment, no_params};
use super::state::State;
use filter::{FilterEcho, PostFilterParams, SortParam};
use view::{PostDetail, PostView};

/// The default number of posts on a page.
const DEFAULT_LIMIT: i64 = 50;
/// The maximum number of posts on a page.
const MAX_LIMIT: i64 = 500;
/// The number of posts in `GET /api/posts/recent`.
const RECENT: i64 = 10;

/// Start and length of a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// The maximum number of posts on the page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: i64,
    /// The number of posts to skip. For long lists use `cursor`.
    #[param(minimum = 0, default = 0)]
    offset: i64,
    /// `next_cursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: Option<PostCursor>,
    /// The order of all pages; default `newest`. A cursor is valid only for the order in which it was created.
    #[param(inline, required = false)]
    sort: SortParam,
}

impl PageParams {
    fn take(params: &mut Params) -> Self {
        let limit = params.number("limit", 1..=MAX_LIMIT, DEFAULT_LIMIT);
        let offset = params.number("offset", 0..=i64::MAX, 0);
        let cursor = params.optional("cursor", filter::parse_cursor);
        if cursor.is_some() && params.has("offset") {
            params.reject("offset", "cannot be used together with cursor");
        }
        let sort = SortParam::take(params);
        if cursor.is_some_and(|cursor| cursor.sort() != sort.into()) {
            params.reject("cursor", "was created with another sort: repeat the sort of the first page");
        }
        Self { limit, offset, cursor, sort }
    }

    fn start(&self) -> Start {
        self.cursor.map_or(Start::Offset(self.offset), Start::After)
    }
}

/// A page of posts.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PostList {
    posts: Vec<PostView>,
    /// The number of matching posts. If rollups can answer the filter, the number includes posts that were deleted
    /// after their retention time.
    total: i64,
    /// Whether counting stopped at 10,000, so that at least `total` posts match. Absent if `total` is exact.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    total_capped: bool,
    limit: i64,
    offset: i64,
    /// The cursor of the next page; `null` on the last page.
    next_cursor: Option<String>,
    sort: SortParam,
    filters: FilterEcho,
}

/// List posts
///
/// Returns the posts that match all filters, newest first by `created_at`, then by id, unless `sort` is given.
#[utoipa::path(
    get, path = "/api/posts", tag = "posts", params(PageParams, PostFilterParams),
    responses((status = 200, body = PostList), (status = 422, body = Problem))
)]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut params = Params::of(&request)?;
    let page = PageParams::take(&mut params);
    let filter = PostFilterParams::take(&mut params);
    params.finish()?;

    let filters = FilterEcho::from(&filter);
    let filter = filter.resolve(&state)?;
    let (store, start, limit, sort) = (state.api.store.clone(), page.start(), page.limit, page.sort);
    let (found, total, towards) = state
        .read(async move {
            let (found, total) =
                tokio::try_join!(store.sorted_posts(&filter, sort.into(), start, limit), store.count_posts(&filter))?;
            let towards = match filter.topic.filter(|_| filter.sentiment_of == SentimentOf::Topic) {
                Some(topic) => store.sentiments_towards(topic, &found.items).await?,
                None => HashMap::new(),
            };
            Ok::<_, StoreError>((found, total, towards))
        })
        .await?;
    answer::json(&PostList {
        posts: found
            .items
            .into_iter()
            .map(|post| {
                let sentiment = towards.get(&post.id).copied();
                PostView::towards(post, sentiment)
            })
            .collect(),
        total: total.count,
        total_capped: total.capped,
        limit,
        offset: page.offset,
        next_cursor: found.next.map(filter::write_cursor),
        sort,
        filters,
    })
}

/// The newest posts.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RecentPosts {
    posts: Vec<PostView>,
}

/// The ten newest posts
#[utoipa::path(get, path = "/api/posts/recent", tag = "posts", responses((status = 200, body = RecentPosts)))]
pub async fn recent(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let store = state.api.store.clone();
    let compute = async move {
        let page = store.posts(&PostFilter::default(), Start::Offset(0), RECENT).await?;
        Ok(RecentPosts { posts: page.items.into_iter().map(PostView::from).collect() })
    };
    Ok(answer::cached(&state.cached("recent".to_owned(), compute).await?))
}

/// The id in the path. An invalid id is a 404, because no post can have it.
fn post_id(request: &HttpRequest) -> Result<PostId, ApiError> {
    let segment = last_segment(request)?;
    PostId::parse(&segment).map_err(|_| no_such_post(&segment))
}

fn no_such_post(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no post {:?}", crate::domain::op::preview(id, 100)))
}

/// One post
///
/// Returns the post with its topics and the scores of every class.
#[utoipa::path(
    get, path = "/api/posts/{post_id}", tag = "posts",
    params(("post_id" = String, Path, description = "The id, percent-encoded as one segment", example = "demo-1")),
    responses((status = 200, body = PostDetail), (status = 404, body = Problem))
)]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let id = post_id(&request)?;
    let (store, wanted) = (state.api.store.clone(), id.clone());
    let read = async move { tokio::try_join!(store.post(&wanted), store.topics_of_post(&wanted)) };
    match state.read(read).await? {
        (Some(post), topics) => answer::json(&PostDetail::new(post, topics, &state.api.topics.current())),
        (None, _) => Err(no_such_post(id.as_str())),
    }
}

/// Delete a post
///
/// Removes the post from the tables, the counts, the dead letters and the caches. A tombstone prevents a later copy in
/// the stream from restoring the post.
#[utoipa::path(
    delete, path = "/api/posts/{post_id}", tag = "posts",
    params(("post_id" = String, Path, description = "The id, percent-encoded as one segment", example = "demo-1")),
    responses((status = 204, description = "Deleted"), (status = 404, body = Problem))
)]
pub async fn delete(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = post_id(&request)?;
    let (api, deleted) = (state.api.clone(), id.clone());
    let existed = state
        .run(async move {
            let existed = api.store.delete_post(&deleted).await?;
            if existed {
                if let Some(cache) = &api.cache {
                    cache.clear().await;
                }
                if let Err(error) = api.live.publish(vec![LiveEvent::PostDeleted(deleted.clone())]).await {
                    tracing::warn!(%error, "cannot publish a deletion to live clients");
                }
            }
            // This step also runs for an unknown post, because an earlier deletion may have stopped before this step.
            let gone = std::slice::from_ref(&deleted);
            api.stream.forget_posts(gone, gone).await?;
            Ok::<_, ApiError>(existed)
        })
        .await?;
    if existed { Ok(HttpResponse::NoContent().finish()) } else { Err(no_such_post(id.as_str())) }
}
