//! The API explorer: a small page that works offline and obeys the content security policy.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};

use super::error::ApiError;

const PAGE: &str = include_str!("docs/index.html");
const SCRIPT: &str = include_str!("docs/docs.js");
const STYLE: &str = include_str!("docs/docs.css");

/// `GET /api/docs`.
pub async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(PAGE)
}

/// The files that the page loads.
///
/// # Errors
/// 404 for anything else.
pub async fn file(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let (content_type, text) = match request.match_info().get("file") {
        Some("docs.js") => ("text/javascript; charset=utf-8", SCRIPT),
        Some("docs.css") => ("text/css; charset=utf-8", STYLE),
        _ => return Err(ApiError::from_status(StatusCode::NOT_FOUND, request.path())),
    };
    Ok(HttpResponse::Ok().content_type(content_type).body(text))
}
