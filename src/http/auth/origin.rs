//! Checks of the headers `Origin` and `Host`.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header;

use super::super::error::ApiError;

/// Accepts requests without `Origin` (programs), of the same origin, and of listed origins.
///
/// # Errors
/// 403 for the page of another site.
pub fn check(request: &HttpRequest, listed: &[String]) -> Result<(), ApiError> {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    // The scheme is not compared: behind a proxy that terminates TLS the server sees http where the page has https.
    let same = origin.split_once("://").is_some_and(|(_, place)| {
        request
            .headers()
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .is_some_and(|host| place.eq_ignore_ascii_case(host))
    });
    if same || listed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
        return Ok(());
    }
    Err(ApiError::forbidden(format!(
        "pages of {:?} may not use this API; add the origin to server.cors_origins",
        crate::domain::op::preview(origin, 200)
    )))
}

/// Whether `Host` is `localhost` or a loopback address.
pub fn names_this_machine(request: &HttpRequest) -> bool {
    let Some(host) = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()) else { return true };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
