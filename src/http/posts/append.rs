//! Appends posts to the stream.

mod raw;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::op::preview;
use crate::domain::{Op, Post, PostDraft, RawFields, Timestamp};
use crate::telemetry::trace::{self, Traceparent};

use super::super::answer;
use super::super::auth::{Authorized, Write};
use super::super::body::{self, BodyFormat};
use super::super::error::{ApiError, Problem};
use super::super::params::no_params;
use super::super::state::State;
use raw::Candidate;

/// The maximum length of an invalid `post_id` in `rejected`, in characters.
const MAX_ID_CHARS: usize = 256;

/// The result of an append.
#[derive(Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"accepted": 2, "rejected": [{"index": 1, "post_id": "demo-2", "error": "content: must not be blank"}]}))]
pub struct Appended {
    /// The number of posts that were appended to the stream. Workers may skip some of them, for example posts that match
    /// no topic.
    accepted: usize,
    /// The invalid posts.
    rejected: Vec<Rejected>,
}

/// An invalid post.
#[derive(Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Rejected {
    /// The index of the post in the request, from 0.
    index: usize,
    post_id: Option<String>,
    /// All validation errors of the post.
    error: String,
}

/// Append posts
///
/// The body is one post, an array of posts, or one post per line (`application/x-ndjson`): at most 1,000 posts and 4
/// MiB (`server.body_limit`). `accepted` posts are durable and are analysed in the background. A post whose `post_id`
/// is already stored or was deleted has no effect. A single invalid post is refused with 422. In a request with several
/// posts, the invalid posts are listed in `rejected`.
#[utoipa::path(
    post, path = "/api/posts", tag = "posts",
    request_body(
        description = "One post, an array of posts, or NDJSON",
        content((PostDraft = "application/json"), (String = "application/x-ndjson"))
    ),
    responses(
        (status = 202, body = Appended),
        (status = 400, description = "Not JSON, or not UTF-8", body = Problem),
        (status = 408, description = "The body did not arrive in time", body = Problem),
        (status = 413, description = "Too many posts or bytes", body = Problem),
        (status = 415, body = Problem),
        (status = 422, description = "A single invalid post", body = Problem),
        (status = 429, description = "The client sends too many requests", body = Problem),
        (status = 503, description = "The stream is unavailable or full; send again later", body = Problem),
    )
)]
pub async fn append(
    _: Authorized<Write>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let format = body::format(&request)?;
    let text = body::text(&request, payload, &state.options).await?;
    let Sorted { posts, rejected } = sort(candidates(&text, format, state.options.max_posts)?, state.api.clock.now())?;
    let accepted = posts.len();
    if !posts.is_empty() {
        let mut entries: Vec<RawFields> = posts.into_iter().map(|post| Op::Post(post).to_fields()).collect();
        if let Some(context) = Traceparent::read(request.headers().get(trace::FIELD).map(HeaderValue::as_bytes)) {
            entries.iter_mut().for_each(|entry| entry.set(trace::FIELD, context.to_string()));
        }
        let stream = state.api.stream.clone();
        state.run(async move { stream.append(entries).await }).await?;
    }
    answer::json_with(StatusCode::ACCEPTED, &Appended { accepted, rejected })
}

/// The posts of a body. `alone` is set for a single post, which is refused with 422 if it is invalid.
struct Candidates {
    posts: Vec<Candidate>,
    alone: bool,
}

fn candidates(text: &str, format: BodyFormat, max: usize) -> Result<Candidates, ApiError> {
    match format {
        BodyFormat::Json => {
            let body = raw::parse(text, max).map_err(|e| body::not_json(&e))?;
            if body.total > max {
                return Err(too_many(max));
            }
            Ok(Candidates { posts: body.posts, alone: body.alone })
        }
        BodyFormat::Lines => {
            let lines = || text.lines().filter(|line| !line.trim().is_empty());
            if lines().count() > max {
                return Err(too_many(max));
            }
            let line = |line| {
                serde_json::from_str(line).unwrap_or_else(|e| Candidate::Invalid {
                    field: "line",
                    message: format!("is not valid JSON: {}", body::message(&e)),
                })
            };
            let posts: Vec<Candidate> = lines().map(line).collect();
            match posts.as_slice() {
                [Candidate::Invalid { field: "line", message }] => {
                    Err(ApiError::malformed(format!("the only line {message}")))
                }
                [] => Err(ApiError::malformed("the body contains no posts")),
                found => Ok(Candidates { alone: found.len() == 1, posts }),
            }
        }
    }
}

fn too_many(max: usize) -> ApiError {
    ApiError::too_large(format!("at most {max} posts may be sent in one request"))
}

/// The valid posts of a request, and the invalid ones with their errors.
struct Sorted {
    posts: Vec<Post>,
    rejected: Vec<Rejected>,
}

fn sort(candidates: Candidates, now: Timestamp) -> Result<Sorted, ApiError> {
    let mut sorted = Sorted { posts: Vec::with_capacity(candidates.posts.len()), rejected: Vec::new() };
    for (index, candidate) in candidates.posts.into_iter().enumerate() {
        let post_id = candidate.post_id().map(str::to_owned);
        match candidate.draft().and_then(|draft| draft.validate(now)) {
            Ok(post) => sorted.posts.push(post),
            Err(errors) if candidates.alone => return Err(ApiError::invalid(errors)),
            Err(errors) => {
                let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
                let post_id = post_id.map(|id| preview(&id, MAX_ID_CHARS).to_owned());
                sorted.rejected.push(Rejected { index, post_id, error: messages.join("; ") });
            }
        }
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use serde_json::{Value, json};

    use super::*;

    /// The number of valid posts, and the index and id of each invalid one; or the status of the error.
    fn read(text: &str, format: BodyFormat) -> Result<(usize, Vec<String>), u16> {
        let name = |r: Rejected| format!("{} {}", r.index, r.post_id.unwrap_or_default());
        candidates(text, format, 3)
            .and_then(|found| sort(found, Timestamp::EPOCH))
            .map(|sorted| (sorted.posts.len(), sorted.rejected.into_iter().map(name).collect()))
            .map_err(|e| e.status_code().as_u16())
    }

    fn post(id: &str) -> Value {
        json!({"post_id": id, "source": "web", "content": "hi", "created_at": 1_767_225_600.5, "extra": [1]})
    }

    #[test]
    fn single_invalid_post_is_refused() {
        assert_eq!(read(&post("a").to_string(), BodyFormat::Json), Ok((1, vec![])));
        assert_eq!(read(&post("a").to_string(), BodyFormat::Lines), Ok((1, vec![])));
        for (text, status) in [
            (r#"{"post_id": "a"}"#, 422),
            (r#"{"post_id": 7, "source": "web", "content": "hi"}"#, 422),
            ("17", 422),
            ("{", 400),
            ("", 400),
            (r#""\ud800""#, 400),
        ] {
            assert_eq!(read(text, BodyFormat::Json), Err(status), "{text}");
            assert_eq!(read(text, BodyFormat::Lines), Err(status), "{text}");
        }
    }

    #[test]
    fn valid_posts_of_a_batch_are_accepted() {
        let array = json!([post("a"), {"post_id": "b"}, post("c")]).to_string();
        assert_eq!(read(&array, BodyFormat::Json), Ok((2, vec!["1 b".to_owned()])));
        let lines = format!("{}\n\nnonsense\r\n{}\n", post("a"), post("c"));
        assert_eq!(read(&lines, BodyFormat::Lines), Ok((2, vec!["1 ".to_owned()])));
        assert_eq!(read("[]", BodyFormat::Json), Ok((0, vec![])));
        let four = json!([post("a"), post("b"), post("c"), post("d")]).to_string();
        assert_eq!(read(&four, BodyFormat::Json), Err(413));
    }
}
