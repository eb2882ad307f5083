//! Receives the requests of webhooks: checks the signature, maps the body to posts, and appends them to the stream.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::Value;

use crate::domain::managed_source::{SourceDefinition, is_name};
use crate::domain::{Op, RawFields};
use crate::sources::Batch;
use crate::sources::mapping::Reading;
use crate::sources::webhook::{Claim, Hook, Signature};
use crate::store::StoreError;
use crate::store::hooks::HookRequest;
use crate::telemetry::trace::{self, Traceparent};

use super::error::{ApiError, Problem};
use super::params::last_segment;
use super::state::State;
use super::{answer, body};

/// The maximum size of a body, in bytes, whose signature is computed on the thread of the request. Larger bodies use
/// another thread, so that they do not delay other requests.
const MAX_SIGNED_INLINE: usize = 64 * 1024;

/// The result of a request to a webhook.
#[derive(Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"accepted": 1, "filtered": 0, "rejected": ["item 2: text: found no value"]}))]
pub struct Received {
    /// The number of posts that were appended to the stream. Workers may skip some of them, for example posts that match
    /// no topic.
    accepted: usize,
    /// The number of items without text.
    filtered: u64,
    /// The errors of items that are not valid posts.
    rejected: Vec<String>,
}

/// Receive a webhook
///
/// `name` is the name of a source of kind `webhook`. The body is any JSON, signed with the secret of the source; no
/// token is needed. The settings of the source define where the posts are in the body. A body may have at most 1,000
/// items, 100,000 values and 4 MiB (`server.body_limit`). Accepted posts have the name of the source as their `source`.
/// The response is the same for an unknown name and a wrong signature. While the source is paused, signed requests get
/// a 503, so that the sender sends them again later.
#[utoipa::path(
    post, path = "/api/hooks/{name}", tag = "posts", security(()),
    params(("name" = String, Path, description = "The name of the source", example = "reviews")),
    request_body(description = "Any JSON", content((Value = "application/json"))),
    responses(
        (status = 202, body = Received),
        (status = 400, description = "Not JSON, or not UTF-8", body = Problem),
        (status = 404, description = "No such webhook, or a wrong signature", body = Problem),
        (status = 408, description = "The body did not arrive in time", body = Problem),
        (status = 413, description = "Too many items, values or bytes", body = Problem),
        (status = 429, body = Problem),
        (status = 503, description = "Source paused, or stream unavailable or full; send again later", body = Problem),
    )
)]
pub async fn receive(
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let name = last_segment(&request)?;
    let text = body::text(&request, payload, &state.options).await?;
    let target = target(&state, &name).await?;
    let now = state.api.clock.now();
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let refused =
        || ApiError::not_found("no webhook has this name and this signature: check the address and the secret");
    let known = target.as_ref().map(|target| target.hook.signature.clone());
    let signature = known.or_else(|| state.hooks.decoy.clone()).ok_or_else(refused)?;
    let claim = signature.claim(header, now);
    let Checked { text, is_signed } = check(signature, claim, text).await?;
    let Target { hook, is_paused } = match target {
        Some(target) if is_signed => target,
        Some(_) if state.hooks.may_record(&name, now) => {
            record_wrong_signature(&state, &name);
            return Err(refused());
        }
        _ => return Err(refused()),
    };
    if is_paused {
        return Err(ApiError::unavailable("the source is paused: send the request again later"));
    }
    let read = posts(&hook, &text, Reading { name: &name, now, max: state.options.max_posts });
    let Batch { ops, rejected, filtered, .. } = match read {
        Ok(batch) => batch,
        Err(error) => {
            count(&state, &name, HookRequest { error: Some(error.to_string()), ..HookRequest::default() }).await;
            return Err(error);
        }
    };
    let accepted = ops.len();
    if accepted > 0 {
        let mut entries: Vec<RawFields> = ops.iter().map(Op::to_fields).collect();
        if let Some(context) = Traceparent::read(request.headers().get(trace::FIELD).map(HeaderValue::as_bytes)) {
            entries.iter_mut().for_each(|entry| entry.set(trace::FIELD, context.to_string()));
        }
        let stream = state.api.stream.clone();
        state.run(async move { stream.append(entries).await }).await?;
    }
    let label = || name.clone();
    metrics::counter!("sentistream_ingested_total", "source" => label()).increment(accepted as u64);
    metrics::counter!("sentistream_ingest_rejected_total", "source" => label()).increment(rejected.len() as u64);
    let counted = HookRequest { accepted, rejected: rejected.len(), error: rejected.first().cloned() };
    count(&state, &name, counted).await;
    answer::json_with(StatusCode::ACCEPTED, &Received { accepted, filtered, rejected })
}

/// A webhook that exists, and whether it is paused.
struct Target {
    hook: Arc<Hook>,
    is_paused: bool,
}

/// The webhook `name`. It is read from the database for each request, so that a change applies immediately.
async fn target(state: &State, name: &str) -> Result<Option<Target>, ApiError> {
    let Some(factory) = state.api.sources.as_ref().filter(|_| is_name(name)) else { return Ok(None) };
    let (store, wanted) = (state.api.store.clone(), name.to_owned());
    let read = async move {
        tokio::try_join!(store.managed_named::<SourceDefinition>(&wanted), store.is_feed_paused(&wanted))
    };
    let (stored, is_paused) = state.read::<_, StoreError, _>(read).await?;
    let hook = match stored {
        Some(found) => {
            let version = (found.stored.id, found.stored.version);
            state.hooks.of(name, version, || factory.hook(&found.stored.spec, &found.secrets))
        }
        None => {
            state.hooks.forget(name);
            factory.configured_hook(name)
        }
    };
    Ok(hook.map(|hook| Target { hook, is_paused }))
}

/// The body of a request, and whether its signature is correct.
struct Checked {
    text: String,
    is_signed: bool,
}

/// Checks the signature of a body.
async fn check(signature: Signature, claim: Claim, text: String) -> Result<Checked, ApiError> {
    let is_long = text.len() > MAX_SIGNED_INLINE;
    let work = move || {
        let is_signed = signature.confirms(&claim, text.as_bytes());
        Checked { text, is_signed }
    };
    if is_long { web::block(work).await.map_err(ApiError::internal) } else { Ok(work()) }
}

/// The posts in the body of a request.
fn posts(hook: &Hook, text: &str, reading: Reading<'_>) -> Result<Batch, ApiError> {
    let document: Value = body::document(text)?;
    let max = reading.max;
    hook.read(&document, reading)
        .ok_or_else(|| ApiError::too_large(format!("at most {max} items may be sent in one request")))
}

fn record_wrong_signature(state: &web::Data<State>, name: &str) {
    tracing::warn!(source = name, "webhook request refused: wrong signature");
    let (state, name) = (state.clone(), name.to_owned());
    // The answer does not wait for this task, so that it takes as long as for an unknown name.
    actix_web::rt::spawn(async move {
        let error = Some("a request had a wrong signature: compare the secret and the signature settings".to_owned());
        count(&state, &name, HookRequest { error, ..HookRequest::default() }).await;
    });
}

/// Adds the results of a request to the counts of the webhook. The posts are already durable, so a failure is only
/// logged.
async fn count(state: &State, name: &str, request: HookRequest) {
    let (store, wanted) = (state.api.store.clone(), name.to_owned());
    if let Err(error) = state.run(async move { store.count_hook_request(&wanted, request).await }).await {
        tracing::warn!(source = name, %error, "counts of a webhook not stored");
    }
}
