//! The cookie of a session (RFC 6265).

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderValue};
use url::Url;

use crate::accounts::SessionSecret;
use crate::http::state::State;

/// The name of the cookie over http.
const PLAIN: &str = "sentistream_session";
/// The name of the cookie over https. Browsers accept a cookie with the prefix `__Host-` only over https and only from
/// the host that it belongs to, so that no other host of the domain can set it.
const SECURE: &str = "__Host-sentistream";

/// Whether the browser reaches the server over https: a trusted proxy reports it (`X-Forwarded-Proto`), or the request
/// has the host of `alerts.external_url`, which is an https URL.
pub fn is_https(request: &HttpRequest, state: &State) -> bool {
    if state.proxies.is_trusted_peer(request)
        && let Some(scheme) = request.headers().get("x-forwarded-proto")
    {
        // The last value is from the nearest proxy. A client can write the values before it.
        let scheme = scheme.to_str().unwrap_or_default().rsplit(',').next().unwrap_or_default();
        return scheme.trim().eq_ignore_ascii_case("https");
    }
    let Ok(external) = Url::parse(&state.options.external_url) else { return false };
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let authority = match (external.host_str(), external.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return false,
    };
    external.scheme() == "https" && authority.eq_ignore_ascii_case(host)
}

/// The secret in the cookie of `request`.
pub fn secret(request: &HttpRequest, state: &State) -> Option<SessionSecret> {
    value(request, name(request, state)).and_then(SessionSecret::parse)
}

/// The value of the cookie `name`.
pub fn value<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let cookies = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|pairs| pairs.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The value of `Set-Cookie` for a new session that lasts for `lifetime`.
pub fn set(request: &HttpRequest, state: &State, secret: &SessionSecret, lifetime: Duration) -> HeaderValue {
    header(request, state, &format!("{}; Max-Age={}", secret.expose(), lifetime.as_secs()))
}

/// The value of `Set-Cookie` that removes the cookie.
pub fn removal(request: &HttpRequest, state: &State) -> HeaderValue {
    header(request, state, "; Max-Age=0")
}

fn header(request: &HttpRequest, state: &State, value: &str) -> HeaderValue {
    let secure = if is_https(request, state) { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}", name(request, state));
    // The conversion cannot fail, because the parts are ASCII. A sensitive value is left out of debug output.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

fn name(request: &HttpRequest, state: &State) -> &'static str {
    if is_https(request, state) { SECURE } else { PLAIN }
}
