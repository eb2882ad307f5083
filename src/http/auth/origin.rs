//! Checks of the headers `Origin` and `Host`.

use std::net::{Ipv4Addr, Ipv6Addr};

use actix_web::HttpRequest;
use actix_web::http::header;

use super::super::error::ApiError;

/// Accepts requests without `Origin` (from programs), requests from the same origin, and requests from listed origins.
///
/// # Errors
/// 403 for the page of another site.
pub fn check(request: &HttpRequest, listed: &[String]) -> Result<(), ApiError> {
    let mut origins = request.headers().get_all(header::ORIGIN);
    let Some(origin) = origins.next() else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    // Both http and https are accepted: behind a proxy that terminates TLS, the server sees http although the page uses
    // https.
    let place = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let same = place.zip(host).is_some_and(|(place, host)| place.eq_ignore_ascii_case(host));
    let is_allowed = same || listed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin));
    if is_allowed && origins.next().is_none() {
        return Ok(());
    }
    Err(ApiError::forbidden(format!(
        "pages of {:?} may not use this API; add the origin to server.cors_origins",
        crate::domain::op::preview(origin, 200)
    )))
}

/// Accepts a request with a session cookie if a page of the same origin or of a listed origin sent it. Browsers also
/// send the cookie with requests of pages of other sites; `Origin` and `Sec-Fetch-Site` show which page sent the
/// request.
///
/// # Errors
/// 403 for the page of another site, and for a request that does not show which page sent it.
pub fn check_page(request: &HttpRequest, listed: &[String]) -> Result<(), ApiError> {
    let site = request.headers().get("sec-fetch-site").and_then(|site| site.to_str().ok());
    let origin = request.headers().get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    let is_listed = origin.is_some_and(|origin| listed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)));
    match (origin, site) {
        // Browsers also report `cross-site` for a page of this host over http, which may have been modified in transit.
        (Some(_), Some("cross-site")) if !is_listed => {}
        (Some(_), _) => return check(request, listed),
        (None, Some("same-origin")) => return Ok(()),
        (None, _) => {}
    }
    Err(ApiError::forbidden(
        "a request with a session must come from a page of this server (Origin); programs send a token instead",
    ))
}

/// Whether `Host` is `localhost` or a loopback address. A request without `Host` passes.
pub fn names_this_machine(request: &HttpRequest) -> bool {
    let Some(host) = request.headers().get(header::HOST) else { return true };
    host.to_str().is_ok_and(is_this_machine)
}

/// Whether `host` is `localhost`, a name below it, or a loopback address, with or without a port.
fn is_this_machine(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        return is_port(port) && address.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
    }
    let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
    if !is_port(port) {
        return false;
    }
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        return address.is_loopback();
    }
    let name = name.to_ascii_lowercase();
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    is_name && (name == "localhost" || name.ends_with(".localhost"))
}

/// Whether `text` is empty, or a colon and digits.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn request_with_several_or_foreign_origins_is_refused() {
        let allows = |origins: &[&str]| {
            let request = TestRequest::default().insert_header((header::HOST, "127.0.0.1:8000"));
            let request =
                origins.iter().fold(request, |request, origin| request.append_header((header::ORIGIN, *origin)));
            check(&request.to_http_request(), &["https://listed.example".to_owned()]).is_ok()
        };
        assert!(allows(&[]) && allows(&["https://listed.example"]));
        assert!(allows(&["http://127.0.0.1:8000"]) && allows(&["https://127.0.0.1:8000"]));
        for origin in ["null", "", "x://127.0.0.1:8000", "chrome-extension://127.0.0.1:8000", "http://127.0.0.1"] {
            assert!(!allows(&[origin]), "{origin}");
        }
        assert!(!allows(&["http://127.0.0.1:8000", "http://evil.example"]));
    }

    #[test]
    fn session_is_accepted_from_own_and_listed_pages_only() {
        let listed = ["http://localhost:5173".to_owned()];
        let is_accepted = |headers: &[(&'static str, &'static str)]| {
            let request = headers
                .iter()
                .fold(TestRequest::default().insert_header(("host", "app.example")), |request, header| {
                    request.insert_header(*header)
                });
            check_page(&request.to_http_request(), &listed).is_ok()
        };
        for own in [
            &[("origin", "https://app.example")][..],
            &[("origin", "https://app.example"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "same-origin")],
            &[("origin", "http://localhost:5173"), ("sec-fetch-site", "cross-site")],
        ] {
            assert!(is_accepted(own), "{own:?}");
        }
        for other in [
            &[][..],
            &[("origin", "https://evil.example")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
            &[("origin", "http://app.example"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://sub.app.example"), ("sec-fetch-site", "same-site")],
        ] {
            assert!(!is_accepted(other), "{other:?}");
        }
    }

    #[test]
    fn only_names_and_addresses_of_this_machine_are_accepted() {
        for host in ["localhost", "LOCALHOST:8000", "app.localhost:80", "127.0.0.1", "127.1.2.3:1", "[::1]", "[::1]:80"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.com",
            "[::1].evil.com",
            "[::1]evil",
            "[::1]:80@evil.com",
            "[::1",
            "[localhost]",
            "[::2]",
            "localhost:80@evil.com",
            "localhost:80:80",
            "localhost:x",
            "localhost.evil.com",
            "evil.com@a.localhost",
            "evil.com/.localhost",
            "127.0.0.1.evil.com",
            "128.0.0.1",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
