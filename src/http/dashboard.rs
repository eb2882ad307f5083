//! The dashboard: the files of `dashboard/dist`, embedded in the binary.
//!
//! Files are compressed when the dashboard is built (`app.js.br`, `app.js.gz` beside `app.js`) and sent unchanged.
//! Names under `assets/` contain a hash of their content, so browsers may cache them forever. Any other path is a view
//! of the dashboard, for which the server returns the page `index.html`.

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::error::ApiError;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/dashboard/dist"]
#[allow_missing = true]
struct Files;

const PAGE: &str = "index.html";
/// Shown by a binary that was built without the dashboard.
const NOT_BUILT: &str = include_str!("dashboard/not_built.html");
/// Paths with these endings are files. For a missing file the server responds with 404, not with the page `index.html`.
const FILE_ENDINGS: [&str; 14] = [
    ".js",
    ".css",
    ".map",
    ".json",
    ".ico",
    ".png",
    ".svg",
    ".jpg",
    ".webp",
    ".txt",
    ".xml",
    ".woff2",
    ".webmanifest",
    ".wasm",
];

/// Serves a file, or the page `index.html`.
///
/// # Errors
/// 404 for a file that does not exist, 405 for methods other than GET and HEAD.
pub async fn serve(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut refusal = HttpResponse::MethodNotAllowed();
        return Ok(refusal.insert_header((header::ALLOW, "GET, HEAD")).finish());
    }
    let path = request.path().trim_start_matches('/');
    if !path.is_empty()
        && !is_variant(path)
        && let Some(file) = Files::get(path)
    {
        return Ok(send(&request, path, file));
    }
    if path.starts_with("assets/") || FILE_ENDINGS.iter().any(|ending| path.ends_with(ending)) || is_variant(path) {
        return Err(ApiError::from_status(StatusCode::NOT_FOUND, request.path()));
    }
    match Files::get(PAGE) {
        Some(page) => Ok(send(&request, PAGE, page)),
        None => Ok(HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .body(NOT_BUILT)),
    }
}

/// Whether `path` names a compressed variant, which clients cannot request by its own path.
fn is_variant(path: &str) -> bool {
    path.ends_with(".br") || path.ends_with(".gz")
}

fn send(request: &HttpRequest, path: &str, file: EmbeddedFile) -> HttpResponse {
    let (encoding, file) = variant(request, path).map_or((None, file), |(encoding, file)| (Some(encoding), file));
    // The tag is weak, because the compression middleware may compress a file without a compressed variant.
    let tag = format!("W/\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    let lifetime = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let unchanged = request
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|known| known.trim() == "*" || known.trim() == tag);

    let mut response = HttpResponse::build(if unchanged { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, lifetime))
        .insert_header((header::VARY, "accept-encoding"));
    if unchanged {
        return response.finish();
    }
    if let Some(encoding) = encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding));
    }
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = if kind.type_() == "text" { format!("{kind}; charset=utf-8") } else { kind.to_string() };
    response.content_type(kind).body(file.data.into_owned())
}

/// The best compressed variant that the client accepts.
fn variant(request: &HttpRequest, path: &str) -> Option<(HeaderValue, EmbeddedFile)> {
    let accepted = request.headers().get(header::ACCEPT_ENCODING)?.to_str().ok()?.to_ascii_lowercase();
    let takes = |name: &str| {
        accepted.split(',').any(|entry| {
            let (coding, weight) = entry.split_once(';').unwrap_or((entry, "q=1"));
            let refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse().ok()).is_some_and(|q: f32| q == 0.0);
            coding.trim() == name && !refused
        })
    };
    [("br", ".br"), ("gzip", ".gz")].into_iter().find_map(|(name, ending)| {
        let file = takes(name).then(|| Files::get(&format!("{path}{ending}"))).flatten()?;
        Some((HeaderValue::from_static(name), file))
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
