//! The body of a request: its format, its bytes within limits of size and time, and JSON from them.

use actix_web::HttpRequest;
use actix_web::dev::Decompress;
use actix_web::http::header::{self, ContentEncoding};
use actix_web::web::{BytesMut, Payload};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ApiError;
use super::options::HttpOptions;

/// The format of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    /// One JSON value.
    Json,
    /// One JSON value per line.
    Lines,
}

/// The format that `Content-Type` names.
///
/// # Errors
/// 415 for any other format and for none: pages of other sites can send those without a CORS preflight.
pub fn format(request: &HttpRequest) -> Result<BodyFormat, ApiError> {
    let named = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Ok(BodyFormat::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(BodyFormat::Lines),
        _ => Err(ApiError::unsupported(format!(
            "Content-Type must be application/json or application/x-ndjson, is {:?}",
            crate::domain::op::preview(named, 100)
        ))),
    }
}

/// The whole body as text, decompressed.
///
/// # Errors
/// 400 when it is truncated or not UTF-8, 408 when it does not arrive in time, 413 above the limit, 415 for an unknown
/// encoding.
pub async fn text(request: &HttpRequest, payload: Payload, options: &HttpOptions) -> Result<String, ApiError> {
    let encoding = encoding(request)?;
    let too_large = || ApiError::too_large(format!("the body must be at most {} bytes", options.max_body));
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|text| text.parse::<usize>().ok()).is_some_and(|length| length > options.max_body) {
        return Err(too_large());
    }
    let mut chunks = Decompress::new(payload, encoding);
    let mut body = BytesMut::new();
    let read = async {
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|e| ApiError::malformed(format!("the body cannot be read: {e}")))?;
            if body.len() + chunk.len() > options.max_body {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(())
    };
    let limit = options.request_timeout;
    tokio::time::timeout(limit, read)
        .await
        .map_err(|_| ApiError::too_slow(format!("the body did not arrive within {} s", limit.as_secs())))??;
    String::from_utf8(body.into()).map_err(|e| {
        ApiError::malformed(format!("the body is not valid UTF-8 at byte {}", e.utf8_error().valid_up_to()))
    })
}

fn encoding(request: &HttpRequest) -> Result<ContentEncoding, ApiError> {
    let Some(value) = request.headers().get(header::CONTENT_ENCODING) else { return Ok(ContentEncoding::Identity) };
    match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "identity" | "" => Ok(ContentEncoding::Identity),
        "gzip" => Ok(ContentEncoding::Gzip),
        "br" => Ok(ContentEncoding::Brotli),
        "deflate" => Ok(ContentEncoding::Deflate),
        other => Err(ApiError::unsupported(format!(
            "Content-Encoding must be gzip, deflate, br or identity, is {:?}",
            crate::domain::op::preview(other, 100)
        ))),
    }
}

/// The body of a request that accepts JSON only.
///
/// # Errors
/// As [`format`] and [`text`]; 400 when it is not JSON, 422 for JSON of another shape.
pub async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    options: &HttpOptions,
) -> Result<T, ApiError> {
    if format(request)? != BodyFormat::Json {
        return Err(ApiError::unsupported("Content-Type must be application/json"));
    }
    let text = text(request, payload, options).await?;
    // Through a map: a struct would also be read from an array of its fields.
    let object = parse(&text)?;
    if !object.is_object() {
        return Err(ApiError::invalid_field("body", "must be a JSON object"));
    }
    serde_json::from_value(object).map_err(|e| ApiError::invalid_field("body", e.to_string()))
}

/// `text` as JSON.
///
/// # Errors
/// 400 when it is not JSON.
pub fn parse(text: &str) -> Result<Value, ApiError> {
    serde_json::from_str(text).map_err(|e| ApiError::malformed(format!("the body is not valid JSON: {e}")))
}
