//! Versions in `ETag` and `If-Match`. The server refuses an edit of an outdated version.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::error::ApiError;

/// Adds the version of the content to `response`, as `ETag`.
#[must_use]
pub fn with(mut response: HttpResponse, version: i64) -> HttpResponse {
    if let Ok(value) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// The version that an edit is based on; `None` for `*`, which matches any version.
///
/// # Errors
/// 428 without `If-Match`; 412 for a tag that this server never sends.
pub fn if_match(request: &HttpRequest) -> Result<Option<i64>, ApiError> {
    let Some(value) = request.headers().get(header::IF_MATCH) else {
        return Err(ApiError::new(
            StatusCode::PRECONDITION_REQUIRED,
            "send If-Match with the ETag of the version that you edit, or * to overwrite any version",
        ));
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    version.map(Some).ok_or_else(changed)
}

/// 412: the version is outdated.
pub fn changed() -> ApiError {
    ApiError::new(
        StatusCode::PRECONDITION_FAILED,
        "the object has changed since the version in If-Match: fetch it again and repeat the edit",
    )
}
