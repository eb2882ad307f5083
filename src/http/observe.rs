//! The outermost middleware: it adds the request id and security headers, writes the log line and metrics, and renders
//! every error as problem+json, including panics and errors of the framework.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ResponseError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};
use futures_util::FutureExt;
use tracing::Instrument;

use super::audit::watched::Watched;
use super::error::ApiError;

/// The header that carries a request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The maximum length of a request id from a client.
const MAX_ID_LENGTH: usize = 64;

/// Requests slower than this are logged as warnings.
const SLOW: Duration = Duration::from_secs(5);

/// Pages may load resources from this server only.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
    worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Serves a request through the inner service, as the module describes.
///
/// # Errors
/// An [`ApiError`] for a request that failed or panicked in the inner service.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().to_string();
    let path = request.path().to_owned();
    // `watched` also records a request whose future is dropped because the client has closed the connection.
    let watched = Watched::start(&request, &id);
    let span = tracing::info_span!("request", request_id = %id, %method, %path);

    let outcome = AssertUnwindSafe(next.call(request)).catch_unwind().instrument(span.clone()).await;
    let _entered = span.enter();
    let response = match outcome.unwrap_or_else(|_panic| Err(ApiError::internal("a handler panicked").into())) {
        Ok(response) => response,
        Err(mut error) => {
            let status = error.as_response_error().status_code();
            end(watched, status, None);
            record(&Seen { method, route: "none".to_owned(), status, elapsed: started.elapsed() });
            // The response to an error is created after this middleware. The error is returned and not replaced,
            // because the CORS middleware has attached its headers to the error.
            let problem = problem_of(&error, status, &path).with_request_id(&id);
            error.add_response_mapper(move |response| {
                let mut rendered = rendered(&problem, response.headers());
                add_headers(rendered.headers_mut(), &id);
                rendered
            });
            return Err(error);
        }
    };

    let status = response.status();
    let route = response.request().match_pattern();
    end(watched, status, route.as_deref());
    let route = route.unwrap_or_else(|| "none".to_owned());
    record(&Seen { method, route, status, elapsed: started.elapsed() });
    let mut response = if status.is_client_error() || status.is_server_error() {
        as_problem(response, &id, &path)
    } else {
        response.map_into_boxed_body()
    };
    add_headers(response.headers_mut(), &id);
    Ok(response)
}

fn end(watched: Option<Watched>, status: StatusCode, route: Option<&str>) {
    if let Some(watched) = watched {
        watched.end(status, route);
    }
}

/// The client's request id if it is safe to log, otherwise a new one.
fn request_id(headers: &HeaderMap) -> String {
    let harmless = |id: &&str| {
        (1..=MAX_ID_LENGTH).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(harmless);
    given.map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

/// Replaces the body of an error response by a problem and keeps its headers.
fn as_problem<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    id: &str,
    path: &str,
) -> ServiceResponse<BoxBody> {
    let problem = match response.response().error() {
        Some(error) => problem_of(error, response.status(), path),
        None => ApiError::from_status(response.status(), path),
    };
    let rendered = rendered(&problem.with_request_id(id), response.headers());
    response.into_response(rendered)
}

/// The response to `problem`, with the headers of the response that it replaces.
fn rendered(problem: &ApiError, replaced: &HeaderMap) -> HttpResponse {
    let mut rendered = problem.error_response();
    for (name, value) in replaced {
        let of_the_body = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LENGTH, header::ETAG];
        if !of_the_body.contains(name) && !rendered.headers().contains_key(name) {
            rendered.headers_mut().append(name.clone(), value.clone());
        }
    }
    rendered
}

fn problem_of(error: &Error, status: StatusCode, path: &str) -> ApiError {
    match error.as_error::<ApiError>() {
        Some(error) => error.clone(),
        None => ApiError::from_status(status, path),
    }
}

fn add_headers(headers: &mut HeaderMap, id: &str) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

struct Seen {
    method: String,
    /// The pattern of the route. With the path itself as a label, each post would create a time series.
    route: String,
    status: StatusCode,
    elapsed: Duration,
}

fn record(seen: &Seen) {
    let (method, route) = (known_method(&seen.method), seen.route.clone());
    let status = seen.status.as_str().to_owned();
    metrics::counter!("sentistream_http_requests_total", "method" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("sentistream_http_request_duration_seconds", "method" => method, "route" => route)
        .record(seen.elapsed.as_secs_f64());
    let elapsed_ms = seen.elapsed.as_millis() as u64;
    if seen.status.is_server_error() || seen.elapsed > SLOW {
        tracing::warn!(status = seen.status.as_u16(), elapsed_ms, "request served");
    } else {
        tracing::debug!(status = seen.status.as_u16(), elapsed_ms, "request served");
    }
}

/// The method, or `other` if it is unknown: clients could otherwise create any number of label values.
fn known_method(method: &str) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};

    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, web};

    use super::*;

    fn refuse(_: ServiceRequest, _: Next<BoxBody>) -> Ready<Result<ServiceResponse, Error>> {
        ready(Err(ApiError::unavailable("too many requests at the same time").into()))
    }

    #[tokio::test]
    async fn errors_and_panics_have_id_and_security_headers() {
        let app = App::new()
            .wrap(from_fn(observe))
            .service(web::resource("/refused").wrap(from_fn(refuse)))
            .route("/panic", web::get().to(|| async { "no number".parse::<u16>().unwrap().to_string() }));
        let app = init_service(app).await;
        for (path, status) in [("/refused", 503), ("/panic", 500)] {
            let request = TestRequest::with_uri(path).insert_header((REQUEST_ID, "trace-7")).to_request();
            let Err(error) = try_call_service(&app, request).await else { panic!("{path} has no error") };
            let response = error.error_response();
            assert_eq!(response.status(), status, "{path}");
            let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            assert_eq!(header("x-request-id"), Some("trace-7"), "{path}");
            assert_eq!(header("x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(header("content-security-policy"), Some(CONTENT_SECURITY_POLICY), "{path}");
            assert_eq!(header("content-type"), Some("application/problem+json"), "{path}");
        }
    }
}
