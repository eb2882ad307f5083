//! Reads the body of a request: its format, its bytes within limits of size and time, and its JSON.

mod budget;
mod decode;

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{self, ContentEncoding};
use actix_web::web::{Bytes, Data, Payload};
use futures_util::StreamExt;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::error::Category;

pub use budget::BodyBudget;

use super::error::ApiError;
use super::gate::ReceivedBytes;
use super::options::HttpOptions;
use super::state::State;
use crate::domain::op::preview;
use budget::Reservation;
use decode::DecodeError;

/// The maximum number of values (numbers, texts, members, elements) in a JSON body. It bounds the memory of the parsed
/// body.
const MAX_VALUES: usize = 10_000;
/// As [`MAX_VALUES`], for the requests of webhooks, whose JSON has many fields that are not read.
const MAX_DOCUMENT_VALUES: usize = 100_000;
/// The bytes that a body may use on the connection in addition to twice its maximum size, because each chunk of a body
/// has a head.
const CHUNK_OVERHEAD: u64 = 64 * 1024;
/// The interval at which the received bytes of the connection are checked while no chunk of the body is complete.
const CHUNK_CHECK: Duration = Duration::from_secs(1);
/// The maximum length of a parser's message in an error response, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

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
/// 415 for another format or none. Pages of other sites could send some other formats, such as `text/plain`, without a
/// CORS preflight.
pub fn format(request: &HttpRequest) -> Result<BodyFormat, ApiError> {
    let named = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Ok(BodyFormat::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(BodyFormat::Lines),
        _ => Err(ApiError::unsupported(format!(
            "Content-Type must be application/json or application/x-ndjson, is {:?}",
            preview(named, 100)
        ))),
    }
}

/// The whole body as text, decompressed. Decompression runs on a separate thread and stops at the size limit, so that a
/// small body cannot expand without bound.
///
/// # Errors
/// 400 when it is truncated or not UTF-8, 408 when it does not arrive in time, 413 above the limit, 415 for an unknown
/// encoding, 503 while other bodies use up the memory for bodies.
pub async fn text(request: &HttpRequest, payload: Payload, options: &HttpOptions) -> Result<String, ApiError> {
    let encoding = encoding(request)?;
    let too_large = || ApiError::too_large(format!("the body must be at most {} bytes", options.max_body));
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|text| text.parse::<usize>().ok()).is_some_and(|length| length > options.max_body) {
        return Err(too_large());
    }
    let mut reservation = reservation(request)?;
    let limit = options.request_timeout;
    let incoming = Incoming::new(request, options.max_body);
    let bytes = tokio::time::timeout(limit, incoming.read(payload, &mut reservation))
        .await
        .map_err(|_| ApiError::too_slow(format!("the body did not arrive within {} s", limit.as_secs())))??;
    let max_body = options.max_body;
    let bytes = if encoding == ContentEncoding::Identity {
        bytes
    } else {
        // The closure owns the reservation, so that the memory is released after decoding even if the client
        // disconnects.
        let decoded = actix_web::web::block(move || {
            reservation.grow(max_body)?;
            decode::decode(encoding, &bytes, max_body).map_err(|error| match error {
                DecodeError::TooLarge { limit } => {
                    ApiError::too_large(format!("the decompressed body must be at most {limit} bytes"))
                }
                DecodeError::Corrupt(_) | DecodeError::Unsupported => {
                    ApiError::malformed(format!("the body cannot be decompressed: {error}"))
                }
            })
        });
        decoded.await.map_err(ApiError::internal)??
    };
    String::from_utf8(bytes).map_err(|e| {
        ApiError::malformed(format!("the body is not valid UTF-8 at byte {}", e.utf8_error().valid_up_to()))
    })
}

fn reservation(request: &HttpRequest) -> Result<Reservation, ApiError> {
    let state = request.app_data::<Data<State>>().ok_or_else(|| ApiError::internal("the server has no state"))?;
    state.bodies.reserve(state.proxies.client(request))
}

/// A body that is being received.
struct Incoming {
    /// The maximum size of the body.
    max_body: usize,
    /// The counter of the bytes that the connection has received, and the value above which the body is refused. Both
    /// include the sizes and extensions of chunks, which the HTTP parser drops.
    connection: Option<(ReceivedBytes, u64)>,
}

impl Incoming {
    fn new(request: &HttpRequest, max_body: usize) -> Self {
        let connection = request.conn_data::<ReceivedBytes>().map(|received| {
            let most = received.bytes() + 2 * max_body as u64 + CHUNK_OVERHEAD;
            (received.clone(), most)
        });
        Self { max_body, connection }
    }

    async fn read(&self, mut payload: Payload, reservation: &mut Reservation) -> Result<Vec<u8>, ApiError> {
        let mut body = Vec::new();
        loop {
            // The bytes are checked at intervals, because a chunk may have an extension that never ends.
            let chunk = match tokio::time::timeout(CHUNK_CHECK, payload.next()).await {
                Ok(Some(chunk)) => chunk.map_err(|e| ApiError::malformed(format!("the body cannot be read: {e}")))?,
                Ok(None) => return Ok(body),
                Err(_) => Bytes::new(),
            };
            let is_over = self.connection.as_ref().is_some_and(|(received, most)| received.bytes() > *most);
            if is_over || body.len() + chunk.len() > self.max_body {
                return Err(ApiError::too_large(format!("the body must be at most {} bytes", self.max_body)));
            }
            reservation.grow(chunk.len())?;
            body.extend_from_slice(&chunk);
        }
    }
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
            preview(other, 100)
        ))),
    }
}

/// The body of a request that must be one JSON object.
///
/// # Errors
/// As [`format`] and [`text`]; 400 when it is not JSON, 413 for more than 10,000 values, 422 for JSON of another shape.
pub async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    options: &HttpOptions,
) -> Result<T, ApiError> {
    if format(request)? != BodyFormat::Json {
        return Err(ApiError::unsupported("Content-Type must be application/json"));
    }
    object(&text(request, payload, options).await?)
}

/// The JSON object in `text`.
///
/// # Errors
/// As [`json`].
pub fn object<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    if exceeds_values(text, MAX_VALUES) {
        return Err(ApiError::too_large(format!("the body must contain at most {MAX_VALUES} JSON values")));
    }
    // The first character is checked, because Serde would also accept an array of the values of the fields.
    let error = if text.trim_start().starts_with('{') {
        match serde_json::from_str(text) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        }
    } else {
        serde::de::Error::custom("must be a JSON object")
    };
    // Serde may report a field of a wrong type before it reads a later syntax error. The whole text is therefore parsed
    // again: a syntax error is a 400, a wrong type a 422.
    match serde_json::from_str::<IgnoredAny>(text) {
        Err(syntax) => Err(not_json(&syntax)),
        Ok(IgnoredAny) if error.classify() == Category::Data => Err(ApiError::invalid_field("body", message(&error))),
        Ok(IgnoredAny) => Err(not_json(&error)),
    }
}

/// The JSON value in `text`.
///
/// # Errors
/// 400 when it is not JSON, 413 for more than 100,000 values.
pub fn document(text: &str) -> Result<Value, ApiError> {
    if exceeds_values(text, MAX_DOCUMENT_VALUES) {
        return Err(ApiError::too_large(format!("the body must contain at most {MAX_DOCUMENT_VALUES} JSON values")));
    }
    serde_json::from_str(text).map_err(|error| not_json(&error))
}

/// 400 for a body that is not JSON.
pub fn not_json(error: &serde_json::Error) -> ApiError {
    ApiError::malformed(format!("the body is not valid JSON: {}", message(error)))
}

/// The message of `error`, shortened because it may quote the body.
pub fn message(error: &serde_json::Error) -> String {
    preview(&error.to_string(), MAX_MESSAGE_CHARS).to_owned()
}

/// Whether `text` has more than `max` JSON values. It counts separators outside of strings, without parsing.
fn exceeds_values(text: &str, max: usize) -> bool {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b':' | b'[' | b'{' if !in_string => {
                count += 1;
                if count > max {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;

    fn status(text: &str) -> u16 {
        object::<Value>(text).map_or_else(|error| error.status_code().as_u16(), |_| 200)
    }

    #[test]
    fn object_accepts_only_json_objects_of_bounded_size() {
        assert_eq!(status(r#" {"a": [1, {"b": null}]}"#), 200);
        for (text, expected) in [("", 400), ("{", 400), ("[]", 422), ("5", 422), ("{]", 400), ("[1,", 400)] {
            assert_eq!(status(text), expected, "{text}");
        }
        let commas = format!("{{\"text\": \"{}\"}}", "\\\",[{:".repeat(MAX_VALUES));
        assert_eq!(status(&commas), 200, "separators in strings do not count");
        let many = format!("{{\"texts\": [{}0]}}", "{\"\": 0},".repeat(MAX_VALUES));
        assert_eq!(status(&many), 413);
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(status(&deep), 400);
    }

    #[test]
    fn message_of_parser_is_bounded() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Empty {}
        let text = format!("{{\"{}\": 0}}", "x".repeat(100_000));
        assert!(object::<Empty>(&text).unwrap_err().to_string().len() < 1_000);
    }
}
