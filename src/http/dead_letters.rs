//! Dead letters: entries that could not be processed. They can be inspected, replayed and purged.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::domain::op::preview;
use crate::domain::{DeadLetterReason, EntryId, Page, Timestamp};
use crate::stream::{DeadLetter, DeadLetterSelection};

use super::answer;
use super::auth::{Admin, Authorized, Read};
use super::body;
use super::error::{ApiError, Problem};
use super::params::{Params, last_segment, no_params};
use super::state::State;

/// The maximum number of ids in one request.
const MAX_IDS: usize = 1_000;
/// The maximum length of a value in a list, in characters. A single dead letter is shown in full.
const PREVIEW_CHARS: usize = 200;

/// Start and length of a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeadLetterParams {
    /// The maximum number of dead letters on the page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: i64,
    /// `next_cursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: Option<EntryId>,
}

impl DeadLetterParams {
    fn parse(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut params = Params::of(request)?;
        let limit = params.number("limit", 1..=500, 50);
        let cursor = params
            .optional("cursor", |text| text.parse::<EntryId>().map_err(|_| "must be next_cursor of an earlier page"));
        params.finish()?;
        Ok(Self { limit, cursor })
    }
}

/// A dead letter.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "1767225600000-0", "origin_id": "1767225599000-3", "post_id": "demo-2", "reason": "invalid",
    "error": "content: must not be blank", "deliveries": 1, "failed_at": "2026-01-01T00:00:00.000Z",
    "fields": [{"name": "post_id", "value": "demo-2", "base64": null, "cut": false}]
}))]
pub struct DeadLetterView {
    /// The id of the dead letter.
    id: String,
    /// The id of the original entry in the stream.
    origin_id: String,
    /// The `post_id` of the entry, if it has one.
    post_id: Option<String>,
    /// Why the entry was not processed.
    reason: DeadLetterReason,
    /// The error message.
    error: String,
    /// The number of times that the entry was delivered to a worker.
    deliveries: u32,
    #[schema(value_type = String, format = DateTime)]
    failed_at: Timestamp,
    /// The original fields in their order.
    fields: Vec<FieldView>,
}

/// A field of the original entry.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FieldView {
    name: String,
    /// The value; bytes that are not UTF-8 are replaced by U+FFFD.
    value: String,
    /// The bytes as base64, if they are not UTF-8; `null` in lists.
    base64: Option<String>,
    /// Whether `value` is truncated: a list shows the first 200 characters of each value.
    cut: bool,
}

/// How much of each value a response shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Beginning,
    All,
}

fn view(letter: &DeadLetter, show: Show) -> DeadLetterView {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let field = |(name, value): &(Vec<u8>, Vec<u8>)| {
        let full = text(value);
        let value_shown = if show == Show::All { full.as_str() } else { preview(&full, PREVIEW_CHARS) };
        let is_text = std::str::from_utf8(value).is_ok();
        FieldView {
            name: text(name),
            cut: value_shown.len() < full.len(),
            base64: (!is_text && show == Show::All).then(|| STANDARD.encode(value)),
            value: value_shown.to_owned(),
        }
    };
    DeadLetterView {
        id: letter.id.to_string(),
        origin_id: letter.origin_id.to_string(),
        post_id: letter.fields.get("post_id").map(text),
        reason: letter.reason,
        error: letter.error.clone(),
        deliveries: letter.deliveries,
        failed_at: letter.failed_at,
        fields: letter.fields.0.iter().map(field).collect(),
    }
}

impl From<&DeadLetter> for DeadLetterView {
    /// Shows every value in full.
    fn from(letter: &DeadLetter) -> Self {
        view(letter, Show::All)
    }
}

/// A page of dead letters.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeadLetterList {
    dead_letters: Vec<DeadLetterView>,
    /// The number of dead letters on all pages.
    total: u64,
    limit: i64,
    /// The cursor of the next page; `null` on the last page.
    next_cursor: Option<String>,
}

/// Dead letters
///
/// Returns the dead letters, newest first. Long values are truncated; `GET /api/dead-letters/{id}` returns them in
/// full.
#[utoipa::path(
    get, path = "/api/dead-letters", tag = "dead letters", params(DeadLetterParams),
    responses((status = 200, body = DeadLetterList), (status = 422, body = Problem))
)]
pub async fn list(
    _: Authorized<Read>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let DeadLetterParams { limit, cursor } = DeadLetterParams::parse(&request)?;
    let (stream, wanted) = (state.api.stream.clone(), limit.unsigned_abs() as usize);
    let (letters, depth) = state
        // One dead letter more than requested is read: if it exists, there is another page.
        .run(async move { tokio::try_join!(stream.dead_letters(wanted + 1, cursor), stream.depth()) })
        .await?;
    let page = Page::of(letters, limit, |last| last.id.to_string()).map(|letter| view(&letter, Show::Beginning));
    answer::json(&DeadLetterList { next_cursor: page.next, dead_letters: page.items, total: depth.dead_letters, limit })
}

/// One dead letter
///
/// Returns every field in full. Bytes that are not UTF-8 are also returned as base64.
#[utoipa::path(
    get, path = "/api/dead-letters/{id}", tag = "dead letters",
    params(("id" = String, Path, description = "The id of the dead letter", example = "1767225600000-0")),
    responses((status = 200, body = DeadLetterView), (status = 404, body = Problem))
)]
pub async fn get(_: Authorized<Read>, state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let segment = last_segment(&request)?;
    let missing = || ApiError::not_found(format!("there is no dead letter {:?}", preview(&segment, 100)));
    let id: EntryId = segment.parse().map_err(|_| missing())?;
    let stream = state.api.stream.clone();
    let letter = state.run(async move { stream.get_dead_letter(id).await }).await?.ok_or_else(missing)?;
    answer::json(&view(&letter, Show::All))
}

/// The dead letters to act on: exactly one of `ids` and `all`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ids": ["1767225600000-0"]}))]
pub struct SelectionRequest {
    /// The ids; at most 1,000.
    #[serde(default)]
    #[schema(max_items = 1000)]
    ids: Option<Vec<String>>,
    /// `true`: all dead letters.
    #[serde(default)]
    all: Option<bool>,
}

impl SelectionRequest {
    fn selection(self) -> Result<DeadLetterSelection, ApiError> {
        match (self.ids, self.all) {
            (None, Some(true)) => Ok(DeadLetterSelection::All),
            (Some(ids), None | Some(false)) if ids.len() > MAX_IDS => {
                Err(ApiError::invalid_field("ids", format!("must be at most {MAX_IDS} ids, found {}", ids.len())))
            }
            (Some(ids), None | Some(false)) => {
                let parse =
                    |id: &String| id.parse().map_err(|e: &str| ApiError::invalid_field("ids", format!("{id:?} {e}")));
                Ok(DeadLetterSelection::Ids(ids.iter().map(parse).collect::<Result<_, _>>()?))
            }
            _ => Err(ApiError::invalid_field("ids", "send either ids or all = true")),
        }
    }
}

/// The result of a replay.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Replayed {
    /// The number of dead letters that were appended to the stream again.
    replayed: u64,
}

/// Replay dead letters
///
/// Appends the selected entries to the stream again, and removes them from the dead letters. If the stream becomes full
/// or unavailable (503), the dead letters that were not appended remain.
#[utoipa::path(
    post, path = "/api/dead-letters/replay", tag = "dead letters", request_body = SelectionRequest,
    responses((status = 200, body = Replayed), (status = 422, body = Problem), (status = 503, body = Problem))
)]
pub async fn replay(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let selection = body::json::<SelectionRequest>(&request, payload, &state.options).await?.selection()?;
    let stream = state.api.stream.clone();
    let replayed = state.run(async move { stream.replay_dead_letters(&selection).await }).await?;
    answer::json(&Replayed { replayed })
}

/// The result of a purge.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Purged {
    /// The number of dead letters that were deleted.
    purged: u64,
}

/// Purge dead letters
///
/// Deletes the selected dead letters permanently.
#[utoipa::path(
    post, path = "/api/dead-letters/purge", tag = "dead letters", request_body = SelectionRequest,
    responses((status = 200, body = Purged), (status = 422, body = Problem), (status = 503, body = Problem))
)]
pub async fn purge(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let selection = body::json::<SelectionRequest>(&request, payload, &state.options).await?.selection()?;
    let stream = state.api.stream.clone();
    let purged = state.run(async move { stream.purge_dead_letters(&selection).await }).await?;
    answer::json(&Purged { purged })
}
