//! Tests a source before it is saved, and recognises what a person pastes.

use std::time::Duration;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::managed_source::SourceDefinition;
use crate::domain::notify::Secrets;
use crate::domain::{Emotion, Post, Sentiment, Timestamp};
use crate::http::auth::{Admin, Authorized};
use crate::http::error::{ApiError, Problem};
use crate::http::params::no_params;
use crate::http::state::State;
use crate::http::{ModelState, answer, body};
use crate::sources::recognize::recognize;
use crate::sources::{Opening, SourceError, SourceSpec};

use super::{SourceRequest, named, read};

/// Most posts that are shown.
const POSTS: usize = 10;
/// The longest that a source may take to deliver them.
const TIMEOUT: Duration = Duration::from_secs(12);

/// What a source delivered.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "ok": true, "message": "2 posts were read.", "posts": [
        {"content": "I love it", "author": "ada", "url": null, "created_at": "2026-03-01T12:00:00.000Z",
         "sentiment": "positive", "emotion": "joy", "confidence": 0.98}
    ], "rejected": [], "filtered": 0
}))]
pub struct Trial {
    /// Whether the source can be read.
    ok: bool,
    /// What happened, and what to do if it cannot be read.
    message: String,
    /// Up to ten posts. Nothing was stored.
    posts: Vec<TrialPost>,
    /// Items that are not valid posts, and why.
    rejected: Vec<String>,
    /// Items that the filters of the source left out.
    filtered: u64,
}

/// A post that a source delivered, judged by the model.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrialPost {
    content: String,
    author: Option<String>,
    url: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// None while the model is not loaded.
    sentiment: Option<Sentiment>,
    emotion: Option<Emotion>,
    confidence: Option<f64>,
}

/// An address to be recognised.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"address": "@ada@mastodon.social"}))]
pub struct AddressRequest {
    /// A web page, `@name@instance`, a Bluesky handle, `r/name`, an app's page, a hashtag.
    address: String,
}

/// Test a source
///
/// Reads up to ten posts and shows them with their mood. Nothing is stored. With the name of a source that was added, its
/// secrets are used unless others are given.
#[utoipa::path(
    post, path = "/api/sources/test", tag = "operations", request_body = SourceRequest,
    responses((status = 200, body = Trial), (status = 422, body = Problem))
)]
pub async fn test(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let given: SourceRequest = body::json(&request, payload, &state.options).await?;
    let kept = match named(&state, &given.name).await {
        Ok(found) if found.stored.spec.kind == given.kind => found.secrets,
        _ => Secrets::default(),
    };
    let (definition, secrets) = read(&state, given, kept)?;
    let spec = super::factory(&state)?.spec(&definition, &secrets).map_err(ApiError::invalid)?;
    let timeout = TIMEOUT.min(state.options.request_timeout / 2);
    let model = state.api.model.borrow().clone();
    let trial = state.read(async move {
        let mut delivered = deliver(&spec, timeout).await;
        judge(&mut delivered, model).await;
        Ok::<_, ApiError>(delivered.into_trial())
    });
    answer::json(&trial.await?)
}

/// Recognise an address
///
/// The source that reads it, to be tested and added. 422 when it is nothing that could be read.
#[utoipa::path(
    post, path = "/api/sources/recognize", tag = "operations", request_body = AddressRequest,
    responses((status = 200, body = SourceDefinition), (status = 422, body = Problem))
)]
pub async fn recognise(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let AddressRequest { address } = body::json(&request, payload, &state.options).await?;
    let found = recognize(&address);
    let unknown = "enter the address of a web page or feed, @name@instance, a Bluesky handle, r/name, or a #tag";
    answer::json(&found.ok_or_else(|| ApiError::invalid_field("address", unknown))?)
}

/// What a source delivered within its time.
#[derive(Default)]
struct Delivered {
    posts: Vec<Post>,
    analyses: Vec<crate::domain::Analysis>,
    rejected: Vec<String>,
    filtered: u64,
    /// Errors of single places.
    troubles: Vec<String>,
    error: Option<SourceError>,
    /// Whether it answered at all.
    answered: bool,
}

async fn deliver(spec: &SourceSpec, timeout: Duration) -> Delivered {
    let mut delivered = Delivered::default();
    let mut source = spec.open(Opening::default());
    let end = tokio::time::Instant::now() + timeout;
    while delivered.posts.len() < POSTS {
        let batch = match tokio::time::timeout_at(end, source.next(POSTS)).await {
            Err(_) => break,
            Ok(Err(error)) => {
                delivered.error = Some(error);
                break;
            }
            Ok(Ok(batch)) => batch,
        };
        delivered.answered = true;
        delivered.posts.extend(batch.ops.into_iter().filter_map(|op| op.post().cloned()));
        delivered.rejected.extend(batch.rejected);
        delivered.troubles.extend(batch.troubles);
        delivered.filtered += batch.filtered;
        // A source that polls has nothing more for now.
        if batch.finished || (!batch.wait.is_zero() && tokio::time::Instant::now() + batch.wait > end) {
            break;
        }
        tokio::time::sleep(batch.wait).await;
    }
    delivered.posts.truncate(POSTS);
    delivered.rejected.truncate(POSTS);
    delivered
}

async fn judge(delivered: &mut Delivered, model: ModelState) {
    if let ModelState::Ready(classifier) = model {
        let texts = delivered.posts.iter().map(|post| post.content.as_str().to_owned()).collect();
        // Without an answer the posts are shown without their mood.
        delivered.analyses = classifier.classify(texts).await.unwrap_or_default();
    }
}

impl Delivered {
    fn into_trial(self) -> Trial {
        let (ok, message) = self.verdict();
        let mut analyses = self.analyses.into_iter();
        let post = |post: Post| {
            let analysis = analyses.next();
            TrialPost {
                content: post.content.as_str().to_owned(),
                author: post.author.map(|author| author.as_str().to_owned()),
                url: post.url,
                created_at: post.created_at,
                sentiment: analysis.as_ref().map(|analysis| analysis.sentiment),
                emotion: analysis.as_ref().map(|analysis| analysis.emotion),
                confidence: analysis.map(|analysis| analysis.confidence),
            }
        };
        let posts = self.posts.into_iter().map(post).collect();
        Trial { ok, message, posts, rejected: self.rejected, filtered: self.filtered }
    }

    fn verdict(&self) -> (bool, String) {
        if !self.posts.is_empty() {
            let count = self.posts.len();
            return (true, format!("{count} {} read.", if count == 1 { "post was" } else { "posts were" }));
        }
        let advice = "check the settings and try again";
        match (&self.error, self.troubles.first()) {
            (Some(SourceError::Permanent(reason)), _) => (false, format!("{reason}: {advice}")),
            (Some(SourceError::Refused(reason)), _) => (
                false,
                format!("{reason}: the server refuses; it may want another address, a key, or to be asked later"),
            ),
            (Some(SourceError::Busy { reason, after }), _) => {
                (false, format!("{reason}: try again in {} s", after.as_secs()))
            }
            (Some(SourceError::Transient(reason)), _) => (false, format!("{reason}: {advice}")),
            (None, Some(trouble)) => (false, format!("{trouble}: {advice}")),
            (None, None) if self.filtered > 0 => {
                (true, format!("The source answers, but its filters left out all of {} items.", self.filtered))
            }
            (None, None) if self.answered => (true, "The source answers. It has no new posts for now.".to_owned()),
            (None, None) => (true, "Connected. No posts came within the time of this test.".to_owned()),
        }
    }
}
