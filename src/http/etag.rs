//! Versions in `ETag` and `If-Match`: a change is refused when what it was made from is not what is there.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::error::ApiError;

/// `response` with the version of what it holds.
#[must_use]
pub fn with(mut response: HttpResponse, version: i64) -> HttpResponse {
    if let Ok(value) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// The version that a change was made from; `None` for `*`, whichever it is.
///
/// # Errors
/// 428 without `If-Match`; 412 for a tag that this server does not give.
pub fn if_match(request: &HttpRequest) -> Result<Option<i64>, ApiError> {
    let Some(value) = request.headers().get(header::IF_MATCH) else {
        return Err(ApiError::new(
            StatusCode::PRECONDITION_REQUIRED,
            "send If-Match with the ETag of what you change, or * to change it whatever it is",
        ));
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    version.map(Some).ok_or_else(changed)
}

/// 412: it was changed meanwhile.
pub fn changed() -> ApiError {
    ApiError::new(
        StatusCode::PRECONDITION_FAILED,
        "it was changed meanwhile: fetch it again, and repeat the change on that",
    )
}
