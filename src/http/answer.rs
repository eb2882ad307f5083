//! JSON responses.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use serde::Serialize;

use crate::cache::Cached;

use super::error::ApiError;

/// 200 with `body` as JSON.
///
/// # Errors
/// 500 when `body` cannot be serialised, which does not occur for the types of this crate.
pub fn json<T: Serialize>(body: &T) -> Result<HttpResponse, ApiError> {
    json_with(StatusCode::OK, body)
}

/// `body` as JSON under `status`.
///
/// # Errors
/// As [`json`].
pub fn json_with<T: Serialize>(status: StatusCode, body: &T) -> Result<HttpResponse, ApiError> {
    Ok(text(status, to_json(body)?))
}

/// 200 with a response that was cached as JSON.
pub fn cached(answer: &Cached) -> HttpResponse {
    text(StatusCode::OK, answer.json.to_string())
}

/// `value` as JSON.
///
/// # Errors
/// 500 when `value` cannot be serialised, which does not occur for the types of this crate.
pub fn to_json<T: Serialize>(value: &T) -> Result<String, ApiError> {
    serde_json::to_string(value).map_err(ApiError::internal)
}

fn text(status: StatusCode, json: String) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(json)
}
