//! The posts that a query would match, before it is saved.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::{Counts, Subject, Timestamp, TopicId};
use crate::store::posts::{PostFilter, Start, StoredPost};
use crate::topics::{Matcher, Query, QueryNote, Scratch, TopicMatch};

use super::super::answer;
use super::super::auth::{Authorized, Read};
use super::super::body;
use super::super::error::{ApiError, Problem};
use super::super::params::no_params;
use super::super::posts::view::PostView;
use super::super::shape::Measures;
use super::super::state::State;

/// The maximum number of posts that are searched.
const MAX_POSTS: i64 = 10_000;
const DEFAULT_POSTS: i64 = 1_000;
/// The number of posts per read.
const PAGE: i64 = 500;
/// The maximum number of examples.
const MAX_EXAMPLES: usize = 50;

/// A query to preview.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    query: String,
    /// How many of the newest posts are searched: 1 to 10,000.
    #[serde(default = "default_posts")]
    #[schema(default = 1000, minimum = 1, maximum = 10000)]
    posts: i64,
    /// How many of the matching posts are returned: 0 to 50.
    #[serde(default = "default_examples")]
    #[schema(default = 10, minimum = 0, maximum = 50)]
    examples: usize,
}

fn default_posts() -> i64 {
    DEFAULT_POSTS
}

fn default_examples() -> usize {
    10
}

/// The result of trying a query on the newest posts.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Preview {
    /// The number of posts that were searched.
    scanned: usize,
    /// The creation time of the oldest searched post; `null` if no post is stored.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// The measures of the matching posts.
    matched: Measures,
    /// The share of matching posts in the searched posts, in percent.
    percentage: f64,
    /// The newest matching posts.
    examples: Vec<PostView>,
    /// Possible mistakes in the query.
    #[schema(required = false)]
    warnings: Vec<QueryNote>,
}

/// Try a query
///
/// Returns the newest posts that the query matches. Nothing is saved.
#[utoipa::path(
    post, path = "/api/topics/preview", tag = "topics", request_body = PreviewRequest,
    responses((status = 200, body = Preview), (status = 422, body = Problem))
)]
pub async fn preview(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let asked: PreviewRequest = body::json(&request, payload, &state.options).await?;
    let query = Query::parse(&asked.query).map_err(|error| ApiError::invalid_field("query", error.to_string()))?;
    if !(1..=MAX_POSTS).contains(&asked.posts) {
        return Err(ApiError::invalid_field("posts", format!("must be 1 to {MAX_POSTS}")));
    }
    if asked.examples > MAX_EXAMPLES {
        return Err(ApiError::invalid_field("examples", format!("must be at most {MAX_EXAMPLES}")));
    }
    let matcher = Matcher::new([(TopicId(1), &query)]).map_err(ApiError::internal)?;
    let store = state.api.store.clone();
    let read = state.read(async move {
        let mut found = Found { scratch: Scratch::default(), matcher, limit: asked.examples, ..Found::default() };
        let mut start = Some(Start::Offset(0));
        while let Some(from) = start {
            let left = asked.posts - found.scanned as i64;
            let page = store.posts(&PostFilter::default(), from, left.min(PAGE)).await?;
            found.search(page.items);
            start = page.next.filter(|_| (found.scanned as i64) < asked.posts).map(Start::After);
        }
        Ok::<_, ApiError>(found)
    });
    let found = read.await?;
    let matched = Measures::of(&found.counts);
    answer::json(&Preview {
        scanned: found.scanned,
        since: found.since,
        matched,
        percentage: crate::domain::counts::percentage(found.counts.posts(), found.scanned as i64),
        examples: found.examples.into_iter().map(PostView::from).collect(),
        warnings: query.warnings().to_vec(),
    })
}

/// The matches in the pages that were read so far.
#[derive(Default)]
struct Found {
    matcher: Matcher,
    scratch: Scratch,
    limit: usize,
    scanned: usize,
    since: Option<Timestamp>,
    counts: Counts,
    examples: Vec<StoredPost>,
}

impl Found {
    fn search(&mut self, posts: Vec<StoredPost>) {
        for post in posts {
            self.scanned += 1;
            self.since = Some(post.created_at);
            let subject = Subject {
                content: &post.content,
                author: post.author.as_deref(),
                source: &post.source,
                lang: post.lang.as_deref(),
                url: post.url.as_deref(),
                is_reply: post.reply_to.is_some(),
            };
            let found = self.matcher.matches(&subject, &mut self.scratch);
            if TopicMatch::decided(&found, post.labels()).is_empty() {
                continue;
            }
            self.counts.add(post.labels(), 1, post.confidence());
            if self.examples.len() < self.limit {
                self.examples.push(post);
            }
        }
    }
}
