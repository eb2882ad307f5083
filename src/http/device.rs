//! The browser that a session belongs to.

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::accounts::Device;

use super::auth::cookie;
use super::state::State;

/// The browser that sends `request`.
pub fn device(request: &HttpRequest, state: &State) -> Device {
    let user_agent = request.headers().get(header::USER_AGENT);
    Device {
        address: state.proxies.address(request),
        client: state.proxies.client(request),
        user_agent: user_agent.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        replaces: cookie::secret(request, state),
    }
}
