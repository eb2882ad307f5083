//! The error type of the API, rendered as a problem of RFC 9457.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;

use crate::domain::FieldError;
use crate::inference::InferenceError;
use crate::store::{AggregateFailure, StoreError};
use crate::stream::StreamError;

/// The media type of every error response.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// `Retry-After` when a backing service is unavailable, in seconds.
const RETRY_AFTER_S: u64 = 2;

/// Why a request failed.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    request_id: Option<String>,
    retry_after_s: Option<u64>,
    challenge: Option<String>,
}

/// The body of an error (RFC 9457).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
    "detail": "limit: must be a whole number from 1 to 500",
    "errors": [{"field": "limit", "message": "must be a whole number from 1 to 500"}],
    "request_id": "0198c5a2-7a30-7c1e-9d5c-6a1f0f3f9a10"
}))]
pub struct Problem<'a> {
    /// `about:blank`: the status alone identifies the kind of problem.
    #[serde(rename = "type")]
    #[schema(rename = "type")]
    kind: &'static str,
    /// The reason phrase of the status.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What was wrong, and what to do.
    detail: &'a str,
    /// Every invalid parameter or field.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<FieldErrorBody>)]
    errors: &'a [FieldError],
    /// The id of the request in the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// One invalid parameter or field.
#[derive(utoipa::ToSchema)]
#[schema(as = FieldError)]
#[expect(dead_code, reason = "the shape of domain::FieldError for the OpenAPI document")]
struct FieldErrorBody {
    /// The name of the parameter or field.
    field: String,
    /// What is wrong and what is allowed.
    message: String,
}

impl ApiError {
    /// An error with this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            errors: Vec::new(),
            request_id: None,
            retry_after_s: None,
            challenge: None,
        }
    }

    /// 400: the request cannot be parsed.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401: no valid credentials.
    pub fn unauthorized(detail: impl Into<String>, challenge: impl Into<String>) -> Self {
        Self { challenge: Some(challenge.into()), ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    /// 403: authenticated, but not allowed.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404: the resource does not exist.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: the request conflicts with the current state.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 408: the body did not arrive in time.
    pub fn too_slow(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, detail)
    }

    /// 413: the body or its content exceeds a limit.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 415: a body in an unsupported format.
    pub fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 422, with every parameter or field that is not valid.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, messages.join("; ")) }
    }

    /// 422 for one parameter or field.
    pub fn invalid_field(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, message)])
    }

    /// 429: the client exceeds the rate limit.
    pub fn too_many(retry_after_s: u64) -> Self {
        let detail = format!("too many requests from this client; try again in {retry_after_s} s");
        Self { retry_after_s: Some(retry_after_s), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// 429 with another reason than the rate limit: too many failed attempts, or a used-up budget.
    pub fn throttled(detail: impl Into<String>, retry_after_s: u64) -> Self {
        Self { retry_after_s: Some(retry_after_s), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// 503: a backing service, such as the database, is unavailable or busy.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self { retry_after_s: Some(RETRY_AFTER_S), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// 500: an internal error. The reason is logged and not sent to the client.
    pub fn internal(reason: impl fmt::Display) -> Self {
        tracing::error!(%reason, "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the request failed; search the log for its request id")
    }

    /// The problem for an error response that the framework has created.
    pub fn from_status(status: StatusCode, path: &str) -> Self {
        let detail = match status {
            StatusCode::NOT_FOUND => format!("nothing is served at {path}; /api/docs lists all endpoints"),
            StatusCode::METHOD_NOT_ALLOWED => {
                format!("{path} does not support this method; the Allow header lists those it supports")
            }
            StatusCode::PAYLOAD_TOO_LARGE => "the body is too large".to_owned(),
            _ => status.canonical_reason().unwrap_or("the request failed").to_lowercase(),
        };
        Self::new(status, detail)
    }

    /// Adds the id of the request.
    #[must_use]
    pub fn with_request_id(mut self, id: &str) -> Self {
        self.request_id = Some(id.to_owned());
        self
    }

    /// The complete HTTP/1.1 response, for a connection that is refused before it reaches the HTTP parser.
    pub fn to_http1(&self) -> Vec<u8> {
        let body = self.body();
        let retry = self.retry_after_s.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
        let id = self.request_id.as_deref().map(|id| format!("x-request-id: {id}\r\n")).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {}\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\nconnection: close\r\n{retry}{id}\r\n",
            self.status,
            body.len()
        );
        (head + &body).into_bytes()
    }

    /// The JSON body.
    fn body(&self) -> String {
        let problem = Problem {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
            request_id: self.request_id.as_deref(),
        };
        serde_json::to_string(&problem).unwrap_or_else(|_| r#"{"type":"about:blank"}"#.to_owned())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.detail)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        response.content_type(PROBLEM_JSON);
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if let Some(challenge) = self.challenge.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        response.body(self.body())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_transient() {
            tracing::warn!(%error, "database unavailable for a request");
            Self::unavailable("the database is not available; try again")
        } else {
            Self::internal(error)
        }
    }
}

impl From<StreamError> for ApiError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Full { .. } | StreamError::MemoryFull { .. } => Self::unavailable(error.to_string()),
            StreamError::Unavailable(_) => {
                tracing::warn!(%error, "stream unavailable for a request");
                Self::unavailable("the stream is not available; try again")
            }
            StreamError::Failed(_) => Self::internal(error),
        }
    }
}

impl From<InferenceError> for ApiError {
    fn from(error: InferenceError) -> Self {
        match error {
            InferenceError::Unavailable(_) | InferenceError::TooSlow(_) => Self::unavailable(error.to_string()),
            InferenceError::Failed(_) | InferenceError::Load { .. } | InferenceError::Setting { .. } => {
                Self::internal(error)
            }
        }
    }
}

impl From<AggregateFailure> for ApiError {
    fn from(failure: AggregateFailure) -> Self {
        match failure {
            AggregateFailure::Query(error) => Self::invalid_field("start_date", error.to_string()),
            AggregateFailure::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_lists_every_invalid_field() {
        let error = ApiError::invalid(vec![FieldError::new("limit", "must be 1"), FieldError::new("q", "is long")])
            .with_request_id("r1");
        let body: serde_json::Value = serde_json::from_str(&error.body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
                "detail": "limit: must be 1; q: is long",
                "errors": [{"field": "limit", "message": "must be 1"}, {"field": "q", "message": "is long"}],
                "request_id": "r1",
            })
        );
    }

    #[test]
    fn transient_errors_carry_retry_after() {
        let full = ApiError::from(StreamError::Full { pending: 5, limit: 5 }).error_response();
        assert_eq!(full.status(), 503);
        assert!(full.headers().contains_key(header::RETRY_AFTER));
        let failed = ApiError::from(StoreError::Failed("secret detail".to_owned()));
        assert_eq!(failed.status_code(), 500);
        assert!(!failed.body().contains("secret"), "{}", failed.body());
    }
}
